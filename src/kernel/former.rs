//! What was there before a change of an operator: the journal says both, so that its history can be told from any place on.

use bincode::{Decode, Encode};

use super::{
    Amount, Options,
    anomaly::{AlertNumber, AlertStatus, WatchingChange},
    counterparty::Counterparty,
    id::{AgentIndex, CounterpartyId, PolicyId},
    policy::PolicySource,
    request::{AgentStatus, KeySource, Request, WalletSource},
    sanctions::SanctionsSummary,
    state::State,
    webhook::{WebhookChange, WebhookSource},
};

/// What a change replaces or removes.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Former {
    /// An agent: whether it might pay, its name, and its own lease.
    Agent(AgentIndex, AgentStatus, Box<str>, Option<Amount>),
    /// A wallet of an agent.
    Wallet(AgentIndex, Box<WalletSource>),
    /// A credential.
    Key(Box<KeySource>),
    /// A policy.
    Policy(Box<PolicySource>),
    /// The options.
    Options(Box<Options>),
    /// A webhook.
    Webhook(Box<WebhookSource>),
    /// What people had made of an alert.
    Alert(AlertNumber, AlertStatus),
    /// How an agent was watched, of what is changed.
    Watching(AgentIndex, Box<WatchingChange>),
    /// A policy in shadow.
    Shadow(Box<PolicySource>),
    /// A payee of the directory.
    Counterparty(Box<Counterparty>),
    /// The list of sanctions.
    Sanctions(Box<SanctionsSummary>),
}

impl State {
    /// What a request would replace or remove; nothing where it makes something new, or is about payments.
    pub(crate) fn former(&self, request: &Request<'_>) -> Option<Former> {
        match request {
            Request::UpdateAgent(index, _) | Request::Freeze(index, _) | Request::Unfreeze(index) => {
                let agent = self.agents.get(*index)?;
                Some(Former::Agent(*index, agent.status, agent.name().into(), agent.own_lease))
            }
            Request::PutWallet(index, wallet) => {
                let wallet = self.agents.get(*index)?.wallets.iter().find(|known| known.id() == wallet.id)?;
                Some(Former::Wallet(*index, Box::new(wallet.source())))
            }
            Request::RevokeKey(id) => self.keys.get(id).map(|key| Former::Key(Box::new(key.clone()))),
            Request::PutPolicy(source, _) => self.former_policy(source.id),
            Request::RemovePolicy(id, _) => self.former_policy(*id),
            Request::PutShadow(source, _) => self.former_shadow(source.id),
            Request::RemoveShadow(id, _) => self.former_shadow(*id),
            Request::PutCounterparty(counterparty, _) => self.former_counterparty(counterparty.id),
            Request::RemoveCounterparty(id, _) => self.former_counterparty(*id),
            Request::SwitchSanctions(..) => {
                self.sanctions.in_force().map(|list| Former::Sanctions(Box::new(list.summary.clone())))
            }
            Request::SetOptions(_) => Some(Former::Options(Box::new(self.options.clone()))),
            Request::Webhook(change) => {
                let id = match &**change {
                    WebhookChange::Put(source, _) => source.id,
                    WebhookChange::Remove(id) => *id,
                    WebhookChange::Told(..) | WebhookChange::Buried(..) | WebhookChange::Revived(..) => return None,
                };
                self.webhooks.get(&id).map(|webhook| Former::Webhook(Box::new(webhook.source.clone())))
            }
            Request::ChangeAlert(number, _) => {
                self.alerts.get(*number).map(|alert| Former::Alert(*number, alert.status))
            }
            Request::Authorize(..)
            | Request::Capture(..)
            | Request::CaptureTo(..)
            | Request::Settle(..)
            | Request::Void(..)
            | Request::Extend(..)
            | Request::Increment(..)
            | Request::Refund(..)
            | Request::Record(..)
            | Request::CloseSession(..)
            | Request::CreateAgent(_)
            | Request::IssueKey(_)
            | Request::StageSanctions(_)
            | Request::NoteExport(_)
            | Request::Read(_)
            | Request::RequestBudget(..)
            | Request::DecideBudget(..)
            | Request::DecideApproval(..)
            | Request::By(..) => None,
        }
    }

    fn former_counterparty(&self, id: CounterpartyId) -> Option<Former> {
        let entry = self.counterparties.get(id)?;
        Some(Former::Counterparty(Box::new(entry.counterparty.clone())))
    }

    fn former_policy(&self, id: PolicyId) -> Option<Former> {
        let (source, _) = self.policies().find(|(policy, _)| policy.id == id)?;
        Some(Former::Policy(Box::new(source.clone())))
    }

    fn former_shadow(&self, id: PolicyId) -> Option<Former> {
        self.shadows.shadow(id).map(|shadow| Former::Shadow(Box::new(shadow.source.clone())))
    }
}
