//! How does an asynchronous task ask the engine? It hands a batch to each worker and awaits the answers, with a limit on the wait.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use thiserror::Error;
use tokio::sync::oneshot;

use crate::{
    engine::{Answer, Batch, Engine, EngineError, Replies, Ticket, WorkerId},
    kernel::{Outcome, Request, ShardId},
    server::identity::Need,
};

/// The longest wait for answers. A commit takes milliseconds; whoever waits for seconds waits for something broken.
pub const ANSWER_WAIT_MAX: Duration = Duration::from_secs(5);

/// Why there is no outcome.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AskError {
    /// The engine refused.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// No answer came in time. The request may have been carried out.
    #[error("no answer came in time; the outcome is unknown, so retry with the same id")]
    OutcomeUnknown,
}

/// Asks one shard one thing.
///
/// # Errors
/// [`AskError`] where the engine refuses or does not answer in time.
pub async fn ask(engine: &Engine, shard: ShardId, request: &Request<'_>) -> Result<Outcome, AskError> {
    let mut answers = ask_all(engine, &[(shard, request)]).await;
    answers.pop().unwrap_or(Err(AskError::OutcomeUnknown))
}

/// Asks many things at once, one batch a worker; requests to one shard are decided in their order. The answers come in the order of
/// the requests.
///
/// Requires that a change that is for operators says who asks for it ([`Request::By`]): the journal is what the audit is made from.
pub async fn ask_all(engine: &Engine, requests: &[(ShardId, &Request<'_>)]) -> Vec<Result<Outcome, AskError>> {
    debug_assert!(requests.iter().all(|(_, request)| !is_anonymous_change(request)), "a change without an actor");
    let (collector, complete) = Collector::new(requests.len());
    for (worker, batch) in batches(engine, requests, &collector) {
        if let Err(refused) = engine.submit(worker, batch) {
            let why = why_not(engine);
            collector.deliver(&mut refused.tickets().map(|ticket| (ticket, Err(why.clone()))));
        }
    }
    // The result does not matter: what is missing after the wait is unknown, whatever the cause.
    let _ = tokio::time::timeout(ANSWER_WAIT_MAX, complete).await;
    collector.take(requests.len())
}

/// Whether this is a change for operators that does not say who asks.
fn is_anonymous_change(request: &Request<'_>) -> bool {
    Need::of(request).is_for_operators() && !matches!(request, Request::By(..) | Request::Read(_))
}

/// Why a worker took no batch: its mailbox is full, or it serves no longer.
fn why_not(engine: &Engine) -> EngineError {
    let status = engine.status();
    if status.stopping || status.failed { EngineError::Unavailable } else { EngineError::Overloaded }
}

/// The requests by the worker that keeps their shard. Workers are few, so they are found by looking.
fn batches(
    engine: &Engine,
    requests: &[(ShardId, &Request<'_>)],
    collector: &Arc<Collector>,
) -> Vec<(WorkerId, Batch)> {
    let mut batches: Vec<(WorkerId, Batch)> = Vec::with_capacity(1);
    for (index, (shard, request)) in requests.iter().enumerate() {
        let owner = engine.worker_of(*shard);
        let place = batches.iter().position(|(worker, _)| *worker == owner).unwrap_or_else(|| {
            batches.push((owner, Batch::new(Arc::clone(collector) as Arc<dyn Replies>)));
            batches.len() - 1
        });
        batches[place].1.push(*shard, Ticket(index as u64), request);
    }
    batches
}

/// Gathers the answers to a fixed number of requests and says when all are there.
struct Collector(Mutex<Gathered>);

struct Gathered {
    answers: Vec<Option<Answer>>,
    missing: usize,
    complete: Option<oneshot::Sender<()>>,
}

impl Collector {
    fn new(count: usize) -> (Arc<Collector>, oneshot::Receiver<()>) {
        let (sender, receiver) = oneshot::channel();
        let complete = (count > 0).then_some(sender);
        let gathered = Gathered { answers: (0..count).map(|_| None).collect(), missing: count, complete };
        (Arc::new(Collector(Mutex::new(gathered))), receiver)
    }

    fn take(&self, count: usize) -> Vec<Result<Outcome, AskError>> {
        let mut gathered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut answers = std::mem::take(&mut gathered.answers).into_iter();
        (0..count)
            .map(|_| answers.next().flatten().map_or(Err(AskError::OutcomeUnknown), |a| a.map_err(AskError::Engine)))
            .collect()
    }
}

impl Replies for Collector {
    fn deliver(&self, replies: &mut dyn Iterator<Item = (Ticket, Answer)>) {
        let mut gathered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (ticket, answer) in replies {
            let slot = usize::try_from(ticket.0).ok().and_then(|index| gathered.answers.get_mut(index));
            if let Some(slot) = slot
                && slot.replace(answer).is_none()
            {
                gathered.missing = gathered.missing.saturating_sub(1);
            }
        }
        if gathered.missing == 0
            && let Some(complete) = gathered.complete.take()
        {
            // Nobody waits any more where the receiver is gone.
            let _ = complete.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_in_the_order_of_the_requests_and_missing_ones_are_unknown() {
        let (collector, mut complete) = Collector::new(3);
        collector.deliver(&mut [(Ticket(2), Ok(Outcome::Done)), (Ticket(0), Err(EngineError::Overloaded))].into_iter());
        assert!(complete.try_recv().is_err());
        let expected =
            vec![Err(AskError::Engine(EngineError::Overloaded)), Err(AskError::OutcomeUnknown), Ok(Outcome::Done)];
        assert_eq!(collector.take(3), expected);
        collector.deliver(&mut [(Ticket(1), Ok(Outcome::Done)), (Ticket(9), Ok(Outcome::Done))].into_iter());
    }

    #[test]
    fn the_last_answer_ends_the_wait() {
        let (collector, mut complete) = Collector::new(1);
        collector.deliver(&mut std::iter::once((Ticket(0), Ok(Outcome::Done))));
        assert_eq!(complete.try_recv(), Ok(()));
    }
}
