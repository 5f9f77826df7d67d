//! What is known of the holds of a shard, for as long as the shard itself remembers them.

use std::{collections::VecDeque, hash::BuildHasher};

use hashbrown::{DefaultHashBuilder, HashMap, HashTable};

use super::FeedHold;
use crate::kernel::{
    AgentIndex, Amount, AuthorizationId, Duration, NameId, Protocol, SessionNumber, Timestamp, event::Approved,
};

/// Where a hold has no wallet.
const NO_WALLET: u8 = u8::MAX;
const DEPOSIT: u8 = 1;
const FROM_DEPOSIT: u8 = 2;

/// The holds of a shard. One that is over is forgotten like the shard forgets it: so long after, or when there are too many.
#[derive(Debug, Default)]
pub(super) struct HoldBook {
    holds: HashTable<Entry>,
    hasher: DefaultHashBuilder,
    /// The deposits of sessions.
    deposits: HashMap<(AgentIndex, SessionNumber), AuthorizationId>,
    /// Holds that are over, by when they were found to be. One of them may last longer by now; it is then queued again.
    over: VecDeque<(Timestamp, AgentIndex, AuthorizationId)>,
}

/// There are as many as holds, so it is small. The halves of the id, lest it be aligned to sixteen bytes.
#[derive(Clone, Copy, Debug)]
struct Entry {
    id: [u64; 2],
    agent: AgentIndex,
    recipient: NameId,
    service: NameId,
    session: SessionNumber,
    amount: Amount,
    placed_at: Timestamp,
    /// When it ended; zero while it is open.
    over_at: Timestamp,
    protocol: Protocol,
    wallet: u8,
    flags: u8,
}

const _: () = assert!(size_of::<Entry>() <= 64, "there are as many as holds");

impl HoldBook {
    pub(super) fn find(&self, agent: AgentIndex, id: AuthorizationId) -> Option<FeedHold> {
        self.entry(agent, id).map(Entry::hold)
    }

    pub(super) fn deposit(&self, agent: AgentIndex, session: SessionNumber) -> Option<AuthorizationId> {
        self.deposits.get(&(agent, session)).copied()
    }

    pub(super) fn insert(&mut self, agent: AgentIndex, id: AuthorizationId, hold: &FeedHold) {
        let entry = Entry::of(agent, id, hold);
        if hold.deposit {
            self.deposits.insert((agent, hold.session), id);
        }
        let hash = self.hash(agent, id);
        let hasher = &self.hasher;
        // An id that is used anew after it was forgotten takes the place of the hold before.
        match self.holds.find_mut(hash, |entry| entry.is(agent, id)) {
            Some(before) => *before = entry,
            None => _ = self.holds.insert_unique(hash, entry, |entry| hasher.hash_one((entry.agent, entry.id))),
        }
    }

    pub(super) fn enlarge(&mut self, agent: AgentIndex, id: AuthorizationId, by: Amount) {
        if let Some(entry) = self.entry_mut(agent, id) {
            entry.amount = entry.amount.saturating_add(by);
        }
    }

    /// The hold is over, or may be.
    pub(super) fn end(&mut self, now: Timestamp, agent: AgentIndex, id: AuthorizationId) {
        let Some(entry) = self.entry_mut(agent, id) else { return };
        let was_open = entry.over_at == Timestamp::ZERO;
        let is_deposit = entry.flags & DEPOSIT != 0;
        let in_deposit = (entry.flags & FROM_DEPOSIT != 0).then_some(entry.session);
        if was_open || is_deposit {
            entry.over_at = now;
        }
        if was_open {
            self.over.push_back((now, agent, id));
        }
        // A deposit whose session is closed lasts as long as the charges inside.
        if let Some(deposit) = in_deposit.and_then(|session| self.deposit(agent, session))
            && self.entry(agent, deposit).is_some_and(|entry| entry.over_at > Timestamp::ZERO)
            && let Some(entry) = self.entry_mut(agent, deposit)
        {
            entry.over_at = now;
        }
    }

    /// Forgets what has been over for `kept`, and the oldest of more than `kept_max`.
    pub(super) fn age(&mut self, now: Timestamp, kept: Duration, kept_max: usize) {
        while let Some(&(at, agent, id)) = self.over.front() {
            if at.after(kept) > now && self.over.len() <= kept_max {
                return;
            }
            self.over.pop_front();
            let over_at = self.entry(agent, id).map_or(Timestamp::ZERO, |entry| entry.over_at);
            if over_at > at && over_at.after(kept) > now {
                self.over.push_back((over_at, agent, id));
                // The queue is no shorter: without this a full one would go round and round.
                if self.over.len() > kept_max {
                    return;
                }
            } else if over_at > Timestamp::ZERO {
                self.forget(agent, id);
            }
        }
    }

    /// How many holds are known.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.holds.len()
    }

    fn forget(&mut self, agent: AgentIndex, id: AuthorizationId) {
        let hash = self.hash(agent, id);
        if let Ok(entry) = self.holds.find_entry(hash, |entry| entry.is(agent, id)) {
            let (entry, _) = entry.remove();
            if entry.flags & DEPOSIT != 0 {
                self.deposits.remove(&(agent, entry.session));
            }
        }
    }

    fn entry(&self, agent: AgentIndex, id: AuthorizationId) -> Option<&Entry> {
        self.holds.find(self.hash(agent, id), |entry| entry.is(agent, id))
    }

    fn entry_mut(&mut self, agent: AgentIndex, id: AuthorizationId) -> Option<&mut Entry> {
        self.holds.find_mut(self.hasher.hash_one((agent, halves(id))), |entry| entry.is(agent, id))
    }

    fn hash(&self, agent: AgentIndex, id: AuthorizationId) -> u64 {
        self.hasher.hash_one((agent, halves(id)))
    }
}

impl Entry {
    fn of(agent: AgentIndex, id: AuthorizationId, hold: &FeedHold) -> Entry {
        Entry {
            id: halves(id),
            agent,
            recipient: hold.recipient,
            service: hold.service.unwrap_or(NameId::UNKNOWN),
            session: hold.session,
            amount: hold.amount,
            placed_at: hold.placed_at,
            over_at: Timestamp::ZERO,
            protocol: hold.protocol,
            wallet: hold.wallet.unwrap_or(NO_WALLET),
            flags: if hold.deposit { DEPOSIT } else { 0 } | if hold.from_deposit { FROM_DEPOSIT } else { 0 },
        }
    }

    fn is(&self, agent: AgentIndex, id: AuthorizationId) -> bool {
        self.id == halves(id) && self.agent == agent
    }

    fn hold(&self) -> FeedHold {
        FeedHold {
            amount: self.amount,
            protocol: self.protocol,
            recipient: self.recipient,
            service: (self.service != NameId::UNKNOWN).then_some(self.service),
            session: self.session,
            wallet: (self.wallet != NO_WALLET).then_some(self.wallet),
            deposit: self.flags & DEPOSIT != 0,
            from_deposit: self.flags & FROM_DEPOSIT != 0,
            placed_at: self.placed_at,
        }
    }
}

impl FeedHold {
    /// What an approval says of it.
    pub(crate) fn of(event: &Approved, moment: Timestamp) -> FeedHold {
        FeedHold {
            amount: event.amount,
            protocol: event.protocol,
            recipient: event.recipient,
            service: event.service,
            session: event.session,
            wallet: event.wallet,
            deposit: event.deposit,
            from_deposit: event.from_deposit,
            placed_at: moment,
        }
    }
}

fn halves(id: AuthorizationId) -> [u64; 2] {
    [id.0 as u64, (id.0 >> 64) as u64]
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGENT: AgentIndex = AgentIndex(7);
    const KEPT: Duration = Duration::from_secs(10);

    fn at(second: u64) -> Timestamp {
        Timestamp::ZERO.after(Duration::from_secs(second))
    }

    fn hold(session: u32, deposit: bool, from_deposit: bool) -> FeedHold {
        FeedHold {
            amount: Amount::from_units(1),
            protocol: Protocol::Mpp,
            recipient: NameId(1),
            service: None,
            session: SessionNumber(session),
            wallet: Some(0),
            deposit,
            from_deposit,
            placed_at: at(1),
        }
    }

    fn ids(book: &HoldBook) -> Vec<u128> {
        (0..100).filter(|id| book.find(AGENT, AuthorizationId(*id)).is_some()).collect()
    }

    #[test]
    fn a_hold_is_known_until_it_has_been_over_for_so_long() {
        let mut book = HoldBook::default();
        for id in 0..3 {
            book.insert(AGENT, AuthorizationId(id), &hold(0, false, false));
        }
        assert_eq!(book.find(AGENT, AuthorizationId(1)), Some(hold(0, false, false)));
        assert_eq!(book.find(AgentIndex(8), AuthorizationId(1)), None);
        book.end(at(5), AGENT, AuthorizationId(1));
        book.end(at(6), AGENT, AuthorizationId(0));
        // A late capture does not make it last longer.
        book.end(at(9), AGENT, AuthorizationId(1));
        book.age(at(14), KEPT, 100);
        assert_eq!(ids(&book), [0, 1, 2]);
        book.age(at(15), KEPT, 100);
        assert_eq!(ids(&book), [0, 2]);
        book.age(at(1000), KEPT, 100);
        assert_eq!(ids(&book), [2], "what is open is never forgotten");
    }

    #[test]
    fn of_more_than_so_many_the_oldest_are_forgotten() {
        let mut book = HoldBook::default();
        for id in 0..10 {
            book.insert(AGENT, AuthorizationId(id), &hold(0, false, false));
            book.end(at(5), AGENT, AuthorizationId(id));
        }
        book.age(at(5), KEPT, 4);
        assert_eq!(ids(&book), [6, 7, 8, 9]);
        assert_eq!(book.len(), 4);
    }

    #[test]
    fn a_deposit_lasts_as_long_as_its_charges() {
        let mut book = HoldBook::default();
        book.insert(AGENT, AuthorizationId(1), &hold(3, true, false));
        book.insert(AGENT, AuthorizationId(2), &hold(3, false, true));
        assert_eq!(book.deposit(AGENT, SessionNumber(3)), Some(AuthorizationId(1)));
        book.end(at(5), AGENT, AuthorizationId(1));
        book.end(at(14), AGENT, AuthorizationId(2));
        book.age(at(15), KEPT, 100);
        assert_eq!(ids(&book), [1, 2]);
        book.age(at(24), KEPT, 100);
        assert!(ids(&book).is_empty());
        assert_eq!(book.deposit(AGENT, SessionNumber(3)), None);
    }

    #[test]
    fn a_full_book_of_deposits_that_last_comes_to_an_end() {
        let mut book = HoldBook::default();
        for id in 0..8 {
            book.insert(AGENT, AuthorizationId(id), &hold(id as u32 + 1, true, false));
            book.end(at(5), AGENT, AuthorizationId(id));
            book.end(at(6), AGENT, AuthorizationId(id));
        }
        for _ in 0..20 {
            book.age(at(6), KEPT, 4);
        }
        assert!(book.len() <= 8);
        book.age(at(100), KEPT, 4);
        assert_eq!(book.len(), 0);
    }
}
