//! Requests for one worker, encoded once, so that they cross threads as one message.

use std::sync::Arc;

use bincode::config::standard;

use super::answer::{Replies, Ticket};
use crate::kernel::{Request, ShardId};

/// Requests for shards of one worker, and where their answers go.
pub struct Batch {
    bytes: Vec<u8>,
    items: Vec<Item>,
    replies: Arc<dyn Replies>,
}

#[derive(Clone, Copy)]
struct Item {
    shard: ShardId,
    ticket: Ticket,
    /// Where the request's bytes end; they begin where those of the one before end.
    end: usize,
}

impl Batch {
    /// An empty batch.
    #[must_use]
    pub fn new(replies: Arc<dyn Replies>) -> Batch {
        Batch { bytes: Vec::new(), items: Vec::new(), replies }
    }

    /// Adds a request for a shard. The ticket comes back with its answer.
    pub fn push(&mut self, shard: ShardId, ticket: Ticket, request: &Request<'_>) {
        bincode::encode_into_std_write(request, &mut self.bytes, standard()).expect("memory takes every request");
        self.items.push(Item { shard, ticket, end: self.bytes.len() });
    }

    /// How many requests there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Where the answers go.
    #[must_use]
    pub fn replies(&self) -> &Arc<dyn Replies> {
        &self.replies
    }

    /// The tickets in order, for whoever has to answer a batch that came back.
    pub fn tickets(&self) -> impl Iterator<Item = Ticket> {
        self.items.iter().map(|item| item.ticket)
    }

    /// The requests in order.
    pub(super) fn requests(&self) -> impl Iterator<Item = (ShardId, Ticket, Request<'_>)> {
        let mut start = 0;
        self.items.iter().map(move |item| {
            let bytes = &self.bytes[start..item.end];
            start = item.end;
            let (request, _) = bincode::borrow_decode_from_slice(bytes, standard()).expect("`push` encoded a request");
            (item.shard, item.ticket, request)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        engine::Answer,
        kernel::{AgentIndex, AuthorizationId, request::Query},
    };

    struct Nobody;

    impl Replies for Nobody {
        fn deliver(&self, _: &mut dyn Iterator<Item = (Ticket, Answer)>) {}
    }

    #[test]
    fn requests_come_out_as_they_went_in() {
        let mut batch = Batch::new(Arc::new(Nobody));
        assert!(batch.is_empty());
        let requests = [
            Request::Void(AgentIndex(1), AuthorizationId(2)),
            Request::Read(Query::Policies),
            Request::Read(Query::Budget(AgentIndex(3), crate::kernel::Protocol::X402, "run 1")),
        ];
        for (n, request) in requests.iter().enumerate() {
            batch.push(ShardId(n as u16), Ticket(n as u64), request);
        }
        assert_eq!(batch.len(), 3);
        for (n, (shard, ticket, request)) in batch.requests().enumerate() {
            assert_eq!((shard, ticket, &request), (ShardId(n as u16), Ticket(n as u64), &requests[n]));
        }
    }
}
