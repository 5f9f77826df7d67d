//! What was spent at which service, by the same rules as the shards book it: see "Capture", "Record" and "Refund" in
//! `docs/SEMANTICS.md`.

use std::sync::Arc;

use super::{
    Figures,
    book::Book,
    told::{Told, told},
};
use crate::{
    engine::{Fact, FeedHold},
    kernel::{AgentIndex, Amount, AuthorizationId, NameId, Protocol, ShardId, State, Timestamp, outcome::Booking},
};

/// What was spent at one service, or outside any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSpend {
    /// Its rail; nothing for what was paid on a hold that a crash lost, which may have been for anything.
    pub protocol: Option<Protocol>,
    /// The service, where there is one.
    pub service: Option<Arc<str>>,
    /// How much.
    pub figures: Figures,
    /// When it was last used.
    pub last_at: Timestamp,
    /// How many agents used it in the span.
    pub agents: u64,
}

/// What spend is kept apart by.
pub(super) type SpendKey = (Option<Protocol>, Option<NameId>);

/// Begins with what a state knows of each agent.
pub(super) fn begin(book: &mut Book<SpendKey>, state: &State) {
    for (index, agent) in state.agents.iter() {
        let mut left = agent.windows().total().spent;
        for service in &*agent.activity().services {
            let spent = service.windows.total().spent;
            left = left.saturating_sub(spent);
            let figures = Figures { amount: spent, calls: service.calls, ..Figures::default() };
            book.begin(index, (Some(service.key.0), service.key.1), &figures, service.last_at);
        }
        if !left.is_zero() {
            book.begin(index, (None, None), &Figures { amount: left, ..Figures::default() }, Timestamp::ZERO);
        }
    }
}

/// Counts what a fact says of spend.
pub(super) fn count(book: &mut Book<SpendKey>, fact: &Fact<'_>) {
    let shard = fact.position.shard;
    let hold = |agent: AgentIndex, id: AuthorizationId| fact.directory.hold(shard, agent, id);
    let (agent, key, figures) = match told(fact.event) {
        Some(Told::Approved(approved) | Told::Waits(approved)) => {
            // A deposit is no call, what draws from it is.
            let figures = Figures { calls: u64::from(!approved.deposit), ..Figures::default() };
            (approved.agent, (Some(approved.protocol), approved.service), figures)
        }
        Some(Told::Captured { agent, id, amount, .. }) => {
            let figures = Figures { amount, payments: u64::from(!amount.is_zero()), ..Figures::default() };
            (agent, key_of(hold(agent, id).as_ref()), figures)
        }
        Some(Told::Refunded(booked)) => {
            let figures = Figures { refunded: booked.amount, ..Figures::default() };
            (booked.agent, key_of(hold(booked.agent, booked.id).as_ref()), figures)
        }
        Some(Told::Recorded(booked)) => {
            let captured = booked.authorization.filter(|_| booked.booking != Booking::Misdirected);
            let matched = captured.and_then(|id| hold(booked.agent, id));
            let (key, counted) = match &matched {
                // The charge was counted when it was approved.
                Some(hold) => (key_of(Some(hold)), u32::from(!hold.deposit)),
                None => ((Some(booked.protocol), booked.service.filter(|name| *name != NameId::UNKNOWN)), 0),
            };
            let calls = u64::from(booked.calls.saturating_sub(counted));
            let payments = u64::from(booked.calls);
            (booked.agent, key, Figures { amount: booked.amount, refunded: Amount::ZERO, calls, payments })
        }
        Some(Told::Denied(_)) | None => return,
    };
    if !figures.is_empty() {
        book.add(agent, key, fact.moment, &figures);
    }
}

fn key_of(hold: Option<&FeedHold>) -> SpendKey {
    hold.map_or((None, None), |hold| (Some(hold.protocol), hold.service))
}

/// The service of a key, by its name.
pub(super) fn named(
    key: SpendKey,
    shard: ShardId,
    directory: &crate::engine::FeedDirectory,
) -> (Option<Protocol>, Option<Arc<str>>) {
    (key.0, key.1.and_then(|name| directory.name(shard, name)))
}
