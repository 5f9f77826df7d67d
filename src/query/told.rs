//! Which events the read models are made of.

use crate::kernel::{
    AgentIndex, Amount, AuthorizationId, Event, OperationId,
    event::{Approved, Denied, RecordBooked, RefundBooked},
};

/// An event that says something of a payment.
#[derive(Clone, Copy, Debug)]
pub(super) enum Told<'a> {
    Approved(&'a Approved),
    /// Held until a human decides.
    Waits(&'a Approved),
    Denied(&'a Denied),
    Captured {
        agent: AgentIndex,
        id: AuthorizationId,
        operation: OperationId,
        amount: Amount,
    },
    Refunded(&'a RefundBooked),
    Recorded(&'a RecordBooked),
}

/// What an event says of a payment, if anything.
pub(super) fn told(event: &Event) -> Option<Told<'_>> {
    match event {
        Event::Approved(approved) => Some(Told::Approved(approved)),
        Event::ApprovalAsked(asked) => Some(Told::Waits(&asked.hold)),
        Event::Denied(denied) => Some(Told::Denied(denied)),
        Event::Captured(booked) => {
            let (agent, id, operation, amount) = (booked.agent, booked.id, booked.operation, booked.amount);
            Some(Told::Captured { agent, id, operation, amount })
        }
        Event::Settled(booked) => {
            let (agent, id, operation, amount) = (booked.agent, booked.id, booked.operation, booked.amount);
            Some(Told::Captured { agent, id, operation, amount })
        }
        Event::Refunded(booked) => Some(Told::Refunded(booked)),
        Event::Recorded(booked) => Some(Told::Recorded(booked)),
        Event::NameMet(_)
        | Event::Voided(..)
        | Event::Expired(..)
        | Event::Increased(_)
        | Event::SessionClosed(..)
        | Event::AgentCreated(_)
        | Event::AgentUpdated(..)
        | Event::OptionsSet(_)
        | Event::Extended(_)
        | Event::SessionOpened(_)
        | Event::SessionNamed(..)
        | Event::SessionForgotten(..)
        | Event::HistoryForgotten { .. }
        | Event::UnknownExpired(_)
        | Event::WalletPut(..)
        | Event::KeyIssued(_)
        | Event::KeyRevoked(_)
        | Event::PolicyPut(..)
        | Event::PolicyRemoved(..)
        | Event::Started { .. }
        | Event::Checkpoint(_)
        | Event::By(..)
        | Event::Webhook(_)
        | Event::Before(_)
        | Event::ShadowPut(..)
        | Event::ShadowRemoved(..)
        | Event::CounterpartyPut(..)
        | Event::CounterpartyRemoved(..)
        | Event::SanctionsStaged(_)
        | Event::SanctionsSwitched(..)
        | Event::ShadowDiffered(_)
        | Event::FactsTold(..)
        | Event::AuditExported(_)
        | Event::BudgetRequested(_)
        | Event::BudgetApproved(_)
        | Event::BudgetRejected(_)
        | Event::BudgetSpent(..)
        | Event::BudgetExhausted(..)
        | Event::BudgetExpired(..)
        | Event::Alerted(_)
        | Event::AlertChanged(..)
        | Event::AgentFrozen(_)
        | Event::AgentUnfrozen(_)
        | Event::HoldsVoided(..)
        | Event::WatchingChanged(..)
        | Event::TrustSeen(..)
        | Event::ApprovalGiven(_)
        | Event::ApprovalRejected(_)
        | Event::ApprovalExpired(..)
        | Event::Stopped => None,
    }
}
