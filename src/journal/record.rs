//! The bytes of one record, as `docs/JOURNAL.md` specifies them.
//!
//! | offset | bytes | what                                                         |
//! |--------|-------|--------------------------------------------------------------|
//! | 0      | 1     | version, 1                                                   |
//! | 1      | 1     | flags; bit 0: the group continues in the next record         |
//! | 2      | 32    | chain hash of the previous record                            |
//! | 34     | n     | payload                                                      |
//! | 34 + n | 4     | crc32c over everything before it, big-endian                 |

use thiserror::Error;

use super::position::ChainHash;

/// The longest record in bytes. sled puts longer values into files of their own, which nothing flushes.
pub const RECORD_BYTES_MAX: usize = 12 * 1024;

/// The longest payload of one record in bytes.
pub const PAYLOAD_BYTES_MAX: usize = RECORD_BYTES_MAX - HEADER_BYTES - CHECKSUM_BYTES;

/// The version that this build writes, and the newest that it reads.
pub const RECORD_VERSION: u8 = 1;

const HEADER_BYTES: usize = 1 + 1 + 32;
const CHECKSUM_BYTES: usize = 4;
const FLAG_CONTINUES: u8 = 1;

/// One record, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Whether the group goes on in the next record.
    pub continues: bool,
    /// The chain hash of the record before.
    pub previous: ChainHash,
    /// The group's bytes, or a part of them; at most [`PAYLOAD_BYTES_MAX`].
    pub payload: &'a [u8],
}

/// Why bytes are not a record, in the order of the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RecordError {
    /// Fewer bytes than a record without payload has.
    #[error("a record of {bytes} bytes is shorter than the {} that every record has", HEADER_BYTES + CHECKSUM_BYTES)]
    TooShort {
        /// How many bytes there are.
        bytes: usize,
    },
    /// More bytes than a record may have.
    #[error("a record of {bytes} bytes is longer than the {RECORD_BYTES_MAX} that are allowed")]
    TooLong {
        /// How many bytes there are.
        bytes: usize,
    },
    /// Written by a newer build; its layout is unknown here.
    #[error(
        "record version {found} is newer than {RECORD_VERSION}, the newest that this build reads; run a newer build"
    )]
    NewerVersion {
        /// The version found.
        found: u8,
    },
    /// A version that was never issued.
    #[error("record version {found} was never issued")]
    UnknownVersion {
        /// The version found.
        found: u8,
    },
    /// The bytes are not those that were written.
    #[error("the record's checksum is {stored:08x}, but its bytes give {computed:08x}")]
    Checksum {
        /// The checksum that the record carries.
        stored: u32,
        /// The checksum of its bytes.
        computed: u32,
    },
    /// Flags that this version does not define.
    #[error("record flags {flags:#010b} are not defined in version {RECORD_VERSION}")]
    UnknownFlags {
        /// All flags.
        flags: u8,
    },
}

impl RecordError {
    /// Whether a write that was cut short can leave such bytes. A sound record that this build cannot read is no torn one.
    #[must_use]
    pub fn is_torn(&self) -> bool {
        match self {
            RecordError::TooShort { .. } | RecordError::Checksum { .. } => true,
            RecordError::TooLong { .. }
            | RecordError::NewerVersion { .. }
            | RecordError::UnknownVersion { .. }
            | RecordError::UnknownFlags { .. } => false,
        }
    }
}

impl<'a> Record<'a> {
    /// Appends the record's bytes to `bytes`.
    ///
    /// # Errors
    /// [`RecordError::TooLong`] when the payload is longer than [`PAYLOAD_BYTES_MAX`]; `bytes` is then unchanged.
    pub fn encode_into(&self, bytes: &mut Vec<u8>) -> Result<(), RecordError> {
        let record_bytes = HEADER_BYTES.saturating_add(self.payload.len()).saturating_add(CHECKSUM_BYTES);
        if record_bytes > RECORD_BYTES_MAX {
            return Err(RecordError::TooLong { bytes: record_bytes });
        }
        let start = bytes.len();
        bytes.extend_from_slice(&[RECORD_VERSION, if self.continues { FLAG_CONTINUES } else { 0 }]);
        bytes.extend_from_slice(&self.previous.0);
        bytes.extend_from_slice(self.payload);
        let checksum = crc32c::crc32c(&bytes[start..]);
        bytes.extend_from_slice(&checksum.to_be_bytes());
        Ok(())
    }

    /// Takes a record apart.
    ///
    /// # Errors
    /// [`RecordError`], for whatever is not a record of a version that this build reads.
    pub fn decode(bytes: &'a [u8]) -> Result<Record<'a>, RecordError> {
        let too_short = RecordError::TooShort { bytes: bytes.len() };
        if bytes.len() > RECORD_BYTES_MAX {
            return Err(RecordError::TooLong { bytes: bytes.len() });
        }
        let (sealed, checksum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(too_short)?;
        let (&[version, flags], rest) = sealed.split_first_chunk::<2>().ok_or(too_short)?;
        let (previous, payload) = rest.split_first_chunk::<32>().ok_or(too_short)?;
        check_version(version)?;
        let (stored, computed) = (u32::from_be_bytes(*checksum), crc32c::crc32c(sealed));
        if stored != computed {
            return Err(RecordError::Checksum { stored, computed });
        }
        if flags & !FLAG_CONTINUES != 0 {
            return Err(RecordError::UnknownFlags { flags });
        }
        Ok(Record { continues: flags & FLAG_CONTINUES != 0, previous: ChainHash(*previous), payload })
    }
}

/// The version is read before the checksum, because a newer version may place its checksum elsewhere.
fn check_version(found: u8) -> Result<(), RecordError> {
    match found {
        RECORD_VERSION => Ok(()),
        0 => Err(RecordError::UnknownVersion { found }),
        _ => Err(RecordError::NewerVersion { found }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{journal::position::Sequence, kernel::ShardId};

    fn encode(record: Record<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        record.encode_into(&mut bytes).unwrap();
        bytes
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
        let checksum = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&checksum.to_be_bytes());
        bytes
    }

    /// These bytes are on disks: a change here needs a new record version.
    #[test]
    fn golden_vectors() {
        fn check(shard: u16, sequence: u64, record: Record<'_>, expected: &str, chain: &str) {
            let bytes = encode(record);
            assert_eq!(hex(&bytes), expected);
            assert_eq!(Record::decode(&bytes), Ok(record));
            assert_eq!(ChainHash::of(ShardId(shard), Sequence(sequence), &bytes).to_string(), chain);
        }
        let first = Record { continues: false, previous: ChainHash::GENESIS, payload: b"holdfast" };
        check(0, 1, first, GOLDEN_FIRST, GOLDEN_FIRST_CHAIN);
        let second =
            Record { continues: true, previous: ChainHash::of(ShardId(0), Sequence(1), &encode(first)), payload: b"" };
        check(0, 2, second, GOLDEN_SECOND, GOLDEN_SECOND_CHAIN);
    }

    const GOLDEN_FIRST: &str =
        "01000000000000000000000000000000000000000000000000000000000000000000686f6c64666173744dfe26da";
    const GOLDEN_FIRST_CHAIN: &str = "ab858a8384701ee5858feb77975120bd48a47e8795f282c3c5b0badd7f0da68f";
    const GOLDEN_SECOND: &str = "0101ab858a8384701ee5858feb77975120bd48a47e8795f282c3c5b0badd7f0da68ffc931bde";
    const GOLDEN_SECOND_CHAIN: &str = "a5fca7699f2778dd4b28d3cb8325e5eef90fa9b068db1d194436997e5d4e144d";

    #[test]
    fn every_malformed_input_is_named() {
        fn check(bytes: &[u8], expected: RecordError) {
            assert_eq!(Record::decode(bytes), Err(expected));
        }
        let good = encode(Record { continues: false, previous: ChainHash::GENESIS, payload: b"x" });
        check(&[], RecordError::TooShort { bytes: 0 });
        check(&good[..37], RecordError::TooShort { bytes: 37 });
        check(&vec![0; RECORD_BYTES_MAX + 1], RecordError::TooLong { bytes: RECORD_BYTES_MAX + 1 });
        let with_version = |version| sealed([&[version, 0][..], &[0; 32]].concat());
        check(&with_version(0), RecordError::UnknownVersion { found: 0 });
        check(&with_version(2), RecordError::NewerVersion { found: 2 });
        check(&with_version(255), RecordError::NewerVersion { found: 255 });
        check(&sealed([&[1, 2][..], &[0; 32]].concat()), RecordError::UnknownFlags { flags: 2 });
        let mut flipped = good.clone();
        flipped[34] ^= 1;
        assert!(matches!(Record::decode(&flipped), Err(RecordError::Checksum { .. })));
    }

    #[test]
    fn a_payload_of_the_maximum_fits_and_one_byte_more_does_not() {
        let payload = vec![7; PAYLOAD_BYTES_MAX + 1];
        let longest = Record { continues: true, previous: ChainHash([9; 32]), payload: &payload[1..] };
        let bytes = encode(longest);
        assert_eq!(bytes.len(), RECORD_BYTES_MAX);
        assert_eq!(Record::decode(&bytes), Ok(longest));
        let mut untouched = vec![1];
        let longer = Record { payload: &payload, ..longest };
        assert_eq!(longer.encode_into(&mut untouched), Err(RecordError::TooLong { bytes: RECORD_BYTES_MAX + 1 }));
        assert_eq!(untouched, [1]);
    }

    #[test]
    fn no_cut_and_no_flipped_bit_decodes() {
        let good = encode(Record { continues: true, previous: ChainHash([3; 32]), payload: b"some payload" });
        for length in 0..good.len() {
            assert!(Record::decode(&good[..length]).is_err_and(|error| error.is_torn()), "cut to {length}");
        }
        for bit in 0..good.len() * 8 {
            let mut flipped = good.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Record::decode(&flipped).is_err(), "bit {bit}");
        }
    }
}
