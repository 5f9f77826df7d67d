//! The threads that send. They are started as they are needed, and each makes one attempt at a time.

use std::{fmt, io, sync::Arc, thread};

use crossbeam::channel::{Receiver, Sender as Channel, bounded};

use crate::{
    engine::Clock,
    kernel::{WebhookId, webhook::SigningSecret},
};

use super::{
    delivery::Way,
    lanes::Letter,
    sender::{Attempt, Sender},
    signature::{Signed, headers},
};

/// The most attempts that are made at once, over all webhooks.
pub const SENDERS_MAX: usize = 16;

/// An attempt to be made.
pub(super) struct Job {
    pub(super) webhook: WebhookId,
    pub(super) way: Way,
    pub(super) url: String,
    pub(super) secret: SigningSecret,
    pub(super) letter: Letter,
    /// Which attempt, from 1.
    pub(super) attempt: u32,
}

/// An attempt that was made.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) webhook: WebhookId,
    pub(super) way: Way,
    pub(super) result: Result<(), String>,
}

/// The threads that send.
pub(super) struct Pool {
    sender: Sender,
    clock: Arc<dyn Clock>,
    jobs: Channel<Job>,
    jobs_of_threads: Receiver<Job>,
    ended: Receiver<Ended>,
    ended_of_threads: Channel<Ended>,
    threads: usize,
    busy: usize,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("threads", &self.threads).field("busy", &self.busy).finish_non_exhaustive()
    }
}

impl Pool {
    pub(super) fn new(sender: Sender, clock: Arc<dyn Clock>) -> Pool {
        let ((jobs, jobs_of_threads), (ended_of_threads, ended)) = (bounded(SENDERS_MAX), bounded(SENDERS_MAX));
        Pool { sender, clock, jobs, jobs_of_threads, ended, ended_of_threads, threads: 0, busy: 0 }
    }

    /// Whether an attempt could begin at once.
    pub(super) fn has_room(&self) -> bool {
        self.busy < SENDERS_MAX
    }

    pub(super) fn is_idle(&self) -> bool {
        self.busy == 0
    }

    /// Has an attempt made. Requires that there is room. Where no thread can be started for it, it waits for one that is busy.
    pub(super) fn send(&mut self, job: Job) {
        if self.busy >= self.threads
            && let Err(error) = self.start()
        {
            tracing::warn!(%error, "failed to start a thread that delivers to webhooks");
        }
        if self.threads == 0 {
            let Job { webhook, way, .. } = job;
            // There is room for as many as may be busy.
            let _ = self.ended_of_threads.try_send(Ended {
                webhook,
                way,
                result: Err("no thread could be started".to_owned()),
            });
        } else {
            let _ = self.jobs.try_send(job);
        }
        self.busy += 1;
    }

    /// Attempts that were made; each must be [`took`](Self::took).
    pub(super) fn ended(&self) -> &Receiver<Ended> {
        &self.ended
    }

    pub(super) fn took(&mut self) {
        self.busy -= 1;
    }

    fn start(&mut self) -> io::Result<()> {
        let (sender, clock) = (self.sender.clone(), Arc::clone(&self.clock));
        let (jobs, ended) = (self.jobs_of_threads.clone(), self.ended_of_threads.clone());
        // It ends with the pool.
        let _thread = thread::Builder::new().name(format!("holdfast-hook-{}", self.threads)).spawn(move || {
            for job in jobs {
                let result = attempt(&sender, &*clock, &job);
                if ended.send(Ended { webhook: job.webhook, way: job.way, result }).is_err() {
                    return;
                }
            }
        })?;
        self.threads += 1;
        Ok(())
    }
}

fn attempt(sender: &Sender, clock: &dyn Clock, job: &Job) -> Result<(), String> {
    let Job { url, secret, letter, attempt, .. } = job;
    let id = crate::engine::FeedPosition::from(letter.place).to_string();
    let signed = Signed { id: &id, event: letter.event, now: clock.now(), attempt: *attempt, body: &letter.body };
    sender.send(&Attempt { url: url.clone(), headers: headers(signed, secret), body: Arc::clone(&letter.body) })
}
