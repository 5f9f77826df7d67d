//! The settings of QUIC and TLS, and the sockets.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    sync::Arc,
    time::Duration,
};

use quinn::{
    AckFrequencyConfig, Endpoint, IdleTimeout, ServerConfig, TokioRuntime, TransportConfig, VarInt,
    crypto::rustls::QuicServerConfig,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::{QuicError, reset::ResetKey};
use crate::wire::limits::{ALPN, FRAME_BYTES_MAX, IDLE_TIMEOUT, STREAMS_MAX};

/// What a client may send on one stream before it is read: two whole frames, so that the next arrives while one is decided.
const STREAM_WINDOW_BYTES: u32 = 2 * FRAME_BYTES_MAX as u32;
/// What a client may send on all streams of a connection before it is read.
const CONNECTION_WINDOW_BYTES: u32 = 4 * FRAME_BYTES_MAX as u32;
/// What may be on its way to a client; beyond it a stream waits, and reads no more requests, until the client has read. It bounds what a
/// client costs that reads nothing.
const SEND_WINDOW_BYTES: u64 = 2 * FRAME_BYTES_MAX as u64;

/// Where and as whom to listen.
#[derive(Debug)]
pub struct QuicOptions {
    /// Where worker 0 listens; worker n listens n ports above it. With port 0, every worker gets some free port.
    pub address: SocketAddr,
    /// The host that clients are told in the welcome; empty for the one they have connected to.
    pub advertised_host: String,
    /// The certificate and its chain.
    pub certificates: Vec<CertificateDer<'static>>,
    /// The certificate's private key.
    pub key: PrivateKeyDer<'static>,
}

/// Opens the socket of each of so many workers.
///
/// # Errors
/// [`QuicError`] where an address is in use or not of this machine, or the ports would run over 65535.
pub fn bind(address: SocketAddr, workers: u16) -> Result<Vec<UdpSocket>, QuicError> {
    (0..workers).map(|worker| bind_one(address, worker)).collect()
}

fn bind_one(address: SocketAddr, worker: u16) -> Result<UdpSocket, QuicError> {
    let port = match address.port() {
        0 => 0,
        first => first.checked_add(worker).ok_or(QuicError::Ports { first, workers: worker + 1 })?,
    };
    let address = SocketAddr::new(address.ip(), port);
    UdpSocket::bind(address).map_err(|error| QuicError::Bind { address, error })
}

/// As whom to listen, and with which settings of QUIC; every worker's endpoint gets the same. Public for those who measure what
/// the protocol costs without the gateway behind it.
#[derive(Clone)]
pub struct Listening {
    config: ServerConfig,
    reset: ResetKey,
}

impl Listening {
    /// TLS 1.3 with `ring`, and the transport's settings.
    ///
    /// # Errors
    /// [`QuicError::Tls`] where certificate and key cannot be used.
    pub fn new(
        certificates: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Listening, QuicError> {
        let reset = ResetKey::of(&key);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_no_client_auth()
            .with_single_cert(certificates, key)?;
        tls.alpn_protocols = vec![ALPN.to_vec()];
        let crypto = QuicServerConfig::try_from(tls).map_err(|error| rustls::Error::General(error.to_string()))?;
        let mut config = ServerConfig::with_crypto(Arc::new(crypto));
        config.transport_config(Arc::new(transport()));
        Ok(Listening { config, reset })
    }

    /// An endpoint on `socket`. Must be called inside a runtime, to which it then belongs.
    ///
    /// # Errors
    /// What the system says where the socket cannot be used.
    pub fn endpoint(&self, socket: UdpSocket) -> io::Result<Endpoint> {
        Endpoint::new(self.reset.endpoint_config(), Some(self.config.clone()), socket, Arc::new(TokioRuntime))
    }
}

/// Few acknowledgements (measured: 16 % more requests a second), few long streams. MTU and segmentation offload stay quinn's
/// defaults: MTU discovery finds the path's, and a larger first guess times the ten segments of an offload would not fit a datagram.
fn transport() -> TransportConfig {
    let mut ack_frequency = AckFrequencyConfig::default();
    ack_frequency.ack_eliciting_threshold(VarInt::from_u32(50)).max_ack_delay(Some(Duration::from_millis(5)));
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(STREAMS_MAX))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .max_idle_timeout(IdleTimeout::try_from(IDLE_TIMEOUT).ok())
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW_BYTES))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW_BYTES))
        .send_window(SEND_WINDOW_BYTES)
        .ack_frequency_config(Some(ack_frequency));
    transport
}
