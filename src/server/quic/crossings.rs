//! Requests on their way to other workers, one message each.

use std::sync::Arc;

use crate::{
    engine::{Batch, Engine, EngineError, Replies, Ticket, WorkerId},
    kernel::{Request, ShardId},
};

/// Gathers requests by the worker that keeps their shard. Their answers go to one asker.
pub(super) struct Crossings {
    replies: Arc<dyn Replies>,
    /// By worker.
    batches: Vec<Option<Batch>>,
}

impl Crossings {
    pub(super) fn new(replies: Arc<dyn Replies>, engine: &Engine) -> Crossings {
        Crossings { replies, batches: (0..engine.worker_count()).map(|_| None).collect() }
    }

    /// Adds a request, and hands over the batch that is full with it.
    pub(super) fn push(&mut self, engine: &Engine, shard: ShardId, ticket: Ticket, request: &Request<'_>) {
        let owner = engine.worker_of(shard);
        let Some(place) = self.batches.get_mut(usize::from(owner.0)) else { return };
        let batch = place.get_or_insert_with(|| Batch::new(Arc::clone(&self.replies)));
        batch.push(shard, ticket, request);
        if batch.len() >= engine.options().batch_requests_max
            && let Some(full) = place.take()
        {
            hand_over(engine, owner, full);
        }
    }

    /// Hands everything over.
    pub(super) fn cross(&mut self, engine: &Engine) {
        for (worker, place) in self.batches.iter_mut().enumerate() {
            if let Some(batch) = place.take() {
                hand_over(engine, WorkerId(u16::try_from(worker).expect("workers have numbers of 16 bits")), batch);
            }
        }
    }
}

/// What a worker has no room for is refused at once.
fn hand_over(engine: &Engine, worker: WorkerId, batch: Batch) {
    if let Err(refused) = engine.submit(worker, batch) {
        refused.replies().deliver(&mut refused.tickets().map(|ticket| (ticket, Err(EngineError::Overloaded))));
    }
}
