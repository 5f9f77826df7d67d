//! Puts the tables into a document.

use thiserror::Error;

use super::{performance, targets};
use crate::record::RunRecord;

/// A document without a place for a table.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum DocumentError {
    /// Neither table has a place.
    #[error(
        "it has no line `<!-- performance: begin -->` or `<!-- targets: begin -->`; write one, and one with `end`, where a table shall be"
    )]
    NoMark,
    /// A place begins and does not end.
    #[error("`<!-- {0}: begin -->` has no `<!-- {0}: end -->` behind it")]
    NoEnd(&'static str),
}

/// The document with new tables between its marks.
///
/// # Errors
/// [`DocumentError`] where it has no marks, or half of them.
pub(crate) fn document(document: &str, records: &[RunRecord]) -> Result<String, DocumentError> {
    let with_runs = replace(document, "performance", || performance::table(records))?;
    let with_targets = replace(with_runs.as_deref().unwrap_or(document), "targets", || targets::table(records))?;
    with_targets.or(with_runs).ok_or(DocumentError::NoMark)
}

/// Absent where the document has no such place.
fn replace(document: &str, name: &'static str, table: impl Fn() -> String) -> Result<Option<String>, DocumentError> {
    let (begin, end) = (format!("<!-- {name}: begin -->"), format!("<!-- {name}: end -->"));
    let Some((before, behind)) = document.split_once(&begin) else { return Ok(None) };
    let (_, after) = behind.split_once(&end).ok_or(DocumentError::NoEnd(name))?;
    Ok(Some(format!("{before}{begin}\n{}{end}{after}", table())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::SAMPLE;

    #[test]
    fn tables_are_replaced_and_everything_else_stays() {
        let records = [RunRecord::parse(SAMPLE).unwrap()];
        let old = "Before\n<!-- performance: begin -->\nstale\n<!-- performance: end -->\nAfter\n";
        let new = document(old, &records).unwrap();
        assert!(new.starts_with("Before\n<!-- performance: begin -->\nMeasured on "), "{new}");
        assert!(new.ends_with("\n<!-- performance: end -->\nAfter\n") && !new.contains("stale"), "{new}");
        assert_eq!(document(&new, &records), Ok(new.clone()));
        let both = format!("{new}<!-- targets: begin --><!-- targets: end -->");
        assert!(document(&both, &records).unwrap().contains("| what | must | aim |"));
    }

    #[test]
    fn a_document_without_a_place_is_refused() {
        for (text, expected) in [
            ("nothing", DocumentError::NoMark),
            ("<!-- targets: begin -->", DocumentError::NoEnd("targets")),
            ("<!-- performance: end --><!-- performance: begin -->", DocumentError::NoEnd("performance")),
        ] {
            assert_eq!(document(text, &[]), Err(expected));
        }
    }
}
