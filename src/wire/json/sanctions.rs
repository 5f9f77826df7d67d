//! Lists of sanctions as operators load and see them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    kernel::{Timestamp, outcome::SanctionsView, sanctions::SanctionsList},
    wire::sanctions_file::{self, SanctionsFileError},
};

use super::{Object, Refusal};

/// A list of sanctions to be put in force: the text of a file, or its entries.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({"source": "OFAC, November 2026", "addresses": ["0x00000000000000000000000000000000000bad00"], "countries": ["KP"]}))]
#[expect(dead_code, reason = "describes what `read_sanctions` accepts")]
pub struct SanctionsRequest {
    /// Where the list comes from; for people.
    #[schema(max_length = 256)]
    source: Option<String>,
    /// The text of a file: addresses one a line, CSV, JSON lines, or OFAC's own list.
    content: Option<String>,
    /// The addresses, instead of a file.
    #[schema(max_items = 100_000)]
    addresses: Option<Vec<String>>,
    /// The countries in two letters, instead of a file.
    #[schema(max_items = 300)]
    countries: Option<Vec<String>>,
}

/// Reads a list, and where it comes from.
///
/// # Errors
/// A [`Refusal`] that names what is wrong; an empty list is refused, since it is more often a mistake than meant.
pub fn read_sanctions(object: &Object<'_>) -> Result<(SanctionsList, String), Refusal> {
    let source = object.text("source")?.unwrap_or_default();
    let (addresses, countries) = (object.texts("addresses")?, object.texts("countries")?);
    let list = match object.text("content")? {
        Some(_) if addresses.is_some() || countries.is_some() => {
            let expected = "the text of a file, or `addresses` and `countries`";
            return Err(Refusal::invalid("content", "stands beside entries", expected));
        }
        Some(content) => sanctions_file::read(&content).map_err(of_file)?,
        None => {
            let (addresses, countries) = (addresses.unwrap_or_default(), countries.unwrap_or_default());
            let list = SanctionsList::new(&borrowed(&addresses), &borrowed(&countries));
            list.map_err(Refusal::from)?
        }
    };
    if list.is_empty() {
        return Err(of_file(SanctionsFileError::Empty));
    }
    Ok((list, source))
}

fn borrowed(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

fn of_file(error: SanctionsFileError) -> Refusal {
    match error {
        SanctionsFileError::List(failure) => Refusal::from(failure),
        SanctionsFileError::Line { line, expected } => {
            Refusal::invalid("content", &format!("means nothing in line {line}"), expected)
        }
        SanctionsFileError::Empty => {
            Refusal::invalid("content", "names nobody", "a list; to check against none, delete the one in force")
        }
    }
}

/// The list of sanctions that payments are checked against.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SanctionsBody {
    /// Whether there is one; without one, payments are not checked.
    checked: bool,
    /// Where it comes from.
    source: Option<String>,
    /// BLAKE3 of its entries: two lists are the same if and only if this is.
    digest: Option<String>,
    addresses: u32,
    countries: u32,
    /// The change of the catalogue that put it in force.
    revision: Option<u32>,
    #[schema(value_type = Option<Timestamp>)]
    loaded_at: Option<String>,
    /// The name of the key that loaded it, or `configuration`.
    loaded_by: Option<String>,
}

impl SanctionsBody {
    /// What is known of the list in force.
    #[must_use]
    pub fn of(list: Option<&SanctionsView>) -> SanctionsBody {
        let Some(SanctionsView { summary, revision, since }) = list else { return SanctionsBody::default() };
        SanctionsBody {
            checked: true,
            source: Some(summary.source.to_string()),
            digest: Some(blake3::Hash::from(summary.digest).to_hex().to_string()),
            addresses: summary.addresses,
            countries: summary.countries,
            revision: Some(*revision),
            loaded_at: Some(since.to_string()),
            loaded_by: Some(summary.loaded_by.to_string()),
        }
    }
}
