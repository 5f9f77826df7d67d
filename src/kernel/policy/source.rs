//! First stage: a policy as its operator wrote it. It is journalled and given back unchanged, so nothing here is interpreted.

use bincode::{Decode, Encode};

use crate::kernel::{AgentId, Duration, KeyId, PolicyId};

/// A policy as written. [`check`](super::check) says whether it means anything.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct PolicySource {
    /// Its name for machines.
    pub id: PolicyId,
    /// Its name for people.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// A label such as `SPEND_LIMIT`; it does not decide which rules may stand in the policy.
    pub policy_type: String,
    /// 0 to 100, [`PRIORITY_DEFAULT`] where nothing else is said. The violations of a higher priority are listed first.
    pub priority: u8,
    /// Whether its rules apply at all.
    pub active: bool,
    /// To whom it applies.
    pub scope: PolicyScope,
    /// The agents it is assigned to; empty when the scope is the organization. Where it is for wallets, whose; of every agent where
    /// empty.
    pub agents: Vec<AgentId>,
    /// All of them must pass.
    pub rules: Vec<RuleSource>,
    /// Who decides what its rules want a human to decide; where absent one operator, whoever it is.
    pub approval: Option<ApprovalTerms>,
    /// The ids of the wallets that it is for; empty unless the scope is a wallet.
    pub wallets: Vec<String>,
    /// The time zone of those of its rules that name none; UTC where absent.
    pub timezone: Option<String>,
}

impl PolicySource {
    /// Whether it is for all agents.
    #[must_use]
    pub fn is_for_everybody(&self) -> bool {
        match self.scope {
            PolicyScope::Organization => true,
            PolicyScope::Assigned => false,
            PolicyScope::Wallet => self.agents.is_empty(),
        }
    }

    /// Whether it is for this agent, whatever it pays from.
    #[must_use]
    pub fn is_for(&self, agent: AgentId) -> bool {
        self.is_for_everybody() || self.agents.contains(&agent)
    }

    /// Whether it is for payments from some wallets alone.
    #[must_use]
    pub fn is_for_wallets(&self) -> bool {
        self.scope == PolicyScope::Wallet
    }

    /// Whether it is for payments from this wallet of an agent whom it is for.
    #[must_use]
    pub fn is_for_wallet(&self, wallet: &str) -> bool {
        match self.scope {
            PolicyScope::Organization | PolicyScope::Assigned => true,
            PolicyScope::Wallet => self.wallets.iter().any(|known| known == wallet),
        }
    }

    /// How long its texts are together, in bytes.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        let head = self.name.len() + self.description.len() + self.policy_type.len();
        let rule =
            |rule: &RuleSource| rule.rule_type.len() + rule.operator.len() + rule.value.len() + rule.action.len();
        let wallets = self.wallets.iter().map(String::len).sum::<usize>();
        head + wallets + self.rules.iter().map(rule).sum::<usize>()
    }
}

/// The priority of a policy that states none.
pub const PRIORITY_DEFAULT: u8 = 50;

/// On which terms humans approve a payment.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ApprovalTerms {
    /// How many must approve; at least 1.
    pub required: u16,
    /// The credentials of those who may; empty for every operator.
    pub approvers: Vec<KeyId>,
    /// How long there is for it, after which the payment is declined; the gateway's default where absent.
    pub timeout: Option<Duration>,
}

impl Default for ApprovalTerms {
    /// One operator, whoever it is.
    fn default() -> ApprovalTerms {
        ApprovalTerms { required: 1, approvers: Vec::new(), timeout: None }
    }
}

/// To whom a policy applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum PolicyScope {
    /// To every agent.
    Organization = 0,
    /// To the agents it lists.
    Assigned = 1,
    /// To the payments from the wallets it lists.
    Wallet = 2,
}

/// A rule as written.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct RuleSource {
    /// For example `MAX_AMOUNT`.
    pub rule_type: String,
    /// For example `LTE`.
    pub operator: String,
    /// A plain text such as `500`, or JSON when it has parts.
    pub value: String,
    /// `ALLOW`, `DENY` or `REQUIRE_APPROVAL`.
    pub action: String,
}
