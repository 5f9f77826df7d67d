//! What the echo says: always the same, of the size that the gateway's answers have.

use holdfast::{
    kernel::{AgentIndex, Amount, AuthorizationId, OperationId, Protocol, ShardId, Timestamp},
    wire::{
        BatchWriter, Handle, Item, Reply, Request,
        reply::{Approved, Captured, SessionClosed},
        request::{self, Operation},
    },
};

/// Replies that are encoded once.
pub(super) struct Answers {
    approved: Encoded,
    captured: Encoded,
    closed: Encoded,
    /// The kinds of requests to capture, and to close a session.
    capture: u8,
    close: u8,
}

struct Encoded {
    kind: u8,
    body: Vec<u8>,
}

impl Answers {
    /// Each capture is said to have been of `amount`, and each session that is closed to have had a deposit of it.
    pub(super) fn new(amount: Amount) -> Answers {
        let captured = Captured { captured: amount, overage: Amount::ZERO, held: Amount::ZERO, late: false };
        Answers {
            approved: Encoded::new(&Reply::Approved(approved())),
            captured: Encoded::new(&Reply::Captured(captured)),
            closed: Encoded::new(&Reply::SessionClosed(SessionClosed { spent: Amount::ZERO, released: amount })),
            capture: capture_kind(amount),
            close: close_kind(),
        }
    }

    /// Answers one request by its tag.
    pub(super) fn answer(&self, request: Item<'_>, replies: &mut BatchWriter) {
        let Encoded { kind, body } = match request.kind {
            kind if kind == self.capture => &self.captured,
            kind if kind == self.close => &self.closed,
            _ => &self.approved,
        };
        let pushed = replies.push(request.tag, *kind, |bytes| bytes.extend_from_slice(body));
        pushed.expect("a small reply fits in a frame");
    }
}

impl Encoded {
    fn new(reply: &Reply) -> Encoded {
        let mut body = Vec::new();
        reply.encode(&mut body);
        Encoded { kind: reply.kind(), body }
    }
}

/// An approval like those of a gateway under load, whose numbers take the same bytes: some limit with a remainder, a wallet with a
/// balance, a session, and many kinds of limits that were passed.
fn approved() -> Approved {
    Approved {
        expires_at: Timestamp::from_micros(1_800_000_000_000_000),
        remaining: Some(Amount::from_micros(99_999_900)),
        wallet: Some(0),
        available: Some(Amount::from_micros(999_999_999_999_900)),
        reasons: 0x1fff,
        session: 1,
        policy_revision: 2,
        repeated: false,
    }
}

fn capture_kind(amount: Amount) -> u8 {
    let handle = Handle { shard: ShardId(0), index: AgentIndex(0) };
    let capture = request::Capture { id: AuthorizationId(1), operation: OperationId(1), amount, last: true };
    Request::Agent(handle, Operation::Capture(capture)).kind()
}

fn close_kind() -> u8 {
    let handle = Handle { shard: ShardId(0), index: AgentIndex(0) };
    let close = request::CloseSession { protocol: Protocol::Mpp, session: "" };
    Request::Agent(handle, Operation::CloseSession(close)).kind()
}

#[cfg(test)]
mod tests {
    use holdfast::wire::{Batch, FrameBuffer, FrameKind, limits::FRAME_BYTES_MAX, request::Authorize};

    use super::*;

    /// The frames of a client that asks this.
    fn asked(requests: &[(u64, Request<'_>)]) -> Vec<u8> {
        let mut batch = BatchWriter::new(FrameKind::Requests);
        for (tag, request) in requests {
            request.write(*tag, &mut batch).unwrap();
        }
        batch.take(Vec::new())
    }

    #[test]
    fn every_request_of_a_frame_gets_a_reply_of_its_kind_with_its_tag() {
        let amount = Amount::from_micros(100);
        let handle = Handle { shard: ShardId(3), index: AgentIndex(700) };
        let pay = Authorize::payment(AuthorizationId(7), amount, "0x11");
        let capture = request::Capture { id: AuthorizationId(7), operation: OperationId(8), amount, last: true };
        let requests = [
            (0, Request::Agent(handle, Operation::Authorize(pay.clone()))),
            (9, Request::Agent(handle, Operation::Capture(capture))),
            (70_000, Request::Agent(handle, Operation::Authorize(pay))),
        ];
        let mut buffer = FrameBuffer::new();
        buffer.extend([asked(&requests).as_slice()]);
        let mut replies = BatchWriter::new(FrameKind::Replies);
        let answers = Answers::new(amount);
        let frame = buffer.take(FRAME_BYTES_MAX).unwrap().unwrap();
        Batch::parse(frame.content).unwrap().for_each(|item| answers.answer(item, &mut replies));

        buffer.extend([replies.take(Vec::new()).as_slice()]);
        let frame = buffer.take(FRAME_BYTES_MAX).unwrap().unwrap();
        let replies: Vec<_> =
            Batch::parse(frame.content).unwrap().map(|item| (item.tag, Reply::decode(item).unwrap())).collect();
        let captured = Captured { captured: amount, overage: Amount::ZERO, held: Amount::ZERO, late: false };
        let expected =
            [(0, Reply::Approved(approved())), (9, Reply::Captured(captured)), (70_000, Reply::Approved(approved()))];
        assert_eq!(replies, expected);
    }
}
