//! One connection: hello, welcome, and then its streams.

use std::{rc::Rc, time::Duration};

use quinn::{Connection, Incoming, RecvStream, SendStream, VarInt};
use tokio::{sync::watch, task::JoinSet};

use super::{
    access::Access,
    host::Host,
    peer::{Peer, refusal},
    stream::Stream,
};
use crate::{
    engine::AgentHandle,
    kernel::request::Principal,
    wire::{
        ErrorCode, FrameBuffer, FrameKind, Handle, Hello, Identified, Limits, Refusal, Welcome, codec,
        greeting::write_error,
        limits::{
            FRAME_BYTES_MAX, HELLO_BYTES_MAX, HELLO_TIMEOUT, IDLE_TIMEOUT, IN_FLIGHT_MAX, REQUESTS_PER_FRAME_MAX,
            STREAMS_MAX, close,
        },
    },
};

/// How long a refused client may take to acknowledge why.
const LINGER: Duration = Duration::from_secs(1);

/// Serves a connection from its first packet to its end.
pub(super) async fn serve(host: Rc<Host>, incoming: Incoming, stopping: watch::Receiver<bool>) {
    let address = incoming.remote_address();
    let connecting = match incoming.accept() {
        Ok(connecting) => connecting,
        Err(error) => return tracing::debug!(%address, %error, "connection not accepted"),
    };
    let connection = match tokio::time::timeout(HELLO_TIMEOUT, connecting).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return tracing::debug!(%address, %error, "no connection"),
        Err(_) => return,
    };
    let Ok(greeted) = tokio::time::timeout(HELLO_TIMEOUT, greet(&host, &connection)).await else {
        return connection.close(VarInt::from_u32(close::HELLO_TIMEOUT), b"no hello");
    };
    let Some((peer, first)) = greeted else { return };
    let peer = Rc::new(peer);
    let key = host.enter(&peer);
    let inbox = host.pushes.enter(&peer.credential);
    let pushing = tokio::task::spawn_local(inbox.send(peer.connection.clone()));
    streams(&host, &peer, first, stopping).await;
    pushing.abort();
    host.leave(key);
    connection.close(VarInt::from_u32(close::SHUTTING_DOWN), b"");
}

/// Serves the streams until the connection is over, or until all have ended when the gateway stops.
async fn streams(host: &Rc<Host>, peer: &Rc<Peer>, first: First, mut stopping: watch::Receiver<bool>) {
    let mut tasks = JoinSet::new();
    let told = stopping.clone();
    let (send, recv, buffer) = first;
    let stream = Stream::new(Rc::clone(host), Rc::clone(peer), send, recv, buffer);
    tasks.spawn_local(stream.run(told.clone()));
    loop {
        tokio::select! {
            accepted = peer.connection.accept_bi() => {
                let Ok((send, recv)) = accepted else { break };
                let stream = Stream::new(Rc::clone(host), Rc::clone(peer), send, recv, FrameBuffer::new());
                tasks.spawn_local(stream.run(told.clone()));
            }
            Some(_) = tasks.join_next() => {}
            _ = stopping.wait_for(|stopping| *stopping) => break,
        }
    }
    while tasks.join_next().await.is_some() {}
}

/// The stream of the hello, and what was read of it.
type First = (SendStream, RecvStream, FrameBuffer);

/// Reads the hello and answers it; `None` where the client is refused, and the connection closed.
async fn greet(host: &Host, connection: &Connection) -> Option<(Peer, First)> {
    let (mut send, mut recv) = connection.accept_bi().await.ok()?;
    let mut buffer = FrameBuffer::new();
    let mut bytes = Vec::new();
    let peer = match hello(host, connection, &mut recv, &mut buffer).await? {
        Ok((peer, welcome)) => {
            welcome.write(&mut bytes);
            send.write_all(&bytes).await.ok()?;
            peer
        }
        Err((refusal, code)) => {
            write_error(&refusal, &mut bytes);
            send.write_all(&bytes).await.ok()?;
            send.finish().ok()?;
            // Whether or not it is heard, the connection is over.
            let _ = tokio::time::timeout(LINGER, send.stopped()).await;
            connection.close(VarInt::from_u32(code), refusal.code.text().as_bytes());
            return None;
        }
    };
    Some((peer, (send, recv, buffer)))
}

type Greeted = Result<(Peer, Welcome), (Refusal, u32)>;

/// Waits for the first frame; `None` where none comes.
async fn hello(
    host: &Host,
    connection: &Connection,
    recv: &mut RecvStream,
    buffer: &mut FrameBuffer,
) -> Option<Greeted> {
    loop {
        let chunk = recv.read_chunk(HELLO_BYTES_MAX, true).await.ok()??;
        buffer.extend([&chunk.bytes[..]]);
        let protocol = |refusal| Err((refusal, close::PROTOCOL));
        return Some(match buffer.take(HELLO_BYTES_MAX) {
            Err(error) => protocol(Refusal::from(&error)),
            Ok(None) => continue,
            Ok(Some(frame)) => match frame.expect(FrameKind::Hello) {
                Err(error) => protocol(Refusal::from(&error)),
                Ok(content) => match codec::decode::<Hello<'_>>(content) {
                    Err(error) => protocol(Refusal::new(ErrorCode::ProtocolError, error.to_string())),
                    Ok(hello) => admit(host, connection, &hello),
                },
            },
        });
    }
}

fn admit(host: &Host, connection: &Connection, hello: &Hello<'_>) -> Greeted {
    let version = hello.version().map_err(|refusal| (refusal, close::PROTOCOL))?;
    let now = host.clock.now();
    let unknown = |refusal| (refusal, close::AUTHENTICATION);
    let credential = host.identity.authenticate(hello.credential, now).map_err(|error| unknown(refusal(error)))?;
    let access = Access::of(credential.principal(), &host.engine)
        .ok_or_else(|| unknown(Refusal::new(ErrorCode::AuthFailed, "the agent of this key does not exist")))?;
    let welcome = Welcome {
        version,
        principal: identified(credential.principal(), &access),
        limits: limits(),
        workers: host.workers.clone(),
        shards: host.shards.clone(),
        server_time: now,
    };
    tracing::debug!(address = %connection.remote_address(), client = hello.client, "client connected");
    Ok((Peer::new(connection.clone(), credential, access), welcome))
}

fn identified(principal: &Principal, access: &Access) -> Identified {
    match (principal, access) {
        (_, Access::One(AgentHandle { shard, index })) => Identified::Agent(Handle { shard: *shard, index: *index }),
        (Principal::Operator, _) => Identified::Operator,
        (Principal::Platform(_) | Principal::Agent(_), _) => Identified::Platform,
    }
}

fn limits() -> Limits {
    let bounded = |limit: usize| u32::try_from(limit).unwrap_or(u32::MAX);
    Limits {
        frame_bytes_max: bounded(FRAME_BYTES_MAX),
        requests_per_frame_max: bounded(REQUESTS_PER_FRAME_MAX),
        in_flight_max: bounded(IN_FLIGHT_MAX),
        streams_max: STREAMS_MAX,
        idle_timeout_ms: u32::try_from(IDLE_TIMEOUT.as_millis()).unwrap_or(u32::MAX),
    }
}
