//! Where the result goes: the summary to standard output, the rest to files.

use std::{fs, path::Path};

use crate::{
    arguments::{CompareArguments, DocumentArguments, OutputArguments},
    error::LoadError,
    record::RunRecord,
    report,
};

/// Prints and writes everything that is asked for, with older runs beside this one.
pub(crate) fn write(record: RunRecord, outputs: &OutputArguments, compare: Vec<RunRecord>) -> Result<(), LoadError> {
    let OutputArguments { json, html, hgrm, hlog } = outputs;
    print!("{}", report::text(&record));
    if let Some(path) = json {
        write_file(path, &record.json())?;
    }
    let waits = record.latencies.authorize.as_ref().or(record.latencies.capture.as_ref());
    if let (Some(path), Some(waits)) = (hgrm, waits) {
        write_file(path, &report::hgrm(waits))?;
    }
    if let Some(path) = hlog {
        write_file(path, &report::hlog(&record))?;
    }
    let mut records = compare;
    records.push(record);
    if records.len() > 1 {
        print!("\n{}", report::compare_text(&records));
    }
    if let Some(path) = html {
        write_file(path, &report::html(&records))?;
    }
    Ok(())
}

/// `loadtest compare`.
pub(crate) fn compare(arguments: &CompareArguments) -> Result<(), LoadError> {
    let records = arguments.records.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    match records.as_slice() {
        [record] => print!("{}", report::text(record)),
        records => print!("{}", report::compare_text(records)),
    }
    if let Some(path) = &arguments.html {
        write_file(path, &report::html(&records))?;
    }
    Ok(())
}

/// `loadtest document`.
pub(crate) fn document(arguments: &DocumentArguments) -> Result<(), LoadError> {
    let records = arguments.records.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    for path in &arguments.into {
        let old = fs::read_to_string(path).map_err(|source| LoadError::File { path: path.clone(), source })?;
        let new = report::document(&old, &records);
        write_file(path, &new.map_err(|source| LoadError::Document { path: path.clone(), source })?)?;
    }
    Ok(())
}

/// The record in a file.
pub(crate) fn read(path: &Path) -> Result<RunRecord, LoadError> {
    let text = fs::read_to_string(path).map_err(|source| LoadError::File { path: path.to_owned(), source })?;
    RunRecord::parse(&text).map_err(|source| LoadError::Record { path: path.to_owned(), source })
}

fn write_file(path: &Path, text: &str) -> Result<(), LoadError> {
    fs::write(path, text).map_err(|source| LoadError::File { path: path.to_owned(), source })
}
