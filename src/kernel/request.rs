//! What may be asked of a shard. Requests borrow their texts, so that one read from a socket is decided without a copy.

use bincode::{BorrowDecode, Encode};

use super::{
    Actor, Amount, Duration, Facts, Protocol, Timestamp,
    anomaly::{AlertKind, AlertNumber, AlertStatus, Severity, WatchingChange},
    counterparty::Counterparty,
    id::{
        AgentId, AgentIndex, ApprovalRequestId, AuthorizationId, BudgetRequestId, CounterpartyId, KeyId, OperationId,
        PolicyId,
    },
    options::Options,
    outcome::{ApprovalStatus, BudgetStatus},
    policy::PolicySource,
    sanctions::{SanctionsPart, SanctionsSummary},
    webhook::WebhookChange,
};

/// One request to one shard: about one of its agents, or about the shard itself.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub enum Request<'a> {
    /// Ask for a hold.
    Authorize(AgentIndex, Authorize<'a>),
    /// Report what was paid against a hold.
    Capture(AgentIndex, Capture),
    /// Report what was paid against a hold, and to whom.
    CaptureTo(AgentIndex, CaptureTo<'a>),
    /// Take the rest of a hold for paid.
    Settle(AgentIndex, Settle<'a>),
    /// Release a hold.
    Void(AgentIndex, AuthorizationId),
    /// Lengthen a hold.
    Extend(AgentIndex, Extend),
    /// Enlarge a hold.
    Increment(AgentIndex, Increment),
    /// Give captured spend back.
    Refund(AgentIndex, Refund),
    /// Report a payment by its facts instead of by its hold.
    Record(AgentIndex, Record<'a>),
    /// End a session and release what is left of it.
    CloseSession(AgentIndex, CloseSession<'a>),
    /// Change an agent.
    UpdateAgent(AgentIndex, UpdateAgent<'a>),
    /// Give an agent a wallet, or change one.
    PutWallet(AgentIndex, WalletSource),
    /// Add an agent to the shard.
    CreateAgent(CreateAgent<'a>),
    /// Make a credential known.
    IssueKey(KeySource),
    /// Make a credential worthless.
    RevokeKey(KeyId),
    /// Write a policy. The shard that keeps the catalogue chooses the revision (`None`); the others are told it.
    PutPolicy(PolicySource, Option<u32>),
    /// Take a policy out of force, with the revision as for [`Request::PutPolicy`].
    RemovePolicy(PolicyId, Option<u32>),
    /// Let a policy decide in shadow, in the place of the live one of its id; with the revision as for [`Request::PutPolicy`].
    PutShadow(PolicySource, Option<u32>),
    /// Take a policy out of shadow.
    RemoveShadow(PolicyId, Option<u32>),
    /// Describe a payee, with the revision as for [`Request::PutPolicy`].
    PutCounterparty(Box<Counterparty>, Option<u32>),
    /// Forget a payee, with the revision as for [`Request::PutPolicy`].
    RemoveCounterparty(CounterpartyId, Option<u32>),
    /// Take a part of the next list of sanctions.
    StageSanctions(Box<SanctionsPart>),
    /// Put the list of sanctions whose parts have come in force, or none, with the revision as for [`Request::PutPolicy`].
    SwitchSanctions(Option<Box<SanctionsSummary>>, Option<u32>),
    /// Change the options that decisions depend on.
    SetOptions(Box<Options>),
    /// Look at something; changes nothing.
    Read(Query<'a>),
    /// Freeze an agent: it pays nothing until it is unfrozen.
    Freeze(AgentIndex, Freeze<'a>),
    /// Let a frozen agent pay again.
    Unfreeze(AgentIndex),
    /// Say what has become of an alert.
    ChangeAlert(AlertNumber, AlertStatus),
    /// A change, with who asked for it: the journal says so beside what happened. Only one within.
    By(Box<Actor>, Box<Request<'a>>),
    /// Describe a webhook, remove one, or keep how far it has been told; of the shard that keeps the catalogue.
    Webhook(Box<WebhookChange>),
    /// Ask for a budget that a person must approve.
    RequestBudget(AgentIndex, RequestBudget<'a>),
    /// Approve or reject a budget request.
    DecideBudget(AgentIndex, DecideBudget<'a>),
    /// Keep in the journal that the audit is exported: what of it, in words; at most 256 bytes.
    NoteExport(Box<str>),
    /// Approve or reject a payment that waits.
    DecideApproval(AgentIndex, DecideApproval<'a>),
}

/// Asks for a hold of `amount` for one payment, or for the deposit of a session.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct Authorize<'a> {
    /// Chosen by the client; asking again with the same id and content returns the same approval.
    pub id: AuthorizationId,
    /// What the payment may cost at most; above zero.
    pub amount: Amount,
    /// The rail.
    pub protocol: Protocol,
    /// One payment, or the deposit of a session.
    pub intent: Intent,
    /// Who gets the money, as on the wire.
    pub recipient: &'a str,
    /// The domain of the paid service; empty for a payment outside any service.
    pub service: &'a str,
    /// What is bought (a URL); part of the content that a repeated id must match.
    pub resource: &'a str,
    /// The client's name for the session that the payment belongs to; empty for none.
    pub session: &'a str,
    /// Which of the agent's wallets pays; empty for the first that may.
    pub wallet: &'a str,
    /// How long the caller may pay; the configured default where absent.
    pub hold_for: Option<Duration>,
    /// What else is known of the payment; absent where nothing is.
    pub facts: Option<Box<Facts<'a>>>,
}

/// What a hold is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, BorrowDecode)]
pub enum Intent {
    /// One payment.
    Charge,
    /// The deposit of an MPP session: the hold is the deposit, and later charges and records draw from it.
    Session {
        /// How long the session may last; the policy's maximum or the configured default where absent.
        duration: Option<Duration>,
    },
}

/// Reports what was really paid against a hold.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct Capture {
    /// The hold.
    pub id: AuthorizationId,
    /// This report; repeating it returns the first answer.
    pub operation: OperationId,
    /// What was paid; zero is allowed (nothing was, after all).
    pub amount: Amount,
    /// Whether this is the last report: what is left of the hold is then released.
    pub last: bool,
}

/// Reports what was paid against a hold, and to whom. What went to another recipient than the hold is for was never authorized: it is
/// booked as such, and the hold stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct CaptureTo<'a> {
    /// What was paid.
    pub capture: Capture,
    /// Who got it.
    pub recipient: &'a str,
}

/// Takes the rest of a hold for paid, in one step that ends the hold: its caller is about to pay exactly what was approved, or has paid.
/// Doing it again returns the first answer.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct Settle<'a> {
    /// The hold; no deposit of a session.
    pub id: AuthorizationId,
    /// What was paid; all that is left of the hold where absent.
    pub amount: Option<Amount>,
    /// The transaction that paid, which may be empty. Absent where the caller is about to pay, which it may only as long as it may pay.
    pub paid: Option<&'a str>,
}

/// Lengthens a hold: the caller may pay until `now + by`, at least as long as before.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct Extend {
    /// The hold.
    pub id: AuthorizationId,
    /// This request; repeating it returns the first answer.
    pub operation: OperationId,
    /// From now on.
    pub by: Duration,
}

/// Enlarges a hold by `amount`, if every limit allows.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct Increment {
    /// The hold.
    pub id: AuthorizationId,
    /// This request; repeating it returns the first answer.
    pub operation: OperationId,
    /// How much more; above zero.
    pub amount: Amount,
}

/// Gives captured spend back to the windows that it came from.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct Refund {
    /// The hold that was captured.
    pub id: AuthorizationId,
    /// This request; repeating it returns the first answer.
    pub operation: OperationId,
    /// How much came back; above zero, at most what was captured and not yet refunded.
    pub amount: Amount,
}

/// Reports a payment by its facts. It is matched to a hold where there is one, and counted in any case: the money has moved.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct Record<'a> {
    /// The hold it was paid under, where the reporter knows it.
    pub authorization: Option<AuthorizationId>,
    /// What was paid; above zero.
    pub amount: Amount,
    /// The rail.
    pub protocol: Protocol,
    /// Who got the money.
    pub recipient: &'a str,
    /// The domain of the paid service; empty for none.
    pub service: &'a str,
    /// What was bought (a URL).
    pub resource: &'a str,
    /// The client's name for the session; empty for none.
    pub session: &'a str,
    /// The wallet that paid; empty for the first. A wallet that the agent does not have is taken as the first.
    pub wallet: &'a str,
    /// The rail's own id of the payment; empty where it has none.
    pub payment_id: &'a str,
    /// The settlement's hash; empty where there is none.
    pub transaction: &'a str,
    /// How many calls the payment settles; at least 1.
    pub calls: u32,
}

/// Ends a session.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct CloseSession<'a> {
    /// The rail of the session.
    pub protocol: Protocol,
    /// The client's name for it; empty for the implicit x402 session.
    pub session: &'a str,
}

/// Asks for a budget. Asking again with the same id and content tells what has become of it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct RequestBudget<'a> {
    /// Chosen by the client.
    pub id: BudgetRequestId,
    /// How much; above zero.
    pub amount: Amount,
    /// What for; shown to whoever decides.
    pub purpose: &'a str,
    /// What kind of spend, such as `API_PROVIDER`; empty where it is not said.
    pub category: &'a str,
    /// What else there is to say: a JSON object, or nothing.
    pub metadata: &'a str,
}

/// Decides about a budget request. Deciding the same again changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct DecideBudget<'a> {
    /// Which one.
    pub id: BudgetRequestId,
    /// How it is decided.
    pub verdict: BudgetVerdict,
    /// Why, for the agent and the audit; may be empty.
    pub comment: &'a str,
}

/// Decides about a payment that waits. One person counts once; deciding the same again changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct DecideApproval<'a> {
    /// The hold that waits.
    pub id: AuthorizationId,
    /// The credential of who decides.
    pub approver: KeyId,
    /// Approve or reject.
    pub approves: bool,
    /// Why, for the agent and the audit; may be empty.
    pub comment: &'a str,
}

/// How a budget request is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub enum BudgetVerdict {
    /// The budget is in force from now on.
    Approve {
        /// How much may be spent; what was asked for where absent.
        amount: Option<Amount>,
        /// How long from now on; a day where absent.
        lasts: Option<Duration>,
    },
    /// There is no such budget.
    Reject,
}

/// Whether an agent may pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, bincode::Decode)]
pub enum AgentStatus {
    /// May pay.
    Active,
    /// Stopped for a while by its operator.
    Paused,
    /// Frozen.
    Suspended,
    /// Never to pay again.
    Revoked,
}

/// Adds an agent. Creating the same agent again returns the first answer.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct CreateAgent<'a> {
    /// Unique in the gateway; decides the shard.
    pub id: AgentId,
    /// For people.
    pub name: &'a str,
    /// What kind of agent, such as `CUSTOM`; for people.
    pub agent_type: &'a str,
    /// Whether it may pay.
    pub status: AgentStatus,
    /// The most that may be approved ahead of the disk; the gateway's rule where absent, never where zero.
    pub lease: Option<Amount>,
}

/// Changes what is present.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, BorrowDecode)]
pub struct UpdateAgent<'a> {
    /// Whether it may pay.
    pub status: Option<AgentStatus>,
    /// For people.
    pub name: Option<&'a str>,
    /// The most that may be approved ahead of the disk; never where zero.
    pub lease: Option<Amount>,
    /// How it is watched.
    pub watching: Option<Box<WatchingChange>>,
}

/// Freezes an agent.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct Freeze<'a> {
    /// Why, for people; at most 256 bytes.
    pub reason: &'a str,
    /// Whether its open holds are voided: whoever pays under one nevertheless, pays beyond it.
    pub void_holds: bool,
}

/// A wallet as an operator describes it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, bincode::Decode)]
pub struct WalletSource {
    /// Unique within the agent.
    pub id: String,
    /// Where it lives on its chain.
    pub address: String,
    /// The chain, such as `8453`.
    pub chain_id: String,
    /// Who keeps its keys, such as `EXTERNAL`; wallets are preferred in the order PRIVY, SPONGE, SMART_CONTRACT, EXTERNAL, others.
    pub custody: String,
    /// Whether it may pay.
    pub frozen: bool,
    /// What it holds as of now, where known: a limit from now on. Of a wallet that is changed without it, the balance as told before stands.
    pub balance: Option<Amount>,
    /// The most a payment may cost.
    pub limit_per_payment: Option<Amount>,
    /// The most a calendar day may cost.
    pub limit_per_day: Option<Amount>,
    /// The most a calendar week may cost.
    pub limit_per_week: Option<Amount>,
    /// The most a calendar month may cost.
    pub limit_per_month: Option<Amount>,
    /// Hours of the day (UTC, from inclusive, to exclusive, 0-24) in which it may pay.
    pub allowed_hours: Option<(u8, u8)>,
    /// Days of the week in which it may pay: bit 0 is Monday. 0 means every day.
    pub allowed_days: u8,
}

/// Whom a credential speaks for.
#[derive(Clone, Debug, PartialEq, Eq, Encode, bincode::Decode)]
pub enum Principal {
    /// One agent.
    Agent(AgentId),
    /// The people who run the gateway.
    Operator,
    /// A platform that acts for agents: those listed, or all where the list is empty.
    Platform(Vec<AgentId>),
}

/// A credential to be kept: never the secret, only its hash.
#[derive(Clone, Debug, PartialEq, Eq, Encode, bincode::Decode)]
pub struct KeySource {
    /// Names it in public.
    pub id: KeyId,
    /// BLAKE3 of the whole secret text.
    pub hash: [u8; 32],
    /// Whom it speaks for.
    pub principal: Principal,
    /// For people.
    pub name: String,
    /// The first characters of the secret, for recognition.
    pub prefix: String,
    /// What it may do, such as `payments:request`; empty for everything its principal may.
    pub scopes: Vec<String>,
    /// When it stops working.
    pub expires_at: Timestamp,
}

/// Which alerts are asked for; those that fit all of it, the latest first.
#[derive(Clone, Debug, PartialEq, Eq, Encode, bincode::Decode)]
pub struct AlertQuery {
    /// Of one agent alone.
    pub agent: Option<AgentIndex>,
    /// Of this status alone.
    pub status: Option<AlertStatus>,
    /// Of this severity alone.
    pub severity: Option<Severity>,
    /// Of this kind alone.
    pub kind: Option<AlertKind>,
    /// Raised before this moment, or in it and with a lower number.
    pub before: (Timestamp, AlertNumber),
    /// The most to show; at most 1000.
    pub count: u32,
}

/// What can be looked at.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub enum Query<'a> {
    /// One hold of an agent.
    Authorization(AgentIndex, AuthorizationId),
    /// An agent with its wallets.
    Agent(AgentIndex),
    /// The wallets of an agent as policies and approvals name them. Part of what an approval says, so it waits for the disk no more than that.
    Wallets(AgentIndex),
    /// An agent's limits and what is left of them, for one rail; of one session where named.
    Budget(AgentIndex, Protocol, &'a str),
    /// What an agent spent at each service over one rail.
    Services(AgentIndex, Protocol),
    /// The credentials of an agent.
    AgentKeys(AgentIndex),
    /// The agents of the shard from an index on, at most `count`.
    Agents {
        /// The first to show.
        from: AgentIndex,
        /// The most to show; at most 1000.
        count: u32,
    },
    /// The policies in force.
    Policies,
    /// One payee of the directory.
    Counterparty(CounterpartyId),
    /// The payees of the directory after one, in the order of their ids.
    Counterparties {
        /// The last that is known; from the first where absent.
        after: Option<CounterpartyId>,
        /// The most to show; at most 1000.
        count: u32,
    },
    /// The list of sanctions in force, without its entries.
    Sanctions,
    /// The webhooks.
    Webhooks,
    /// One alert of the shard.
    Alert(AlertNumber),
    /// Alerts of the shard.
    Alerts(AlertQuery),
    /// Counts, and the digest of the whole state where asked for (it reads everything).
    Shard {
        /// Whether to compute the digest.
        digest: bool,
    },
    /// The budget requests of an agent, newest first: the one with the id, or those in the status, where either is said.
    BudgetRequests(AgentIndex, Option<BudgetRequestId>, Option<BudgetStatus>),
    /// The latest budget requests of all agents of the shard, newest first: those in the status where one is said, and at most so many.
    LatestBudgetRequests(Option<BudgetStatus>, u32),
    /// The budget requests of all agents of the shard that have this id: clients choose the ids, so there may be several.
    FindBudgetRequests(BudgetRequestId),
    /// The latest payments that people were asked about, newest first: of one agent, and in one status, where either is said, and at most so
    /// many.
    LatestApprovalRequests(Option<AgentIndex>, Option<ApprovalStatus>, u32),
    /// A payment that people were asked about.
    ApprovalRequest(ApprovalRequestId),
    /// The budget that limits an agent now. Part of what an approval says, so it waits for the disk no more than that.
    BudgetInForce(AgentIndex),
    /// The policies in shadow, and where they disagreed.
    Shadows,
    /// What would be decided about payments of an agent.
    Simulate(AgentIndex, Box<Simulation<'a>>),
}

/// What would be decided about payments, if a policy were in force that is not.
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct Simulation<'a> {
    /// Takes the place of the policy in force that has its id, or stands beside the others where none has. Without it, the policies in
    /// force decide.
    pub draft: Option<PolicySource>,
    /// Each is decided by itself, as if none of the others had been asked; at most [`SIMULATED_PAYMENTS_MAX`].
    pub payments: Vec<Authorize<'a>>,
}

/// The most payments of one [`Simulation`].
pub const SIMULATED_PAYMENTS_MAX: usize = 1000;

/// The longest draft of one [`Simulation`], in bytes of [text](PolicySource::text_bytes). The shard reads it between two payments of
/// others, and an agent may send one as often as it likes; what a longer policy would do is seen in shadow.
pub const SIMULATED_DRAFT_BYTES_MAX: usize = 32 * 1024;
