//! What notices can be about: one table of words.

use std::fmt;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $word:literal;)*) => {
        /// What a notice is about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum NoticeKind {
            $($(#[$doc])* $name,)*
        }

        impl NoticeKind {
            /// All of them, as they are documented.
            pub const ALL: &'static [NoticeKind] = &[$(NoticeKind::$name),*];

            /// How it is written.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(NoticeKind::$name => $word,)* }
            }
        }
    };
}

kinds! {
    /// A payment may be made: its hold was placed.
    PaymentApproved = "payment.approved";
    /// Payments were denied; floods are counted together.
    PaymentDenied = "payment.denied";
    /// A part of a hold was reported paid, or all of it.
    PaymentCaptured = "payment.captured";
    /// The rest of a hold was taken for paid, before it is.
    PaymentExecuted = "payment.executed";
    /// The transaction that paid a hold was reported.
    PaymentConfirmed = "payment.confirmed";
    /// A hold was released by its caller, or by a freeze.
    PaymentVoided = "payment.voided";
    /// A hold was released by time.
    PaymentExpired = "payment.expired";
    /// A hold lasts longer.
    PaymentExtended = "payment.extended";
    /// A hold is larger.
    PaymentIncreased = "payment.increased";
    /// Captured spend came back.
    PaymentRefunded = "payment.refunded";
    /// A payment of a rail was reported by its facts.
    ServicePaymentRecorded = "service_payment.recorded";
    /// A session began.
    SessionOpened = "session.opened";
    /// A session has the first name that was seen for it.
    SessionNamed = "session.named";
    /// A session ended, and what was left of it was released.
    SessionClosed = "session.closed";
    /// A payment waits for people.
    ApprovalRequested = "approval.requested";
    /// A person approved, and more must.
    ApprovalGiven = "approval.given";
    /// People have decided: the payment may be made, or its hold is released.
    ApprovalDecided = "approval.decided";
    /// Nobody decided in time: the hold is released.
    ApprovalExpired = "approval.expired";
    /// An agent asked for a budget.
    BudgetCreated = "budget_request.created";
    /// A budget is in force.
    BudgetApproved = "budget_request.approved";
    /// A budget was refused.
    BudgetRejected = "budget_request.rejected";
    /// The whole budget is spent.
    BudgetExhausted = "budget_request.exhausted";
    /// A budget request was not decided in time, or the budget has ended.
    BudgetExpired = "budget_request.expired";
    /// An agent exists.
    AgentCreated = "agent.created";
    /// An agent has another name or lease, or is watched in another way.
    AgentUpdated = "agent.updated";
    /// An operator lets an agent pay nothing for a while.
    AgentPaused = "agent.paused";
    /// An operator lets an agent pay again.
    AgentResumed = "agent.resumed";
    /// An operator suspended an agent without freezing it.
    AgentSuspended = "agent.suspended";
    /// An agent never pays again.
    AgentRevoked = "agent.revoked";
    /// An agent pays nothing any more until an operator lets it.
    AgentFrozen = "agent.frozen";
    /// An agent that was frozen pays again.
    AgentUnfrozen = "agent.unfrozen";
    /// An agent has a wallet, or it is different.
    WalletUpdated = "wallet.updated";
    /// Something was found about an agent, or an operator froze it.
    AlertCreated = "alert.created";
    /// People have made something of an alert.
    AlertUpdated = "alert.updated";
    /// A policy is in force, or different.
    PolicyUpdated = "policy.updated";
    /// A policy is no longer in force.
    PolicyRemoved = "policy.removed";
    /// A policy decides in shadow.
    ShadowStarted = "policy.shadow_started";
    /// A policy is in shadow no more.
    ShadowEnded = "policy.shadow_ended";
    /// A payee is described, or differently.
    CounterpartyUpdated = "counterparty.updated";
    /// A payee is described no more.
    CounterpartyRemoved = "counterparty.removed";
    /// Another list of sanctions is in force.
    SanctionsUpdated = "sanctions.updated";
    /// No list of sanctions is in force any more.
    SanctionsRemoved = "sanctions.removed";
    /// A credential is known.
    KeyIssued = "api_key.issued";
    /// A credential is worthless.
    KeyRevoked = "api_key.revoked";
    /// A process serves.
    GatewayStarted = "gateway.started";
    /// A process stopped in good order.
    GatewayStopped = "gateway.stopped";
    /// The audit was exported.
    AuditExported = "audit.exported";
}

impl NoticeKind {
    /// The kind that is written `word`.
    #[must_use]
    pub fn parse(word: &str) -> Option<NoticeKind> {
        NoticeKind::ALL.iter().copied().find(|kind| kind.word() == word)
    }

    /// What stands before the point.
    #[must_use]
    pub fn family(self) -> &'static str {
        self.word().split_once('.').map_or(self.word(), |(family, _)| family)
    }
}

impl fmt::Display for NoticeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
