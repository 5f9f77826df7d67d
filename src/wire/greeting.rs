//! The first words of a connection: the client's hello and the gateway's welcome, or the error that ends it.

use bincode::{BorrowDecode, Decode, Encode};

use super::{
    codec,
    error_code::{ErrorCode, Refusal},
    frame::{Frame, FrameKind},
    limits::{VERSION_MAX, VERSION_MIN},
};
use crate::kernel::{AgentIndex, ShardId, Timestamp};

/// An agent's place: what requests name it by. It never changes and is never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Handle {
    /// Its shard.
    pub shard: ShardId,
    /// Its place within the shard.
    pub index: AgentIndex,
}

/// Who the client is and which versions it speaks. The layout is the same in every version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct Hello<'a> {
    /// The oldest version of the messages that the client speaks.
    pub version_min: u16,
    /// The newest version of the messages that the client speaks.
    pub version_max: u16,
    /// The secret text of the API key.
    pub credential: &'a str,
    /// What the client calls itself, for the gateway's log.
    pub client: &'a str,
}

impl Hello<'_> {
    /// The newest version that both sides speak.
    ///
    /// # Errors
    /// [`Refusal`] where there is none.
    pub fn version(&self) -> Result<u16, Refusal> {
        let version = self.version_max.min(VERSION_MAX);
        if version >= self.version_min.max(VERSION_MIN) {
            return Ok(version);
        }
        let message = format!(
            "versions {} to {} are not spoken here; speak {VERSION_MIN} to {VERSION_MAX}",
            self.version_min, self.version_max
        );
        Err(Refusal::new(ErrorCode::ProtocolError, message))
    }

    /// Appends the frame.
    pub fn write(&self, bytes: &mut Vec<u8>) {
        Frame::write(FrameKind::Hello, bytes, |bytes| codec::encode(self, bytes));
    }
}

/// Whom a credential speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Identified {
    /// One agent.
    Agent(Handle),
    /// A platform that acts for agents.
    Platform,
    /// The people who run the gateway.
    Operator,
}

/// What a client must keep to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Limits {
    /// The longest frame, in bytes, without its length field.
    pub frame_bytes_max: u32,
    /// The most requests in one frame.
    pub requests_per_frame_max: u32,
    /// The most requests of the connection that wait for their replies; beyond it the gateway stops reading.
    pub in_flight_max: u32,
    /// The most streams open at once.
    pub streams_max: u32,
    /// A connection on which nothing arrives for so long is closed.
    pub idle_timeout_ms: u32,
}

/// Where a worker listens.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Address {
    /// A name or an IP address; empty for the host that the client has connected to.
    pub host: String,
    /// The UDP port.
    pub port: u16,
}

/// The gateway accepts the client.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Welcome {
    /// The version of the messages from here on.
    pub version: u16,
    /// Whom the credential speaks for.
    pub principal: Identified,
    /// What to keep to.
    pub limits: Limits,
    /// Where the workers listen.
    pub workers: Vec<Address>,
    /// For each shard the position in `workers` of the one that keeps it. Its length is the number of shards.
    pub shards: Vec<u16>,
    /// The gateway's time.
    pub server_time: Timestamp,
}

impl Welcome {
    /// Appends the frame.
    pub fn write(&self, bytes: &mut Vec<u8>) {
        Frame::write(FrameKind::Welcome, bytes, |bytes| codec::encode(self, bytes));
    }
}

/// Appends an error frame, the last frame of a connection.
pub fn write_error(refusal: &Refusal, bytes: &mut Vec<u8>) {
    Frame::write(FrameKind::Error, bytes, |bytes| codec::encode(&super::reply::ErrorReply::from(refusal), bytes));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_common_version_is_spoken() {
        let version = |version_min, version_max| {
            Hello { version_min, version_max, credential: "", client: "" }.version().map_err(|refusal| refusal.code)
        };
        assert_eq!(version(1, 1), Ok(1));
        assert_eq!(version(0, 9), Ok(1));
        assert_eq!(version(2, 9), Err(ErrorCode::ProtocolError));
        assert_eq!(version(0, 0), Err(ErrorCode::ProtocolError));
        assert_eq!(version(1, 0), Err(ErrorCode::ProtocolError));
    }
}
