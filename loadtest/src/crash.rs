//! `kill -9` in the middle of the load: who kills, and how the lanes get over it.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use tokio::sync::watch;

use crate::{error::LoadError, gateway::Gateway, plan::Plan};

/// How long the kills are awaited at most, beyond the plan.
const RESTART_MAX: Duration = Duration::from_secs(60);

/// The kills of one run.
pub(crate) struct Crashes<'a> {
    /// Whom to kill; `None` where nobody is to be killed.
    victim: Option<&'a Gateway>,
    kills: u32,
    /// How often the gateway was killed so far.
    killed: watch::Sender<u32>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// How often the gateway was killed so far and has come back.
    back: u32,
    restarts_ms: Vec<f64>,
    /// It did not come back.
    is_lost: bool,
}

impl<'a> Crashes<'a> {
    /// Nobody is killed.
    pub(crate) fn none() -> Crashes<'a> {
        Crashes {
            victim: None,
            kills: 0,
            killed: watch::Sender::new(0),
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// The gateway is killed so many times, at even distances.
    pub(crate) fn of(gateway: &'a Gateway, kills: u32) -> Crashes<'a> {
        Crashes { victim: Some(gateway), kills, ..Crashes::none() }
    }

    /// How often the gateway was killed, and how long each start took until it served.
    pub(crate) fn told(&self) -> (u32, Vec<f64>) {
        (self.killed(), self.state().restarts_ms.clone())
    }

    /// Kills and starts again, as often as is asked for. Blocks its thread.
    pub(crate) fn conduct(&self, plan: &Plan) -> Result<(), LoadError> {
        let Some(gateway) = self.victim else { return Ok(()) };
        for kill in 1..=self.kills {
            let moment = Duration::from_nanos(plan.end / u64::from(self.kills + 1) * u64::from(kill));
            thread::sleep((plan.start + moment).saturating_duration_since(Instant::now()));
            let start = Instant::now();
            // Before it happens, so that whoever finds his connection broken knows why.
            self.killed.send_replace(kill);
            gateway.kill();
            let restarted = gateway.restart();
            let mut state = self.state();
            state.restarts_ms.push(start.elapsed().as_secs_f64() * 1e3);
            state.back = kill;
            state.is_lost = restarted.is_err();
            self.changed.notify_all();
            drop(state);
            restarted?;
        }
        Ok(())
    }

    /// How many lives the gateway has lost and got over: to be compared later.
    pub(crate) fn lives(&self) -> u32 {
        self.state().back
    }

    /// Waits until the gateway is killed that has lost so many lives.
    pub(crate) fn halted(&self, lives: u32) -> impl Future<Output = ()> + use<> {
        let mut killed = self.killed.subscribe();
        async move {
            if killed.wait_for(|killed| *killed > lives).await.is_err() {
                // Nobody is left who could kill.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Whether the gateway was killed since it had so many `lives` and has come back, which is waited for.
    pub(crate) fn wait_until_back(&self, lives: u32, plan: &Plan) -> bool {
        let deadline = plan.last_answers() + RESTART_MAX;
        let mut state = self.state();
        loop {
            if state.is_lost || self.killed() == lives {
                return false;
            }
            if state.back == self.killed() {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn killed(&self) -> u32 {
        *self.killed.borrow()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
