//! The captures of one message, whose answers come from several shards and workers and leave as one reply.

use std::sync::{Arc, Mutex, PoisonError};

use super::late::Late;
use crate::{
    engine::{Answer, Replies, Ticket},
    wire::reply::CaptureResult,
};

/// Where the answers to the captures of one message are put, by their place in it. When the last has come, the whole goes to the
/// stream of the message.
pub(super) struct Gathering {
    tag: u64,
    late: Arc<Late>,
    gathered: Mutex<Gathered>,
}

struct Gathered {
    results: Vec<Option<CaptureResult>>,
    missing: usize,
}

impl Gathering {
    /// For the message with this tag, which has `count` captures.
    pub(super) fn new(tag: u64, count: usize, late: Arc<Late>) -> Gathering {
        let gathered = Gathered { results: vec![None; count], missing: count };
        Gathering { tag, late, gathered: Mutex::new(gathered) }
    }

    /// Takes what is known of some of the captures.
    pub(super) fn put(&self, results: impl Iterator<Item = (usize, CaptureResult)>) {
        let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        for (place, result) in results {
            if let Some(slot) = gathered.results.get_mut(place)
                && slot.replace(result).is_none()
            {
                gathered.missing -= 1;
            }
        }
        // Whoever brings the last result sends them all; who comes after that with nothing finds none.
        if gathered.missing == 0 && !gathered.results.is_empty() {
            let results = std::mem::take(&mut gathered.results);
            self.late.gathered(self.tag, results.into_iter().flatten().collect());
        }
    }
}

impl Replies for Gathering {
    fn deliver(&self, replies: &mut dyn Iterator<Item = (Ticket, Answer)>) {
        self.put(replies.map(|(place, answer)| (place.0 as usize, CaptureResult::from(answer))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        engine::EngineError,
        kernel::{Amount, Outcome, outcome::Captured},
        server::quic::late::Arrived,
    };

    #[test]
    fn the_results_leave_once() {
        let late = Arc::new(Late::default());
        let gathering = Gathering::new(7, 1, Arc::clone(&late));
        let mut arrived = Arrived::default();
        gathering.deliver(&mut std::iter::once((Ticket(0), Err(EngineError::Overloaded))));
        gathering.put(std::iter::empty());
        late.take(&mut arrived);
        assert_eq!(arrived.captures.len(), 1, "{arrived:?}");
    }

    #[test]
    fn the_results_leave_together_in_the_order_of_the_captures() {
        let late = Arc::new(Late::default());
        let gathering = Gathering::new(7, 2, Arc::clone(&late));
        let captured = Captured { captured: Amount::ZERO, overage: Amount::ZERO, held: Amount::ZERO, late: false };
        let mut arrived = Arrived::default();
        gathering.deliver(&mut std::iter::once((Ticket(1), Err(EngineError::Overloaded))));
        late.take(&mut arrived);
        assert!(arrived.captures.is_empty());
        gathering.deliver(&mut std::iter::once((Ticket(0), Ok(Outcome::Captured(captured)))));
        late.take(&mut arrived);
        let [(7, results)] = arrived.captures.as_slice() else { panic!("{arrived:?}") };
        assert!(matches!(results.as_slice(), [CaptureResult::Captured(_), CaptureResult::Refused(_)]), "{results:?}");
    }
}
