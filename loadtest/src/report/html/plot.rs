//! Curves over two axes, drawn as SVG inside the page.

use maud::{Markup, html};
use serde_json::json;

use super::scale::Scale;

/// In units of the drawing, which the browser scales to the page.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 42.0;
/// Colours that the page's style knows.
const COLOURS: usize = 8;

/// A plot with its title.
pub(super) struct Plot {
    pub(super) title: &'static str,
    /// What the reader has to know about it.
    pub(super) note: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) curves: Vec<Curve>,
    /// Up to here along the horizontal axis is warm-up.
    pub(super) warm_up_to: f64,
}

/// One of the two axes.
pub(super) struct Axis {
    pub(super) title: &'static str,
    pub(super) scale: Scale,
    /// How a mark is written.
    pub(super) mark: fn(f64) -> String,
    /// How a value under the pointer is written.
    pub(super) value: fn(f64) -> String,
}

/// Points that belong together, in the order of their horizontal value.
pub(super) struct Curve {
    pub(super) name: String,
    pub(super) colour: usize,
    pub(super) stroke: Stroke,
    pub(super) points: Vec<(f64, f64)>,
}

/// How a curve is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stroke {
    Solid,
    /// Thin and grey: something to hold the others against.
    Faint,
}

impl Plot {
    pub(super) fn draw(&self) -> Markup {
        html! {
            figure {
                figcaption {
                    h3 { (self.title) }
                    @if !self.note.is_empty() { p { (self.note) } }
                    ul.legend { @for curve in &self.curves { li { i.(class(curve)) {} (curve.name) } } }
                }
                div.plot data-hover=(self.hover()) data-width=(WIDTH) {
                    svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(self.title) {
                        (self.shade())
                        (self.grid())
                        @for curve in &self.curves {
                            path class=(class(curve)) d=(self.path(curve)) {}
                        }
                        line.guide x1="0" x2="0" y1=(TOP) y2=(HEIGHT - BOTTOM) {}
                    }
                    output {}
                }
            }
        }
    }

    fn shade(&self) -> Markup {
        html! {
            @if self.warm_up_to > 0.0 {
                rect.shade x=(LEFT) y=(TOP) width=(number(self.across(self.warm_up_to) - LEFT)) height=(HEIGHT - TOP - BOTTOM) {}
                text.note x=(LEFT + 5.0) y=(TOP + 14.0) { "warm-up" }
            }
        }
    }

    fn grid(&self) -> Markup {
        let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
        html! {
            @for mark in self.y.scale.marks() {
                @let y = number(self.up(mark));
                line.grid x1=(LEFT) x2=(right) y1=(y) y2=(y) {}
                text.mark.end x=(LEFT - 7.0) y=(y) dy="0.35em" { ((self.y.mark)(mark)) }
            }
            @for mark in self.x.scale.marks() {
                @let x = number(self.across(mark));
                line.grid x1=(x) x2=(x) y1=(TOP) y2=(bottom) {}
                text.mark.middle x=(x) y=(bottom + 16.0) { ((self.x.mark)(mark)) }
            }
            text.mark.middle x=((LEFT + right) / 2.0) y=(HEIGHT - 6.0) { (self.x.title) }
            text.mark.middle transform=(format!("translate(13 {}) rotate(-90)", (TOP + bottom) / 2.0)) { (self.y.title) }
        }
    }

    fn path(&self, curve: &Curve) -> String {
        let points = curve.points.iter().enumerate().map(|(index, (x, y))| {
            let command = if index == 0 { 'M' } else { 'L' };
            format!("{command}{} {}", number(self.across(*x)), number(self.up(*y)))
        });
        points.collect()
    }

    fn across(&self, value: f64) -> f64 {
        LEFT + self.x.scale.place(value) * (WIDTH - LEFT - RIGHT)
    }

    fn up(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - self.y.scale.place(value) * (HEIGHT - TOP - BOTTOM)
    }

    /// For each place where any curve has a point, what the curves say there: `[[place, [line, …]], …]`.
    fn hover(&self) -> String {
        let mut places: Vec<f64> = self.curves.iter().flat_map(|curve| curve.points.iter().map(|(x, _)| *x)).collect();
        places.sort_by(f64::total_cmp);
        places.dedup();
        let said = |x: f64| {
            let at =
                |curve: &Curve| curve.points.iter().find(|(point, _)| *point == x).map(|(_, y)| (self.y.value)(*y));
            let lines = self.curves.iter().filter_map(|curve| Some(format!("{}: {}", curve.name, at(curve)?)));
            std::iter::once((self.x.value)(x)).chain(lines).collect::<Vec<String>>()
        };
        json!(places.into_iter().map(|x| json!([self.across(x).round(), said(x)])).collect::<Vec<_>>()).to_string()
    }
}

fn class(curve: &Curve) -> String {
    match curve.stroke {
        Stroke::Solid => format!("curve c{}", curve.colour % COLOURS),
        Stroke::Faint => "curve faint".to_owned(),
    }
}

/// To a tenth of a unit of the drawing.
fn number(place: f64) -> String {
    format!("{place:.1}")
}
