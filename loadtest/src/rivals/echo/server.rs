//! The server: a thread, a runtime and an endpoint for each worker, as in the gateway.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, UdpSocket},
    rc::Rc,
    thread,
};

use holdfast::{
    client::Fingerprint,
    kernel::{Amount, Timestamp},
    server::quic::{Listening, bind},
    wire::{
        Address, Batch, BatchWriter, Frame, FrameBuffer, FrameError, FrameKind, Identified, Limits, Welcome,
        limits::{FRAME_BYTES_MAX, IDLE_TIMEOUT, IN_FLIGHT_MAX, REQUESTS_PER_FRAME_MAX, STREAMS_MAX, VERSION_MAX},
    },
};
use quinn::{Connection, Endpoint, Incoming, RecvStream, SendStream};
use serde::{Deserialize, Serialize};
use tokio::task::{LocalSet, spawn_local};

use super::answers::Answers;
use crate::{arguments::EchoArguments, error::LoadError};

/// The most pieces of a stream that one read takes, as in the gateway.
const CHUNKS_PER_READ_MAX: usize = 64;

/// What the server says once it serves: one line of JSON.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Announcement {
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) fingerprint: String,
}

/// `loadtest echo`: serves until its standard input ends, so that it never outlives who started it.
pub(crate) fn command(arguments: &EchoArguments) -> Result<(), LoadError> {
    let announcement = start(arguments.workers, arguments.amount)?;
    let line = serde_json::to_string(&announcement).expect("addresses and a text have a form in JSON");
    writeln!(io::stdout(), "{line}")?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// Serves on threads of its own, which end with the process.
fn start(workers: u16, amount: Amount) -> Result<Announcement, LoadError> {
    let (listening, fingerprint) = identity()?;
    let sockets = bind(([127, 0, 0, 1], 0).into(), workers).map_err(LoadError::Echo)?;
    let addresses: Vec<SocketAddr> = sockets.iter().map(UdpSocket::local_addr).collect::<io::Result<_>>()?;
    let welcome = welcome(&addresses);
    for socket in sockets {
        let (listening, welcome) = (listening.clone(), welcome.clone());
        let serve = move || serve(&listening, socket, welcome, amount);
        thread::Builder::new().name("echo-worker".to_owned()).spawn(move || {
            if let Err(error) = serve() {
                eprintln!("loadtest echo: {error}");
            }
        })?;
    }
    Ok(Announcement { addresses, fingerprint })
}

/// A certificate for this process only.
fn identity() -> Result<(Listening, String), LoadError> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).map_err(io::Error::other)?;
    let certificate = made.cert.der().clone();
    let fingerprint = Fingerprint::of(&certificate).to_string();
    let key = made.signing_key.serialize_der().try_into().map_err(io::Error::other)?;
    Ok((Listening::new(vec![certificate], key).map_err(LoadError::Echo)?, fingerprint))
}

/// The frame that greets every client.
fn welcome(addresses: &[SocketAddr]) -> Vec<u8> {
    let bounded = |limit: usize| u32::try_from(limit).unwrap_or(u32::MAX);
    let welcome = Welcome {
        version: VERSION_MAX,
        principal: Identified::Platform,
        limits: Limits {
            frame_bytes_max: bounded(FRAME_BYTES_MAX),
            requests_per_frame_max: bounded(REQUESTS_PER_FRAME_MAX),
            in_flight_max: bounded(IN_FLIGHT_MAX),
            streams_max: STREAMS_MAX,
            idle_timeout_ms: u32::try_from(IDLE_TIMEOUT.as_millis()).unwrap_or(u32::MAX),
        },
        workers: addresses.iter().map(|address| Address { host: String::new(), port: address.port() }).collect(),
        shards: (0..).take(addresses.len()).collect(),
        server_time: Timestamp::from_micros(0),
    };
    let mut bytes = Vec::new();
    welcome.write(&mut bytes);
    bytes
}

/// What all streams of a worker share.
struct Desk {
    welcome: Vec<u8>,
    answers: Answers,
}

fn serve(listening: &Listening, socket: UdpSocket, welcome: Vec<u8>, amount: Amount) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let desk = Rc::new(Desk { welcome, answers: Answers::new(amount) });
    LocalSet::new().block_on(&runtime, async {
        let endpoint: Endpoint = listening.endpoint(socket)?;
        while let Some(incoming) = endpoint.accept().await {
            spawn_local(connection(Rc::clone(&desk), incoming));
        }
        Ok(())
    })
}

/// Serves the streams of a connection. One that breaks concerns nobody but its client, who notices.
async fn connection(desk: Rc<Desk>, incoming: Incoming) {
    let Ok(connecting) = incoming.accept() else { return };
    let Ok(connection): Result<Connection, _> = connecting.await else { return };
    while let Ok((send, recv)) = connection.accept_bi().await {
        spawn_local(stream(Rc::clone(&desk), send, recv));
    }
}

/// Answers all that one read has brought in one write, until the client is gone.
async fn stream(desk: Rc<Desk>, mut send: SendStream, mut recv: RecvStream) {
    let mut chunks = [const { bytes::Bytes::new() }; CHUNKS_PER_READ_MAX];
    let mut buffer = FrameBuffer::new();
    let mut replies = BatchWriter::new(FrameKind::Replies);
    let mut spare = Vec::new();
    while let Ok(Some(count)) = recv.read_chunks(&mut chunks).await {
        buffer.extend(chunks.iter().take(count).map(|chunk| &chunk[..]));
        let Ok(is_greeted) = desk.take_frames(&mut buffer, &mut replies) else { return };
        if is_greeted && send.write_all(&desk.welcome).await.is_err() {
            return;
        }
        if !replies.is_empty() {
            let bytes = replies.take(std::mem::take(&mut spare));
            if send.write_all(&bytes).await.is_err() {
                return;
            }
            spare = bytes;
        }
    }
}

impl Desk {
    /// Answers every whole frame; says whether there was a hello among them.
    fn take_frames(&self, buffer: &mut FrameBuffer, replies: &mut BatchWriter) -> Result<bool, FrameError> {
        let mut is_greeted = false;
        while let Some(Frame { kind, content }) = buffer.take(FRAME_BYTES_MAX)? {
            if kind == FrameKind::Hello {
                is_greeted = true;
            } else {
                Batch::parse(content)?.for_each(|request| self.answers.answer(request, replies));
            }
        }
        Ok(is_greeted)
    }
}
