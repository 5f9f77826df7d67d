//! Runs workers on plain threads, for embedding and for tools.

use std::{
    io,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use crossbeam::sync::Parker;

use super::worker::{Turn, Worker};
use crate::kernel::Timestamp;

/// The longest sleep of a worker that nobody wakes.
const SLEEP_MAX: Duration = Duration::from_millis(100);

/// One thread for each worker; they end when the engine has shut down.
#[derive(Debug)]
pub struct EngineThreads {
    threads: Vec<JoinHandle<()>>,
}

impl EngineThreads {
    /// Starts a thread for each worker.
    ///
    /// # Errors
    /// When the system has no thread left; the workers' shards then answer `unavailable`.
    pub fn spawn(workers: Vec<Worker>) -> io::Result<EngineThreads> {
        let threads = workers.into_iter().map(|worker| {
            thread::Builder::new().name(format!("holdfast-worker-{}", worker.id().0)).spawn(move || run(worker))
        });
        Ok(EngineThreads { threads: threads.collect::<io::Result<_>>()? })
    }

    /// Waits until every worker is over, which [`Engine::shut_down`](super::Engine::shut_down) asks them to be.
    ///
    /// # Panics
    /// When a worker did.
    pub fn join(self) {
        for thread in self.threads {
            thread.join().expect("a worker catches the panics of its shards");
        }
    }
}

fn run(mut worker: Worker) {
    let parker = Parker::new();
    let unparker = parker.unparker().clone();
    worker.set_waker(Arc::new(move || unparker.unpark()));
    let clock = Arc::clone(worker.clock());
    loop {
        let now = clock.now();
        let turn = worker.turn(now);
        if turn.over {
            return;
        }
        if !turn.more {
            parker.park_timeout(sleep(now, turn));
        }
    }
}

fn sleep(now: Timestamp, turn: Turn) -> Duration {
    turn.next.map_or(SLEEP_MAX, |next| Duration::from_micros(next.since(now).micros()).min(SLEEP_MAX))
}
