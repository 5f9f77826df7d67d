//! How does a lane ask, whatever it asks? A [`Writer`] takes what is due and a [`Reader`] hands over the answers; a [`Subject`] is
//! what both lead to. Every subject has types of its own for them, so that a lane pays for no dispatch at run time.

mod quic;

use holdfast::{kernel::Amount, wire::Handle};
pub(crate) use quic::QuicGateway;
use thiserror::Error;

use crate::{error::LoadError, fleet::LanePlan};

/// One thing that is asked in the name of one agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    /// The agent's number in the load test, from zero.
    pub(crate) agent: u32,
    /// The same agent, as the subject knows it.
    pub(crate) handle: Handle,
    /// The authorization that is asked for, or was asked for before where this captures it. Unique in the run.
    pub(crate) id: u128,
    pub(crate) amount: Amount,
    pub(crate) errand: Errand,
}

/// What an agent wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errand {
    /// A hold for one payment.
    Pay,
    /// To report that all of a hold was paid, and no more will be.
    Capture,
}

/// What was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer<'a> {
    /// The money is held, as it was not before.
    Approved,
    /// The payment may not happen; the code of the first limit that stands against it.
    Denied {
        /// Such as `DAILY_LIMIT`.
        code: &'a str,
    },
    /// The report is booked.
    Captured {
        /// All captures of the hold together.
        amount: Amount,
        /// The hold was over before.
        late: bool,
    },
    /// Nothing was done.
    Error {
        /// Such as `OVERLOADED`.
        code: &'a str,
    },
    /// An answer that does not fit, or one that does not say whether something was done.
    Unclear {
        /// Such as `INTERNAL`.
        code: &'a str,
    },
}

/// Where requests go.
pub(crate) trait Writer {
    /// Adds a request to the next flush. The tag, which no request under way has, comes back with its answer.
    fn push(&mut self, tag: u32, ask: &Ask);

    /// Sends what was added, in as few writes as the protocol allows. It may wait for room, and never for an answer.
    async fn flush(&mut self) -> Result<(), Broken>;
}

/// Where answers come from.
pub(crate) trait Reader {
    /// Waits until something has arrived, and hands over every answer that has.
    async fn read(&mut self, on_answer: impl FnMut(u32, Answer<'_>)) -> Result<(), Broken>;
}

/// A connection can no longer be used.
#[derive(Debug, Error)]
#[error("{0}")]
pub(crate) struct Broken(pub(crate) String);

/// Both ends of one connection.
#[derive(Debug)]
pub(crate) struct Link<W, R> {
    pub(crate) writer: W,
    pub(crate) reader: R,
}

/// What is put under load.
pub(crate) trait Subject: Sync {
    /// Its end that takes requests.
    type Writer: Writer + 'static;
    /// Its end that answers.
    type Reader: Reader + 'static;

    /// Who pays over which of so many connections.
    fn lanes(&self, connections: u16) -> Vec<LanePlan>;

    /// The most requests of one connection that may wait for their answers.
    fn in_flight_max(&self) -> u32;

    /// The process that serves, where its processor time is to be counted with the subject.
    fn process(&self) -> Option<u32>;

    /// Connects the lanes of one thread, in their order. Runs on that thread's own runtime.
    async fn connect(&self, lanes: &[LanePlan]) -> Result<Vec<Link<Self::Writer, Self::Reader>>, LoadError>;
}
