// Shows the values of all curves at the point that is nearest to the pointer.
for (const plot of document.querySelectorAll(".plot")) {
  const points = JSON.parse(plot.dataset.hover);
  const guide = plot.querySelector(".guide");
  const output = plot.querySelector("output");
  plot.addEventListener("pointermove", (event) => {
    const box = plot.getBoundingClientRect();
    const scale = plot.dataset.width / box.width;
    const x = (event.clientX - box.left) * scale;
    const [place, lines] = points.reduce((one, other) => (Math.abs(other[0] - x) < Math.abs(one[0] - x) ? other : one));
    guide.setAttribute("x1", place);
    guide.setAttribute("x2", place);
    output.textContent = lines.join("\n");
    const left = place / scale;
    output.style.left = left < box.width / 2 ? `${left + 12}px` : "auto";
    output.style.right = left < box.width / 2 ? "auto" : `${box.width - left + 12}px`;
    plot.classList.add("pointed");
  });
  plot.addEventListener("pointerleave", () => plot.classList.remove("pointed"));
}
