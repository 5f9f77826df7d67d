//! What a request needs of the credential that asks it: one table, the same for every façade.

use crate::kernel::{
    Request,
    request::{Principal, Query},
};

use super::Scope;

/// What a credential must have to ask something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// Who may ask at all.
    pub(super) realm: Realm,
    /// The scope it takes.
    pub(super) scope: Scope,
}

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Realm {
    /// Whoever acts for the agent that it is about.
    Agents,
    /// Only operators, whatever the scopes of others are.
    Operators,
}

impl Need {
    const fn agents(scope: Scope) -> Need {
        Need { realm: Realm::Agents, scope }
    }

    const fn operators(scope: Scope) -> Need {
        Need { realm: Realm::Operators, scope }
    }

    /// Asking for holds, changing them and letting them go.
    pub const PAYMENTS: Need = Need::agents(Scope::PaymentsRequest);
    /// Saying that money moved.
    pub const REPORTS: Need = Need::agents(Scope::TransactionsWrite);
    /// Asking for holds that the agent's own wallet pays, outside the gateway's view.
    pub const EXTERNAL_PAYMENTS: Need = Need::agents(Scope::PaymentsApprove);
    /// Taking a hold for paid before it is.
    pub const EXECUTION: Need = Need::agents(Scope::PaymentsExecute);
    /// Saying by which transaction a hold was paid.
    pub const CONFIRMATION: Need = Need::agents(Scope::PaymentsConfirm);
    /// Seeing holds and spend.
    pub const TRANSACTIONS: Need = Need::agents(Scope::TransactionsRead);
    /// Seeing what everybody paid.
    pub const TRANSACTIONS_OF_ALL: Need = Need::operators(Scope::TransactionsRead);
    /// Seeing sums of spend.
    pub const ANALYTICS: Need = Need::agents(Scope::AnalyticsRead);
    /// Seeing sums of what everybody spent.
    pub const ANALYTICS_OF_ALL: Need = Need::operators(Scope::AnalyticsRead);
    /// Seeing an agent's wallets.
    pub const WALLETS: Need = Need::agents(Scope::WalletsRead);
    /// Seeing limits and what is left of them.
    pub const BUDGET: Need = Need::agents(Scope::PoliciesRead);
    /// Asking what would be decided about an agent's payments.
    pub const SIMULATIONS: Need = Need::agents(Scope::PoliciesRead);
    /// Asking for a budget.
    pub const BUDGET_REQUESTS: Need = Need::agents(Scope::PaymentsRequest);
    /// Seeing what budgets everybody asked for.
    pub const BUDGET_REQUEST_LISTS: Need = Need::operators(Scope::PaymentsApprove);
    /// Seeing what payments people were asked about.
    pub const APPROVAL_LISTS: Need = Need::operators(Scope::PaymentsApprove);
    /// Approving and rejecting payments: whoever asks for them never may.
    pub const APPROVAL_DECISIONS: Need = Need::operators(Scope::PaymentsApprove);
    /// Approving and rejecting budgets.
    pub const BUDGET_DECISIONS: Need = Need::operators(Scope::PaymentsApprove);
    /// Seeing one agent.
    pub const AGENT: Need = Need::agents(Scope::AgentsRead);
    /// Seeing all agents, or an agent's credentials.
    pub const AGENT_LISTS: Need = Need::operators(Scope::AgentsRead);
    /// Creating and changing agents.
    pub const AGENT_CHANGES: Need = Need::operators(Scope::AgentsWrite);
    /// Issuing and revoking the credentials of agents.
    pub const AGENT_KEYS: Need = Need::operators(Scope::AgentsWrite);
    /// The wallets of all agents.
    pub const WALLET_LISTS: Need = Need::operators(Scope::WalletsRead);
    /// Linking wallets to agents.
    pub const WALLET_CHANGES: Need = Need::operators(Scope::WalletsWrite);
    /// Seeing policies.
    pub const POLICIES: Need = Need::operators(Scope::PoliciesRead);
    /// Seeing how payees are described.
    pub const COUNTERPARTIES: Need = Need::operators(Scope::CounterpartiesRead);
    /// Describing payees: what is said of one decides payments to it.
    pub const COUNTERPARTY_CHANGES: Need = Need::operators(Scope::CounterpartiesWrite);
    /// Seeing which list of sanctions is in force.
    pub const SANCTIONS: Need = Need::operators(Scope::PoliciesRead);
    /// Loading a list of sanctions.
    pub const SANCTIONS_CHANGES: Need = Need::operators(Scope::PoliciesWrite);
    /// Judging the payments of all agents by a policy.
    pub const BACKTESTS: Need = Need::operators(Scope::PoliciesRead);
    /// Writing policies.
    pub const POLICY_CHANGES: Need = Need::operators(Scope::PoliciesWrite);
    /// The credentials of operators and platforms: whoever holds one can do more than its issuer, so this is a scope of its own.
    pub const GATEWAY_KEYS: Need = Need::operators(Scope::TeamWrite);
    /// Seeing and exporting the audit.
    pub const AUDIT: Need = Need::operators(Scope::AuditRead);
    /// Following every event.
    pub const EVENTS_OF_ALL: Need = Need::operators(Scope::AuditRead);
    /// Following the events of one agent.
    pub const EVENTS: Need = Need::agents(Scope::TransactionsRead);
    /// Seeing webhooks, and what they could not be told.
    pub const WEBHOOKS: Need = Need::operators(Scope::AuditRead);
    /// Writing webhooks: whoever does has every event sent to a place of their choice.
    pub const WEBHOOK_CHANGES: Need = Need::operators(Scope::TeamWrite);
    /// Seeing the alerts of one agent.
    pub const ALERTS: Need = Need::agents(Scope::AlertsRead);
    /// Seeing all alerts.
    pub const ALERT_LISTS: Need = Need::operators(Scope::AlertsRead);
    /// Saying what has become of alerts.
    pub const ALERT_CHANGES: Need = Need::operators(Scope::AlertsWrite);
    /// The state of the whole gateway.
    pub const GATEWAY_STATUS: Need = Need::operators(Scope::AuditRead);

    /// Whether only operators may, whatever the scopes of others are.
    #[must_use]
    pub fn is_for_operators(self) -> bool {
        self.realm == Realm::Operators
    }

    /// What `request` needs. Asking for a hold and letting one go is requesting; saying that money moved is writing a transaction.
    #[must_use]
    pub fn of(request: &Request<'_>) -> Need {
        match request {
            Request::Authorize(..)
            | Request::Void(..)
            | Request::Extend(..)
            | Request::Increment(..)
            | Request::CloseSession(..) => Need::PAYMENTS,
            Request::Capture(..) | Request::CaptureTo(..) | Request::Refund(..) | Request::Record(..) => Need::REPORTS,
            Request::Settle(_, settle) => match settle.paid {
                Some(_) => Need::CONFIRMATION,
                None => Need::EXECUTION,
            },
            Request::UpdateAgent(..) | Request::CreateAgent(_) | Request::Freeze(..) | Request::Unfreeze(_) => {
                Need::AGENT_CHANGES
            }
            Request::ChangeAlert(..) => Need::ALERT_CHANGES,
            Request::IssueKey(source) => match source.principal {
                Principal::Agent(_) => Need::AGENT_KEYS,
                Principal::Operator | Principal::Platform(_) => Need::GATEWAY_KEYS,
            },
            // Nothing in the request says whose key it is.
            Request::RevokeKey(_) => Need::GATEWAY_KEYS,
            Request::PutWallet(..) => Need::WALLET_CHANGES,
            Request::PutPolicy(..)
            | Request::PutShadow(..)
            | Request::RemoveShadow(..)
            | Request::RemovePolicy(..)
            | Request::SetOptions(_) => Need::POLICY_CHANGES,
            Request::PutCounterparty(..) | Request::RemoveCounterparty(..) => Need::COUNTERPARTY_CHANGES,
            Request::StageSanctions(_) | Request::SwitchSanctions(..) => Need::SANCTIONS_CHANGES,
            Request::NoteExport(_) => Need::AUDIT,
            Request::Webhook(_) => Need::WEBHOOK_CHANGES,
            Request::RequestBudget(..) => Need::BUDGET_REQUESTS,
            Request::DecideBudget(..) => Need::BUDGET_DECISIONS,
            Request::DecideApproval(..) => Need::APPROVAL_DECISIONS,
            Request::Read(query) => Need::of_query(query),
            Request::By(_, request) => Need::of(request),
        }
    }

    fn of_query(query: &Query<'_>) -> Need {
        match query {
            Query::Authorization(..) | Query::Services(..) => Need::TRANSACTIONS,
            Query::Budget(..) | Query::BudgetRequests(..) | Query::BudgetInForce(_) => Need::BUDGET,
            Query::LatestApprovalRequests(Some(_), ..) => Need::TRANSACTIONS,
            Query::LatestApprovalRequests(None, ..) | Query::ApprovalRequest(_) => Need::APPROVAL_LISTS,
            Query::LatestBudgetRequests(..) | Query::FindBudgetRequests(_) => Need::BUDGET_REQUEST_LISTS,
            Query::Agent(_) | Query::Wallets(_) => Need::AGENT,
            Query::AgentKeys(_) | Query::Agents { .. } => Need::AGENT_LISTS,
            Query::Webhooks => Need::WEBHOOKS,
            Query::Policies | Query::Shadows => Need::POLICIES,
            Query::Counterparty(_) | Query::Counterparties { .. } => Need::COUNTERPARTIES,
            Query::Sanctions => Need::SANCTIONS,
            Query::Simulate(..) => Need::SIMULATIONS,
            // Nothing in the query says whose alerts those are, unless it names an agent.
            Query::Alert(_) => Need::ALERT_LISTS,
            Query::Alerts(query) => {
                if query.agent.is_some() {
                    Need::ALERTS
                } else {
                    Need::ALERT_LISTS
                }
            }
            Query::Shard { .. } => Need::GATEWAY_STATUS,
        }
    }
}
