//! The list of sanctions that the configuration names, loaded at a start where it is not the one in force.

use std::{fs, path::PathBuf};

use super::start::StartError;
use crate::{
    engine::Engine,
    kernel::{
        Actor, ActorKind, Outcome, Request,
        outcome::View,
        request::Query,
        sanctions::{SanctionsList, SanctionsSummary},
    },
    wire::sanctions_file,
};

/// Who loads it, for people.
const LOADED_BY: &str = "configuration";

/// A list that was read, and from where.
pub(super) struct FileList {
    path: PathBuf,
    list: SanctionsList,
    summary: SanctionsSummary,
}

/// Reads the file, so that one that cannot be read keeps the gateway from starting.
///
/// # Errors
/// [`StartError::Sanctions`].
pub(super) fn read(path: &PathBuf) -> Result<FileList, StartError> {
    let wrong = |message: String| StartError::Sanctions { path: path.clone(), message };
    let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let list = sanctions_file::read(&text).map_err(|error| wrong(error.to_string()))?;
    let summary = list.summary(&path.display().to_string(), LOADED_BY);
    Ok(FileList { path: path.clone(), list, summary })
}

impl FileList {
    /// Puts it in force, unless it is.
    ///
    /// # Errors
    /// [`StartError::Sanctions`].
    pub(super) fn load(&self, engine: &Engine) -> Result<(), StartError> {
        let wrong = |message: String| StartError::Sanctions { path: self.path.clone(), message };
        let known = engine.call(engine.home(), &Request::Read(Query::Sanctions));
        if let Outcome::View(View::Sanctions(Some(known))) = known.map_err(|error| wrong(error.to_string()))?
            && known.summary.digest == self.summary.digest
        {
            return Ok(());
        }
        let nothing = Box::<str>::default;
        let actor = Actor {
            kind: ActorKind::System,
            key: None,
            name: LOADED_BY.into(),
            address: nothing(),
            user_agent: nothing(),
        };
        let loaded = engine.put_sanctions(&self.list, &self.summary, Some(&actor));
        loaded.map(|_| ()).map_err(|error| wrong(error.to_string()))
    }
}
