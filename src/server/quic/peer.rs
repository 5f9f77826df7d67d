//! Who is at the other end of a connection, and how much is under way for it.

use std::{
    cell::{Cell, RefCell},
    sync::Arc,
};

use quinn::{Connection, VarInt};
use tokio::sync::Notify;

use super::access::Access;
use crate::{
    engine::{AgentHandle, Engine},
    kernel::{Request, Timestamp},
    server::identity::{AuthError, Credential, Need},
    wire::{
        Refusal,
        limits::{IN_FLIGHT_MAX, close},
    },
};

/// A client that was welcomed; all streams of its connection share it.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) connection: Connection,
    pub(super) credential: Arc<Credential>,
    access: RefCell<Access>,
    /// Requests that wait for a late reply.
    in_flight: Cell<usize>,
    /// Told when requests are no longer in flight.
    pub(super) room: Notify,
}

impl Peer {
    pub(super) fn new(connection: Connection, credential: Arc<Credential>, access: Access) -> Peer {
        let access = RefCell::new(access);
        Peer { connection, credential, access, in_flight: Cell::new(0), room: Notify::new() }
    }

    /// Whether `count` more requests may be taken on.
    pub(super) fn has_room_for(&self, count: usize) -> bool {
        self.in_flight.get() + count <= IN_FLIGHT_MAX
    }

    pub(super) fn began(&self, count: usize) {
        self.in_flight.set(self.in_flight.get() + count);
    }

    pub(super) fn ended(&self, count: usize) {
        self.in_flight.set(self.in_flight.get() - count);
        self.room.notify_waiters();
    }

    /// Whether it may ask this about the agent with this handle.
    pub(super) fn may_ask(&self, handle: AgentHandle, request: &Request<'_>, engine: &Engine) -> Result<(), Refusal> {
        if !self.access.borrow_mut().allows(handle, engine) {
            return Err(refusal(AuthError::OtherAgent));
        }
        self.credential.allow(Need::of(request), None).map_err(refusal)
    }

    /// Closes the connection where its credential no longer works.
    pub(super) fn close_if_dismissed(&self, now: Timestamp) {
        if let Err(error) = self.credential.check(now) {
            self.connection.close(VarInt::from_u32(close::AUTHENTICATION), error.code().text().as_bytes());
        }
    }
}

/// How a client is told that it may not.
pub(super) fn refusal(error: AuthError) -> Refusal {
    Refusal::new(error.code(), error.to_string())
}
