//! Who is told of rare, durable facts, such as a directory of credentials outside the shards.

use crate::kernel::{Event, ShardId, State};

/// Told of agents, credentials and policies once they are durable, and of each shard's state after recovery.
///
/// It is called on the worker's thread, before the answer to the request that made the fact leaves, and must not block.
pub trait Observer: Send + Sync {
    /// A shard was recovered; everything in `state` is durable.
    fn recovered(&self, shard: ShardId, state: &State);

    /// [`Event::AgentCreated`], [`Event::AgentUpdated`], [`Event::KeyIssued`], [`Event::KeyRevoked`], [`Event::PolicyPut`] or
    /// [`Event::PolicyRemoved`] is durable.
    fn observe(&self, shard: ShardId, event: &Event);
}

/// For engines that nobody observes.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoObserver;

impl Observer for NoObserver {
    fn recovered(&self, _: ShardId, _: &State) {}

    fn observe(&self, _: ShardId, _: &Event) {}
}

/// Whether observers are told of this event.
pub(super) fn is_observed(event: &Event) -> bool {
    match event {
        Event::AgentCreated(_)
        | Event::AgentUpdated(..)
        | Event::KeyIssued(_)
        | Event::KeyRevoked(_)
        | Event::PolicyPut(..)
        | Event::PolicyRemoved(..) => true,
        Event::NameMet(_)
        | Event::Approved(_)
        | Event::Denied(_)
        | Event::Captured(_)
        | Event::Settled(_)
        | Event::Voided(..)
        | Event::Expired(..)
        | Event::Extended(_)
        | Event::Increased(_)
        | Event::Refunded(_)
        | Event::Recorded(_)
        | Event::SessionOpened(_)
        | Event::SessionNamed(..)
        | Event::SessionClosed(..)
        | Event::SessionForgotten(..)
        | Event::HistoryForgotten { .. }
        | Event::UnknownExpired(_)
        | Event::WalletPut(..)
        | Event::OptionsSet(_)
        | Event::Started { .. }
        | Event::Stopped
        | Event::Checkpoint(_)
        | Event::Alerted(_)
        | Event::AlertChanged(..)
        | Event::AgentFrozen(_)
        | Event::AgentUnfrozen(_)
        | Event::HoldsVoided(..)
        | Event::WatchingChanged(..)
        | Event::TrustSeen(..)
        | Event::ShadowPut(..)
        | Event::ShadowRemoved(..)
        | Event::CounterpartyPut(..)
        | Event::CounterpartyRemoved(..)
        | Event::SanctionsStaged(_)
        | Event::SanctionsSwitched(..)
        | Event::ShadowDiffered(_)
        | Event::FactsTold(..)
        | Event::By(..)
        | Event::Webhook(_)
        | Event::Before(_)
        | Event::AuditExported(_)
        | Event::BudgetRequested(_)
        | Event::BudgetApproved(_)
        | Event::BudgetRejected(_)
        | Event::BudgetSpent(..)
        | Event::BudgetExhausted(..)
        | Event::BudgetExpired(..)
        | Event::ApprovalAsked(_)
        | Event::ApprovalGiven(_)
        | Event::ApprovalRejected(_)
        | Event::ApprovalExpired(..) => false,
    }
}
