//! The named maxima of the binary protocol. A client is told those that it must keep in the welcome.

use std::time::Duration;

/// The protocol's name in the TLS handshake (ALPN).
pub const ALPN: &[u8] = b"holdfast/1";
/// The oldest version of the messages that is spoken.
pub const VERSION_MIN: u16 = 1;
/// The newest version of the messages that is spoken.
pub const VERSION_MAX: u16 = 1;

/// The longest frame, in bytes, without its length field.
pub const FRAME_BYTES_MAX: usize = 1 << 20;
/// The longest hello, in bytes, without its length field: it comes from somebody unknown.
pub const HELLO_BYTES_MAX: usize = 4096;
/// The most requests, or replies, in one frame.
pub const REQUESTS_PER_FRAME_MAX: usize = 4096;
/// The most captures in one message.
pub const CAPTURES_MAX: usize = 10_000;
/// The most requests of one connection that wait for their replies.
pub const IN_FLIGHT_MAX: usize = 65_536;
/// The most streams that a connection may have open.
pub const STREAMS_MAX: u32 = 16;
/// A connection on which nothing arrives for so long is closed. Keep-alives count.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a new connection may take to say hello.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(5);

// A whole frame must always fit between the current and the largest number in flight, or a full connection could not go on.
const _: () = assert!(REQUESTS_PER_FRAME_MAX <= IN_FLIGHT_MAX);
const _: () = assert!(REQUESTS_PER_FRAME_MAX <= u16::MAX as usize);
// A message of captures, and the reply to it, always fit a frame: a capture takes at most 53 bytes with its handle, a result fewer.
const _: () = assert!(CAPTURES_MAX * 53 + 64 <= FRAME_BYTES_MAX && CAPTURES_MAX <= IN_FLIGHT_MAX);

/// Codes with which a connection is closed; numbers of the protocol.
pub mod close {
    /// Nothing is wrong; there is nothing more to do.
    pub const DONE: u32 = 0;
    /// The peer broke the protocol; an error frame said how.
    pub const PROTOCOL: u32 = 1;
    /// The credential was not accepted, was revoked, or has expired.
    pub const AUTHENTICATION: u32 = 2;
    /// The gateway goes away; connect again.
    pub const SHUTTING_DOWN: u32 = 3;
    /// No hello came in time.
    pub const HELLO_TIMEOUT: u32 = 4;
}
