//! The binary protocol: what a gateway reads and writes for each request, and its client for each reply.

use holdfast::{
    kernel::{AgentIndex, Amount, AuthorizationId, OperationId, Outcome, ShardId, Timestamp, outcome},
    wire::{
        Batch, BatchWriter, Frame, FrameBuffer, FrameKind, Handle, Operation, Reply, Request,
        limits::FRAME_BYTES_MAX,
        reply::{Approved, Captured},
        request::{Authorize, Capture},
    },
};

use crate::{
    count::Count,
    fixture::{AMOUNT, RECIPIENT, RESOURCE, SERVICE},
};

const FRAMES: u64 = 1024;
const ITEMS: u64 = 16;
/// So many frames bring the buffers of a stream to their size.
const FRAMES_WARM: u64 = 16;
const HANDLE: Handle = Handle { shard: ShardId(3), index: AgentIndex(77_777) };

fn authorize(n: u64) -> Request<'static> {
    let id = AuthorizationId(u128::from(n) << 64 | 7);
    let payment = Authorize::payment(id, AMOUNT, RECIPIENT);
    Request::Agent(HANDLE, Operation::Authorize(Authorize { service: SERVICE, resource: RESOURCE, ..payment }))
}

fn capture(n: u64) -> Request<'static> {
    let id = AuthorizationId(u128::from(n) << 64 | 7);
    let capture = Capture { id, operation: OperationId(id.0), amount: AMOUNT, last: true };
    Request::Agent(HANDLE, Operation::Capture(capture))
}

fn approved() -> Reply {
    Reply::Approved(Approved {
        expires_at: Timestamp::from_micros(1_794_819_600_000_000),
        remaining: Some(Amount::from_units(9_999)),
        wallet: Some(0),
        available: Some(Amount::from_units(999_999)),
        reasons: 0b1011,
        session: 1,
        policy_revision: 1,
        repeated: false,
    })
}

fn captured() -> Reply {
    Reply::Captured(Captured { captured: AMOUNT, overage: Amount::ZERO, held: Amount::ZERO, late: false })
}

/// Counts frame by frame what `write` takes, and what `read` takes of what was written.
fn check(kind: FrameKind, write: impl Fn(u64, &mut BatchWriter), read: impl Fn(Batch<'_>)) {
    let (mut writing, mut reading) = (Count::default(), Count::default());
    let (mut writer, mut bytes, mut buffer) = (BatchWriter::new(kind), Vec::new(), FrameBuffer::new());
    for frame in 0..FRAMES {
        if frame == FRAMES_WARM {
            (writing, reading) = (Count::default(), Count::default());
        }
        writing.add(|| {
            (0..ITEMS).for_each(|item| write(frame * ITEMS + item, &mut writer));
            bytes = writer.take(std::mem::take(&mut bytes));
        });
        reading.add(|| {
            buffer.extend([&bytes[..]]);
            while let Some(frame) = buffer.take(FRAME_BYTES_MAX).unwrap() {
                read(batch(frame));
            }
        });
    }
    writing.assert_none();
    reading.assert_none();
}

fn batch(frame: Frame<'_>) -> Batch<'_> {
    Batch::parse(frame.content).unwrap()
}

fn decide_about(batch: Batch<'_>) {
    for item in batch {
        let Ok(Request::Agent(handle, operation)) = Request::decode(item) else { panic!("every item is of an agent") };
        assert!(operation.to_kernel(handle.index).is_ok());
    }
}

#[test]
fn an_authorization_is_written_and_read_in_place() {
    check(FrameKind::Requests, |n, writer| authorize(n).write(n, writer).unwrap(), decide_about);
}

#[test]
fn a_capture_is_written_and_read_in_place() {
    check(FrameKind::Requests, |n, writer| capture(n).write(n, writer).unwrap(), decide_about);
}

#[test]
fn an_approval_is_written_and_read_in_place() {
    let read = |batch: Batch<'_>| batch.for_each(|item| assert_eq!(Reply::decode(item).unwrap(), approved()));
    check(FrameKind::Replies, |n, writer| approved().write(n, writer), read);
}

#[test]
fn a_captures_reply_is_written_and_read_in_place() {
    let read = |batch: Batch<'_>| batch.for_each(|item| assert_eq!(Reply::decode(item).unwrap(), captured()));
    check(FrameKind::Replies, |n, writer| captured().write(n, writer), read);
}

#[test]
fn an_outcome_becomes_a_reply_without_memory() {
    let outcome = || {
        Ok(Outcome::Captured(outcome::Captured {
            captured: AMOUNT,
            overage: Amount::ZERO,
            held: Amount::ZERO,
            late: false,
        }))
    };
    let mut writer = BatchWriter::new(FrameKind::Replies);
    let mut spare = Vec::new();
    let mut count = Count::default();
    for tag in 0..FRAMES {
        count.add(|| {
            Reply::from(outcome()).write(tag, &mut writer);
            spare = writer.take(std::mem::take(&mut spare));
        });
    }
    count.assert_none();
}
