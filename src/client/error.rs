//! What can go wrong between a client and the gateway. A denial is not in here: it is an answer.

use std::sync::Arc;

use thiserror::Error;

use crate::wire::{
    FrameError, Malformed,
    frame::ItemTooLarge,
    reply::{ErrorReply, NotAReply},
};

/// Why there is no connection.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// No socket.
    #[error("no socket could be opened: {0}")]
    Socket(#[from] std::io::Error),
    /// The certificates to trust, or the cipher suites, cannot be used.
    #[error("the TLS settings cannot be used: {0}")]
    Tls(#[from] rustls::Error),
    /// The address or the server name cannot be used.
    #[error("the address cannot be used: {0}")]
    Address(#[from] quinn::ConnectError),
    /// The gateway was not reached, or is not who it should be.
    #[error("the connection could not be made: {0}")]
    Connection(#[from] quinn::ConnectionError),
    /// The stream broke before the welcome.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The connection broke later.
    #[error(transparent)]
    Lost(Arc<StreamError>),
    /// The gateway does not accept the client.
    #[error("the gateway refused the client with {}: {}", .0.code, .0.message)]
    Refused(ErrorReply),
    /// No welcome in time.
    #[error("the gateway did not answer the hello in time")]
    TimedOut,
}

impl ConnectError {
    /// Whether trying again with the same options may succeed.
    #[must_use]
    pub fn retry(&self) -> bool {
        match self {
            ConnectError::Refused(reply) => reply.retry_after_ms.is_some(),
            ConnectError::Tls(_) | ConnectError::Address(_) => false,
            ConnectError::Socket(_)
            | ConnectError::Connection(_)
            | ConnectError::Stream(_)
            | ConnectError::Lost(_)
            | ConnectError::TimedOut => true,
        }
    }
}

/// Why a stream can no longer be used.
#[derive(Debug, Error)]
pub enum StreamError {
    /// Nothing more can be sent.
    #[error("the gateway takes no more requests: {0}")]
    Write(#[from] quinn::WriteError),
    /// Nothing more will come.
    #[error("the gateway sends no more replies: {0}")]
    Read(#[from] quinn::ReadError),
    /// The gateway ended the stream.
    #[error("the gateway ended the stream")]
    Ended,
    /// The gateway said what was wrong, and closed.
    #[error("the gateway closed the connection with {}: {}", .0.code, .0.message)]
    Closed(ErrorReply),
    /// The gateway sent something that is not a frame.
    #[error("the gateway broke the protocol: {0}")]
    Frame(#[from] FrameError),
    /// The gateway sent a frame whose content cannot be read.
    #[error("the gateway broke the protocol: {0}")]
    Malformed(#[from] Malformed),
    /// The gateway sent a reply that cannot be read.
    #[error("the gateway broke the protocol: {0}")]
    Reply(#[from] NotAReply),
}

/// Why a request has no answer.
#[derive(Clone, Debug, Error)]
pub enum ClientError {
    /// The gateway said that nothing was done, and why.
    #[error("{}: {}", .0.code, .0.message)]
    Refused(ErrorReply),
    /// No answer before the deadline; it may have been carried out. Ask again with the same id.
    #[error("no answer came in time; ask again with the same id")]
    TimedOut,
    /// There is no connection, and there was none as often as was tried; it may have been carried out. Ask again with the same id.
    #[error("the gateway could not be reached: {0}")]
    Unreachable(Arc<ConnectError>),
    /// The connection broke while the request was under way; it may have been carried out. Ask again with the same id.
    #[error("the connection was lost: {0}")]
    Lost(Arc<StreamError>),
    /// The gateway answered something else than was asked.
    #[error("the gateway answered with a message of kind {0}, which does not answer the request")]
    Unexpected(u8),
    /// The request is too large to be sent.
    #[error(transparent)]
    TooLarge(#[from] ItemTooLarge),
}
