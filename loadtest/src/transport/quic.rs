//! The gateway over its own protocol.

use std::{cell::RefCell, rc::Rc};

use holdfast::{
    client::{ClientOptions, Connection, Connector, ReplyReader, RequestWriter, StreamError},
    kernel::{AuthorizationId, OperationId, Protocol, request::Intent},
    wire::{
        ErrorCode, Handle, Reply, Request,
        request::{Authorize, Capture, CloseSession, Operation},
    },
};

use super::{
    Answer, Ask, Broken, Errand, Link, Payment, RESOURCE, Reader, SERVICE, Subject, UNEXPECTED, Writer,
    captures::{self, CaptureBatch, MESSAGE_TAG, Pending},
};
use crate::{
    balance::Balance,
    error::LoadError,
    fleet::{Fleet, LanePlan, addr_of},
    gateway::Gateway,
    record::{self, GatewayCounts, Transport},
};

/// A gateway, asked over QUIC.
pub(crate) struct QuicGateway<'a> {
    pub(crate) gateway: &'a Gateway,
    pub(crate) fleet: &'a Fleet,
    /// The most captures that go in one message; each has one of its own for `None`.
    pub(crate) capture_batch: Option<u32>,
}

impl Subject for QuicGateway<'_> {
    type Writer = QuicWriter;
    type Reader = QuicReader;

    fn lanes(&self, connections: u16) -> Vec<LanePlan> {
        self.fleet.lanes(connections)
    }

    fn in_flight_max(&self) -> u32 {
        self.fleet.in_flight_max()
    }

    fn described(&self) -> record::Subject {
        self.gateway.described(Transport::Quic, self.fleet)
    }

    fn balances(&self) -> Result<Vec<Balance>, LoadError> {
        self.fleet.balances(self.gateway)
    }

    fn counts(&self) -> Result<Option<GatewayCounts>, LoadError> {
        self.gateway.counts()
    }

    fn process(&self) -> Option<u32> {
        self.gateway.process()
    }

    async fn connect(&self, lanes: &[LanePlan]) -> Result<Vec<Link<QuicWriter, QuicReader>>, LoadError> {
        connect(self.gateway.client_options(&self.fleet.key), lanes, self.capture_batch).await
    }
}

/// Connects lanes to the workers of whoever speaks the protocol at the address of `options`, all through one socket.
pub(crate) async fn connect(
    options: ClientOptions,
    lanes: &[LanePlan],
    capture_batch: Option<u32>,
) -> Result<Vec<Link<QuicWriter, QuicReader>>, LoadError> {
    let addr = options.address;
    let connector = Connector::new(options)?;
    // Where the workers are is asked each time, for a gateway that was started again may have put them elsewhere.
    let first = connector.connect(addr).await?;
    let mut links = Vec::with_capacity(lanes.len());
    for lane in lanes {
        let mut connection = connector.connect(addr_of(first.welcome(), lane.worker, addr)).await?;
        let (writer, reader) = connection.stream().await?;
        let pending = Rc::new(RefCell::new(Pending::default()));
        let captures = CaptureBatch::new(capture_batch, Rc::clone(&pending));
        let writer = QuicWriter { writer, captures, _connection: connection };
        links.push(Link { writer, reader: QuicReader { reader, pending } });
    }
    Ok(links)
}

/// The requests of one stream.
#[derive(Debug)]
pub(crate) struct QuicWriter {
    writer: RequestWriter,
    captures: CaptureBatch,
    /// Open for as long as somebody writes.
    _connection: Connection,
}

impl Writer for QuicWriter {
    fn push(&mut self, tag: u32, ask: &Ask) {
        let (writer, handle) = (&mut self.writer, ask.handle);
        match ask.errand {
            Errand::Pay(payment @ Payment::Session) => {
                write(writer, tag, handle, authorize(ask, payment, &ask.session()));
            }
            Errand::Pay(payment) => write(writer, tag, handle, authorize(ask, payment, "")),
            Errand::Capture => {
                let (id, operation) = (AuthorizationId(ask.id), OperationId(ask.id));
                let capture = Capture { id, operation, amount: ask.amount, last: true };
                if self.captures.gathers() {
                    self.captures.add(tag, handle, capture, writer);
                } else {
                    write(writer, tag, handle, Operation::Capture(capture));
                }
            }
            Errand::Close => {
                let close = CloseSession { protocol: Protocol::Mpp, session: &ask.session() };
                write(writer, tag, handle, Operation::CloseSession(close));
            }
        }
    }

    async fn flush(&mut self) -> Result<(), Broken> {
        self.captures.seal(&mut self.writer);
        Ok(self.writer.flush().await?)
    }
}

fn write(writer: &mut RequestWriter, tag: u32, handle: Handle, operation: Operation<'_>) {
    let request = Request::Agent(handle, operation);
    writer.push(u64::from(tag), &request).expect("a small request fits in a frame");
}

fn authorize<'a>(ask: &Ask, payment: Payment, session: &'a str) -> Operation<'a> {
    let intent = match payment {
        Payment::X402 | Payment::Mpp | Payment::Blocked => Intent::Charge,
        Payment::Session => Intent::Session { duration: None },
    };
    Operation::Authorize(Authorize {
        protocol: payment.protocol(),
        intent,
        service: SERVICE,
        resource: RESOURCE,
        session,
        ..Authorize::payment(AuthorizationId(ask.id), ask.amount, payment.recipient())
    })
}

/// The answers of one stream.
#[derive(Debug)]
pub(crate) struct QuicReader {
    reader: ReplyReader,
    pending: Rc<RefCell<Pending>>,
}

impl Reader for QuicReader {
    async fn read(&mut self, mut on_answer: impl FnMut(u32, Answer<'_>)) -> Result<(), Broken> {
        let QuicReader { reader, pending } = self;
        reader
            .read(|item| {
                if item.tag >= MESSAGE_TAG {
                    return captures::answered(item, &mut pending.borrow_mut(), &mut on_answer);
                }
                // A tag that was never given is as foreign as one that is too large.
                let tag = u32::try_from(item.tag).unwrap_or(u32::MAX);
                match Reply::decode(item) {
                    Ok(reply) => on_answer(tag, answer(&reply)),
                    Err(_) => on_answer(tag, Answer::Unclear { code: UNEXPECTED }),
                }
            })
            .await?;
        Ok(())
    }
}

/// What a reply says.
pub(super) fn answer(reply: &Reply) -> Answer<'_> {
    match reply {
        Reply::Approved(approved) if !approved.repeated => Answer::Approved,
        Reply::Denied(denied) => {
            Answer::Denied { code: denied.violations.first().map_or(UNEXPECTED, |violation| &violation.code) }
        }
        Reply::Captured(captured) => Answer::Captured { amount: captured.captured, late: captured.late },
        Reply::SessionClosed(closed) => Answer::Closed { released: closed.released },
        Reply::Error(error) => refusal(&error.code),
        Reply::Approved(_)
        | Reply::Voided(_)
        | Reply::Extended(_)
        | Reply::Increased(_)
        | Reply::Refunded(_)
        | Reply::Recorded(_)
        | Reply::Resolved(_)
        | Reply::Authorization(_)
        | Reply::Budget(_)
        | Reply::CaptureResults(_)
        | Reply::ApprovalRequired(_)
        | Reply::ApprovalDecided(_)
        | Reply::BudgetInForce(_)
        | Reply::Services(_)
        | Reply::Pong(_) => Answer::Unclear { code: UNEXPECTED },
    }
}

/// Nothing was done; but a request to a shard that stopped may have been carried out before.
pub(super) fn refusal(code: &str) -> Answer<'_> {
    if code == ErrorCode::Unavailable.text() { Answer::Unclear { code } } else { Answer::Error { code } }
}

impl From<StreamError> for Broken {
    fn from(error: StreamError) -> Broken {
        Broken(error.to_string())
    }
}
