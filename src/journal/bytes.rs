//! Numbers as bytes, for events: short where they are small.

use bincode::{Decode, Encode, error::DecodeError};

use super::codec::ENCODING;

/// The longest compact event in bytes: a bit more than all its numbers at their longest.
const EVENT_BYTES_MAX: usize = 112;
/// The bits of a number in each of its bytes; the highest bit says whether there are more.
const NUMBER_BITS: u32 = 7;
const MORE: u8 = 1 << NUMBER_BITS;
/// The most bytes of a number.
const NUMBER_BYTES_MAX: u32 = 10;

/// Gathers one event, so that the memory it goes to is asked for room once.
pub(super) struct Writer {
    bytes: [u8; EVENT_BYTES_MAX],
    length: usize,
}

impl Default for Writer {
    fn default() -> Self {
        Writer { bytes: [0; EVENT_BYTES_MAX], length: 0 }
    }
}

impl Writer {
    pub(super) fn written(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.bytes[self.length] = byte;
        self.length += 1;
    }

    /// Seven bits a byte, the lowest first.
    pub(super) fn number(&mut self, mut number: u64) {
        while number >= u64::from(MORE) {
            self.byte(number as u8 | MORE);
            number >>= NUMBER_BITS;
        }
        self.byte(number as u8);
    }

    /// 8 bytes, whose value says nothing about their length.
    pub(super) fn hash(&mut self, hash: u64) {
        self.fixed(hash.to_be_bytes());
    }

    /// 16 bytes.
    pub(super) fn wide(&mut self, wide: u128) {
        self.fixed(wide.to_be_bytes());
    }

    /// A small value in bincode.
    pub(super) fn encoded(&mut self, value: &impl Encode) {
        let rest = &mut self.bytes[self.length..];
        self.length += bincode::encode_into_slice(value, rest, ENCODING).expect("a small value fits an event");
    }

    fn fixed<const BYTES: usize>(&mut self, bytes: [u8; BYTES]) {
        self.bytes[self.length..self.length + BYTES].copy_from_slice(&bytes);
        self.length += BYTES;
    }
}

/// Takes bytes apart.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// The next byte, which stays.
    pub(super) fn peek(&self) -> Result<u8, DecodeError> {
        self.rest.first().copied().ok_or(ended(1))
    }

    pub(super) fn byte(&mut self) -> Result<u8, DecodeError> {
        let [byte] = self.fixed()?;
        Ok(byte)
    }

    /// As [`Writer::number`] writes it, in the shortest way that there is.
    pub(super) fn number(&mut self) -> Result<u64, DecodeError> {
        let first = self.byte()?;
        if first < MORE { Ok(first.into()) } else { self.number_after(first) }
    }

    fn number_after(&mut self, first: u8) -> Result<u64, DecodeError> {
        let mut number = u64::from(first & !MORE);
        for place in 1..NUMBER_BYTES_MAX {
            let byte = self.byte()?;
            let bits = u64::from(byte & !MORE) << (NUMBER_BITS * place);
            if bits >> (NUMBER_BITS * place) != u64::from(byte & !MORE) {
                break;
            }
            number |= bits;
            match byte {
                0 => break,
                1..MORE => return Ok(number),
                MORE.. => {}
            }
        }
        Err(DecodeError::Other("a number is longer than it may be"))
    }

    /// A number of 32 bits.
    pub(super) fn small(&mut self) -> Result<u32, DecodeError> {
        u32::try_from(self.number()?).map_err(|_| DecodeError::Other("a number is larger than it may be"))
    }

    pub(super) fn hash(&mut self) -> Result<u64, DecodeError> {
        self.fixed().map(u64::from_be_bytes)
    }

    pub(super) fn wide(&mut self) -> Result<u128, DecodeError> {
        self.fixed().map(u128::from_be_bytes)
    }

    /// A value in bincode.
    pub(super) fn encoded<T: Decode<()>>(&mut self) -> Result<T, DecodeError> {
        let (value, length) = bincode::decode_from_slice(self.rest, ENCODING)?;
        self.rest = self.rest.get(length..).unwrap_or_default();
        Ok(value)
    }

    fn fixed<const BYTES: usize>(&mut self) -> Result<[u8; BYTES], DecodeError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(ended(BYTES))?;
        self.rest = rest;
        Ok(*bytes)
    }
}

fn ended(additional: usize) -> DecodeError {
    DecodeError::UnexpectedEnd { additional }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_take_as_many_bytes_as_they_need() {
        fn check(number: u64, expected: &[u8]) {
            let mut writer = Writer::default();
            writer.number(number);
            assert_eq!(writer.written(), expected);
            let mut reader = Reader::new(expected);
            assert_eq!(reader.number().unwrap(), number);
            assert_eq!(reader.left(), 0);
        }
        check(0, &[0]);
        check(127, &[127]);
        check(128, &[0x80, 1]);
        check(300, &[0xac, 2]);
        check(u64::MAX, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]);
    }

    #[test]
    fn a_number_has_one_form() {
        let refused = |bytes: &[u8]| assert!(Reader::new(bytes).number().is_err(), "{bytes:?}");
        refused(&[]);
        refused(&[0x80]);
        refused(&[0x80, 0]);
        refused(&[0xff; 11]);
        refused(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]);
        assert!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x10]).small().is_err());
    }
}
