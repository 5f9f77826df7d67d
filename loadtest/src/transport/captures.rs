//! Many captures in one message of the gateway's protocol, which one reply answers.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use holdfast::{
    client::RequestWriter,
    wire::{Handle, Item, Reply, Request, reply::CaptureResult, request::Capture},
};

use super::{Answer, UNEXPECTED, quic};

/// Tags of messages begin here; those of lanes are below.
pub(super) const MESSAGE_TAG: u64 = 1 << 32;

/// The lane's tags of the captures in each message that waits for its reply, by the message's tag.
pub(super) type Pending = HashMap<u64, Vec<u32>>;

/// Captures that are to leave in one message.
#[derive(Debug)]
pub(super) struct CaptureBatch {
    /// None are gathered for 0.
    most: usize,
    captures: Vec<(Handle, Capture)>,
    tags: Vec<u32>,
    pending: Rc<RefCell<Pending>>,
    next_tag: u64,
}

impl CaptureBatch {
    pub(super) fn new(most: Option<u32>, pending: Rc<RefCell<Pending>>) -> CaptureBatch {
        let most = most.unwrap_or(0) as usize;
        CaptureBatch { most, captures: Vec::new(), tags: Vec::new(), pending, next_tag: MESSAGE_TAG }
    }

    /// Whether captures are gathered at all.
    pub(super) fn gathers(&self) -> bool {
        self.most > 0
    }

    pub(super) fn add(&mut self, tag: u32, handle: Handle, capture: Capture, writer: &mut RequestWriter) {
        self.captures.push((handle, capture));
        self.tags.push(tag);
        if self.captures.len() >= self.most {
            self.seal(writer);
        }
    }

    /// Puts what is gathered into one message.
    pub(super) fn seal(&mut self, writer: &mut RequestWriter) {
        if self.captures.is_empty() {
            return;
        }
        let request = Request::Captures(std::mem::take(&mut self.captures));
        writer.push(self.next_tag, &request).expect("the most captures of a message fit in a frame");
        self.pending.borrow_mut().insert(self.next_tag, std::mem::take(&mut self.tags));
        self.next_tag += 1;
    }
}

/// Hands over the result of each capture of the message that `item` answers.
pub(super) fn answered(item: Item<'_>, pending: &mut Pending, on_answer: &mut impl FnMut(u32, Answer<'_>)) {
    let tags = pending.remove(&item.tag).unwrap_or_default();
    match Reply::decode(item) {
        Ok(Reply::CaptureResults(results)) if results.len() == tags.len() => {
            for (tag, result) in tags.into_iter().zip(&results) {
                match result {
                    CaptureResult::Captured(captured) => {
                        on_answer(tag, Answer::Captured { amount: captured.captured, late: captured.late });
                    }
                    CaptureResult::Refused(refused) => on_answer(tag, quic::refusal(&refused.code)),
                }
            }
        }
        Ok(reply) => tags.into_iter().for_each(|tag| on_answer(tag, quic::answer(&reply))),
        Err(_) => tags.into_iter().for_each(|tag| on_answer(tag, Answer::Unclear { code: UNEXPECTED })),
    }
}
