//! Payments one by one, the newest first: the latest from memory, older ones from the journal.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use hashbrown::HashMap;

use super::{
    read_models::Shard,
    told::{Told, told},
};
use crate::{
    engine::{AgentHandle, Fact, Feed, FeedCursor, FeedDirectory, FeedError, FeedHold, FeedPosition},
    kernel::{
        AgentId, AgentIndex, Amount, AuthorizationId, NameId, OperationId, Protocol, ShardId, Timestamp,
        outcome::Booking,
    },
};

/// The most transactions of a page.
pub const TRANSACTIONS_PAGE_MAX: usize = 500;
/// So many a shard are in memory.
pub(super) const RECENT_MAX: usize = 8192;
/// So many records of a shard's journal are read for a page at most.
const RECORDS_MAX: u64 = 1024;
/// So many at a time.
const RECORDS_A_TIME: u64 = 128;

/// Where a page of transactions ended; opaque to clients.
pub type TransactionCursor = FeedCursor;

/// A payment that was reported, or money that came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Its id: that of its event.
    pub id: FeedPosition,
    /// When it was reported.
    pub at: Timestamp,
    /// Whose.
    pub agent: Option<AgentId>,
    /// What kind.
    pub kind: TransactionKind,
    /// How much.
    pub amount: Amount,
    /// Over which rail; nothing where nobody knows any more.
    pub protocol: Option<Protocol>,
    /// Who was paid; nothing where nobody knows any more.
    pub recipient: Option<Arc<str>>,
    /// For which service, where there is one.
    pub service: Option<Arc<str>>,
    /// The position of the wallet among the agent's, where one is known.
    pub wallet: Option<u8>,
    /// The hold that it was booked against.
    pub authorization: Option<AuthorizationId>,
    /// The report.
    pub operation: Option<OperationId>,
}

/// What kind of transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionKind {
    /// A hold was captured.
    Captured,
    /// A payment was reported by its facts.
    Recorded(Booking),
    /// Money came back.
    Refunded,
}

/// Whose transactions, and which.
#[derive(Clone, Copy, Debug, Default)]
pub struct TransactionsOf {
    /// One agent's; otherwise everybody's.
    pub agent: Option<AgentHandle>,
    /// Over one rail; otherwise over all.
    pub protocol: Option<Protocol>,
}

/// Transactions, the newest first.
#[derive(Clone, Debug)]
pub struct TransactionPage {
    /// At most as many as were asked for. There may be fewer although older ones exist, where they are far apart.
    pub transactions: Vec<Transaction>,
    /// Where the next page begins; nothing where there are no older ones.
    pub next: Option<TransactionCursor>,
}

/// The latest transactions of a shard, oldest first.
#[derive(Debug)]
pub(super) struct Recent {
    rows: VecDeque<Row>,
    rows_max: usize,
    /// The newest that is no longer here.
    dropped: Option<FeedPosition>,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    id: FeedPosition,
    at: Timestamp,
    agent: AgentIndex,
    kind: TransactionKind,
    amount: Amount,
    protocol: Option<Protocol>,
    recipient: Option<NameId>,
    service: Option<NameId>,
    wallet: Option<u8>,
    authorization: Option<AuthorizationId>,
    operation: Option<OperationId>,
}

/// What a shard has to offer for a page.
struct Offer {
    shard: ShardId,
    /// Newest first.
    rows: Vec<Row>,
    /// Everything before this was not looked at; nothing where everything was.
    unread_before: Option<FeedPosition>,
    /// When the oldest record that was looked at was written, where some are left.
    reached: Option<Timestamp>,
}

impl Recent {
    pub(super) fn new(rows_max: usize) -> Recent {
        Recent { rows: VecDeque::new(), rows_max, dropped: None }
    }

    /// Keeps what a fact says, if it is a transaction.
    pub(super) fn keep(&mut self, fact: &Fact<'_>) {
        let hold = |agent, id| fact.directory.hold(fact.position.shard, agent, id);
        let Some(row) = Row::of(fact, hold) else { return };
        if self.rows.len() >= self.rows_max {
            self.dropped = self.rows.pop_front().map(|row| row.id);
        }
        self.rows.push_back(row);
    }

    /// The newest before a place, and the place before which nothing is here.
    fn before(&self, end: FeedPosition, of: TransactionsOf, limit: usize) -> (Vec<Row>, Option<FeedPosition>) {
        let end = self.rows.partition_point(|row| row.id < end);
        // One more than asked for tells whether there are more.
        let rows = self.rows.iter().take(end).rev().filter(|row| row.is_of(of)).take(limit + 1).copied();
        (rows.collect(), self.dropped.map(after))
    }
}

/// A page of transactions from a cursor, or from the newest on.
pub(super) fn page(
    shards: &[Mutex<Shard>],
    feed: &Feed,
    of: TransactionsOf,
    from: Option<&TransactionCursor>,
    limit: usize,
) -> Result<TransactionPage, FeedError> {
    let limit = limit.clamp(1, TRANSACTIONS_PAGE_MAX);
    let mut cursor = from.cloned().unwrap_or_else(|| feed.newest());
    let mut offers = Vec::new();
    for (shard, contents) in (0..).map(ShardId).zip(shards) {
        if of.agent.is_none_or(|agent| agent.shard == shard) {
            let end = cursor.position(shard).ok_or(FeedError::UnknownCursor)?;
            let recent = contents.lock().unwrap_or_else(PoisonError::into_inner).recent.before(end, of, limit);
            offers.push(offer(feed, shard, of, end, recent, limit)?);
        }
    }
    // What a shard did not get to look at may be as new as where it stopped: nothing older than that can be shown yet.
    let reached = offers.iter().filter_map(|offer| offer.reached).max();
    let mut rows: Vec<Row> = offers.iter().flat_map(|offer| &offer.rows).copied().collect();
    rows.retain(|row| reached.is_none_or(|reached| row.at >= reached));
    rows.sort_unstable_by_key(|row| std::cmp::Reverse((row.at, row.id)));
    rows.truncate(limit);
    let mut is_more = false;
    for offer in &offers {
        let shown = rows.iter().filter(|row| row.id.shard == offer.shard).count();
        let last = offer.rows.get(..shown).and_then(<[Row]>::last).map(|row| row.id);
        // All that it offered was shown: the rest is where it stopped looking.
        let is_used_up = shown == offer.rows.len();
        let next = if is_used_up { offer.unread_before.or(last) } else { last };
        is_more |= !is_used_up || offer.unread_before.is_some();
        if let Some(next) = next {
            cursor.set_position(next);
        }
    }
    let transactions = rows.iter().map(|row| row.shown(feed.directory())).collect();
    Ok(TransactionPage { transactions, next: is_more.then_some(cursor) })
}

/// What a shard has before a place: from memory as far as that goes, then from the journal.
fn offer(
    feed: &Feed,
    shard: ShardId,
    of: TransactionsOf,
    end: FeedPosition,
    (mut rows, unread): (Vec<Row>, Option<FeedPosition>),
    limit: usize,
) -> Result<Offer, FeedError> {
    let mut unread_before = unread.map(|unread| unread.min(end));
    let (mut records_left, mut reached) = (RECORDS_MAX, None);
    while let Some(before) = unread_before.filter(|_| rows.len() < limit && records_left > 0) {
        let (mut found, mut holds, mut oldest) = (Vec::new(), HashMap::new(), None);
        unread_before = feed.read_back(before, RECORDS_A_TIME, &mut |fact| {
            oldest.get_or_insert(fact.moment);
            if let Some(Told::Approved(approved) | Told::Waits(approved)) = told(fact.event) {
                holds.insert((approved.agent, approved.id), FeedHold::of(approved, fact.moment));
            }
            // What the shard has forgotten was mostly approved a little earlier.
            let hold = |agent, id| holds.get(&(agent, id)).copied().or_else(|| fact.directory.hold(shard, agent, id));
            found.extend(Row::of(fact, hold).filter(|row| row.is_of(of)));
        })?;
        reached = oldest.or(reached);
        records_left = records_left.saturating_sub(RECORDS_A_TIME);
        rows.extend(found.into_iter().rev());
        rows.iter_mut().for_each(|row| row.learn(|agent, id| holds.get(&(agent, id)).copied()));
    }
    // Enough were found: what is left of the last stretch is read again for the next page.
    if rows.len() > limit {
        rows.truncate(limit);
        unread_before = rows.last().map(|row| row.id);
    }
    let stopped_short = unread_before.is_some() && rows.len() < limit;
    Ok(Offer { shard, rows, unread_before, reached: reached.filter(|_| stopped_short) })
}

/// The place after an event, within its group.
fn after(position: FeedPosition) -> FeedPosition {
    FeedPosition { index: position.index.saturating_add(1), ..position }
}

impl Row {
    fn of(fact: &Fact<'_>, hold: impl Fn(AgentIndex, AuthorizationId) -> Option<FeedHold>) -> Option<Row> {
        let of_hold = |kind, agent, id, operation, amount| {
            let hold = hold(agent, id);
            Row {
                id: fact.position,
                at: fact.moment,
                agent,
                kind,
                amount,
                protocol: hold.map(|hold| hold.protocol),
                recipient: hold.map(|hold| hold.recipient),
                service: hold.and_then(|hold| hold.service),
                wallet: hold.and_then(|hold| hold.wallet),
                authorization: Some(id),
                operation: Some(operation),
            }
        };
        match told(fact.event)? {
            Told::Captured { agent, id, operation, amount } => {
                let row = of_hold(TransactionKind::Captured, agent, id, operation, amount);
                Some(row).filter(|_| !amount.is_zero())
            }
            Told::Refunded(booked) => {
                Some(of_hold(TransactionKind::Refunded, booked.agent, booked.id, booked.operation, booked.amount))
            }
            Told::Recorded(booked) => Some(Row {
                id: fact.position,
                at: fact.moment,
                agent: booked.agent,
                kind: TransactionKind::Recorded(booked.booking),
                amount: booked.amount,
                protocol: Some(booked.protocol),
                recipient: Some(booked.recipient),
                service: booked.service,
                wallet: booked.wallet,
                authorization: booked.authorization,
                operation: booked.operation,
            }),
            Told::Approved(_) | Told::Waits(_) | Told::Denied(_) => None,
        }
    }

    /// What it was for may turn up only where it was approved.
    fn learn(&mut self, hold: impl Fn(AgentIndex, AuthorizationId) -> Option<FeedHold>) {
        let unknown = self.authorization.filter(|_| self.protocol.is_none());
        if let Some(hold) = unknown.and_then(|id| hold(self.agent, id)) {
            (self.protocol, self.recipient) = (Some(hold.protocol), Some(hold.recipient));
            (self.service, self.wallet) = (hold.service, hold.wallet);
        }
    }

    fn is_of(&self, of: TransactionsOf) -> bool {
        of.agent.is_none_or(|agent| agent.index == self.agent && agent.shard == self.id.shard)
            && of.protocol.is_none_or(|protocol| self.protocol == Some(protocol))
    }

    fn shown(&self, directory: &FeedDirectory) -> Transaction {
        let name = |name: NameId| directory.name(self.id.shard, name);
        Transaction {
            id: self.id,
            at: self.at,
            agent: directory.agent(self.id.shard, self.agent),
            kind: self.kind,
            amount: self.amount,
            protocol: self.protocol,
            recipient: self.recipient.and_then(name),
            service: self.service.and_then(name),
            wallet: self.wallet,
            authorization: self.authorization,
            operation: self.operation,
        }
    }
}
