//! One connection that is kept: what many tasks ask at one time leaves in one frame, and it is made anew when it is lost.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hashbrown::HashMap;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::{ClientError, ConnectError, Connection, Connector, ReplyReader, RequestWriter, StreamError};
use crate::wire::{
    Reply, Welcome,
    limits::{IN_FLIGHT_MAX, REQUESTS_PER_FRAME_MAX},
};

/// Requests that may wait to be written; who asks beyond it waits.
const QUEUE_MAX: usize = 2 * REQUESTS_PER_FRAME_MAX;

/// An encoded request and who waits for its reply.
struct Job {
    kind: u8,
    body: Arc<[u8]>,
    answer: oneshot::Sender<Result<Reply, ClientError>>,
}

impl Job {
    fn fail(self, error: ClientError) {
        // Nobody may be waiting any more.
        let _ = self.answer.send(Err(error));
    }
}

/// A handle to the task that keeps the connection. The task ends when the last handle is dropped.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    jobs: mpsc::Sender<Job>,
    in_flight: Arc<Semaphore>,
    reachable: Arc<AtomicBool>,
}

/// Told of the welcome of each connection that is made.
pub(super) type OnWelcome = Box<dyn Fn(&Welcome) + Send + Sync>;

impl Lane {
    /// A lane to `address`; it starts with `connection`, or else connects at once, and is reachable when it has.
    pub(super) fn spawn(
        connector: Connector,
        address: SocketAddr,
        connection: Option<Connection>,
        on_welcome: OnWelcome,
    ) -> Lane {
        let (sender, jobs) = mpsc::channel(QUEUE_MAX);
        let reachable = Arc::new(AtomicBool::new(connection.is_some()));
        let keeper =
            Keeper { connector, address, jobs, waiting: Vec::new(), reachable: Arc::clone(&reachable), on_welcome };
        tokio::spawn(keeper.run(connection));
        Lane { jobs: sender, in_flight: Arc::new(Semaphore::new(IN_FLIGHT_MAX)), reachable }
    }

    /// Whether there is a connection.
    pub(super) fn reachable(&self) -> bool {
        self.reachable.load(Ordering::Relaxed)
    }

    /// Sends one request, once, and waits for its reply.
    pub(super) async fn ask(&self, kind: u8, body: &Arc<[u8]>) -> Result<Reply, ClientError> {
        // The semaphore is never closed; where it were, the request would only not be counted.
        let _permit = self.in_flight.acquire().await;
        let answer = self.begin(kind, body).await?;
        answer.await.unwrap_or_else(|_| Err(ended()))
    }

    /// Sends one request, once. The reply arrives in what is returned. Counts towards no maximum but the queue's.
    pub(super) async fn begin(
        &self,
        kind: u8,
        body: &Arc<[u8]>,
    ) -> Result<oneshot::Receiver<Result<Reply, ClientError>>, ClientError> {
        let (answer, receiver) = oneshot::channel();
        let job = Job { kind, body: Arc::clone(body), answer };
        self.jobs.send(job).await.map_err(|_| ended())?;
        Ok(receiver)
    }
}

/// The task behind a lane is gone, as when the runtime shuts down.
fn ended() -> ClientError {
    ClientError::Lost(Arc::new(StreamError::Ended))
}

/// Who waits for the reply with this tag.
type Pending = Mutex<HashMap<u64, oneshot::Sender<Result<Reply, ClientError>>>>;

struct Keeper {
    connector: Connector,
    address: SocketAddr,
    jobs: mpsc::Receiver<Job>,
    /// Taken from `jobs` and not yet written.
    waiting: Vec<Job>,
    reachable: Arc<AtomicBool>,
    on_welcome: OnWelcome,
}

impl Keeper {
    async fn run(mut self, mut connection: Option<Connection>) {
        loop {
            let next = match connection.take() {
                Some(connection) => Some(connection),
                None => self.connect().await,
            };
            let Some(next) = next else { return };
            self.reachable.store(true, Ordering::Relaxed);
            (self.on_welcome)(next.welcome());
            let served = self.serve(next).await;
            self.reachable.store(false, Ordering::Relaxed);
            match served {
                Ok(()) => return,
                Err(error) => tracing::debug!(address = %self.address, %error, "connection lost"),
            }
        }
    }

    /// Connects, and goes on trying with growing pauses; `None` when nobody is left who could ask.
    async fn connect(&mut self) -> Option<Connection> {
        let mut failures = 0;
        loop {
            let error = match self.connector.connect(self.address).await {
                Ok(connection) => return Some(connection),
                Err(error) => Arc::new(error),
            };
            for job in self.waiting.drain(..) {
                job.fail(ClientError::Unreachable(Arc::clone(&error)));
            }
            self.refuse_for_a_while(&error, failures).await?;
            // What cannot succeed without a change is tried again only when somebody asks again.
            if !error.retry() && self.wait_for_jobs().await == 0 {
                return None;
            }
            failures += 1;
        }
    }

    /// Refuses at once what is asked during the pause before the next attempt; `None` when nobody is left who could ask.
    async fn refuse_for_a_while(&mut self, error: &Arc<ConnectError>, failures: u32) -> Option<()> {
        let pause = self.connector.options().retry.pause(failures, Duration::ZERO, random());
        let end = tokio::time::sleep(pause);
        tokio::pin!(end);
        loop {
            tokio::select! {
                () = &mut end => return Some(()),
                job = self.jobs.recv() => job?.fail(ClientError::Unreachable(Arc::clone(error))),
            }
        }
    }

    /// Carries requests and replies until the connection is lost (an error) or nobody is left who could ask.
    async fn serve(&mut self, mut connection: Connection) -> Result<(), ConnectError> {
        let (writer, reader) = connection.stream().await?;
        let pending = Pending::default();
        let served = tokio::select! {
            written = self.write(writer, &pending) => written,
            read = read(reader, &pending) => read,
        };
        let Err(error) = served else { return Ok(()) };
        let error = Arc::new(error);
        for (_, answer) in locked(&pending).drain() {
            // Nobody may be waiting any more.
            let _ = answer.send(Err(ClientError::Lost(Arc::clone(&error))));
        }
        Err(ConnectError::Lost(error))
    }

    async fn write(&mut self, mut writer: RequestWriter, pending: &Pending) -> Result<(), StreamError> {
        let mut tag = 0;
        loop {
            if self.waiting.is_empty() && self.wait_for_jobs().await == 0 {
                return Ok(());
            }
            for job in self.waiting.drain(..).filter(|job| !job.answer.is_closed()) {
                match writer.push_encoded(tag, job.kind, &job.body) {
                    Ok(()) => _ = locked(pending).insert(tag, job.answer),
                    Err(too_large) => job.fail(ClientError::TooLarge(too_large)),
                }
                tag += 1;
            }
            writer.flush().await?;
        }
    }

    /// Takes what is asked now, at least one; 0 when nobody is left who could ask. Safe to cancel.
    async fn wait_for_jobs(&mut self) -> usize {
        self.jobs.recv_many(&mut self.waiting, REQUESTS_PER_FRAME_MAX).await
    }
}

async fn read(mut reader: ReplyReader, pending: &Pending) -> Result<(), StreamError> {
    let mut replies = Vec::new();
    loop {
        reader.read(|item| replies.push((item.tag, Reply::decode(item)))).await?;
        for (tag, reply) in replies.drain(..) {
            let reply = reply?;
            // Nobody may be waiting any more, and a tag that was never sent is nobody's.
            if let Some(answer) = locked(pending).remove(&tag) {
                let _ = answer.send(Ok(reply));
            }
        }
    }
}

/// The map is whole between any two of its operations, so a panic elsewhere does not spoil it.
fn locked(pending: &Pending) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<Result<Reply, ClientError>>>> {
    pending.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Any number; the least random where the system has no randomness.
pub(super) fn random() -> u32 {
    getrandom::u32().unwrap_or(0)
}
