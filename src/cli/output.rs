//! What commands print: tables and sentences for people, one JSON document for machines.

use std::io::{self, Write};

use comfy_table::{ContentArrangement, Table, presets};

use super::{CliError, json::Json};

/// For whom the output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    People,
    Machines,
}

/// A column of a table: its heading, and where its text stands in a row.
pub(super) type Column = (&'static str, &'static str);

impl Output {
    /// Prints an answer: as it was sent to machines, in words to people.
    pub(super) fn answer(self, json: &Json, words: impl FnOnce(&Json) -> String) -> Result<(), CliError> {
        match self {
            Output::Machines => print(json.raw()),
            Output::People => print(&words(json)),
        }
    }
}

/// A table with a row for each element.
pub(super) fn table(rows: &[Json], columns: &[Column], empty: &str) -> String {
    if rows.is_empty() {
        return empty.to_owned();
    }
    let mut table = plain_table(columns.iter().map(|(heading, _)| *heading));
    for row in rows {
        table.add_row(columns.iter().map(|(_, path)| row.text_at(path)));
    }
    table.trim_fmt()
}

/// An empty table in the one style of the program: no frame, so that it can be cut and searched.
pub(super) fn plain_table(headings: impl IntoIterator<Item = &'static str>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(headings.into_iter().map(str::to_uppercase));
    table
}

/// Prints a line or a block. A closed pipe is no error: whoever reads has seen enough.
pub(super) fn print(text: &str) -> Result<(), CliError> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(CliError::new(format!("failed to print: {error}")))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
