//! Floods of denials: the first of a kind are journalled one by one, the rest as sums, so that a runaway agent cannot flood the
//! journal.

use hashbrown::HashMap;

use crate::kernel::{
    AgentIndex, Amount, Duration, Event, SessionNumber, Timestamp, event::Denied, outcome::ViolationKind,
};

/// How many denials of one agent, kind and session go through within a [`SPAN`].
const PASSED_MAX: u8 = 8;
/// For how long denials are gathered.
const SPAN: Duration = Duration::from_secs(1);
/// How many sums are gathered before they are journalled early.
const SUMS_MAX: usize = 1024;
/// How many agents, kinds and sessions are told apart within a span before it ends early.
const KEYS_MAX: usize = 1 << 16;

/// The denials of one shard within the present span.
#[derive(Debug, Default)]
pub(super) struct Denials {
    /// When the present span ends; none is present without a denial.
    ends_at: Option<Timestamp>,
    tallies: HashMap<(AgentIndex, ViolationKind, SessionNumber), Tally>,
    sums: usize,
}

#[derive(Debug, Default)]
struct Tally {
    passed: u8,
    count: u32,
    amount: Amount,
}

impl Denials {
    /// Whether this denial is to be journalled by itself. Otherwise it is gathered.
    pub(super) fn pass(&mut self, now: Timestamp, denied: &Denied) -> bool {
        self.ends_at.get_or_insert(now.after(SPAN));
        let tally = self.tallies.entry((denied.agent, denied.kind, denied.session)).or_default();
        if tally.passed < PASSED_MAX {
            tally.passed += 1;
            return true;
        }
        self.sums += usize::from(tally.count == 0);
        tally.count = tally.count.saturating_add(denied.count);
        tally.amount = tally.amount.saturating_add(denied.amount);
        false
    }

    /// When something is to be done: the end of the span.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.ends_at
    }

    /// Adds the sums to `events` if it is time for them.
    pub(super) fn flush_due(&mut self, now: Timestamp, events: &mut Vec<Event>) {
        if self.ends_at.is_some_and(|end| end <= now) || self.tallies.len() >= KEYS_MAX {
            self.flush(events);
        } else if self.sums >= SUMS_MAX {
            self.add_sums(events);
        }
    }

    /// Adds the sums to `events` and ends the span.
    pub(super) fn flush(&mut self, events: &mut Vec<Event>) {
        self.add_sums(events);
        self.tallies.clear();
        self.ends_at = None;
    }

    /// Events are in the order of their agents: the order of a hash map differs from run to run, and a seed must not.
    fn add_sums(&mut self, events: &mut Vec<Event>) {
        let start = events.len();
        for (&(agent, kind, session), tally) in self.tallies.iter_mut().filter(|(_, tally)| tally.count > 0) {
            let (count, amount) = (std::mem::take(&mut tally.count), std::mem::take(&mut tally.amount));
            events.push(Event::Denied(Denied { agent, kind, count, amount, session }));
        }
        self.sums = 0;
        events[start..].sort_by_key(|event| match event {
            Event::Denied(denied) => (denied.agent, denied.kind, denied.session),
            _ => unreachable!("only denials were added"),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(agent: u32) -> Denied {
        Denied {
            agent: AgentIndex(agent),
            kind: ViolationKind::Balance,
            count: 1,
            amount: Amount::from_micros(5),
            session: SessionNumber::NONE,
        }
    }

    fn at(micros: u64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    fn due(denials: &mut Denials, micros: u64) -> Vec<Event> {
        let mut events = Vec::new();
        denials.flush_due(at(micros), &mut events);
        events
    }

    #[test]
    fn a_flood_is_eight_denials_and_a_sum_each_second() {
        let mut denials = Denials::default();
        let passed = (0..1000).filter(|n| denials.pass(at(*n), &denied(1))).count();
        assert_eq!(passed, 8);
        assert_eq!(due(&mut denials, 999_999), vec![]);
        assert_eq!(denials.next_deadline(), Some(at(1_000_000)));
        let sum = Denied { count: 992, amount: Amount::from_micros(992 * 5), ..denied(1) };
        assert_eq!(due(&mut denials, 1_000_000), vec![Event::Denied(sum)]);
        assert_eq!(denials.next_deadline(), None);
        assert!(denials.pass(at(1_000_001), &denied(1)), "a new second begins with eight again");
    }

    #[test]
    fn few_denials_all_go_through() {
        let mut denials = Denials::default();
        assert!((0..8).all(|_| denials.pass(at(0), &denied(1))));
        assert!(denials.pass(at(0), &denied(2)));
        assert!(denials.pass(at(0), &Denied { kind: ViolationKind::NoWallet, ..denied(1) }));
        assert!(denials.pass(at(0), &Denied { session: SessionNumber(1), ..denied(1) }));
        assert_eq!(due(&mut denials, 1_000_000), vec![]);
    }

    #[test]
    fn many_sums_are_journalled_early_without_letting_more_through() {
        let mut denials = Denials::default();
        for agent in 0..SUMS_MAX as u32 {
            assert_eq!(due(&mut denials, 1), vec![]);
            (0..9).for_each(|_| _ = denials.pass(at(0), &denied(agent)));
        }
        assert_eq!(due(&mut denials, 1).len(), SUMS_MAX);
        assert!(!denials.pass(at(2), &denied(0)));
        assert_eq!(due(&mut denials, 1_000_000), vec![Event::Denied(denied(0))]);
    }

    #[test]
    fn the_number_of_keys_is_bounded() {
        let mut denials = Denials::default();
        (0..KEYS_MAX as u32).for_each(|agent| _ = denials.pass(at(0), &denied(agent)));
        assert_eq!(due(&mut denials, 1), vec![]);
        assert!(denials.tallies.is_empty());
    }
}
