//! An event as followers get it.

use super::{FeedDirectory, FeedPosition, cursor::Next};
use crate::{
    journal::{
        ChainHash, GroupSpan,
        codec::{CodecError, visit_events},
    },
    kernel::{Actor, Event, ShardId, State, Timestamp},
};

/// A durable event and what belongs to it.
#[derive(Clone, Copy, Debug)]
pub struct Fact<'a> {
    /// Its id.
    pub position: FeedPosition,
    /// The chain hash of the record that ends its group.
    pub chain: ChainHash,
    /// When it happened.
    pub moment: Timestamp,
    /// What happened.
    pub event: &'a Event,
    /// Who asked for it: what the [`Event::By`] says that covers it. That event is a fact of its own, with its actor.
    pub actor: Option<&'a Actor>,
    /// Who and what its numbers stand for.
    pub directory: &'a FeedDirectory,
}

/// Is handed every durable event once, shard by shard in order, on the feed's own thread.
///
/// A follower that panics is handed nothing more; the others are. It must not keep an [`Engine`](crate::engine::Engine), which would
/// wait for itself when it is dropped; whoever has to act on events sends itself a message.
pub trait Follower: Send {
    /// For status and messages.
    fn name(&self) -> &'static str;

    /// The state of a shard before the first of its events that follow; called once for each shard, before any event.
    fn begin(&mut self, shard: ShardId, state: &State);

    /// The next event.
    fn event(&mut self, fact: &Fact<'_>);

    /// Nothing durable is left to be told. Called once after the first catch-up and then whenever there was something new.
    fn caught_up(&mut self);
}

/// The decoded events of one group.
#[derive(Debug, Default)]
pub(super) struct FactBuffer {
    events: Vec<(Timestamp, Event)>,
}

impl FactBuffer {
    /// Takes the place of what was there with the events of a group.
    pub(super) fn decode(&mut self, payload: &[u8]) -> Result<(), CodecError> {
        self.events.clear();
        visit_events(payload, &mut |moment, event| self.events.push((moment, event)))
    }

    pub(super) fn events(&self) -> &[(Timestamp, Event)] {
        &self.events
    }

    /// Visits the facts of the group after the first `skip`, each with the place after it, while the visitor goes on.
    pub(super) fn visit<'a>(
        &'a self,
        shard: ShardId,
        span: GroupSpan,
        skip: u32,
        directory: &'a FeedDirectory,
        visit: &mut dyn FnMut(&Fact<'a>, Next) -> bool,
    ) {
        let mut covering: Option<(&Actor, u32)> = None;
        for (index, (moment, event)) in (0_u32..).zip(&self.events) {
            let actor = match (event, covering) {
                (Event::By(actor, count), _) => {
                    covering = Some((&**actor, *count));
                    Some(&**actor)
                }
                (_, Some((actor, left))) if left > 0 => {
                    covering = Some((actor, left - 1));
                    Some(actor)
                }
                _ => None,
            };
            if index < skip {
                continue;
            }
            let position = FeedPosition { shard, sequence: span.first, index };
            let is_last = index as usize + 1 == self.events.len();
            let next =
                if is_last { Next::at(span.last.next()) } else { Next { sequence: span.first, skip: index + 1 } };
            let fact = Fact { position, chain: span.chain, moment: *moment, event, actor, directory };
            if !visit(&fact, next) {
                return;
            }
        }
    }
}
