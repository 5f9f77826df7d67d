//! One connection, and its streams: frames out, frames in, nothing waits for anything else.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use quinn::{AckFrequencyConfig, Endpoint, IdleTimeout, RecvStream, SendStream, TransportConfig, VarInt};

use super::{ClientOptions, ConnectError, StreamError};
use crate::wire::{
    BatchWriter, Frame, FrameBuffer, FrameError, FrameKind, Hello, Item, Request, Welcome, codec,
    frame::{Batch, ItemTooLarge},
    limits::{FRAME_BYTES_MAX, HELLO_TIMEOUT, VERSION_MAX, VERSION_MIN, close},
    reply::ErrorReply,
};

/// How often an otherwise silent connection says that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(3);
/// A gateway that is silent for so long, keep-alives included, is gone. Shorter than the gateway's own, for the client has to ask elsewhere.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// How long a handshake may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// What the gateway may send on one stream before it is read.
const STREAM_WINDOW_BYTES: u32 = 8 << 20;
/// What the gateway may send on all streams of a connection before it is read.
const CONNECTION_WINDOW_BYTES: u32 = 32 << 20;
/// What may be on its way to the gateway.
const SEND_WINDOW_BYTES: u64 = 32 << 20;
/// The most pieces of a stream that one read takes.
const CHUNKS_PER_READ_MAX: usize = 64;

/// Makes connections to one gateway. Needs a tokio runtime around it.
#[derive(Clone, Debug)]
pub struct Connector {
    endpoint: Endpoint,
    options: Arc<ClientOptions>,
}

impl Connector {
    /// Opens a socket of its own.
    ///
    /// # Errors
    /// [`ConnectError`] where there is no socket, or the certificates cannot be used.
    pub fn new(options: ClientOptions) -> Result<Connector, ConnectError> {
        let mut config = options.trust.quic_config()?;
        config.transport_config(Arc::new(transport()));
        let any: SocketAddr = if options.address.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0; 16], 0).into() };
        let mut endpoint = Endpoint::client(any)?;
        endpoint.set_default_client_config(config);
        Ok(Connector { endpoint, options: Arc::new(options) })
    }

    /// The options that it was made with.
    #[must_use]
    pub fn options(&self) -> &ClientOptions {
        &self.options
    }

    /// Connects to `address` and says hello.
    ///
    /// # Errors
    /// [`ConnectError`] where the gateway is not reached in time, is not who it should be, or refuses.
    pub async fn connect(&self, address: SocketAddr) -> Result<Connection, ConnectError> {
        let connecting = self.endpoint.connect(address, &self.options.server_name)?;
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await;
        let quic = connected.map_err(|_| ConnectError::TimedOut)??;
        let greeted = tokio::time::timeout(HELLO_TIMEOUT, self.greet(&quic)).await;
        let (writer, reader, welcome) = greeted.map_err(|_| ConnectError::TimedOut)??;
        Ok(Connection { quic, welcome: Arc::new(welcome), first: Some((writer, reader)) })
    }

    async fn greet(&self, quic: &quinn::Connection) -> Result<(RequestWriter, ReplyReader, Welcome), ConnectError> {
        let (mut send, recv) = quic.open_bi().await?;
        let hello = Hello {
            version_min: VERSION_MIN,
            version_max: VERSION_MAX,
            credential: &self.options.credential,
            client: &self.options.client_name,
        };
        let mut bytes = Vec::new();
        hello.write(&mut bytes);
        send.write_all(&bytes).await.map_err(StreamError::from)?;
        let mut reader = ReplyReader::new(recv);
        let welcome = match reader.welcome().await {
            Err(StreamError::Closed(reply)) => return Err(ConnectError::Refused(reply)),
            welcome => welcome?,
        };
        Ok((RequestWriter::new(send), reader, welcome))
    }
}

/// The settings of QUIC; `docs/PROTOCOL.md` says why. The MTU stays quinn's default, which finds the path's.
fn transport() -> TransportConfig {
    let mut ack_frequency = AckFrequencyConfig::default();
    ack_frequency.ack_eliciting_threshold(VarInt::from_u32(50)).max_ack_delay(Some(Duration::from_millis(5)));
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .max_idle_timeout(IdleTimeout::try_from(SILENCE_MAX).ok())
        .keep_alive_interval(Some(KEEP_ALIVE))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW_BYTES))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW_BYTES))
        .send_window(SEND_WINDOW_BYTES)
        .ack_frequency_config(Some(ack_frequency));
    transport
}

/// A connection that was welcomed. Closed when it and all its streams are dropped.
#[derive(Debug)]
pub struct Connection {
    quic: quinn::Connection,
    welcome: Arc<Welcome>,
    /// The stream of the hello, until it is asked for.
    first: Option<(RequestWriter, ReplyReader)>,
}

impl Connection {
    /// A stream: the first time that of the hello, then new ones. Waits while as many are open as the gateway allows.
    ///
    /// # Errors
    /// [`ConnectError`] where the connection is lost.
    pub async fn stream(&mut self) -> Result<(RequestWriter, ReplyReader), ConnectError> {
        if let Some(first) = self.first.take() {
            return Ok(first);
        }
        let (send, recv) = self.quic.open_bi().await?;
        Ok((RequestWriter::new(send), ReplyReader::new(recv)))
    }

    /// Lets the gateway open the one stream on which it tells what nobody has asked for.
    pub(super) fn allow_pushes(&self) {
        self.quic.set_max_concurrent_uni_streams(VarInt::from_u32(1));
    }

    /// Waits for that stream.
    pub(super) async fn pushed(&self) -> Result<ReplyReader, ConnectError> {
        Ok(ReplyReader::new(self.quic.accept_uni().await?))
    }

    /// What the gateway said at the beginning.
    #[must_use]
    pub fn welcome(&self) -> &Arc<Welcome> {
        &self.welcome
    }

    /// The connection below, for its statistics.
    #[must_use]
    pub fn quic(&self) -> &quinn::Connection {
        &self.quic
    }

    /// Closes it at once; replies that were not read are lost.
    pub fn close(&self) {
        self.quic.close(VarInt::from_u32(close::DONE), b"");
    }
}

/// The requests of one stream: gathered by `push`, sent together by `flush`.
#[derive(Debug)]
pub struct RequestWriter {
    send: SendStream,
    batch: BatchWriter,
    spare: Vec<u8>,
}

impl RequestWriter {
    fn new(send: SendStream) -> RequestWriter {
        RequestWriter { send, batch: BatchWriter::new(FrameKind::Requests), spare: Vec::new() }
    }

    /// Adds a request to the next frame. The tag comes back in its reply.
    ///
    /// # Errors
    /// [`ItemTooLarge`] where no frame can hold it.
    pub fn push(&mut self, tag: u64, request: &Request<'_>) -> Result<(), ItemTooLarge> {
        request.write(tag, &mut self.batch)
    }

    /// Adds a request of this kind whose body is encoded already.
    ///
    /// # Errors
    /// [`ItemTooLarge`] where no frame can hold it.
    pub fn push_encoded(&mut self, tag: u64, kind: u8, body: &[u8]) -> Result<(), ItemTooLarge> {
        self.batch.push(tag, kind, |bytes| bytes.extend_from_slice(body))
    }

    /// How many requests wait for the next [`RequestWriter::flush`].
    #[must_use]
    pub fn queued(&self) -> usize {
        self.batch.len()
    }

    /// Sends what was added, in one write. Not safe to cancel: a part of a frame may be gone.
    ///
    /// # Errors
    /// [`StreamError`] where the stream is broken.
    pub async fn flush(&mut self) -> Result<(), StreamError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let bytes = self.batch.take(std::mem::take(&mut self.spare));
        self.send.write_all(&bytes).await?;
        self.spare = bytes;
        Ok(())
    }

    /// Says that nothing more will be asked on this stream. Replies still come.
    pub fn finish(&mut self) {
        // It fails only on a stream that is over already.
        let _ = self.send.finish();
    }
}

/// The replies of one stream.
#[derive(Debug)]
pub struct ReplyReader {
    recv: RecvStream,
    buffer: FrameBuffer,
}

impl ReplyReader {
    fn new(recv: RecvStream) -> ReplyReader {
        ReplyReader { recv, buffer: FrameBuffer::new() }
    }

    /// Waits for more, and hands over every reply that has arrived in full; returns how many. Decode them with
    /// [`Reply::decode`](crate::wire::Reply::decode). Safe to cancel.
    ///
    /// # Errors
    /// [`StreamError`] where the stream is broken, or the gateway closed it with an error.
    pub async fn read(&mut self, mut on_reply: impl FnMut(Item<'_>)) -> Result<usize, StreamError> {
        self.fill().await?;
        let mut count = 0;
        while let Some(frame) = self.buffer.take(FRAME_BYTES_MAX)? {
            let replies = Batch::parse(content(frame, FrameKind::Replies)?)?;
            count += replies.len();
            replies.for_each(&mut on_reply);
        }
        Ok(count)
    }

    async fn welcome(&mut self) -> Result<Welcome, StreamError> {
        loop {
            self.fill().await?;
            if let Some(frame) = self.buffer.take(FRAME_BYTES_MAX)? {
                return Ok(codec::decode(content(frame, FrameKind::Welcome)?)?);
            }
        }
    }

    async fn fill(&mut self) -> Result<(), StreamError> {
        let mut chunks = [const { Bytes::new() }; CHUNKS_PER_READ_MAX];
        let count = self.recv.read_chunks(&mut chunks).await?.ok_or(StreamError::Ended)?;
        self.buffer.extend(chunks.iter().take(count).map(|chunk| &chunk[..]));
        Ok(())
    }
}

/// The content of a frame of this kind; what an error frame says where it is one.
fn content(frame: Frame<'_>, kind: FrameKind) -> Result<&[u8], StreamError> {
    match frame.kind {
        FrameKind::Error => Err(StreamError::Closed(codec::decode::<ErrorReply>(frame.content)?)),
        FrameKind::Hello | FrameKind::Welcome | FrameKind::Requests | FrameKind::Replies => {
            frame.expect(kind).map_err(|error: FrameError| StreamError::Frame(error))
        }
    }
}
