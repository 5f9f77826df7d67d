//! What is seen by whoever looks: nothing of it is decided, and none of it is kept.

use super::{ApprovalStatus, BudgetStatus, Failure, HoldStatus, Measure, Outcome, Violation, ViolationKind};
use crate::kernel::{
    Amount, Protocol, Timestamp,
    anomaly::{Alert, Watching},
    id::{AgentId, AgentIndex, ApprovalRequestId, AuthorizationId, BudgetRequestId, KeyId},
    policy::PolicySource,
    request::{AgentStatus, KeySource, WalletSource},
    sanctions::SanctionsSummary,
    state::{counterparties, shadow::Shadow},
    webhook::Webhook,
};

/// What a query shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum View {
    /// One hold.
    Authorization(Box<AuthorizationView>),
    /// One agent.
    Agent(Box<AgentView>),
    /// The wallets of one agent, in the order of their positions.
    Wallets(Vec<WalletSource>),
    /// Limits and what is left.
    Budget(Box<BudgetView>),
    /// Spend by service.
    Services(Vec<ServiceView>),
    /// Credentials, in the order of issue.
    Keys(Vec<KeySource>),
    /// Agents, in the order of creation.
    Agents(Vec<AgentView>),
    /// Policies in force with the revision that wrote each.
    Policies(Vec<(PolicySource, u32)>),
    /// Payees of the directory, in the order of their ids, each with the revision that wrote it.
    Counterparties(Vec<counterparties::Entry>),
    /// The list of sanctions in force, without its entries.
    Sanctions(Option<Box<SanctionsView>>),
    /// One alert.
    Alert(Box<AlertView>),
    /// Alerts, the latest first.
    Alerts(Vec<AlertView>),
    /// The shard.
    Shard(ShardView),
    /// Webhooks, in the order of their ids.
    Webhooks(Vec<Webhook>),
    /// Policies in shadow, each with the change that wrote it and the ids of the agents of its examples.
    Shadows(Vec<ShadowView>),
    /// What would be decided.
    Simulation(SimulationView),
    /// Payments that people were asked about, newest first.
    ApprovalRequests(Vec<ApprovalRequestView>),
    /// Budget requests, newest first.
    BudgetRequests(Vec<BudgetRequestView>),
    /// The budget in force, if there is one.
    BudgetInForce(Option<Box<BudgetRequestView>>),
}

/// A policy in shadow, as one shard knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShadowView {
    /// The change of the catalogue that wrote it.
    pub revision: u32,
    /// What it would have changed.
    pub shadow: Shadow,
    /// The agents of its examples, in their order.
    pub agents: Vec<AgentId>,
}

/// What would be decided about payments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulationView {
    /// Whether the draft would be among the policies of the agent; true where there is no draft.
    pub applies: bool,
    /// The answer to each payment, in their order. No hold is placed.
    pub answers: Vec<Result<Outcome, Failure>>,
}

/// One hold, as of now.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the words of the design")]
pub struct AuthorizationView {
    pub id: AuthorizationId,
    pub status: HoldStatus,
    pub protocol: Protocol,
    pub amount: Amount,
    pub captured: Amount,
    pub refunded: Amount,
    pub recipient: String,
    pub service: String,
    pub session: String,
    pub placed_at: Timestamp,
    pub expires_at: Timestamp,
    /// The transaction that the settlement named; empty where it named none, absent where nothing was settled after the payment.
    pub transaction: Option<String>,
    /// What people were asked about it, and how far that is; absent where nobody was asked.
    pub approval: Option<(ApprovalRequestId, ApprovalStatus)>,
}

/// A payment that people were asked about, as of now.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of the request, the hold and the policy's terms")]
pub struct ApprovalRequestView {
    pub id: ApprovalRequestId,
    pub authorization: AuthorizationId,
    pub agent: AgentId,
    pub agent_name: String,
    pub status: ApprovalStatus,
    pub amount: Amount,
    pub protocol: Protocol,
    /// Whether it is the deposit of a session.
    pub deposit: bool,
    pub recipient: String,
    pub service: String,
    pub session: String,
    pub resource: String,
    pub purpose: String,
    pub category: String,
    pub chain: String,
    /// What the policies ask about.
    pub about: Vec<Violation>,
    pub required: u16,
    /// The credentials of those who may decide; empty for every operator.
    pub approvers: Vec<KeyId>,
    pub answers: Vec<ApprovalAnswerView>,
    pub created_at: Timestamp,
    pub decide_by: Timestamp,
    pub decided_at: Option<Timestamp>,
    /// The caller may pay until then; absent unless it was approved.
    pub expires_at: Option<Timestamp>,
}

/// What one person said about a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of the request")]
pub struct ApprovalAnswerView {
    pub approver: KeyId,
    pub approves: bool,
    pub at: Timestamp,
    pub comment: String,
}

/// A budget request, as of now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetRequestView {
    /// Its id.
    pub id: BudgetRequestId,
    /// Who asked for it.
    pub agent: AgentId,
    /// The agent's name, for people.
    pub agent_name: String,
    /// What has become of it.
    pub status: BudgetStatus,
    /// What was asked for.
    pub requested: Amount,
    /// What was approved; absent unless it was.
    pub approved: Option<Amount>,
    /// What was paid of it.
    pub spent: Amount,
    /// What is held of it.
    pub held: Amount,
    /// What for.
    pub purpose: String,
    /// What kind of spend; empty where it was not said.
    pub category: String,
    /// A JSON object, or nothing.
    pub metadata: String,
    /// What its approver said.
    pub comment: String,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it was approved or rejected.
    pub decided_at: Option<Timestamp>,
    /// When it expires or ends.
    pub expires_at: Timestamp,
}

impl BudgetRequestView {
    /// What may still be held of it; absent unless it was approved.
    #[must_use]
    pub fn remaining(&self) -> Option<Amount> {
        self.approved.map(|approved| approved.saturating_sub(self.spent).saturating_sub(self.held))
    }
}

/// An agent, as of now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentView {
    /// Its id.
    pub id: AgentId,
    /// Its place in the shard.
    pub index: AgentIndex,
    /// For people.
    pub name: String,
    /// For people.
    pub agent_type: String,
    /// Whether it may pay.
    pub status: AgentStatus,
    /// Its own lease, where it has one.
    pub lease: Option<Amount>,
    /// When it was created.
    pub created_at: Timestamp,
    /// Money in open holds.
    pub held: Amount,
    /// Held and captured in the current calendar day, week and month.
    pub used: [Amount; 3],
    /// Its wallets.
    pub wallets: Vec<WalletView>,
    /// How it is watched.
    pub watching: Watching,
}

/// An alert, as of now, with the names of what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertView {
    /// The alert.
    pub alert: Alert,
    /// Whose.
    pub agent: AgentId,
    /// The agent's name.
    pub agent_name: String,
    /// The wallet that it is about, if it is about one.
    pub wallet: Option<String>,
    /// Who was to be paid; empty where it is not about a payment.
    pub recipient: String,
    /// For which service; empty for none.
    pub service: String,
}

/// A wallet, as of now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalletView {
    /// As its operator described it.
    pub source: WalletSource,
    /// Known balance, less what is held and was paid since.
    pub available: Option<Amount>,
    /// Held and captured in the current calendar day, week and month.
    pub used: [Amount; 3],
}

/// Limits and what is left of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetView {
    /// Every cumulative limit that applies.
    pub limits: Vec<LimitView>,
    /// The tightest of what is left; absent without a cumulative limit.
    pub remaining: Option<Amount>,
    /// Captured on this rail since the agent exists, but for what a crash lost and was captured by its id alone.
    pub spent: Amount,
    /// Payments on this rail.
    pub calls: u64,
    /// Money in open holds, over all rails.
    pub held: Amount,
    /// Held and captured in the current calendar day, week and month, over all rails.
    pub used: [Amount; 3],
    /// The session that was asked for, or the current one.
    pub session: Option<SessionView>,
}

/// One limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitView {
    /// Which kind of limit.
    pub kind: ViolationKind,
    /// The cap.
    pub limit: Measure,
    /// What counts against it.
    pub used: Measure,
}

/// A session, as of now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionView {
    /// The client's name for it; empty for the implicit one.
    pub name: String,
    /// Its rail.
    pub protocol: Protocol,
    /// What may be spent in it: the deposit; absent where only rules limit it.
    pub deposit: Option<Amount>,
    /// Captured in it.
    pub spent: Amount,
    /// Held in it.
    pub held: Amount,
    /// Whether payments may still join it.
    pub open: bool,
    /// When it began.
    pub opened_at: Timestamp,
    /// When it ends by itself, if nothing more happens in it.
    pub ends_at: Timestamp,
    /// The hold that is its deposit.
    pub authorization: Option<AuthorizationId>,
}

/// What an agent spent at one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceView {
    /// The service's domain.
    pub service: String,
    /// Captured there since the agent exists.
    pub spent: Amount,
    /// Held there.
    pub held: Amount,
    /// Payments there.
    pub calls: u64,
    /// The last approval or report.
    pub last_at: Timestamp,
}

/// A shard, as of now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardView {
    /// Agents.
    pub agents: u64,
    /// Open holds.
    pub holds: u64,
    /// Policies in force.
    pub policies: u64,
    /// The revision of the policies.
    pub policy_revision: u32,
    /// How often the shard was started.
    pub incarnation: u32,
    /// BLAKE3 of the whole state in its canonical form.
    pub digest: Option<[u8; 32]>,
}

/// The list of sanctions in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SanctionsView {
    /// What is known of it.
    pub summary: SanctionsSummary,
    /// The change of the catalogue that put it in force.
    pub revision: u32,
    /// Since when it is in force.
    pub since: Timestamp,
}
