//! The target of fuzzers and property tests: bytes from outside, read in every way there is. None may panic.

use super::{Batch, Frame, Hello, Item, Reply, Request, Welcome, codec, limits::FRAME_BYTES_MAX, reply::ErrorReply};

/// Reads `bytes` as frames, and their content as everything that a frame may hold.
///
/// # Panics
/// Where a message that was read is not the same after it was written and read again.
pub fn read_everything(bytes: &[u8]) {
    let mut rest = bytes;
    while let Ok(Some((frame, after))) = Frame::cut(rest, FRAME_BYTES_MAX) {
        rest = after;
        // Whether these succeed does not matter, only that they return.
        let _ = codec::decode::<Hello<'_>>(frame.content);
        let _ = codec::decode::<Welcome>(frame.content);
        let _ = codec::decode::<ErrorReply>(frame.content);
        for item in Batch::parse(frame.content).into_iter().flatten() {
            read_item(item);
        }
    }
}

/// Reads one item as a request and as a reply.
pub(super) fn read_item(item: Item<'_>) {
    let mut body = Vec::new();
    if let Ok(request) = Request::decode(item) {
        request.encode(&mut body);
        assert_eq!(Request::decode(Item { body: &body, ..item }).ok().as_ref(), Some(&request));
        if let Request::Agent(handle, operation) = request {
            let _ = operation.to_kernel(handle.index);
        }
    }
    body.clear();
    if let Ok(reply) = Reply::decode(item) {
        reply.encode(&mut body);
        assert_eq!(Reply::decode(Item { body: &body, ..item }).ok(), Some(reply));
    }
}
