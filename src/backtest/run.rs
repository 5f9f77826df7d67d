//! Replays the journal of every shard into a trial.

use std::ops::ControlFlow;

use thiserror::Error;

use super::{report::Report, trial::Trial};
use crate::{
    engine::{RebuildError, first_state},
    journal::{ReplayError, Store, StoreError, codec::visit_events, replay},
    kernel::{Event, Failure, Options, ShardId, State, Timestamp, policy::PolicySource},
};

/// Which policy, and which time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backtest {
    /// It takes the place of the policy of its id during the whole time, or stands beside the others where there was none.
    pub draft: PolicySource,
    /// Payments before this moment are taken as they were decided.
    pub since: Timestamp,
}

/// How far a backtest is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Records that were replayed.
    pub records_done: u64,
    /// Records there are.
    pub records: u64,
    /// Payments that were decided once more.
    pub decisions: u64,
}

/// Why there is no report.
#[derive(Debug, Error)]
pub enum BacktestError {
    /// The policy cannot be understood, or there are too many.
    #[error(transparent)]
    Draft(#[from] Failure),
    /// What the journal begins with cannot be read.
    #[error(transparent)]
    Begin(#[from] RebuildError),
    /// The journal cannot be read.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The journal cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It was told to stop.
    #[error("the backtest was stopped")]
    Stopped,
}

/// Decides the payments of the past once more. `options` are those that a shard without a record begins with. `progress` is told after
/// every group of events, may rest, and says whether to go on.
///
/// # Errors
/// [`BacktestError`].
pub fn run(
    store: &dyn Store,
    options: &Options,
    backtest: &Backtest,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Report, BacktestError> {
    let shards = || (0..store.shards().get()).map(ShardId);
    let mut told = Progress { records_done: 0, records: 0, decisions: 0 };
    for shard in shards() {
        told.records += store.last(shard)?.0;
    }
    let mut report = Report::default();
    for shard in shards() {
        report.join(run_shard(store, shard, options, backtest, &mut told, progress)?);
    }
    Ok(report)
}

/// A shard before the time that is looked at, and within it.
struct Shard<'b> {
    backtest: &'b Backtest,
    before: Option<State>,
    trial: Option<Trial>,
    refused: Option<Failure>,
}

impl Shard<'_> {
    fn happen(&mut self, moment: Timestamp, event: Event) {
        if let Some(trial) = &mut self.trial {
            return trial.happen(moment, event);
        }
        if moment >= self.backtest.since
            && let Some(state) = self.before.take()
        {
            match Trial::new(state, &self.backtest.draft) {
                Ok(trial) => self.trial.insert(trial).happen(moment, event),
                Err(failure) => self.refused = Some(failure),
            }
        } else if let Some(state) = &mut self.before {
            state.apply(moment, &event);
        }
    }
}

fn run_shard(
    store: &dyn Store,
    shard: ShardId,
    options: &Options,
    backtest: &Backtest,
    told: &mut Progress,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Report, BacktestError> {
    let (begins_after, state) = first_state(store, shard, options)?;
    let before = Some(state);
    let mut past = Shard { backtest, before, trial: None, refused: None };
    let (records, decisions) = (told.records_done, told.decisions);
    let mut stopped = false;
    let replayed = replay(store, shard, begins_after, &mut |sequence, payload| {
        visit_events(payload, &mut |moment, event| past.happen(moment, event))?;
        told.records_done = records + sequence.0;
        told.decisions = decisions + past.trial.as_ref().map_or(0, |trial| trial.report().decisions.count);
        stopped = past.refused.is_some() || progress(*told).is_break();
        if stopped { Err("stopped".into()) } else { Ok(()) }
    });
    match past.refused {
        Some(failure) => Err(failure.into()),
        None if stopped => Err(BacktestError::Stopped),
        None => {
            replayed?;
            Ok(past.trial.map(Trial::into_report).unwrap_or_default())
        }
    }
}
