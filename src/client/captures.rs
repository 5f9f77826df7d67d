//! Many captures at one time: a message for each worker, and what was refused for the moment once more.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::{Instant, timeout_at};

use super::{
    Client, ClientError,
    calls::{Encoded, unexpected},
    lane::random,
};
use crate::wire::{
    Handle, Reply, Request,
    limits::CAPTURES_MAX,
    reply::{CaptureResult, Captured, ErrorReply},
    request::Capture,
};

/// What became of a capture, and of which: its place among those that were asked for.
type Placed = (usize, Result<Captured, ClientError>);

impl Client {
    /// Reports what was paid against many holds, of one agent or of many; the results are in the order of the captures, and each
    /// stands for itself. Returns when all that can be booked is durable.
    pub async fn capture_batch(&self, captures: &[(Handle, Capture)]) -> Vec<Result<Captured, ClientError>> {
        let (retry, deadline) = (self.options().retry, self.deadline());
        let mut results: Vec<_> = captures.iter().map(|_| Err(ClientError::TimedOut)).collect();
        let mut places: Vec<usize> = (0..captures.len()).collect();
        for attempt in 0..retry.attempts_max.max(1) {
            let mut asked = Duration::ZERO;
            let mut again = Vec::new();
            for (place, result) in self.report(captures, &places, deadline).await {
                if let Some(pause) = pause_asked(&result) {
                    asked = asked.max(pause);
                    again.push(place);
                }
                if let Some(slot) = results.get_mut(place) {
                    *slot = result;
                }
            }
            places = again;
            let end = Instant::now() + retry.pause(attempt, asked, random());
            if places.is_empty() || end >= deadline {
                break;
            }
            tokio::time::sleep_until(end).await;
        }
        results
    }

    /// Reports the captures at these places, all messages at one time.
    async fn report(&self, captures: &[(Handle, Capture)], places: &[usize], deadline: Instant) -> Vec<Placed> {
        let mut by_worker: BTreeMap<Option<u16>, Vec<usize>> = BTreeMap::new();
        for &place in places {
            if let Some((handle, _)) = captures.get(place) {
                by_worker.entry(self.owner(*handle)).or_default().push(place);
            }
        }
        let mut begun = Vec::new();
        for places in by_worker.values().flat_map(|places| places.chunks(CAPTURES_MAX)) {
            let message: Vec<_> = places.iter().filter_map(|&place| captures.get(place).cloned()).collect();
            let Some((agent, _)) = message.first() else { continue };
            let (agent, encoded) = (*agent, Encoded::new(&Request::Captures(message)));
            let answer = self.lane(Some(agent)).begin(encoded.kind, &encoded.body).await;
            begun.push((places, agent, encoded, answer));
        }
        let mut reported = Vec::with_capacity(places.len());
        for (places, agent, encoded, answer) in begun {
            let reply = match answer {
                // The task that would have answered may be gone; the retry finds out why.
                Ok(answer) => timeout_at(deadline, answer)
                    .await
                    .map_or(Err(ClientError::TimedOut), |reply| reply.unwrap_or(Err(ClientError::TimedOut))),
                Err(error) => Err(error),
            };
            let reply = self.settle(Some(agent), &encoded, deadline, reply).await;
            reported.extend(results(places, reply));
        }
        reported
    }
}

/// The results of one message, whose captures stand at these places.
fn results(places: &[usize], reply: Result<Reply, ClientError>) -> Vec<Placed> {
    let error = match reply {
        Ok(Reply::CaptureResults(results)) if results.len() == places.len() => {
            return places.iter().copied().zip(results.into_iter().map(result)).collect();
        }
        Ok(other) => unexpected(other),
        Err(error) => error,
    };
    places.iter().map(|&place| (place, Err(error.clone()))).collect()
}

fn result(result: CaptureResult) -> Result<Captured, ClientError> {
    match result {
        CaptureResult::Captured(captured) => Ok(captured),
        CaptureResult::Refused(refused) => Err(ClientError::Refused(ErrorReply {
            code: refused.code,
            message: "one of many captures was refused; ask for it alone to learn more".to_owned(),
            retry_after_ms: refused.retry_after_ms,
        })),
    }
}

/// How long to wait before a capture that was refused for the moment is asked for again.
fn pause_asked(result: &Result<Captured, ClientError>) -> Option<Duration> {
    match result {
        Err(ClientError::Refused(error)) => error.retry_after_ms.map(|ms| Duration::from_millis(u64::from(ms))),
        Ok(_)
        | Err(
            ClientError::TimedOut
            | ClientError::Unreachable(_)
            | ClientError::Lost(_)
            | ClientError::Unexpected(_)
            | ClientError::TooLarge(_),
        ) => None,
    }
}
