//! How a stream of bytes is cut into frames, and a frame of requests or replies into items.
//!
//! ```text
//! frame  length u32 LE | kind u8 | content (length - 1 bytes)
//! batch  count u16 LE | items                                  the content of a frame of requests or replies
//! item   tag varint | kind u8 | length varint | body
//! ```
//! Lengths and counts are checked before anything is decoded, and a frame is cut up in full before its first item is looked at, so
//! nothing of a malformed frame takes effect.

use thiserror::Error;

use super::{
    codec::{decode_length, encode_length},
    error_code::{ErrorCode, Refusal},
    limits::{FRAME_BYTES_MAX, REQUESTS_PER_FRAME_MAX},
};

/// Bytes of the length field.
const LENGTH_BYTES: usize = 4;
/// Bytes of a batch frame before its first item: length, kind, count.
const BATCH_HEADER_BYTES: usize = LENGTH_BYTES + 1 + 2;

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// The client says who it is; the first frame of the first stream.
    Hello = 1,
    /// The gateway accepts.
    Welcome = 2,
    /// A batch of requests.
    Requests = 3,
    /// A batch of replies.
    Replies = 4,
    /// What was wrong; the connection is closed after it.
    Error = 5,
}

impl FrameKind {
    /// Every kind.
    pub const ALL: [FrameKind; 5] =
        [FrameKind::Hello, FrameKind::Welcome, FrameKind::Requests, FrameKind::Replies, FrameKind::Error];
}

/// Why bytes are not a frame. Nothing of the frame took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// The length field says zero, so there is no kind.
    #[error("a frame has no content; its length counts the kind, so it is at least 1")]
    Empty,
    /// Over the maximum.
    #[error("a frame has {length} bytes; at most {maximum} are allowed")]
    TooLarge {
        /// What the length field says.
        length: u32,
        /// The most that is allowed here.
        maximum: usize,
    },
    /// No such kind of frame.
    #[error("frames of kind {0} are not known in this version")]
    UnknownKind(u8),
    /// A frame that does not belong here.
    #[error("a frame of kind {found} came where one of kind {expected} belongs")]
    Unexpected {
        /// Its kind.
        found: u8,
        /// The kind that belongs here.
        expected: u8,
    },
    /// Over [`REQUESTS_PER_FRAME_MAX`].
    #[error("a frame has {0} items; at most {REQUESTS_PER_FRAME_MAX} are allowed")]
    BatchTooLarge(u16),
    /// The frame ends before the items that it announces.
    #[error("a frame ends within its item {0}")]
    Truncated(u16),
    /// The frame goes on after the items that it announces.
    #[error("a frame has {0} bytes more than its items")]
    Trailing(usize),
}

impl From<&FrameError> for Refusal {
    fn from(error: &FrameError) -> Refusal {
        let code = match error {
            FrameError::TooLarge { .. } => ErrorCode::FrameTooLarge,
            FrameError::BatchTooLarge(_) => ErrorCode::BatchTooLarge,
            FrameError::UnknownKind(_) => ErrorCode::UnknownMessage,
            FrameError::Empty | FrameError::Unexpected { .. } | FrameError::Truncated(_) | FrameError::Trailing(_) => {
                ErrorCode::ProtocolError
            }
        };
        Refusal::new(code, error.to_string())
    }
}

/// One frame, cut from a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it holds.
    pub kind: FrameKind,
    /// What follows the kind.
    pub content: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Cuts the first frame from `bytes` and returns what follows it; `None` while it has not arrived in full.
    ///
    /// # Errors
    /// [`FrameError`], as early as the length and the kind are there, for a length that is zero or over `bytes_max`, or a kind that is not known.
    pub fn cut(bytes: &'a [u8], bytes_max: usize) -> Result<Option<(Frame<'a>, &'a [u8])>, FrameError> {
        let Some((length, rest)) = bytes.split_first_chunk() else { return Ok(None) };
        let length = u32::from_le_bytes(*length);
        let size = length as usize;
        if size == 0 {
            return Err(FrameError::Empty);
        }
        if size > bytes_max {
            return Err(FrameError::TooLarge { length, maximum: bytes_max });
        }
        let Some(&number) = rest.first() else { return Ok(None) };
        let kind = FrameKind::ALL.into_iter().find(|kind| *kind as u8 == number);
        let kind = kind.ok_or(FrameError::UnknownKind(number))?;
        let Some((frame, rest)) = rest.split_at_checked(size) else { return Ok(None) };
        Ok(Some((Frame { kind, content: &frame[1..] }, rest)))
    }

    /// The content, where the frame is of this kind.
    ///
    /// # Errors
    /// [`FrameError::Unexpected`] for a frame of another kind.
    pub fn expect(self, kind: FrameKind) -> Result<&'a [u8], FrameError> {
        if self.kind == kind {
            Ok(self.content)
        } else {
            Err(FrameError::Unexpected { found: self.kind as u8, expected: kind as u8 })
        }
    }

    /// Appends a frame of `kind` whose content `write` appends.
    pub fn write(kind: FrameKind, bytes: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        let start = bytes.len();
        bytes.extend_from_slice(&[0; LENGTH_BYTES]);
        bytes.push(kind as u8);
        write(bytes);
        set_length(bytes, start);
    }
}

/// Bytes of a stream as they arrive, from which whole frames are taken.
#[derive(Debug, Default)]
pub struct FrameBuffer {
    bytes: Vec<u8>,
    /// Where the first frame begins that was not taken.
    start: usize,
}

impl FrameBuffer {
    /// Nothing has arrived.
    #[must_use]
    pub fn new() -> FrameBuffer {
        FrameBuffer::default()
    }

    /// Adds what has arrived. What was taken before is forgotten.
    pub fn extend<'a>(&mut self, chunks: impl IntoIterator<Item = &'a [u8]>) {
        self.bytes.drain(..self.start);
        self.start = 0;
        chunks.into_iter().for_each(|chunk| self.bytes.extend_from_slice(chunk));
    }

    /// Takes the first whole frame; `None` until more has arrived.
    ///
    /// # Errors
    /// As [`Frame::cut`].
    pub fn take(&mut self, bytes_max: usize) -> Result<Option<Frame<'_>>, FrameError> {
        let bytes = self.bytes.get(self.start..).unwrap_or_default();
        let Some((frame, rest)) = Frame::cut(bytes, bytes_max)? else { return Ok(None) };
        self.start = self.bytes.len() - rest.len();
        Ok(Some(frame))
    }

    /// Takes the frame that [`FrameBuffer::peek`] shows, without looking at it again.
    pub fn skip(&mut self) {
        if let Ok(Some((_, rest))) = Frame::cut(self.bytes.get(self.start..).unwrap_or_default(), usize::MAX) {
            self.start = self.bytes.len() - rest.len();
        }
    }

    /// Looks at the first whole frame without taking it.
    ///
    /// # Errors
    /// As [`Frame::cut`].
    pub fn peek(&self, bytes_max: usize) -> Result<Option<Frame<'_>>, FrameError> {
        let bytes = self.bytes.get(self.start..).unwrap_or_default();
        Ok(Frame::cut(bytes, bytes_max)?.map(|(frame, _)| frame))
    }
}

/// Fills in the length of the frame that began at `start`.
fn set_length(bytes: &mut [u8], start: usize) {
    let length = bytes.len() - start - LENGTH_BYTES;
    debug_assert!(length <= FRAME_BYTES_MAX);
    bytes[start..start + LENGTH_BYTES].copy_from_slice(&(length as u32).to_le_bytes());
}

/// One message of a batch, still encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    /// The asker's number: a reply has that of its request.
    pub tag: u64,
    /// Which message the body is.
    pub kind: u8,
    /// The message.
    pub body: &'a [u8],
}

impl<'a> Item<'a> {
    fn cut(bytes: &'a [u8]) -> Option<(Item<'a>, &'a [u8])> {
        let (tag, rest) = decode_length(bytes)?;
        let (&kind, rest) = rest.split_first()?;
        let (length, rest) = decode_length(rest)?;
        let (body, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        Some((Item { tag, kind, body }, rest))
    }
}

/// The content of a frame of requests or replies: items that are known to be whole.
#[derive(Clone, Debug)]
pub struct Batch<'a> {
    items: &'a [u8],
    count: u16,
}

impl<'a> Batch<'a> {
    /// Cuts up the whole content of a frame.
    ///
    /// # Errors
    /// [`FrameError`] where there are more items than allowed, fewer than announced, or bytes after them.
    pub fn parse(content: &'a [u8]) -> Result<Batch<'a>, FrameError> {
        Batch::parse_looking(content, |_| {})
    }

    /// As [`Batch::parse`], and shows each item to `look` on the way.
    ///
    /// # Errors
    /// As [`Batch::parse`].
    pub fn parse_looking(content: &'a [u8], mut look: impl FnMut(&Item<'a>)) -> Result<Batch<'a>, FrameError> {
        let (count, items) = content.split_first_chunk().ok_or(FrameError::Truncated(0))?;
        let count = u16::from_le_bytes(*count);
        if usize::from(count) > REQUESTS_PER_FRAME_MAX {
            return Err(FrameError::BatchTooLarge(count));
        }
        let mut rest = items;
        for index in 0..count {
            let (item, after) = Item::cut(rest).ok_or(FrameError::Truncated(index))?;
            look(&item);
            rest = after;
        }
        if rest.is_empty() { Ok(Batch { items, count }) } else { Err(FrameError::Trailing(rest.len())) }
    }

    /// How many items there are (left).
    #[must_use]
    pub fn len(&self) -> usize {
        usize::from(self.count)
    }

    /// Whether there is none (left).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl<'a> Iterator for Batch<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        self.count = self.count.checked_sub(1)?;
        let (item, rest) = Item::cut(self.items)?;
        self.items = rest;
        Some(item)
    }
}

/// An item that no frame can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the message has {0} bytes and fits no frame; the maximum is {FRAME_BYTES_MAX}")]
pub struct ItemTooLarge(pub usize);

/// Gathers items into as few frames as they fit in, one behind the other, so that they leave in one write.
#[derive(Debug)]
pub struct BatchWriter {
    kind: FrameKind,
    bytes: Vec<u8>,
    /// Where the frame that is being filled begins.
    start: usize,
    /// Items in the frame that is being filled; zero where none is begun.
    count: u16,
    /// Items in all frames.
    total: usize,
}

impl BatchWriter {
    /// A writer of frames of `kind`.
    #[must_use]
    pub fn new(kind: FrameKind) -> BatchWriter {
        BatchWriter { kind, bytes: Vec::new(), start: 0, count: 0, total: 0 }
    }

    /// Adds an item whose body `write` appends.
    ///
    /// # Errors
    /// [`ItemTooLarge`] for a body that fits no frame; the writer is as before.
    pub fn push(&mut self, tag: u64, kind: u8, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), ItemTooLarge> {
        if usize::from(self.count) == REQUESTS_PER_FRAME_MAX {
            self.end_frame();
        }
        let end = self.bytes.len();
        if self.count == 0 {
            self.start = end;
            self.bytes.extend_from_slice(&[0; BATCH_HEADER_BYTES]);
        }
        let item = self.bytes.len();
        self.write_item(tag, kind, write);
        if self.bytes.len() - self.start > LENGTH_BYTES + FRAME_BYTES_MAX {
            self.move_to_own_frame(item, end)?;
        }
        self.count += 1;
        self.total += 1;
        Ok(())
    }

    /// How many items there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.total
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// How many bytes they take.
    #[must_use]
    pub fn bytes_len(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes of all frames; the writer is empty afterwards and keeps its memory for `spare`'s sake: pass the vector back in.
    pub fn take(&mut self, spare: Vec<u8>) -> Vec<u8> {
        if self.count > 0 {
            self.end_frame();
        }
        self.total = 0;
        let mut spare = spare;
        spare.clear();
        std::mem::replace(&mut self.bytes, spare)
    }

    fn write_item(&mut self, tag: u64, kind: u8, write: impl FnOnce(&mut Vec<u8>)) {
        encode_length(tag, &mut self.bytes);
        self.bytes.push(kind);
        // Nearly every body is short enough for a length of one byte; the others move a little to make room.
        let place = self.bytes.len();
        self.bytes.push(0);
        write(&mut self.bytes);
        let length = self.bytes.len() - place - 1;
        match u8::try_from(length) {
            Ok(short @ 0..=250) => self.bytes[place] = short,
            Ok(_) | Err(_) => {
                let mut long = Vec::with_capacity(9);
                encode_length(length as u64, &mut long);
                self.bytes.splice(place..=place, long);
            }
        }
    }

    /// The frame is full without the item that begins at `item`: ends it, and lets the item begin a new one. `end` is where the bytes ended before.
    fn move_to_own_frame(&mut self, item: usize, end: usize) -> Result<(), ItemTooLarge> {
        let length = self.bytes.len() - item;
        if BATCH_HEADER_BYTES + length > LENGTH_BYTES + FRAME_BYTES_MAX {
            self.bytes.truncate(end);
            return Err(ItemTooLarge(length));
        }
        let item = self.bytes.split_off(item);
        self.end_frame();
        self.start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; BATCH_HEADER_BYTES]);
        self.bytes.extend_from_slice(&item);
        Ok(())
    }

    fn end_frame(&mut self) {
        set_length(&mut self.bytes, self.start);
        self.bytes[self.start + LENGTH_BYTES] = self.kind as u8;
        let count = self.start + LENGTH_BYTES + 1;
        self.bytes[count..count + 2].copy_from_slice(&self.count.to_le_bytes());
        self.count = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(bytes: &[u8]) -> Vec<Vec<(u64, u8, usize)>> {
        let mut rest = bytes;
        let mut frames = Vec::new();
        while let Some((frame, after)) = Frame::cut(rest, FRAME_BYTES_MAX).unwrap() {
            let batch = Batch::parse(frame.expect(FrameKind::Requests).unwrap()).unwrap();
            frames.push(batch.map(|item| (item.tag, item.kind, item.body.len())).collect());
            rest = after;
        }
        assert!(rest.is_empty());
        frames
    }

    fn written(items: &[(u64, u8, usize)]) -> Vec<u8> {
        let mut writer = BatchWriter::new(FrameKind::Requests);
        for &(tag, kind, length) in items {
            writer.push(tag, kind, |bytes| bytes.resize(bytes.len() + length, 7)).unwrap();
        }
        assert_eq!(writer.len(), items.len());
        writer.take(Vec::new())
    }

    #[test]
    fn items_come_back_as_they_were_written() {
        let items = [(0, 1, 0), (250, 2, 1), (251, 3, 250), (u64::MAX, 4, 251), (5, 5, 70_000)];
        assert_eq!(frames(&written(&items)), [items.to_vec()]);
    }

    #[test]
    fn what_does_not_fit_one_frame_goes_on_in_the_next() {
        let items = vec![(1, 1, 3); REQUESTS_PER_FRAME_MAX + 1];
        let lengths: Vec<usize> = frames(&written(&items)).iter().map(Vec::len).collect();
        assert_eq!(lengths, [REQUESTS_PER_FRAME_MAX, 1]);

        let big = FRAME_BYTES_MAX / 2;
        assert_eq!(
            frames(&written(&[(1, 1, big), (2, 1, big), (3, 1, 4)])),
            [vec![(1, 1, big)], vec![(2, 1, big), (3, 1, 4)]]
        );
    }

    #[test]
    fn a_body_that_fits_no_frame_changes_nothing() {
        for before in [0, 1] {
            let mut writer = BatchWriter::new(FrameKind::Requests);
            for tag in 0..before {
                writer.push(tag, 1, |bytes| bytes.push(1)).unwrap();
            }
            // Kind of frame, count, tag, kind and length of the item take 10 bytes.
            let fits = FRAME_BYTES_MAX - 10;
            let too_large = writer.push(9, 9, |bytes| bytes.resize(bytes.len() + fits + 1, 0));
            assert!(matches!(too_large, Err(ItemTooLarge(_))));
            writer.push(9, 9, |bytes| bytes.resize(bytes.len() + fits, 0)).unwrap();
            let all: Vec<_> = frames(&writer.take(Vec::new())).concat();
            assert_eq!(all.last(), Some(&(9, 9, fits)));
            assert_eq!(all.len() as u64, before + 1);
        }
    }

    #[test]
    fn a_frame_that_has_not_arrived_is_waited_for() {
        let bytes = written(&[(1, 2, 30)]);
        for end in 0..bytes.len() {
            assert_eq!(Frame::cut(&bytes[..end], FRAME_BYTES_MAX), Ok(None), "{end}");
        }
    }

    #[test]
    fn a_buffer_gives_each_frame_once_however_it_arrives() {
        let stream = [written(&[(1, 1, 5)]), written(&[(2, 2, 300), (3, 3, 0)])].concat();
        for step in [1, 2, 7, 100, stream.len()] {
            let mut buffer = FrameBuffer::new();
            let mut lengths = Vec::new();
            for chunk in stream.chunks(step) {
                buffer.extend([chunk]);
                while let Some(frame) = buffer.take(FRAME_BYTES_MAX).unwrap() {
                    lengths.push(Batch::parse(frame.content).unwrap().len());
                }
            }
            assert_eq!(lengths, [1, 2], "in steps of {step}");
        }
    }

    #[test]
    fn malformed_frames_are_refused_with_their_code() {
        fn check(bytes: &[u8], expected: FrameError, code: ErrorCode) {
            let error = match Frame::cut(bytes, 64) {
                Ok(frame) => Batch::parse(frame.expect("whole").0.content).unwrap_err(),
                Err(error) => error,
            };
            assert_eq!(error, expected);
            assert_eq!(Refusal::from(&error).code, code, "{error}");
        }
        check(&[0, 0, 0, 0], FrameError::Empty, ErrorCode::ProtocolError);
        check(&[65, 0, 0, 0], FrameError::TooLarge { length: 65, maximum: 64 }, ErrorCode::FrameTooLarge);
        check(&[255; 4], FrameError::TooLarge { length: u32::MAX, maximum: 64 }, ErrorCode::FrameTooLarge);
        check(&[1, 0, 0, 0, 0], FrameError::UnknownKind(0), ErrorCode::UnknownMessage);
        check(&[1, 0, 0, 0, 99], FrameError::UnknownKind(99), ErrorCode::UnknownMessage);
        check(&[1, 0, 0, 0, 3], FrameError::Truncated(0), ErrorCode::ProtocolError);
        check(&[3, 0, 0, 0, 3, 1, 16], FrameError::BatchTooLarge(4097), ErrorCode::BatchTooLarge);
        check(&[3, 0, 0, 0, 3, 1, 0], FrameError::Truncated(0), ErrorCode::ProtocolError);
        check(&[6, 0, 0, 0, 3, 1, 0, 9, 9, 1], FrameError::Truncated(0), ErrorCode::ProtocolError);
        check(&[9, 0, 0, 0, 3, 2, 0, 1, 1, 0, 1, 1, 200], FrameError::Truncated(1), ErrorCode::ProtocolError);
        check(&[4, 0, 0, 0, 3, 0, 0, 1], FrameError::Trailing(1), ErrorCode::ProtocolError);
    }
}
