//! A command as the reader should type it.

/// Options that say where the result goes, each with a value, and change nothing in what is measured.
const OUTPUTS: [&str; 4] = ["--json", "--html", "--hgrm", "--hlog"];

/// The command without its outputs.
pub(super) fn shown(command: &str) -> String {
    let mut words = Vec::new();
    let mut rest = command.split_ascii_whitespace();
    while let Some(word) = rest.next() {
        match word.split_once('=').map_or(word, |(option, _)| option) {
            option if !OUTPUTS.contains(&option) => words.push(word),
            // Its value is the next word, unless it stands behind an equals sign.
            option if option == word => drop(rest.next()),
            _ => {}
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_left_out() {
        for (typed, expected) in [
            ("target/release/loadtest run steady", "target/release/loadtest run steady"),
            ("loadtest run steady --json a.json --rate 5", "loadtest run steady --rate 5"),
            ("loadtest run steady --json=a.json --html", "loadtest run steady"),
        ] {
            assert_eq!(shown(typed), expected);
        }
    }
}
