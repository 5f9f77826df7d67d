//! Which events are told, and what is said of each. One closed table of all events.

use serde::Serialize;

use super::{
    NoticeFilter, NoticeKind,
    data::{
        Agent, Alert, Asked, Budget, Counterparty, Decided, Denied, Export, Held, HoldChanged, Key, Moved, Nothing,
        Policy, Recorded, Sanctions, Session, Start, Wallet,
    },
};
use crate::{
    engine::{Fact, FeedPosition},
    kernel::{
        AgentId, AgentIndex, AlertId, Amount, ApprovalRequestId, AuthorizationId, BudgetRequestId, Event, KeyId,
        NameId, OperationId, SessionNumber, ShardId, Timestamp,
        anomaly::{AlertNumber, AlertStatus},
        counterparty::Standing,
        event::{AlertRaised, ApprovalAsked, Approved, Frozen, RecordBooked, SessionKind, SessionOpened},
        policy::PolicySource,
        request::{AgentStatus, KeySource, Principal},
    },
    wire::json::{Money, agent_status_word, alert_status_word, booking_word, print, severity_word},
};

/// The shard that keeps the policy catalogue. The others follow it: one change is told once.
const HOME: ShardId = ShardId(0);

/// An event as others learn of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The id of its event: unique, and the same for ever.
    pub position: FeedPosition,
    /// What it is about.
    pub kind: NoticeKind,
    /// Whose it is; nothing for what belongs to no agent.
    pub agent: Option<AgentId>,
    /// When it happened.
    pub moment: Timestamp,
    /// All of it as JSON: `{"id", "event", "timestamp", "data": {…}}`.
    pub body: String,
}

#[derive(Serialize)]
struct Body<'a, D> {
    id: String,
    event: &'static str,
    timestamp: String,
    data: &'a D,
}

/// What belongs to an agent names it first.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OfAgent<D> {
    agent_id: String,
    #[serde(flatten)]
    data: D,
}

impl Notice {
    /// What is told of `fact`, where anything is and `filter` wants it.
    ///
    /// Nothing is told of what a shard only does to keep its own books (names that it meets, what it forgets, checkpoints, who asked for
    /// a change and what was there before, what a crash might have approved), of what is counted beside other events (spend of budgets,
    /// trust in payees, facts of payments, what a shadow would have said), of options, which each shard keeps for itself, and of webhooks:
    /// one that cannot be delivered to would be told so.
    #[must_use]
    pub fn of(fact: &Fact<'_>, filter: &NoticeFilter) -> Option<Notice> {
        use NoticeKind as Kind;
        let table = Table { fact, filter };
        match fact.event {
            Event::Approved(held) => table.of_agent(Kind::PaymentApproved, held.agent, || table.held(held)),
            Event::Denied(denied) => table.of_agent(Kind::PaymentDenied, denied.agent, || Denied {
                violation_type: denied.kind.code(),
                count: denied.count,
                amount: Money(denied.amount),
            }),
            Event::Captured(booked) => table.of_agent(Kind::PaymentCaptured, booked.agent, || {
                let moved = table.moved(booked.id, booked.operation, booked.amount);
                Moved { r#final: Some(booked.last), ..moved }
            }),
            Event::Settled(booked) => {
                let kind = if booked.transaction.is_some() { Kind::PaymentConfirmed } else { Kind::PaymentExecuted };
                table.of_agent(kind, booked.agent, || {
                    let transaction_hash = booked.transaction.as_deref().filter(|hash| !hash.is_empty());
                    Moved { transaction_hash, ..table.moved(booked.id, booked.operation, booked.amount) }
                })
            }
            Event::Refunded(booked) => table.of_agent(Kind::PaymentRefunded, booked.agent, || {
                table.moved(booked.id, booked.operation, booked.amount)
            }),
            Event::Recorded(booked) => {
                table.of_agent(Kind::ServicePaymentRecorded, booked.agent, || table.recorded(booked))
            }
            Event::Voided(agent, id) => table.of_agent(Kind::PaymentVoided, *agent, || hold(*id)),
            Event::Expired(agent, id) => table.of_agent(Kind::PaymentExpired, *agent, || hold(*id)),
            Event::Extended(extended) => table.of_agent(Kind::PaymentExtended, extended.agent, || HoldChanged {
                operation_id: Some(extended.operation.to_string()),
                expires_at: Some(extended.expires_at.to_string()),
                ..hold(extended.id)
            }),
            Event::Increased(increased) => table.of_agent(Kind::PaymentIncreased, increased.agent, || HoldChanged {
                operation_id: Some(increased.operation.to_string()),
                increased_by: Some(Money(increased.by)),
                remaining: increased.remaining.map(Money),
                ..hold(increased.id)
            }),
            Event::SessionOpened(opened) => {
                table.of_agent(Kind::SessionOpened, opened.agent, || session_opened(opened))
            }
            Event::SessionNamed(agent, number, name) => {
                table.of_agent(Kind::SessionNamed, *agent, || Session { session_id: name, ..session(*number) })
            }
            Event::SessionClosed(agent, number) => table.of_agent(Kind::SessionClosed, *agent, || session(*number)),
            Event::ApprovalAsked(asked) => {
                table.of_agent(Kind::ApprovalRequested, asked.hold.agent, || table.asked(asked))
            }
            Event::ApprovalGiven(given) => {
                let kind = if given.until.is_some() { Kind::ApprovalDecided } else { Kind::ApprovalGiven };
                table.of_agent(kind, given.agent, || Decided {
                    decision: Some("APPROVED"),
                    decided_by: Some(given.approver.to_string()),
                    comment: &given.comment,
                    expires_at: given.until.map(|until| until.to_string()),
                    ..table.decided(given.agent, given.id)
                })
            }
            Event::ApprovalRejected(rejected) => table.of_agent(Kind::ApprovalDecided, rejected.agent, || Decided {
                decision: Some("REJECTED"),
                decided_by: Some(rejected.approver.to_string()),
                comment: &rejected.comment,
                ..table.decided(rejected.agent, rejected.id)
            }),
            Event::ApprovalExpired(agent, id) => {
                table.of_agent(Kind::ApprovalExpired, *agent, || table.decided(*agent, *id))
            }
            Event::BudgetRequested(asked) => table.of_agent(Kind::BudgetCreated, asked.agent, || Budget {
                amount: Some(Money(asked.amount)),
                purpose: &asked.purpose,
                category: &asked.category,
                ..budget(asked.id, "PENDING")
            }),
            Event::BudgetApproved(approved) => table.of_agent(Kind::BudgetApproved, approved.agent, || Budget {
                approved_amount: Some(Money(approved.amount)),
                comment: &approved.comment,
                expires_at: Some(approved.expires_at.to_string()),
                ..budget(approved.id, "APPROVED")
            }),
            Event::BudgetRejected(rejected) => table.of_agent(Kind::BudgetRejected, rejected.agent, || Budget {
                comment: &rejected.comment,
                ..budget(rejected.id, "REJECTED")
            }),
            Event::BudgetExhausted(agent, id) => {
                table.of_agent(Kind::BudgetExhausted, *agent, || budget(*id, "EXHAUSTED"))
            }
            Event::BudgetExpired(agent, id, status) => {
                table.of_agent(Kind::BudgetExpired, *agent, || budget(*id, status.word()))
            }
            Event::AgentCreated(created) => table.told(Kind::AgentCreated, Some(created.id), || Agent {
                name: Some(&created.name),
                agent_type: Some(&created.agent_type),
                status: Some(agent_status_word(created.status)),
                ..agent()
            }),
            Event::AgentUpdated(index, status, name, _) => table.of_agent(agent_kind(*status), *index, || Agent {
                name: name.as_deref(),
                status: status.map(agent_status_word),
                ..agent()
            }),
            Event::WatchingChanged(index, _) => table.of_agent(Kind::AgentUpdated, *index, agent),
            Event::AgentFrozen(frozen) => table.of_agent(Kind::AgentFrozen, frozen.agent, || table.frozen(frozen)),
            Event::AgentUnfrozen(index) => table.of_agent(Kind::AgentUnfrozen, *index, || Agent {
                status: Some(agent_status_word(AgentStatus::Active)),
                ..agent()
            }),
            Event::WalletPut(index, wallet) => {
                table.of_agent(Kind::WalletUpdated, *index, || Wallet { wallet_id: &wallet.id })
            }
            Event::Alerted(raised) => table.of_agent(Kind::AlertCreated, raised.agent, || table.alerted(raised)),
            Event::AlertChanged(index, number, status) => {
                table.of_agent(Kind::AlertUpdated, *index, || table.alert(*number, *status))
            }
            Event::KeyIssued(source) => {
                table.told(Kind::KeyIssued, of_principal(&source.principal), || key_issued(source))
            }
            Event::KeyRevoked(id) => table.told(Kind::KeyRevoked, None, || key(*id)),
            Event::PolicyPut(source, revision) => table.of_home(Kind::PolicyUpdated, || policy(source, *revision)),
            Event::PolicyRemoved(id, revision) => table.of_home(Kind::PolicyRemoved, || Policy {
                policy_id: id.to_string(),
                name: None,
                is_active: None,
                policy_revision: *revision,
            }),
            Event::ShadowPut(source, revision) => table.of_home(Kind::ShadowStarted, || policy(source, *revision)),
            Event::ShadowRemoved(id, revision) => table.of_home(Kind::ShadowEnded, || Policy {
                policy_id: id.to_string(),
                name: None,
                is_active: None,
                policy_revision: *revision,
            }),
            Event::CounterpartyPut(entry, revision) => table.of_home(Kind::CounterpartyUpdated, || {
                let texts = entry.texts();
                Counterparty {
                    counterparty_id: entry.id.to_string(),
                    name: Some(texts.name),
                    address: Some(texts.address),
                    trust_level: entry.standing.map(Standing::word),
                    policy_revision: *revision,
                }
            }),
            Event::CounterpartyRemoved(id, revision) => table.of_home(Kind::CounterpartyRemoved, || Counterparty {
                counterparty_id: id.to_string(),
                name: None,
                address: None,
                trust_level: None,
                policy_revision: *revision,
            }),
            Event::SanctionsSwitched(Some(summary), revision) => table.of_home(Kind::SanctionsUpdated, || Sanctions {
                source: Some(&summary.source),
                addresses: Some(summary.addresses),
                countries: Some(summary.countries),
                policy_revision: *revision,
            }),
            Event::SanctionsSwitched(None, revision) => table.of_home(Kind::SanctionsRemoved, || Sanctions {
                source: None,
                addresses: None,
                countries: None,
                policy_revision: *revision,
            }),
            Event::Started { incarnation } => {
                table.of_home(Kind::GatewayStarted, || Start { incarnation: *incarnation })
            }
            Event::Stopped => table.of_home(Kind::GatewayStopped, || Nothing {}),
            Event::AuditExported(what) => table.of_home(Kind::AuditExported, || Export { exported: what }),
            // These are the events that nothing is told of; the comment of this function says why.
            Event::NameMet(_)
            | Event::SanctionsStaged(_)
            | Event::SessionForgotten(..)
            | Event::HistoryForgotten { .. }
            | Event::UnknownExpired(_)
            | Event::OptionsSet(_)
            | Event::Checkpoint(_)
            | Event::By(..)
            | Event::Before(_)
            | Event::Webhook(_)
            | Event::BudgetSpent(..)
            | Event::HoldsVoided(..)
            | Event::TrustSeen(..)
            | Event::ShadowDiffered(_)
            | Event::FactsTold(..) => None,
        }
    }
}

/// What an event's numbers stand for, and who wants to know.
struct Table<'a> {
    fact: &'a Fact<'a>,
    filter: &'a NoticeFilter,
}

impl Table<'_> {
    fn of_agent<D: Serialize>(&self, kind: NoticeKind, index: AgentIndex, data: impl FnOnce() -> D) -> Option<Notice> {
        // Most readers want few kinds: those are sorted out before anything is looked up.
        if !self.filter.kinds.contains(kind) {
            return None;
        }
        self.told(kind, self.id(index), data)
    }

    fn of_home<D: Serialize>(&self, kind: NoticeKind, data: impl FnOnce() -> D) -> Option<Notice> {
        if self.fact.position.shard == HOME { self.told(kind, None, data) } else { None }
    }

    fn told<D: Serialize>(&self, kind: NoticeKind, agent: Option<AgentId>, data: impl FnOnce() -> D) -> Option<Notice> {
        if !self.filter.wants(kind, agent) {
            return None;
        }
        let body = match agent {
            Some(agent) => self.body(kind, &OfAgent { agent_id: agent.to_string(), data: data() }),
            None => self.body(kind, &data()),
        };
        let Fact { position, moment, .. } = *self.fact;
        Some(Notice { position, kind, agent, moment, body })
    }

    fn body<D: Serialize>(&self, kind: NoticeKind, data: &D) -> String {
        let (id, timestamp) = (self.fact.position.to_string(), self.fact.moment.to_string());
        print(&Body { id, event: kind.word(), timestamp, data })
    }

    fn id(&self, agent: AgentIndex) -> Option<AgentId> {
        self.fact.directory.agent(self.fact.position.shard, agent)
    }

    fn name(&self, name: NameId) -> String {
        self.fact.directory.name(self.fact.position.shard, name).map_or_else(String::new, |name| name.to_string())
    }

    fn after(&self, wait: crate::kernel::Duration) -> String {
        self.fact.moment.after(wait).to_string()
    }

    fn held(&self, held: &Approved) -> Held {
        Held {
            payment_id: held.id.to_string(),
            authorization_id: held.id.to_string(),
            amount: Money(held.amount),
            protocol: held.protocol.word(),
            recipient_address: self.name(held.recipient),
            service_domain: held.service.map(|service| self.name(service)),
            session_number: (held.session != SessionNumber::NONE).then_some(held.session.0),
            deposit: held.deposit,
            expires_at: self.after(held.expires_after),
            remaining: held.remaining.map(Money),
            policy_revision: held.policy_revision,
        }
    }

    fn approval(&self, agent: AgentIndex, id: AuthorizationId) -> String {
        self.id(agent).map_or_else(String::new, |agent| ApprovalRequestId::of(agent, id).to_string())
    }

    fn asked<'a>(&self, asked: &'a ApprovalAsked) -> Asked<'a> {
        let [resource_url, purpose, category, chain_id] = &asked.texts;
        Asked {
            approval_request_id: self.approval(asked.hold.agent, asked.hold.id),
            payment_id: asked.hold.id.to_string(),
            authorization_id: asked.hold.id.to_string(),
            amount: Money(asked.hold.amount),
            protocol: asked.hold.protocol.word(),
            recipient_address: self.name(asked.hold.recipient),
            service_domain: asked.hold.service.map(|service| self.name(service)),
            resource_url,
            purpose,
            category,
            chain_id,
            required_approvals: asked.required,
            specific_approvers: asked.approvers.iter().map(ToString::to_string).collect(),
            reasons: asked.about.iter().map(|violation| violation.message()).collect(),
            expires_at: self.after(asked.hold.expires_after),
        }
    }

    fn decided(&self, agent: AgentIndex, id: AuthorizationId) -> Decided<'static> {
        Decided {
            approval_request_id: self.approval(agent, id),
            payment_id: id.to_string(),
            authorization_id: id.to_string(),
            decision: None,
            decided_by: None,
            comment: "",
            expires_at: None,
        }
    }

    /// A movement of money is named after its event, as in the list of transactions.
    fn moved(&self, id: AuthorizationId, operation: OperationId, amount: Amount) -> Moved<'static> {
        Moved {
            payment_id: id.to_string(),
            authorization_id: id.to_string(),
            transaction_id: self.fact.position.to_string(),
            operation_id: operation.to_string(),
            amount: Money(amount),
            r#final: None,
            transaction_hash: None,
        }
    }

    fn recorded(&self, booked: &RecordBooked) -> Recorded {
        let hold = booked.authorization.map(|id| id.to_string());
        Recorded {
            payment_id: hold.clone(),
            authorization_id: hold,
            transaction_id: self.fact.position.to_string(),
            operation_id: booked.operation.map(|operation| operation.to_string()),
            amount: Money(booked.amount),
            protocol: booked.protocol.word(),
            recipient_address: self.name(booked.recipient),
            service_domain: booked.service.map(|service| self.name(service)),
            booking: booking_word(booked.booking),
            calls: booked.calls,
        }
    }

    fn alert(&self, number: AlertNumber, status: AlertStatus) -> Alert<'static> {
        Alert {
            alert_id: AlertId::new(self.fact.position.shard, number).to_string(),
            r#type: None,
            severity: None,
            status: alert_status_word(status),
            froze_agent: None,
            recipient_address: None,
            service_domain: None,
            reason: "",
        }
    }

    fn alerted<'a>(&self, raised: &'a AlertRaised) -> Alert<'a> {
        Alert {
            r#type: Some(raised.finding.kind.word()),
            severity: Some(severity_word(raised.severity)),
            froze_agent: Some(raised.froze),
            recipient_address: raised.finding.recipient.map(|name| self.name(name)),
            service_domain: raised.finding.service.map(|name| self.name(name)),
            reason: &raised.reason,
            ..self.alert(raised.number, AlertStatus::Active)
        }
    }

    fn frozen(&self, frozen: &Frozen) -> Agent<'static> {
        Agent {
            status: Some(agent_status_word(AgentStatus::Suspended)),
            alert_id: Some(AlertId::new(self.fact.position.shard, frozen.alert).to_string()),
            trigger: Some(frozen.trigger.word()),
            voids_holds: Some(frozen.voids),
            ..agent()
        }
    }
}

fn hold(id: AuthorizationId) -> HoldChanged {
    HoldChanged {
        payment_id: id.to_string(),
        authorization_id: id.to_string(),
        operation_id: None,
        expires_at: None,
        increased_by: None,
        remaining: None,
    }
}

fn session(number: SessionNumber) -> Session<'static> {
    Session {
        session_number: number.0,
        session_id: "",
        protocol: None,
        kind: None,
        deposit_authorization_id: None,
        ends_at: None,
    }
}

fn session_opened(opened: &SessionOpened) -> Session<'_> {
    let (kind, deposit, ends_at) = match &opened.kind {
        SessionKind::Implicit => ("implicit", None, None),
        SessionKind::Run => ("run", None, None),
        SessionKind::Envelope { deposit, ends_at, .. } => ("deposit", Some(*deposit), Some(*ends_at)),
    };
    Session {
        session_id: &opened.name,
        protocol: Some(opened.protocol.word()),
        kind: Some(kind),
        deposit_authorization_id: deposit.map(|id| id.to_string()),
        ends_at: ends_at.map(|end| end.to_string()),
        ..session(opened.number)
    }
}

fn budget(id: BudgetRequestId, status: &'static str) -> Budget<'static> {
    Budget {
        budget_request_id: id.to_string(),
        status,
        amount: None,
        approved_amount: None,
        purpose: "",
        category: "",
        comment: "",
        expires_at: None,
    }
}

fn agent() -> Agent<'static> {
    Agent { name: None, agent_type: None, status: None, alert_id: None, trigger: None, voids_holds: None }
}

fn agent_kind(status: Option<AgentStatus>) -> NoticeKind {
    match status {
        None => NoticeKind::AgentUpdated,
        Some(AgentStatus::Active) => NoticeKind::AgentResumed,
        Some(AgentStatus::Paused) => NoticeKind::AgentPaused,
        Some(AgentStatus::Suspended) => NoticeKind::AgentSuspended,
        Some(AgentStatus::Revoked) => NoticeKind::AgentRevoked,
    }
}

fn policy(source: &PolicySource, revision: u32) -> Policy<'_> {
    Policy {
        policy_id: source.id.to_string(),
        name: Some(&source.name),
        is_active: Some(source.active),
        policy_revision: revision,
    }
}

fn key(id: KeyId) -> Key<'static> {
    Key { key_id: id.to_string(), name: None, expires_at: None }
}

fn key_issued(source: &KeySource) -> Key<'_> {
    Key { name: Some(&source.name), expires_at: Some(source.expires_at.to_string()), ..key(source.id) }
}

fn of_principal(principal: &Principal) -> Option<AgentId> {
    match principal {
        Principal::Agent(agent) => Some(*agent),
        Principal::Operator | Principal::Platform(_) => None,
    }
}
