//! What follows the engine's events in a gateway, and what reads them.

use crate::{
    engine::{Engine, Feed, FollowError},
    query::ReadModels,
};

/// The read models and the feed that keeps them up to date; cheap to clone.
#[derive(Clone, Debug)]
pub struct Readers {
    /// The events themselves.
    pub feed: Feed,
    /// What they add up to.
    pub models: ReadModels,
}

impl Readers {
    /// Has an engine followed, by everybody that is to.
    ///
    /// # Errors
    /// [`FollowError`]; an engine is followed once.
    pub fn follow(engine: &Engine) -> Result<Readers, FollowError> {
        let models = ReadModels::new(engine.shard_count());
        let feed = engine.follow(vec![models.follower()])?;
        Ok(Readers { feed, models })
    }
}
