//! The anchor: a small file beside sled's own that says how far each shard was durable.
//!
//! sled takes damage in its log for a write that was cut short and drops what stands after it, so a damaged journal only
//! looks shorter. The anchor tells the two apart. A journal only grows, so an old anchor is never wrong, it only proves less.
//!
//! | offset   | bytes | what (all numbers are big-endian)                                    |
//! |----------|-------|----------------------------------------------------------------------|
//! | 0        | 2     | version: 1                                                           |
//! | 2        | 2     | number of shards *n*                                                 |
//! | 4        | 40·*n* | for each shard: 8 bytes sequence, 32 bytes chain hash; zeros for none |
//! | 4 + 40·*n* | 4   | crc32c over everything before it                                     |

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use super::directory::{SLED_SHARDS_MAX, SledOpenError};
use crate::journal::{
    position::{ChainHash, Position, Sequence},
    store::StoreError,
};

/// The layout that this build writes, and the newest that it reads.
pub(super) const ANCHOR_VERSION: u16 = 1;

const POSITION_BYTES: usize = 40;
const ANCHOR_BYTES_MAX: u64 = 8 + SLED_SHARDS_MAX as u64 * POSITION_BYTES as u64;

/// The anchor within a data directory.
pub(super) fn path(directory: &Path) -> PathBuf {
    directory.join("anchor")
}

/// What the anchor of a directory says, shard by shard; `None` where there is none yet.
pub(super) fn read(directory: &Path) -> Result<Option<Vec<Position>>, SledOpenError> {
    let path = path(directory);
    let bytes = match File::open(&path) {
        Ok(file) => read_all(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => Err(error),
    };
    let bytes = bytes.map_err(|source| SledOpenError::FileSystem { directory: directory.to_owned(), source })?;
    match decode(&bytes) {
        Ok(positions) => Ok(Some(positions)),
        Err(Unreadable::Newer(found)) => Err(SledOpenError::NewerAnchor { anchor: path, found }),
        Err(Unreadable::Damaged) => Err(StoreError::Damaged { what: format!("`{}`", path.display()) }.into()),
    }
}

/// A file that is longer than any anchor is read one byte too far, so that it is noticed.
fn read_all(file: File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(ANCHOR_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Replaces the anchor, durably: a crash leaves the old one or the new one.
pub(super) fn write(directory: &Path, positions: &[Position]) -> io::Result<()> {
    let unfinished = directory.join("anchor.unfinished");
    let mut file = File::create(&unfinished)?;
    file.write_all(&encode(positions))?;
    file.sync_all()?;
    fs::rename(&unfinished, path(directory))?;
    File::open(directory)?.sync_all()
}

fn encode(positions: &[Position]) -> Vec<u8> {
    let shards = u16::try_from(positions.len()).expect("shards have numbers of 16 bits");
    let mut bytes = [ANCHOR_VERSION.to_be_bytes(), shards.to_be_bytes()].concat();
    for position in positions {
        bytes.extend_from_slice(&position.sequence.0.to_be_bytes());
        bytes.extend_from_slice(&position.chain.0);
    }
    let checksum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&checksum.to_be_bytes());
    bytes
}

#[derive(Debug, PartialEq, Eq)]
enum Unreadable {
    Newer(u16),
    Damaged,
}

/// The checksum comes first, so that a damaged version is not taken for a newer one.
fn decode(bytes: &[u8]) -> Result<Vec<Position>, Unreadable> {
    let (sealed, checksum) = bytes.split_last_chunk::<4>().ok_or(Unreadable::Damaged)?;
    if u32::from_be_bytes(*checksum) != crc32c::crc32c(sealed) {
        return Err(Unreadable::Damaged);
    }
    let (version, rest) = sealed.split_first_chunk::<2>().ok_or(Unreadable::Damaged)?;
    match u16::from_be_bytes(*version) {
        ANCHOR_VERSION => decode_positions(rest).ok_or(Unreadable::Damaged),
        newer if newer > ANCHOR_VERSION => Err(Unreadable::Newer(newer)),
        _ => Err(Unreadable::Damaged),
    }
}

fn decode_positions(bytes: &[u8]) -> Option<Vec<Position>> {
    let (shards, positions) = bytes.split_first_chunk::<2>()?;
    let (positions, rest) = positions.as_chunks::<POSITION_BYTES>();
    let is_whole = rest.is_empty() && positions.len() == usize::from(u16::from_be_bytes(*shards));
    is_whole.then(|| positions.iter().map(decode_position).collect())?
}

fn decode_position(bytes: &[u8; POSITION_BYTES]) -> Option<Position> {
    let (sequence, chain) = bytes.split_first_chunk::<8>()?;
    let chain = ChainHash(chain.try_into().ok()?);
    Some(Position { sequence: Sequence(u64::from_be_bytes(*sequence)), chain })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positions() -> Vec<Position> {
        vec![Position { sequence: Sequence(7), chain: ChainHash([5; 32]) }, Position::START]
    }

    fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
        let checksum = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&checksum.to_be_bytes());
        bytes
    }

    #[test]
    fn an_anchor_comes_back_and_no_flipped_bit_does() {
        let bytes = encode(&positions());
        assert_eq!(bytes.len(), 4 + 2 * POSITION_BYTES + 4);
        assert_eq!(decode(&bytes), Ok(positions()));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&flipped), Err(Unreadable::Damaged), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert_eq!(decode(&bytes[..length]), Err(Unreadable::Damaged), "{length} bytes");
        }
    }

    #[test]
    fn an_anchor_with_a_right_checksum_is_still_checked() {
        let bytes = encode(&positions());
        let body = &bytes[..bytes.len() - 4];
        assert_eq!(decode(&sealed([&[0, 2], &body[2..]].concat())), Err(Unreadable::Newer(2)));
        assert_eq!(decode(&sealed([&[0, 0], &body[2..]].concat())), Err(Unreadable::Damaged));
        assert_eq!(decode(&sealed([&[0, 1, 0, 3], &body[4..]].concat())), Err(Unreadable::Damaged));
        assert_eq!(decode(&sealed([body, &[0]].concat())), Err(Unreadable::Damaged));
    }

    #[test]
    fn an_anchor_is_replaced_as_a_whole() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(read(directory.path()).unwrap(), None);
        fs::write(directory.path().join("anchor.unfinished"), "what a crash left, longer than the anchor".repeat(9))
            .unwrap();
        for anchored in [positions(), vec![Position::START; usize::from(SLED_SHARDS_MAX)]] {
            write(directory.path(), &anchored).unwrap();
            assert_eq!(read(directory.path()).unwrap(), Some(anchored));
        }
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
