//! How a message body becomes bytes: bincode 2 in its standard configuration (little-endian, variable-length integers).

use bincode::{
    BorrowDecode, Encode,
    config::{self, Configuration, LittleEndian, Varint},
    enc::{EncoderImpl, write::Writer},
    error::{DecodeError, EncodeError},
};
use thiserror::Error;

use super::limits::FRAME_BYTES_MAX;

/// The limit bounds what a decoder may reserve for a length that it has only been told.
const CONFIG: Configuration<LittleEndian, Varint, config::Limit<FRAME_BYTES_MAX>> =
    config::standard().with_limit::<FRAME_BYTES_MAX>();

/// Bytes that are not the message they should be.
#[derive(Debug, Error)]
pub enum Malformed {
    /// They end too early, or a value is not one that the message may have.
    #[error("the body cannot be read: {0}")]
    Unreadable(#[from] DecodeError),
    /// They go on after the message has ended.
    #[error("the body has {0} bytes more than the message")]
    Trailing(usize),
}

/// Appends the bytes of `message`.
pub fn encode<T: Encode>(message: &T, bytes: &mut Vec<u8>) {
    let encoded = message.encode(&mut EncoderImpl::new(Appender(bytes), CONFIG));
    encoded.expect("a vector takes any bytes, and every message has an encoding");
}

/// Reads `bytes` as one message and nothing more. Texts borrow from `bytes`.
///
/// # Errors
/// [`Malformed`] where they are not exactly one message.
pub fn decode<'a, T: BorrowDecode<'a, ()>>(bytes: &'a [u8]) -> Result<T, Malformed> {
    let (message, length) = bincode::borrow_decode_from_slice(bytes, CONFIG)?;
    match bytes.len() - length {
        0 => Ok(message),
        more => Err(Malformed::Trailing(more)),
    }
}

struct Appender<'a>(&'a mut Vec<u8>);

impl Writer for Appender<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// Appends `value` in as few bytes as it needs: up to 250 in one byte; larger ones after a byte that says how many bytes follow.
pub fn encode_length(value: u64, bytes: &mut Vec<u8>) {
    encode(&value, bytes);
}

/// Takes an integer from the front of `bytes`; `None` where they end too early or do not start with a 64-bit integer.
#[must_use]
pub fn decode_length(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    match first {
        0..=250 => Some((u64::from(first), rest)),
        251 => rest.split_first_chunk().map(|(value, rest)| (u64::from(u16::from_le_bytes(*value)), rest)),
        252 => rest.split_first_chunk().map(|(value, rest)| (u64::from(u32::from_le_bytes(*value)), rest)),
        253 => rest.split_first_chunk().map(|(value, rest)| (u64::from_le_bytes(*value), rest)),
        254.. => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_the_integers_of_the_bodies() {
        for value in [0, 1, 250, 251, 255, 256, 65_535, 65_536, u64::from(u32::MAX), 1 << 32, u64::MAX] {
            let mut bytes = Vec::new();
            encode_length(value, &mut bytes);
            assert_eq!(decode::<u64>(&bytes).unwrap(), value);
            assert_eq!(decode_length(&bytes), Some((value, &[][..])));
            for end in 0..bytes.len() {
                assert_eq!(decode_length(&bytes[..end]), None, "{value} cut to {end}");
            }
        }
        assert_eq!(decode_length(&[254; 20]), None);
        assert_eq!(decode_length(&[255; 20]), None);
    }

    #[test]
    fn a_told_length_reserves_nothing() {
        let claims_a_lot = [253, 0, 0, 0, 0, 0, 1, 0, 0];
        assert!(matches!(decode::<Vec<u64>>(&claims_a_lot), Err(Malformed::Unreadable(_))));
        assert!(matches!(decode::<&str>(&claims_a_lot), Err(Malformed::Unreadable(_))));
    }

    #[test]
    fn what_follows_the_message_is_refused() {
        assert!(matches!(decode::<u8>(&[1, 2]), Err(Malformed::Trailing(1))));
    }
}
