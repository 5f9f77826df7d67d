//! What follows the engine's events in a gateway, and what reads them.

use crate::{
    engine::{Engine, Feed, FollowError, Follower},
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
    /// Has an engine followed, by the read models and `others`.
    ///
    /// # Errors
    /// [`FollowError`]; an engine is followed once.
    pub fn follow(engine: &Engine, others: Vec<Box<dyn Follower>>) -> Result<Readers, FollowError> {
        let models = ReadModels::new(engine.shard_count());
        let followers = std::iter::once(models.follower()).chain(others).collect();
        let feed = engine.follow(followers)?;
        Ok(Readers { feed, models })
    }
}
