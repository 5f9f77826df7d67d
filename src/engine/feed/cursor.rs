//! Where an event is, and where a reader of events stands.

use std::{fmt, str::FromStr};

use thiserror::Error;

use crate::{
    journal::Sequence,
    kernel::{ShardId, webhook::EventPlace},
};

/// The unique id of an event: `SHARD-SEQUENCE-INDEX`, such as `3-1234-5`. Within a shard, later events have greater ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeedPosition {
    /// The shard it happened to.
    pub shard: ShardId,
    /// The first record of the group that holds it.
    pub sequence: Sequence,
    /// Its place in the group, from zero.
    pub index: u32,
}

/// How far a reader is in every shard. Opaque to clients; its text is printable ASCII without spaces, and may stand in a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedCursor {
    next: Vec<Next>,
}

/// The next event of a shard: after so many of the group that begins with this record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Next {
    pub(super) sequence: Sequence,
    pub(super) skip: u32,
}

/// Why a text is not a cursor or a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("it is not one that was given out here")]
pub struct FeedCursorError;

impl Next {
    /// At the beginning of a group.
    pub(super) const fn at(sequence: Sequence) -> Next {
        Next { sequence, skip: 0 }
    }

    /// The id of the event there.
    pub(super) const fn position(self, shard: ShardId) -> FeedPosition {
        FeedPosition { shard, sequence: self.sequence, index: self.skip }
    }
}

impl FeedCursor {
    /// Before these events, one of each shard in the order of their numbers.
    pub fn before(events: impl IntoIterator<Item = FeedPosition>) -> FeedCursor {
        FeedCursor::new(events.into_iter().map(|event| Next { sequence: event.sequence, skip: event.index }))
    }

    /// The next event of each shard, in the order of their numbers; where it is that of a group that was not written yet, its index is zero.
    pub fn positions(&self) -> impl Iterator<Item = FeedPosition> {
        let shards = (0..=u16::MAX).map(ShardId);
        shards.zip(&self.next).map(|(shard, next)| FeedPosition { shard, sequence: next.sequence, index: next.skip })
    }

    pub(super) fn new(next: impl IntoIterator<Item = Next>) -> FeedCursor {
        FeedCursor { next: next.into_iter().collect() }
    }

    pub(super) fn next(&self, shard: ShardId) -> Option<Next> {
        self.next.get(usize::from(shard.0)).copied()
    }

    pub(super) fn set(&mut self, shard: ShardId, next: Next) {
        if let Some(place) = self.next.get_mut(usize::from(shard.0)) {
            *place = next;
        }
    }

    /// The place in a shard, as that of the event there.
    pub(crate) fn position(&self, shard: ShardId) -> Option<FeedPosition> {
        self.next(shard).map(|next| next.position(shard))
    }

    /// Moves the place in a shard.
    pub(crate) fn set_position(&mut self, position: FeedPosition) {
        self.set(position.shard, Next { sequence: position.sequence, skip: position.index });
    }

    pub(super) fn shards(&self) -> usize {
        self.next.len()
    }
}

impl fmt::Display for FeedPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.shard.0, self.sequence, self.index)
    }
}

impl FromStr for FeedPosition {
    type Err = FeedCursorError;

    fn from_str(text: &str) -> Result<FeedPosition, FeedCursorError> {
        let mut parts = text.split('-');
        let mut part = || parts.next().ok_or(FeedCursorError);
        let position = FeedPosition {
            shard: ShardId(number(part()?)?),
            sequence: Sequence(number(part()?)?),
            index: number(part()?)?,
        };
        if part().is_ok() { Err(FeedCursorError) } else { Ok(position) }
    }
}

impl fmt::Display for FeedCursor {
    /// The shards' places in the order of their numbers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (shard, next) in self.next.iter().enumerate() {
            let dot = if shard == 0 { "" } else { "." };
            match next.skip {
                0 => write!(f, "{dot}{}", next.sequence)?,
                skip => write!(f, "{dot}{}-{skip}", next.sequence)?,
            }
        }
        Ok(())
    }
}

impl FromStr for FeedCursor {
    type Err = FeedCursorError;

    fn from_str(text: &str) -> Result<FeedCursor, FeedCursorError> {
        let next = text.split('.').take(usize::from(u16::MAX) + 1).map(|place| {
            let (sequence, skip) = match place.split_once('-') {
                Some((sequence, skip)) => (sequence, number(skip)?),
                None => (place, 0),
            };
            let sequence = Sequence(number(sequence)?);
            if sequence == Sequence::NONE { Err(FeedCursorError) } else { Ok(Next { sequence, skip }) }
        });
        Ok(FeedCursor { next: next.collect::<Result<_, _>>()? })
    }
}

/// Digits alone: no sign, and no leading zero, so that one place has one text.
fn number<N: FromStr>(text: &str) -> Result<N, FeedCursorError> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if is_plain { text.parse().map_err(|_| FeedCursorError) } else { Err(FeedCursorError) }
}

impl From<FeedPosition> for EventPlace {
    fn from(position: FeedPosition) -> EventPlace {
        EventPlace { shard: position.shard, sequence: position.sequence.0, index: position.index }
    }
}

impl From<EventPlace> for FeedPosition {
    fn from(place: EventPlace) -> FeedPosition {
        FeedPosition { shard: place.shard, sequence: Sequence(place.sequence), index: place.index }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_print_and_parse_back() {
        let position = FeedPosition { shard: ShardId(3), sequence: Sequence(1234), index: 5 };
        assert_eq!(position.to_string(), "3-1234-5");
        assert_eq!("3-1234-5".parse(), Ok(position));
        for bad in ["", "3", "3-1", "3-1-", "3-1-1-1", "+3-1-1", "03-1-1", "65536-1-1", "3-1-4294967296", "a-1-1"] {
            assert_eq!(bad.parse::<FeedPosition>(), Err(FeedCursorError), "{bad}");
        }
    }

    #[test]
    fn cursors_print_and_parse_back() {
        let cursor = FeedCursor::new([Next { sequence: Sequence(1234), skip: 5 }, Next::at(Sequence(1))]);
        assert_eq!(cursor.to_string(), "1234-5.1");
        assert_eq!("1234-5.1".parse(), Ok(cursor.clone()));
        assert_eq!(FeedCursor::before(cursor.positions()), cursor);
        for bad in ["", ".", "1.", "0", "1-", "1--1", "1.-1", "1 ", "18446744073709551616"] {
            assert_eq!(bad.parse::<FeedCursor>(), Err(FeedCursorError), "{bad}");
        }
    }
}
