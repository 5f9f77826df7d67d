//! The sessions of an agent: envelopes of spend with an end.

use bincode::{Decode, Encode};

use super::{rebuilt::Rebuilt, window::Weight};
use crate::kernel::{
    Amount, AuthorizationId, Duration, NameId, Protocol, SessionNumber, Timestamp,
    event::{SessionKind, SessionOpened},
};

/// An envelope of spend.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Session {
    /// Its number within its agent.
    pub number: SessionNumber,
    /// Its rail.
    pub protocol: Protocol,
    /// Whether it is the session of requests that name none.
    implicit: bool,
    /// Its own facts, if it is an envelope.
    envelope: Option<Box<Envelope>>,
    /// The client's name for it; empty where it has none.
    pub name: Box<str>,
    /// Whether payments may still join it, and else how it ended.
    pub end: SessionEnd,
    /// When it began.
    pub opened_at: Timestamp,
    /// The last time somebody asked to pay in it.
    pub last_request: Timestamp,
    /// What its payments weigh; of an envelope this is kept by its deposit instead.
    pub weight: Weight,
    /// Held by charges that draw from the deposit.
    pub inside: Amount,
    /// What of its deposit was released when it was closed: it may be remembered longer than the deposit.
    pub released: Amount,
    /// Charges inside it that are open: its deposit lasts as long as they do.
    pub open_charges: u32,
    /// Holds that keep it from being forgotten: its open ones; of an envelope all that are remembered, since late reports of its
    /// charges are booked in its deposit.
    pub kept_by: u32,
    /// Whether a deadline that forgets it is waiting: one is enough, however often its last hold ends.
    pub awaits_deadline: Rebuilt<bool>,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum SessionEnd {
    /// Not yet.
    Open,
    /// It was closed, or its deposit was voided or expired.
    Closed,
    /// Its deposit was captured for the last time.
    Captured,
}

/// An envelope's own facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Envelope {
    /// Who may draw.
    pub recipient: NameId,
    /// For which service.
    pub service: NameId,
    /// The hold that is the deposit.
    pub deposit: AuthorizationId,
    /// When it ends by itself.
    pub ends_at: Timestamp,
}

impl Session {
    /// A session that begins with a request at `now`.
    #[must_use]
    pub fn opened(event: &SessionOpened, now: Timestamp) -> Session {
        let envelope = match event.kind {
            SessionKind::Implicit | SessionKind::Run => None,
            SessionKind::Envelope { recipient, service, deposit, ends_at } => {
                Some(Box::new(Envelope { recipient, service, deposit, ends_at }))
            }
        };
        Session {
            number: event.number,
            protocol: event.protocol,
            implicit: matches!(event.kind, SessionKind::Implicit),
            envelope,
            name: event.name.clone(),
            end: SessionEnd::Open,
            opened_at: now,
            last_request: now,
            weight: Weight::default(),
            inside: Amount::ZERO,
            released: Amount::ZERO,
            open_charges: 0,
            kept_by: 0,
            awaits_deadline: Rebuilt(true),
        }
    }

    /// Where the session is among `sorted` ones.
    pub(crate) fn search(sorted: &[Session], number: SessionNumber) -> Option<usize> {
        match sorted {
            [only] => (only.number == number).then_some(0),
            _ => sorted.binary_search_by_key(&number, |session| session.number).ok(),
        }
    }

    /// An envelope ends at another moment.
    pub fn end_at(&mut self, ends_at: Timestamp) {
        if let Some(envelope) = &mut self.envelope {
            envelope.ends_at = ends_at;
        }
    }

    /// Whether payments may still join it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.end == SessionEnd::Open
    }

    /// Its facts, if it is an envelope.
    #[must_use]
    pub fn envelope(&self) -> Option<&Envelope> {
        self.envelope.as_deref()
    }

    /// Whether it is the session of requests that name none.
    #[must_use]
    pub fn is_implicit(&self) -> bool {
        self.implicit
    }

    /// When it may be forgotten, unless more happens in it or a hold of it is open.
    #[must_use]
    pub fn forgotten_at(&self, kept: Duration) -> Timestamp {
        let ends_at = self.envelope().map_or(Timestamp::ZERO, |envelope| envelope.ends_at);
        self.last_request.max(ends_at).after(kept)
    }
}
