//! What the bytes of a group mean: the events of one shard, turn by turn.
//!
//! A payload is one or more sections, one after the other: `moment, count, event × count`; moment and count are in bincode 2
//! (`standard`), an event has bytes of its own (docs/JOURNAL.md). A section holds what happened in one turn, whose moment all its
//! events share. Since a section says where it ends, the payloads of consecutive turns put one after the other are a payload again,
//! and several turns fit into one record.

use bincode::{
    config::{Configuration, Limit, LittleEndian, Varint, standard},
    error::DecodeError,
};
use thiserror::Error;

use super::{
    bytes::Reader,
    event::{self, Context},
    writer::GROUP_BYTES_MAX,
};
use crate::kernel::{Event, Timestamp};

/// The encoding of what has no form of its own. No event is longer than the group that holds it, so a damaged length cannot ask for more memory.
pub(super) const ENCODING: Configuration<LittleEndian, Varint, Limit<GROUP_BYTES_MAX>> =
    standard().with_limit::<GROUP_BYTES_MAX>();

/// The most bytes that the moment and the count of a section take.
pub const SECTION_HEADER_BYTES_MAX: usize = 9 + 5;

/// Why a payload is not what [`Section`] writes.
#[derive(Debug, Error)]
pub enum CodecError {
    /// Bytes that are no event, or no section.
    #[error("the event at byte {offset} of the group cannot be read; it may come from a newer version: {source}")]
    Malformed {
        /// Where in the payload.
        offset: usize,
        /// What the decoder said.
        source: DecodeError,
    },
    /// A section without events is never written.
    #[error("the section at byte {offset} of the group is empty")]
    Empty {
        /// Where in the payload.
        offset: usize,
    },
}

/// The events of one shard in one turn, encoded as they happen.
///
/// Events are written first and *kept* once they are applied; what was written since can be taken back.
#[derive(Debug, Default)]
pub struct Section {
    events: Vec<u8>,
    count: u32,
    context: Context,
    kept_bytes: usize,
    kept_count: u32,
    kept_context: Context,
}

impl Section {
    /// Adds an event, to be kept or taken back.
    pub fn write(&mut self, event: &Event) {
        event::write(event, &mut self.context, &mut self.events);
        self.count += 1;
    }

    /// What was written stays.
    pub fn keep(&mut self) {
        (self.kept_bytes, self.kept_count, self.kept_context) = (self.events.len(), self.count, self.context);
    }

    /// What was written since the last [`keep`](Self::keep) is gone.
    pub fn take_back(&mut self) {
        self.events.truncate(self.kept_bytes);
        (self.count, self.context) = (self.kept_count, self.kept_context);
    }

    /// Appends the section with what was kept to a payload and begins a new one; says how many bytes it took. Nothing is
    /// appended when nothing was kept.
    pub fn close(&mut self, moment: Timestamp, payload: &mut Vec<u8>) -> usize {
        self.take_back();
        if self.is_empty() {
            return 0;
        }
        let start = payload.len();
        bincode::encode_into_std_write((moment, self.count), payload, standard()).expect("memory takes every header");
        payload.extend_from_slice(&self.events);
        self.events.clear();
        (self.count, self.context) = (0, Context::default());
        self.keep();
        payload.len() - start
    }

    /// How many bytes the kept events have.
    #[must_use]
    pub fn kept_bytes(&self) -> usize {
        self.kept_bytes
    }

    /// How many bytes were written and neither kept nor taken back.
    #[must_use]
    pub fn loose_bytes(&self) -> usize {
        self.events.len() - self.kept_bytes
    }

    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept_count == 0
    }
}

/// When the first turn of a payload was. The others were later, or at that moment.
///
/// # Errors
/// [`CodecError`].
pub fn first_moment(payload: &[u8]) -> Result<Timestamp, CodecError> {
    let header: Result<(Timestamp, u32), _> = Reader::new(payload).encoded();
    header.map(|(moment, _)| moment).map_err(|source| CodecError::Malformed { offset: 0, source })
}

/// Visits the events of a payload in order, each with the moment of its turn.
///
/// # Errors
/// [`CodecError`]. Events before the damage were visited; what was made of them must not be used.
pub fn visit_events(payload: &[u8], visit: &mut dyn FnMut(Timestamp, Event)) -> Result<(), CodecError> {
    let mut reader = Reader::new(payload);
    while reader.left() > 0 {
        let offset = payload.len() - reader.left();
        let (moment, count): (Timestamp, u32) =
            reader.encoded().map_err(|source| CodecError::Malformed { offset, source })?;
        if count == 0 {
            return Err(CodecError::Empty { offset });
        }
        let mut context = Context::default();
        for _ in 0..count {
            let offset = payload.len() - reader.left();
            let event = event::read(&mut reader, &mut context);
            visit(moment, event.map_err(|source| CodecError::Malformed { offset, source })?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{AgentIndex, AuthorizationId};

    fn expired(n: u128) -> Event {
        Event::Expired(AgentIndex(7), AuthorizationId(n))
    }

    fn visited(payload: &[u8]) -> Result<Vec<(u64, Event)>, CodecError> {
        let mut seen = Vec::new();
        visit_events(payload, &mut |moment, event| seen.push((moment.micros(), event)))?;
        Ok(seen)
    }

    fn section(moment: u64, events: &[Event]) -> Vec<u8> {
        let mut section = Section::default();
        events.iter().for_each(|event| section.write(event));
        section.keep();
        let mut payload = Vec::new();
        let bytes = section.close(Timestamp::from_micros(moment), &mut payload);
        assert_eq!(bytes, payload.len());
        assert!(section.is_empty());
        payload
    }

    #[test]
    fn payloads_of_consecutive_turns_are_one_payload() {
        let mut payload = section(10, &[expired(1), Event::Stopped]);
        payload.extend(section(11, &[expired(2)]));
        let expected = vec![(10, expired(1)), (10, Event::Stopped), (11, expired(2))];
        assert_eq!(visited(&payload).unwrap(), expected);
    }

    #[test]
    fn what_is_taken_back_is_not_written() {
        let mut section = Section::default();
        section.write(&expired(1));
        section.keep();
        section.write(&expired(2));
        assert!(section.loose_bytes() > 0);
        section.take_back();
        let mut payload = Vec::new();
        section.close(Timestamp::from_micros(5), &mut payload);
        assert_eq!(visited(&payload).unwrap(), vec![(5, expired(1))]);
    }

    #[test]
    fn nothing_kept_is_nothing_written() {
        let mut section = Section::default();
        section.write(&expired(1));
        let mut payload = Vec::new();
        assert_eq!(section.close(Timestamp::from_micros(5), &mut payload), 0);
        assert!(payload.is_empty());
        assert_eq!(section.loose_bytes(), 0);
    }

    #[test]
    fn damage_is_an_error_wherever_it_is() {
        let whole = section(10, &[expired(1), expired(2)]);
        for length in 1..whole.len() {
            assert!(visited(&whole[..length]).is_err(), "cut to {length} bytes");
        }
        assert!(matches!(visited(&[10, 0]), Err(CodecError::Empty { offset: 0 })));
        assert!(matches!(visited(&[10, 1, 250]), Err(CodecError::Malformed { offset: 2, .. })));
        // A text that claims 2^60 bytes asks for no memory.
        let claim = [&[10, 1, 0, 253][..], &(1_u64 << 60).to_le_bytes()].concat();
        assert!(visited(&claim).is_err());
    }

    #[test]
    fn a_header_is_never_longer_than_stated() {
        let mut bytes = Vec::new();
        bincode::encode_into_std_write((Timestamp::MAX, u32::MAX), &mut bytes, standard()).unwrap();
        assert_eq!(bytes.len(), SECTION_HEADER_BYTES_MAX);
    }
}
