//! Takes the shards of a store over: rebuilds each state, journals the start, and brings every shard's policies and payees up to the home's.

use std::{
    collections::BTreeMap,
    io,
    num::NonZeroUsize,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
    thread,
};

use thiserror::Error;

use super::{
    options::TURN_BYTES_MAX,
    snapshot::{RebuildError, rebuild},
};
use crate::{
    journal::{COMMIT_BYTES_MAX, CommitError, Group, Journal, Position, Replayed, Store, StoreError, codec::Section},
    kernel::{
        self, Event, Former, PolicyId, ShardId, State, Timestamp,
        policy::{PolicyError, check},
        state::{
            catalogue::Entry,
            counterparties,
            sanctions::{InForce, Sanctions},
            shadow,
        },
    },
};

/// The shard that keeps the policy catalogue and the keys of operators and platforms.
pub(super) const HOME: ShardId = ShardId(0);

/// Why an engine does not open.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Without it, every payment of an agent without a policy would be denied.
    #[error("the default policy cannot be understood: {0}")]
    DefaultPolicy(#[from] PolicyError),
    /// A shard cannot be rebuilt.
    #[error(transparent)]
    Rebuild(#[from] RebuildError),
    /// A shard's events make the kernel panic; its message is on standard error.
    #[error("shard {} cannot be replayed by this version; restore the version that wrote it", shard.0)]
    Panicked {
        /// The shard.
        shard: ShardId,
    },
    /// A torn tail cannot be cut.
    #[error("failed to cut what an interrupted write left: {0}")]
    Store(#[from] StoreError),
    /// The start cannot be journalled.
    #[error("failed to journal the start: {0}")]
    Commit(#[from] CommitError),
    /// How far the shards are durable cannot be kept.
    #[error("failed to keep how far the journal is durable: {0}")]
    Anchor(#[source] StoreError),
    /// A thread cannot be started.
    #[error("failed to start a thread: {0}")]
    Thread(#[from] io::Error),
}

/// A store taken over.
pub(super) struct Recovered {
    pub journal: Journal,
    /// Each shard's state, by its number.
    pub states: Vec<State>,
    /// How many bytes of each shard's journal its newest snapshot does not cover.
    pub grown_bytes: Vec<u64>,
}

/// Recovers every shard; everything that it journals is durable and anchored when it returns.
pub(super) fn recover(
    store: &Arc<dyn Store>,
    options: &kernel::Options,
    now: Timestamp,
) -> Result<Recovered, OpenError> {
    check(&options.default_policy)?;
    let mut journal = Journal::new(Arc::clone(store));
    let mut rebuilt = rebuild_all(&**store, options)?;
    for (_, replayed) in &rebuilt {
        journal.resume(replayed)?;
    }
    let missed: Vec<Vec<Event>> = rebuilt.iter().map(|(state, _)| missed_by(state, &rebuilt[0].0)).collect();
    let mut pieces = Vec::new();
    for ((state, replayed), missed) in rebuilt.iter_mut().zip(&missed) {
        let is_new = replayed.end == Position::START;
        let boot = Boot::new(state, now).start(options, is_new, missed);
        pieces.extend(boot.into_iter().map(|piece| (replayed.shard, piece)));
    }
    commit_all(&mut journal, &pieces)?;
    journal.anchor().map_err(OpenError::Anchor)?;
    let grown_bytes = rebuilt.iter().map(|(_, replayed)| replayed.record_bytes).collect();
    Ok(Recovered { journal, states: rebuilt.into_iter().map(|(state, _)| state).collect(), grown_bytes })
}

/// Rebuilds the shards on as many threads as there are cores.
fn rebuild_all(store: &dyn Store, options: &kernel::Options) -> Result<Vec<(State, Replayed)>, OpenError> {
    let shards = store.shards().get();
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get).min(usize::from(shards));
    let (next, rebuilt) = (AtomicU16::new(0), Mutex::new(BTreeMap::new()));
    let work = || {
        loop {
            let shard = ShardId(next.fetch_add(1, Ordering::Relaxed));
            if shard.0 >= shards {
                return;
            }
            let result = rebuild_one(store, shard, options);
            rebuilt.lock().unwrap_or_else(PoisonError::into_inner).insert(shard, result);
        }
    };
    thread::scope(|scope| {
        (1..threads).for_each(|_| _ = scope.spawn(work));
        work();
    });
    let rebuilt = rebuilt.into_inner().unwrap_or_else(PoisonError::into_inner);
    rebuilt.into_values().collect()
}

fn rebuild_one(store: &dyn Store, shard: ShardId, options: &kernel::Options) -> Result<(State, Replayed), OpenError> {
    let rebuild = std::panic::AssertUnwindSafe(|| rebuild(store, shard, options));
    match std::panic::catch_unwind(rebuild) {
        Ok(result) => Ok(result?),
        Err(_) => Err(OpenError::Panicked { shard }),
    }
}

/// Commits in order, as much at a time as a commit carries.
fn commit_all(journal: &mut Journal, pieces: &[(ShardId, Vec<u8>)]) -> Result<(), CommitError> {
    let mut groups = Vec::new();
    let mut bytes = 0;
    for (shard, payload) in pieces {
        if bytes + payload.len() > COMMIT_BYTES_MAX {
            journal.commit(&groups)?;
            groups.clear();
            bytes = 0;
        }
        bytes += payload.len();
        groups.push(Group { shard: *shard, payload });
    }
    journal.commit(&groups)?;
    Ok(())
}

/// What a shard missed of the home's catalogue, because a change was interrupted on its way to the shards. The home never misses
/// anything: the others are told when the change is durable there.
fn missed_by(state: &State, home: &State) -> Vec<Event> {
    let (catalogue, shadows, described) = (state.catalogue(), state.shadows(), state.counterparties());
    let policy = |(id, entry): (PolicyId, &Entry)| match &entry.source {
        Some(source) => Event::PolicyPut(Box::new(source.clone()), entry.revision),
        None => Event::PolicyRemoved(id, entry.revision),
    };
    let policies = home.catalogue().entries().filter(|(id, entry)| catalogue.revision_of(*id) < entry.revision);
    let shadow = |(id, entry): (PolicyId, &shadow::Entry)| match &entry.shadow {
        Some(shadow) => Event::ShadowPut(Box::new(shadow.source.clone()), entry.revision),
        None => Event::ShadowRemoved(id, entry.revision),
    };
    let in_shadow = home.shadows().entries().filter(|(id, entry)| shadows.revision_of(*id) < entry.revision);
    // Of payees who are described no more nothing is kept. They go first: others may have their addresses now.
    let is_gone = |entry: &&counterparties::Entry| home.counterparties().get(entry.counterparty.id).is_none();
    let gone = described.entries().filter(is_gone);
    let removal =
        |entry: &counterparties::Entry| Event::CounterpartyRemoved(entry.counterparty.id, home.catalogue().revision());
    let payee =
        |entry: &counterparties::Entry| Event::CounterpartyPut(Box::new(entry.counterparty.clone()), entry.revision);
    let is_newer = |entry: &&counterparties::Entry| described.revision_of(entry.counterparty.id) < entry.revision;
    let payees = home.counterparties().entries().filter(is_newer);
    let payees = gone.map(removal).chain(payees.map(payee));
    let sanctions = missed_sanctions(state.sanctions(), home.sanctions());
    policies.map(policy).chain(in_shadow.map(shadow)).chain(payees).chain(sanctions).collect()
}

/// The list of sanctions anew, where the home has another.
fn missed_sanctions(own: &Sanctions, home: &Sanctions) -> Vec<Event> {
    if own.revision() >= home.revision() {
        return Vec::new();
    }
    let list = home.in_force();
    let parts = list.map(InForce::parts).unwrap_or_default().into_iter();
    let mut events: Vec<Event> = parts.map(|part| Event::SanctionsStaged(Box::new(part))).collect();
    let summary = list.map(|list| Box::new(list.summary.clone()));
    events.push(Event::SanctionsSwitched(summary, home.revision()));
    events
}

/// Makes the first events of a process happen to one shard.
struct Boot<'s> {
    state: &'s mut State,
    now: Timestamp,
    section: Section,
    pieces: Vec<Vec<u8>>,
}

impl Boot<'_> {
    fn new(state: &mut State, now: Timestamp) -> Boot<'_> {
        let now = now.max(state.moment());
        Boot { state, now, section: Section::default(), pieces: Vec::new() }
    }

    /// Time first; then the start, which places the unknown holds under the leases and options of the process before;
    /// then what is different from now on.
    fn start(mut self, options: &kernel::Options, is_new: bool, missed: &[Event]) -> Vec<Vec<u8>> {
        self.fire_due();
        self.happen(&Event::Started { incarnation: self.state.incarnation().saturating_add(1) });
        if is_new || self.state.options() != options {
            if !is_new {
                self.happen(&Event::Before(Box::new(Former::Options(Box::new(self.state.options().clone())))));
            }
            self.happen(&Event::OptionsSet(Box::new(options.clone())));
        }
        missed.iter().for_each(|event| self.happen(event));
        self.close();
        self.pieces
    }

    fn fire_due(&mut self) {
        let mut events = Vec::new();
        loop {
            self.state.advance(self.now, &mut events);
            if events.is_empty() {
                return;
            }
            events.drain(..).for_each(|event| self.happen(&event));
        }
    }

    fn happen(&mut self, event: &Event) {
        self.state.apply(self.now, event);
        self.section.write(event);
        self.section.keep();
        if self.section.kept_bytes() >= TURN_BYTES_MAX {
            self.close();
        }
    }

    fn close(&mut self) {
        let mut piece = Vec::new();
        if self.section.close(self.now, &mut piece) > 0 {
            self.pieces.push(piece);
        }
    }
}
