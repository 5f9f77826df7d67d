//! How are integers, options and texts written and read by hand? As bincode does in its standard configuration.
//!
//! Reading says no more than `None`: whoever gets it asks bincode, which either knows better or says what is wrong.

use crate::kernel::{Amount, Duration, Timestamp};

/// The largest integer that is its own byte; larger ones follow a byte that says how many bytes they take.
const BYTE_MAX: u8 = 250;
const TWO_BYTES: u8 = 251;
const FOUR_BYTES: u8 = 252;
const EIGHT_BYTES: u8 = 253;
const SIXTEEN_BYTES: u8 = 254;

/// What is left of a body that is read field by field.
#[derive(Debug)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    #[inline]
    pub(super) fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*bytes)
    }

    #[inline]
    pub(super) fn integer_64(&mut self) -> Option<u64> {
        match self.byte()? {
            byte @ 0..=BYTE_MAX => Some(byte.into()),
            TWO_BYTES => self.array().map(|bytes| u16::from_le_bytes(bytes).into()),
            FOUR_BYTES => self.array().map(|bytes| u32::from_le_bytes(bytes).into()),
            EIGHT_BYTES => self.array().map(u64::from_le_bytes),
            SIXTEEN_BYTES.. => None,
        }
    }

    #[inline]
    pub(super) fn integer_32(&mut self) -> Option<u32> {
        match self.byte()? {
            byte @ 0..=BYTE_MAX => Some(byte.into()),
            TWO_BYTES => self.array().map(|bytes| u16::from_le_bytes(bytes).into()),
            FOUR_BYTES => self.array().map(u32::from_le_bytes),
            EIGHT_BYTES.. => None,
        }
    }

    #[inline]
    pub(super) fn integer_16(&mut self) -> Option<u16> {
        match self.byte()? {
            byte @ 0..=BYTE_MAX => Some(byte.into()),
            TWO_BYTES => self.array().map(u16::from_le_bytes),
            FOUR_BYTES.. => None,
        }
    }

    /// Ids are random, so they are nearly always written at their full length.
    #[inline]
    pub(super) fn integer_128(&mut self) -> Option<u128> {
        match self.0.split_first()? {
            (&SIXTEEN_BYTES, rest) => {
                self.0 = rest;
                self.array().map(u128::from_le_bytes)
            }
            _ => self.integer_64().map(u128::from),
        }
    }

    #[inline]
    pub(super) fn truth(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            2.. => None,
        }
    }

    #[inline]
    pub(super) fn option<T>(&mut self, take: impl FnOnce(&mut Fields<'a>) -> Option<T>) -> Option<Option<T>> {
        if self.truth()? { take(self).map(Some) } else { Some(None) }
    }

    #[inline]
    pub(super) fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.integer_64()?).ok()?;
        if length == 0 {
            return Some("");
        }
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    #[inline]
    pub(super) fn amount(&mut self) -> Option<Amount> {
        self.integer_64().map(Amount::from_micros)
    }

    #[inline]
    pub(super) fn moment(&mut self) -> Option<Timestamp> {
        self.integer_64().map(Timestamp::from_micros)
    }

    #[inline]
    pub(super) fn duration(&mut self) -> Option<Duration> {
        self.integer_64().map(Duration::from_micros)
    }
}

#[inline]
pub(super) fn put_integer(value: u64, bytes: &mut Vec<u8>) {
    let [a, b, c, d, ..] = value.to_le_bytes();
    match value {
        0..=0xfa => bytes.push(a),
        0xfb..=0xffff => bytes.extend_from_slice(&[TWO_BYTES, a, b]),
        0x1_0000..=0xffff_ffff => bytes.extend_from_slice(&[FOUR_BYTES, a, b, c, d]),
        0x1_0000_0000.. => {
            let mut long = [EIGHT_BYTES; 9];
            long[1..].copy_from_slice(&value.to_le_bytes());
            bytes.extend_from_slice(&long);
        }
    }
}

#[inline]
pub(super) fn put_integer_128(value: u128, bytes: &mut Vec<u8>) {
    if let Ok(short) = u64::try_from(value) {
        return put_integer(short, bytes);
    }
    let mut long = [SIXTEEN_BYTES; 17];
    long[1..].copy_from_slice(&value.to_le_bytes());
    bytes.extend_from_slice(&long);
}

#[inline]
pub(super) fn put_text(text: &str, bytes: &mut Vec<u8>) {
    put_integer(text.len() as u64, bytes);
    bytes.extend_from_slice(text.as_bytes());
}

#[inline]
pub(super) fn put_option(value: Option<u64>, bytes: &mut Vec<u8>) {
    match value {
        None => bytes.push(0),
        Some(value) => {
            bytes.push(1);
            put_integer(value, bytes);
        }
    }
}
