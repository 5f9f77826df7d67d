//! The gateway over its own protocol.

use holdfast::{
    client::{Connection, Connector, ReplyReader, RequestWriter, StreamError},
    kernel::{AuthorizationId, OperationId, Protocol, request::Intent},
    wire::{
        Reply, Request,
        request::{Authorize, Capture, Operation},
    },
};

use super::{Answer, Ask, Broken, Errand, Link, Reader, Subject, Writer};
use crate::{
    error::LoadError,
    fleet::{Fleet, LanePlan},
    gateway::Gateway,
};

const RECIPIENT: &str = "0x1111111111111111111111111111111111111111";
const SERVICE: &str = "api.example.com";
const RESOURCE: &str = "https://api.example.com/v1/weather";
/// What is counted where an answer does not fit.
const UNEXPECTED: &str = "UNEXPECTED_REPLY";

/// A gateway, and what is needed to ask it.
pub(crate) struct QuicGateway<'a> {
    pub(crate) gateway: &'a Gateway,
    pub(crate) key: &'a str,
    pub(crate) fleet: &'a Fleet,
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

    fn process(&self) -> Option<u32> {
        self.gateway.process()
    }

    async fn connect(&self, lanes: &[LanePlan]) -> Result<Vec<Link<QuicWriter, QuicReader>>, LoadError> {
        let connector = Connector::new(self.gateway.client_options(self.key))?;
        let mut links = Vec::with_capacity(lanes.len());
        for lane in lanes {
            let mut connection = connector.connect(lane.addr).await?;
            let (writer, reader) = connection.stream().await?;
            let writer = QuicWriter { writer, _connection: connection };
            links.push(Link { writer, reader: QuicReader { reader } });
        }
        Ok(links)
    }
}

/// The requests of one stream.
#[derive(Debug)]
pub(crate) struct QuicWriter {
    writer: RequestWriter,
    /// Open for as long as somebody writes.
    _connection: Connection,
}

impl Writer for QuicWriter {
    fn push(&mut self, tag: u32, ask: &Ask) {
        let request = Request::Agent(ask.handle, operation(ask));
        self.writer.push(u64::from(tag), &request).expect("a small request fits in a frame");
    }

    async fn flush(&mut self) -> Result<(), Broken> {
        Ok(self.writer.flush().await?)
    }
}

fn operation(ask: &Ask) -> Operation<'static> {
    let id = AuthorizationId(ask.id);
    match ask.errand {
        Errand::Pay => Operation::Authorize(Authorize {
            protocol: Protocol::X402,
            intent: Intent::Charge,
            service: SERVICE,
            resource: RESOURCE,
            ..Authorize::payment(id, ask.amount, RECIPIENT)
        }),
        Errand::Capture => {
            Operation::Capture(Capture { id, operation: OperationId(ask.id), amount: ask.amount, last: true })
        }
    }
}

/// The answers of one stream.
#[derive(Debug)]
pub(crate) struct QuicReader {
    reader: ReplyReader,
}

impl Reader for QuicReader {
    async fn read(&mut self, mut on_answer: impl FnMut(u32, Answer<'_>)) -> Result<(), Broken> {
        self.reader
            .read(|item| {
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

fn answer(reply: &Reply) -> Answer<'_> {
    match reply {
        Reply::Approved(approved) if !approved.repeated => Answer::Approved,
        Reply::Denied(denied) => {
            Answer::Denied { code: denied.violations.first().map_or(UNEXPECTED, |violation| &violation.code) }
        }
        Reply::Captured(captured) => Answer::Captured { amount: captured.captured, late: captured.late },
        Reply::Error(error) => Answer::Error { code: &error.code },
        Reply::Approved(_)
        | Reply::Voided(_)
        | Reply::Extended(_)
        | Reply::Increased(_)
        | Reply::Refunded(_)
        | Reply::Recorded(_)
        | Reply::SessionClosed(_)
        | Reply::Resolved(_)
        | Reply::Authorization(_)
        | Reply::Budget(_)
        | Reply::CaptureResults(_)
        | Reply::Services(_)
        | Reply::Pong(_) => Answer::Unclear { code: UNEXPECTED },
    }
}

impl From<StreamError> for Broken {
    fn from(error: StreamError) -> Broken {
        Broken(error.to_string())
    }
}
