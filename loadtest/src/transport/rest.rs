//! The gateway over REST: HTTP/1.1 on connections that stay open, one request at a time on each. It writes and reads no more of HTTP
//! and JSON than the façade uses, so that the load test takes little of the machine.

use std::io::Write;

use holdfast::kernel::{Amount, AuthorizationId};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use super::{Answer, Ask, Broken, Errand, Link, Payment, RESOURCE, Reader, Subject, UNEXPECTED, Writer};
use crate::{
    balance::Balance,
    error::LoadError,
    fleet::{Fleet, LanePlan},
    gateway::Gateway,
    record::{self, GatewayCounts, Transport},
    setup::agent_id,
};

/// The longest head of a response, and the longest body.
const HEAD_BYTES_MAX: usize = 16 << 10;
const BODY_BYTES_MAX: usize = 1 << 20;

/// A gateway, asked over REST.
pub(crate) struct RestGateway<'a> {
    pub(crate) gateway: &'a Gateway,
    pub(crate) fleet: &'a Fleet,
}

impl Subject for RestGateway<'_> {
    type Writer = RestWriter;
    type Reader = RestReader;

    fn lanes(&self, connections: u16) -> Vec<LanePlan> {
        self.fleet.lanes(connections)
    }

    fn in_flight_max(&self) -> u32 {
        1
    }

    fn described(&self) -> record::Subject {
        self.gateway.described(Transport::Rest, self.fleet)
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

    async fn connect(&self, lanes: &[LanePlan]) -> Result<Vec<Link<RestWriter, RestReader>>, LoadError> {
        let host = self.gateway.url.strip_prefix("http://").unwrap_or(&self.gateway.url).trim_end_matches('/');
        let mut links = Vec::with_capacity(lanes.len());
        for _ in lanes {
            let stream = TcpStream::connect(host).await?;
            stream.set_nodelay(true)?;
            let (read, write) = stream.into_split();
            let headers = format!(
                " HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n",
                self.fleet.key
            );
            links.push(Link { writer: RestWriter::new(write, headers), reader: RestReader::new(read) });
        }
        Ok(links)
    }
}

/// Requests, written as they are asked.
#[derive(Debug)]
pub(crate) struct RestWriter {
    stream: OwnedWriteHalf,
    /// What every request has between its path and its own headers.
    headers: String,
    body: Vec<u8>,
    bytes: Vec<u8>,
}

impl RestWriter {
    fn new(stream: OwnedWriteHalf, headers: String) -> RestWriter {
        RestWriter { stream, headers, body: Vec::new(), bytes: Vec::new() }
    }

    fn write(&mut self, ask: &Ask) -> std::io::Result<()> {
        let RestWriter { headers, body, bytes, .. } = self;
        let (amount, session) = (ask.amount, ask.id);
        body.clear();
        match ask.errand {
            Errand::Pay(payment) => {
                let rail = if payment.protocol() == holdfast::kernel::Protocol::Mpp { "mpp" } else { "x402" };
                write!(bytes, "POST /api/sdk/{rail}/pre-authorize")?;
                let recipient = payment.recipient();
                write!(body, r#"{{"amount":"{amount}","recipientAddress":"{recipient}","resourceUrl":"{RESOURCE}""#)?;
                match payment {
                    Payment::Session => write!(body, r#","intent":"session","sessionId":"{session:032x}"}}"#)?,
                    Payment::X402 | Payment::Mpp | Payment::Blocked => body.push(b'}'),
                }
            }
            Errand::Capture => {
                // The gateway names what it is asked for after the key that came with it.
                let id = AuthorizationId::of_key(&ask.session());
                write!(bytes, "POST /api/sdk/authorizations/{id}/capture")?;
                write!(body, r#"{{"amount":"{amount}","final":true}}"#)?;
            }
            Errand::Close => {
                bytes.extend_from_slice(b"POST /api/sdk/mpp/sessions/close");
                write!(body, r#"{{"sessionId":"{session:032x}"}}"#)?;
            }
        }
        bytes.extend_from_slice(headers.as_bytes());
        let agent = agent_id(ask.agent);
        let length = body.len();
        write!(
            bytes,
            "x-holdfast-agent: {agent}\r\nidempotency-key: {session:032x}\r\ncontent-length: {length}\r\n\r\n"
        )?;
        bytes.extend_from_slice(body);
        Ok(())
    }
}

impl Writer for RestWriter {
    fn push(&mut self, tag: u32, ask: &Ask) {
        debug_assert_eq!(tag, 0, "one request at a time is under way");
        self.write(ask).expect("memory takes every request");
    }

    async fn flush(&mut self) -> Result<(), Broken> {
        if !self.bytes.is_empty() {
            self.stream.write_all(&self.bytes).await?;
            self.bytes.clear();
        }
        Ok(())
    }
}

/// Responses, as they come.
#[derive(Debug)]
pub(crate) struct RestReader {
    stream: OwnedReadHalf,
    bytes: Vec<u8>,
}

impl RestReader {
    fn new(stream: OwnedReadHalf) -> RestReader {
        RestReader { stream, bytes: Vec::with_capacity(4096) }
    }
}

impl Reader for RestReader {
    async fn read(&mut self, mut on_answer: impl FnMut(u32, Answer<'_>)) -> Result<(), Broken> {
        loop {
            if self.stream.read_buf(&mut self.bytes).await? == 0 {
                return Err(Broken("the gateway closed the connection".to_owned()));
            }
            let Some(response) = Response::parse(&self.bytes)? else { continue };
            on_answer(0, response.answer());
            let length = response.length;
            self.bytes.drain(..length);
            return Ok(());
        }
    }
}

/// One response that has arrived in full.
#[derive(Debug, PartialEq, Eq)]
struct Response<'a> {
    is_success: bool,
    body: &'a str,
    /// Of head and body together.
    length: usize,
}

impl<'a> Response<'a> {
    /// The response at the beginning of `bytes`; `None` where it is not complete.
    fn parse(bytes: &'a [u8]) -> Result<Option<Response<'a>>, Broken> {
        let wrong = |what: &str| Broken(format!("the gateway's response has {what}"));
        let head_end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        let Some(head_end) = head_end else {
            return if bytes.len() > HEAD_BYTES_MAX { Err(wrong("too long a head")) } else { Ok(None) };
        };
        let head = bytes.get(..head_end).and_then(|head| std::str::from_utf8(head).ok());
        let head = head.ok_or_else(|| wrong("a head that is no text"))?;
        let status = head.get(9..12).filter(|_| head.starts_with("HTTP/1.1 ")).ok_or_else(|| wrong("no status"))?;
        let length = content_length(head).filter(|length| *length <= BODY_BYTES_MAX);
        let length = head_end + 4 + length.ok_or_else(|| wrong("no length, or too large a one"))?;
        let Some(body) = bytes.get(head_end + 4..length) else { return Ok(None) };
        let body = std::str::from_utf8(body).map_err(|_| wrong("a body that is no text"))?;
        Ok(Some(Response { is_success: status.starts_with('2'), body, length }))
    }

    fn answer(&self) -> Answer<'a> {
        let body = self.body;
        if !self.is_success {
            return match text(body, "code") {
                // The request may have been carried out before the shard stopped, or in the time it took too long.
                Some(code @ ("UNAVAILABLE" | "INTERNAL_ERROR")) => Answer::Unclear { code },
                Some(code) => Answer::Error { code },
                None => Answer::Unclear { code: UNEXPECTED },
            };
        }
        let amount = |name| value(body, name).and_then(|value| Amount::parse(value.trim_matches('"')).ok());
        match (value(body, "authorized"), amount("captured"), amount("released")) {
            (Some("true"), _, _) => Answer::Approved,
            (Some("false"), _, _) => Answer::Denied { code: violation(body).unwrap_or(UNEXPECTED) },
            (_, Some(captured), _) => Answer::Captured { amount: captured, late: value(body, "late") == Some("true") },
            (_, _, Some(released)) => Answer::Closed { released },
            (_, _, _) => Answer::Unclear { code: UNEXPECTED },
        }
    }
}

fn content_length(head: &str) -> Option<usize> {
    let header = head.lines().filter_map(|line| line.split_once(':'));
    let mut lengths = header.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    lengths.next()?.1.trim().parse().ok()
}

/// The type of the first violation of a denial.
fn violation(body: &str) -> Option<&str> {
    text(body.split_once(r#""violations""#)?.1, "type")
}

/// The value of the first member of this name, as it is written, in JSON without white space as the gateway prints it. For
/// values without commas and braces, which are all that are looked for.
fn value<'a>(json: &'a str, name: &str) -> Option<&'a str> {
    let start = json.match_indices(name).find_map(|(place, _)| {
        let after = json.get(place + name.len()..)?.strip_prefix("\":")?;
        json.get(..place)?.ends_with('"').then_some(after)
    })?;
    start.get(..start.find([',', '}', ']'])?)
}

fn text<'a>(json: &'a str, name: &str) -> Option<&'a str> {
    value(json, name)?.strip_prefix('"')?.strip_suffix('"')
}

impl From<std::io::Error> for Broken {
    fn from(error: std::io::Error) -> Broken {
        Broken(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: &str, body: &str) -> String {
        format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }

    #[test]
    fn a_response_is_read_when_it_has_arrived_in_full() {
        let bytes = response("200 OK", r#"{"authorized":true}"#);
        for length in 0..bytes.len() {
            assert_eq!(Response::parse(&bytes.as_bytes()[..length]).unwrap(), None, "{length}");
        }
        let two = bytes.repeat(2);
        let first = Response::parse(two.as_bytes()).unwrap().unwrap();
        assert_eq!((first.answer(), first.length), (Answer::Approved, bytes.len()));
        for broken in ["HTTP/1.1 200 OK\r\n\r\n", "SMTP\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 9999999\r\n\r\n"]
        {
            assert!(Response::parse(broken.as_bytes()).is_err(), "{broken}");
        }
    }

    #[test]
    fn answers_are_what_the_gateway_prints() {
        let amount = Amount::from_micros(100);
        for (status, body, expected) in [
            ("200 OK", r#"{"authorized":true,"reasons":[]}"#, Answer::Approved),
            (
                "200 OK",
                r#"{"authorized":false,"reasons":["the type"],"violations":[{"type":"DAILY_LIMIT","limit":1}]}"#,
                Answer::Denied { code: "DAILY_LIMIT" },
            ),
            (
                "200 OK",
                r#"{"authorizationId":"a","captured":0.0001,"overage":0,"held":0,"late":false}"#,
                Answer::Captured { amount, late: false },
            ),
            ("200 OK", r#"{"sessionId":"s","spent":0,"released":0.0001}"#, Answer::Closed { released: amount }),
            (
                "503 Service Unavailable",
                r#"{"error":{"code":"OVERLOADED","message":"m","retryable":true}}"#,
                Answer::Error { code: "OVERLOADED" },
            ),
            (
                "503 Service Unavailable",
                r#"{"error":{"code":"UNAVAILABLE","message":"m"}}"#,
                Answer::Unclear { code: "UNAVAILABLE" },
            ),
            ("200 OK", "{}", Answer::Unclear { code: UNEXPECTED }),
            ("502 Bad Gateway", "<html>", Answer::Unclear { code: UNEXPECTED }),
        ] {
            let bytes = response(status, body);
            assert_eq!(Response::parse(bytes.as_bytes()).unwrap().unwrap().answer(), expected, "{body}");
        }
    }
}
