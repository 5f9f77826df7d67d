//! How does a lane ask, whatever it asks? A [`Writer`] takes what is due and a [`Reader`] hands over the answers; a [`Subject`] is
//! what both lead to. Every subject has types of its own for them, so that a lane pays for no dispatch at run time.

mod captures;
mod in_process;
mod quic;
mod rest;

use holdfast::{
    kernel::{Amount, Protocol},
    wire::Handle,
};
pub(crate) use in_process::InProcess;
pub(crate) use quic::{QuicGateway, QuicReader, QuicWriter, connect as connect_quic};
pub(crate) use rest::RestGateway;
use thiserror::Error;

use crate::{
    balance::Balance,
    error::LoadError,
    fleet::LanePlan,
    record::{self, GatewayCounts},
};

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
    /// A hold.
    Pay(Payment),
    /// To report that all of a hold was paid, and no more will be.
    Capture,
    /// To close the session that [`Payment::Session`] opened with the same id.
    Close,
}

/// What a hold is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Payment {
    /// One x402 payment.
    X402,
    /// One MPP payment, outside any session.
    Mpp,
    /// The deposit of an MPP session that is named after the id, see [`Ask::session`].
    Session,
    /// One x402 payment to an address that the policy blocks.
    Blocked,
}

impl Payment {
    pub(crate) const fn protocol(self) -> Protocol {
        match self {
            Payment::X402 | Payment::Blocked => Protocol::X402,
            Payment::Mpp | Payment::Session => Protocol::Mpp,
        }
    }

    pub(crate) const fn recipient(self) -> &'static str {
        match self {
            Payment::X402 | Payment::Mpp | Payment::Session => "0x1111111111111111111111111111111111111111",
            Payment::Blocked => "0x000000000000000000000000000000000000dEaD",
        }
    }
}

/// The service that everything is paid to.
pub(crate) const SERVICE: &str = "api.example.com";
/// What is bought.
pub(crate) const RESOURCE: &str = "https://api.example.com/v1/weather";
/// What is counted where an answer does not fit.
pub(crate) const UNEXPECTED: &str = "UNEXPECTED_REPLY";

impl Ask {
    /// The name of the session that this opens or closes.
    pub(crate) fn session(&self) -> String {
        format!("{:032x}", self.id)
    }
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
    /// The session is over.
    Closed {
        /// What of its deposit was released.
        released: Amount,
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

/// What is put under load, and asked for its books before and after.
pub(crate) trait Subject: Sync {
    /// Its end that takes requests.
    type Writer: Writer + 'static;
    /// Its end that answers.
    type Reader: Reader + 'static;

    /// Who pays over which of so many connections.
    fn lanes(&self, connections: u16) -> Vec<LanePlan>;

    /// The most requests of one connection that may wait for their answers.
    fn in_flight_max(&self) -> u32;

    /// As the record describes it.
    fn described(&self) -> record::Subject;

    /// What it has booked of every agent, by number.
    fn balances(&self) -> Result<Vec<Balance>, LoadError>;

    /// What it has counted since it started; `None` where it does not say, or has counted other loads as well.
    fn counts(&self) -> Result<Option<GatewayCounts>, LoadError>;

    /// The process that serves, where its processor time is to be counted with the subject.
    fn process(&self) -> Option<u32>;

    /// Connects the lanes of one thread, in their order. Runs on that thread's own runtime.
    async fn connect(&self, lanes: &[LanePlan]) -> Result<Vec<Link<Self::Writer, Self::Reader>>, LoadError>;
}
