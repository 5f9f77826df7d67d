//! What an event means to a person: the action, what it was done to, and the state after it. One closed table of all events.

use serde::Serialize;

use super::{
    action::{Action, Resource},
    detail::{
        Asked, Booked, Buried, Comment, Enlarged, FrozenFor, Granted, Held, Lengthened, Named, Note, Opened, Operation,
        PaidBy, Raised, Refused, Reported, Returned, Revision, Revived, SpentSoFar, Start, Status, Wanted, Watched,
    },
    snapshot::{self, AgentSnapshot},
};
use crate::{
    engine::{Fact, FeedDirectory, FeedPosition},
    kernel::{
        ActorKind, AgentId, AgentIndex, ApprovalRequestId, AuthorizationId, BudgetRequestId, Event, Former, NameId,
        SessionNumber, ShardId,
        anomaly::{AlertNumber, AlertStatus},
        event::{AgentCreated, AlertRaised, Approved, Denied, RecordBooked, SessionKind, SessionOpened},
        request::{AgentStatus, Principal},
        webhook::WebhookChange,
    },
    wire::json::{Money, booking_word, print},
};

/// What an event did, in the words of the audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What was done.
    pub action: Action,
    /// To what.
    pub resource: Resource,
    /// To which.
    pub resource_id: String,
    /// Whose it is, or who it is.
    pub agent: Option<AgentId>,
    /// Who did it, where nobody is named.
    pub doer: ActorKind,
    /// The state after it, as JSON; absent where nothing is left.
    pub new_state: Option<String>,
    /// What else is to be said, as the members of a JSON object.
    pub metadata: Option<String>,
}

impl Change {
    /// What `fact` did, after `former` was there. Nothing for what a shard only does to keep its own books: names that it meets, what
    /// it forgets, checkpoints, how far webhooks have been told, and the events that say who asked and what was there.
    ///
    /// The answer depends on the event and on what never changes about agents and names, so it is the same whenever it is given.
    #[must_use]
    pub fn of(fact: &Fact<'_>, former: Option<&Former>) -> Option<Change> {
        let table = Table { shard: fact.position.shard, position: fact.position, directory: fact.directory };
        match fact.event {
            Event::Approved(approved) => Some(table.approved(approved)),
            Event::Denied(denied) => Some(table.denied(denied)),
            Event::Captured(booked) => {
                let state = Booked { captured: Money(booked.amount), is_final: Some(booked.last) };
                Some(
                    table
                        .payment(Action::PaymentExecuted, booked.agent, booked.id.to_string())
                        .with(&state)
                        .noting(&Operation { operation_id: booked.operation.to_string() }),
                )
            }
            Event::Voided(agent, id) => Some(table.hold(*agent, id.to_string()).with(&Status { status: "VOIDED" })),
            Event::Expired(agent, id) => {
                Some(table.hold(*agent, id.to_string()).with(&Status { status: "EXPIRED" }).by(ActorKind::System))
            }
            Event::Extended(extended) => {
                let state = Lengthened { expires_at: extended.expires_at.to_string() };
                Some(table.hold(extended.agent, extended.id.to_string()).with(&state))
            }
            Event::Increased(increased) => {
                let state = Enlarged { increased_by: Money(increased.by), remaining: increased.remaining.map(Money) };
                Some(table.hold(increased.agent, increased.id.to_string()).with(&state))
            }
            Event::Refunded(booked) => {
                let state = Returned { refunded: Money(booked.amount) };
                Some(table.payment(Action::Update, booked.agent, booked.id.to_string()).with(&state))
            }
            Event::Recorded(booked) => Some(table.recorded(booked)),
            Event::SessionOpened(opened) => Some(table.session_opened(opened)),
            Event::SessionNamed(agent, number, name) => {
                Some(table.session(Action::Update, *agent, *number).with(&Named { name }))
            }
            Event::SessionClosed(agent, number) => {
                Some(table.session(Action::Update, *agent, *number).with(&Status { status: "CLOSED" }))
            }
            Event::UnknownExpired(agent) => {
                let change = table.agent(Action::Update, *agent).by(ActorKind::System);
                Some(change.noting(&Note { note: "what a crash might have approved has run out" }))
            }
            Event::AgentCreated(created) => Some(agent_created(created)),
            Event::AgentUpdated(agent, status, name, lease) => {
                let before = match former {
                    Some(Former::Agent(_, status, name, lease)) => (Some(*status), Some(&**name), *lease),
                    _ => (None, None, None),
                };
                let after = AgentSnapshot::of(name.as_deref().or(before.1), status.or(before.0), lease.or(before.2));
                let action = agent_action(*status, before.0);
                Some(table.agent(action, *agent).with(&after).by(ActorKind::System))
            }
            Event::WalletPut(agent, source) => {
                let change = table.of_agent(made_or_changed(former), Resource::Wallet, *agent, source.id.clone());
                Some(change.with_text(snapshot::wallet(source)).by(ActorKind::System))
            }
            Event::KeyIssued(source) => {
                let change = Change::new(Action::PermissionGranted, Resource::Key, source.id.to_string());
                Some(change.with_text(snapshot::key(source)).about(of_principal(&source.principal)))
            }
            Event::KeyRevoked(id) => {
                let agent = match former {
                    Some(Former::Key(source)) => of_principal(&source.principal),
                    _ => None,
                };
                Some(Change::new(Action::PermissionRevoked, Resource::Key, id.to_string()).about(agent))
            }
            // Every shard follows the one that keeps the catalogue: one change is one entry.
            Event::PolicyPut(..) | Event::PolicyRemoved(..) if fact.position.shard != ShardId(0) => None,
            Event::PolicyPut(source, revision) => {
                let change = Change::new(made_or_changed(former), Resource::Policy, source.id.to_string());
                Some(change.with_text(snapshot::policy(source)).noting(&Revision { revision: *revision }))
            }
            Event::PolicyRemoved(id, revision) => {
                let change = Change::new(Action::Delete, Resource::Policy, id.to_string());
                Some(change.noting(&Revision { revision: *revision }))
            }
            Event::OptionsSet(options) => {
                let id = format!("shard-{}", table.shard.0);
                let change = Change::new(Action::SettingsChanged, Resource::Settings, id);
                Some(change.with_text(snapshot::options(options)))
            }
            Event::Started { incarnation } => {
                let change = Change::new(Action::Activate, Resource::Gateway, format!("shard-{}", table.shard.0));
                Some(change.noting(&Start { incarnation: *incarnation }))
            }
            Event::Stopped => Some(Change::new(Action::Suspend, Resource::Gateway, format!("shard-{}", table.shard.0))),
            Event::Webhook(change) => webhook(change, former),
            Event::BudgetRequested(asked) => {
                let state = Wanted {
                    status: "PENDING",
                    amount: Money(asked.amount),
                    purpose: &asked.purpose,
                    category: &asked.category,
                };
                Some(table.budget(Action::Create, asked.agent, asked.id).with(&state))
            }
            Event::BudgetApproved(approved) => {
                let state = Granted {
                    status: "APPROVED",
                    approved_amount: Money(approved.amount),
                    expires_at: approved.expires_at.to_string(),
                };
                let change = table.budget(Action::Approve, approved.agent, approved.id).by(ActorKind::User);
                Some(change.with(&state).noting(&Comment { comment: &approved.comment }))
            }
            Event::BudgetRejected(rejected) => {
                let change = table.budget(Action::Reject, rejected.agent, rejected.id).by(ActorKind::User);
                Some(change.with(&Status { status: "REJECTED" }).noting(&Comment { comment: &rejected.comment }))
            }
            Event::BudgetSpent(agent, id, spent) => {
                Some(table.budget(Action::Update, *agent, *id).with(&SpentSoFar { current_spend: Money(*spent) }))
            }
            Event::BudgetExhausted(agent, id) => {
                let change = table.budget(Action::Update, *agent, *id).by(ActorKind::System);
                Some(change.with(&Status { status: "EXHAUSTED" }))
            }
            Event::BudgetExpired(agent, id, status) => {
                let change = table.budget(Action::Update, *agent, *id).by(ActorKind::System);
                Some(change.with(&Status { status: status.word() }).noting(&Note { note: "its time is over" }))
            }
            Event::ApprovalAsked(asked) => {
                let waiting = table.held("PENDING_APPROVAL", &asked.hold);
                let change = table.approval(Action::Create, asked.hold.agent, asked.hold.id).with(&waiting);
                Some(change.noting(&Asked { authorization_id: asked.hold.id.to_string(), required: asked.required }))
            }
            Event::ApprovalGiven(given) => {
                let status = if given.until.is_some() { "APPROVED" } else { "PENDING" };
                let change = table.approval(Action::Approve, given.agent, given.id).by(ActorKind::User);
                Some(change.with(&Status { status }).noting(&Comment { comment: &given.comment }))
            }
            Event::ApprovalRejected(rejected) => {
                let change = table.approval(Action::Reject, rejected.agent, rejected.id).by(ActorKind::User);
                Some(change.with(&Status { status: "REJECTED" }).noting(&Comment { comment: &rejected.comment }))
            }
            Event::ApprovalExpired(agent, id) => {
                let change = table.approval(Action::Update, *agent, *id).by(ActorKind::System);
                Some(change.with(&Status { status: "EXPIRED" }))
            }
            Event::Settled(booked) => {
                let state = Booked { captured: Money(booked.amount), is_final: Some(true) };
                let noted = PaidBy {
                    operation_id: booked.operation.to_string(),
                    transaction_hash: booked.transaction.as_deref().filter(|hash| !hash.is_empty()),
                };
                let change = table.payment(Action::PaymentExecuted, booked.agent, booked.id.to_string());
                Some(change.with(&state).noting(&noted))
            }
            Event::AuditExported(what) => {
                let change = Change::new(Action::AuditLogExported, Resource::AuditLog, "export".to_owned());
                Some(change.noting(&Note { note: what }))
            }
            Event::Alerted(raised) => Some(table.alerted(raised)),
            Event::AlertChanged(agent, number, status) => {
                let action = match status {
                    AlertStatus::Resolved => Action::AlertResolved,
                    AlertStatus::Active | AlertStatus::Acknowledged => Action::Update,
                };
                let id = table.alert_id(*number);
                let state = Status { status: alert_status(*status) };
                Some(table.of_agent(action, Resource::Alert, *agent, id).with(&state).by(ActorKind::User))
            }
            Event::AgentFrozen(frozen) => {
                let noted = FrozenFor {
                    alert: table.alert_id(frozen.alert),
                    trigger: frozen.trigger.word(),
                    voids_holds: frozen.voids,
                };
                let change = table.agent(Action::Suspend, frozen.agent).by(ActorKind::System);
                Some(change.with(&Status { status: "SUSPENDED" }).noting(&noted))
            }
            Event::AgentUnfrozen(agent) => {
                let change = table.agent(Action::Activate, *agent).by(ActorKind::User);
                Some(change.with(&Status { status: "ACTIVE" }))
            }
            Event::WatchingChanged(agent, change) => {
                Some(table.agent(Action::Update, *agent).with(&Watched::of(change)).by(ActorKind::User))
            }
            Event::ShadowPut(..) | Event::ShadowRemoved(..) if fact.position.shard != ShardId(0) => None,
            Event::ShadowPut(source, revision) => {
                let change = Change::new(made_or_changed(former), Resource::Shadow, source.id.to_string());
                Some(change.with_text(snapshot::policy(source)).noting(&Revision { revision: *revision }))
            }
            Event::ShadowRemoved(id, revision) => {
                let change = Change::new(Action::Delete, Resource::Shadow, id.to_string());
                Some(change.noting(&Revision { revision: *revision }))
            }
            Event::CounterpartyPut(..) | Event::CounterpartyRemoved(..) if fact.position.shard != ShardId(0) => None,
            Event::CounterpartyPut(counterparty, revision) => {
                let id = counterparty.id.to_string();
                let change = Change::new(made_or_changed(former), Resource::Counterparty, id);
                Some(change.with_text(snapshot::counterparty(counterparty)).noting(&Revision { revision: *revision }))
            }
            Event::CounterpartyRemoved(id, revision) => {
                let change = Change::new(Action::Delete, Resource::Counterparty, id.to_string());
                Some(change.noting(&Revision { revision: *revision }))
            }
            Event::SanctionsSwitched(..) if fact.position.shard != ShardId(0) => None,
            Event::SanctionsSwitched(summary, revision) => {
                let action = if summary.is_some() { made_or_changed(former) } else { Action::Delete };
                let change = Change::new(action, Resource::Sanctions, "list".to_owned());
                let change = change.noting(&Revision { revision: *revision });
                Some(match summary {
                    Some(summary) => change.with_text(snapshot::sanctions(summary)),
                    None => change,
                })
            }
            // The payment that facts came with is an entry; what a shadow would have said, and what is only counted, is no change.
            Event::FactsTold(..)
            | Event::SanctionsStaged(_)
            | Event::ShadowDiffered(_)
            | Event::TrustSeen(..)
            | Event::HoldsVoided(..)
            | Event::NameMet(_)
            | Event::SessionForgotten(..)
            | Event::HistoryForgotten { .. }
            | Event::Checkpoint(_)
            | Event::By(..)
            | Event::Before(_) => None,
        }
    }

    pub(super) fn new(action: Action, resource: Resource, resource_id: String) -> Change {
        let doer = ActorKind::System;
        Change { action, resource, resource_id, agent: None, doer, new_state: None, metadata: None }
    }

    fn with(self, state: &impl Serialize) -> Change {
        self.with_text(print(state))
    }

    fn with_text(self, state: String) -> Change {
        Change { new_state: Some(state), ..self }
    }

    fn noting(self, metadata: &impl Serialize) -> Change {
        Change { metadata: Some(print(metadata)), ..self }
    }

    fn about(self, agent: Option<AgentId>) -> Change {
        Change { agent, ..self }
    }

    fn by(self, doer: ActorKind) -> Change {
        Change { doer, ..self }
    }
}

/// What never changes about what an event refers to.
struct Table<'a> {
    shard: ShardId,
    position: FeedPosition,
    directory: &'a FeedDirectory,
}

impl Table<'_> {
    fn id(&self, agent: AgentIndex) -> Option<AgentId> {
        self.directory.agent(self.shard, agent)
    }

    fn name(&self, name: NameId) -> String {
        self.directory.name(self.shard, name).map_or_else(String::new, |name| name.to_string())
    }

    fn of_agent(&self, action: Action, resource: Resource, agent: AgentIndex, id: String) -> Change {
        Change::new(action, resource, id).about(self.id(agent)).by(ActorKind::Agent)
    }

    fn agent(&self, action: Action, agent: AgentIndex) -> Change {
        let id = self.id(agent).map_or_else(String::new, |id| id.to_string());
        self.of_agent(action, Resource::Agent, agent, id)
    }

    fn hold(&self, agent: AgentIndex, id: String) -> Change {
        self.of_agent(Action::Update, Resource::Authorization, agent, id)
    }

    fn payment(&self, action: Action, agent: AgentIndex, id: String) -> Change {
        self.of_agent(action, Resource::Payment, agent, id)
    }

    fn budget(&self, action: Action, agent: AgentIndex, id: BudgetRequestId) -> Change {
        self.of_agent(action, Resource::BudgetRequest, agent, id.to_string())
    }

    fn approval(&self, action: Action, agent: AgentIndex, hold: AuthorizationId) -> Change {
        let id = self.id(agent).map_or_else(String::new, |agent| ApprovalRequestId::of(agent, hold).to_string());
        self.of_agent(action, Resource::ApprovalRequest, agent, id)
    }

    /// A session has no id of its own but its number among those of its agent.
    fn session(&self, action: Action, agent: AgentIndex, number: SessionNumber) -> Change {
        let id = self.id(agent).map_or_else(String::new, |id| format!("{id}/{}", number.0));
        self.of_agent(action, Resource::Session, agent, id)
    }

    /// An alert has no id of its own but its number among those of its shard.
    fn alert_id(&self, number: AlertNumber) -> String {
        format!("{}-{}", self.shard.0, number.0)
    }

    fn alerted(&self, raised: &AlertRaised) -> Change {
        let state = Raised {
            status: alert_status(AlertStatus::Active),
            kind: raised.finding.kind.word(),
            froze: raised.froze,
            reason: &raised.reason,
        };
        let id = self.alert_id(raised.number);
        self.of_agent(Action::AlertCreated, Resource::Alert, raised.agent, id).with(&state).by(ActorKind::System)
    }

    fn held(&self, status: &'static str, approved: &Approved) -> Held {
        Held {
            status,
            amount: Money(approved.amount),
            protocol: approved.protocol.word(),
            recipient_address: self.name(approved.recipient),
            service_domain: approved.service.map(|service| self.name(service)),
            session_number: (approved.session != SessionNumber::NONE).then_some(approved.session.0),
            wallet: approved.wallet,
            valid_for_seconds: approved.expires_after.as_secs(),
            remaining: approved.remaining.map(Money),
        }
    }

    fn approved(&self, approved: &Approved) -> Change {
        let state = self.held("OPEN", approved);
        let change = self.of_agent(Action::Approve, Resource::Authorization, approved.agent, approved.id.to_string());
        change.with(&state).noting(&Revision { revision: approved.policy_revision })
    }

    fn denied(&self, denied: &Denied) -> Change {
        let noted = Refused { violation: denied.kind.code(), count: denied.count, amount: Money(denied.amount) };
        // A denied payment has no name but the event's.
        self.payment(Action::PaymentDenied, denied.agent, self.position.to_string()).noting(&noted)
    }

    fn recorded(&self, booked: &RecordBooked) -> Change {
        let state = Reported {
            amount: Money(booked.amount),
            protocol: booked.protocol.word(),
            recipient_address: self.name(booked.recipient),
            service_domain: booked.service.map(|service| self.name(service)),
            booking: booking_word(booked.booking),
            calls: booked.calls,
        };
        let named = booked.authorization.map(|id| id.to_string()).or(booked.operation.map(|id| id.to_string()));
        let id = named.unwrap_or_else(|| self.position.to_string());
        self.payment(Action::PaymentExecuted, booked.agent, id).with(&state)
    }

    fn session_opened(&self, opened: &SessionOpened) -> Change {
        let (kind, deposit, ends_at) = match &opened.kind {
            SessionKind::Implicit => ("implicit", None, None),
            SessionKind::Run => ("run", None, None),
            SessionKind::Envelope { deposit, ends_at, .. } => {
                ("deposit", Some(deposit.to_string()), Some(ends_at.to_string()))
            }
        };
        let state = Opened { name: &opened.name, protocol: opened.protocol.word(), kind, deposit, ends_at };
        self.session(Action::Create, opened.agent, opened.number).with(&state)
    }
}

/// How the state of an alert is written.
pub(super) fn alert_status(status: AlertStatus) -> &'static str {
    match status {
        AlertStatus::Active => "ACTIVE",
        AlertStatus::Acknowledged => "ACKNOWLEDGED",
        AlertStatus::Resolved => "RESOLVED",
    }
}

fn agent_created(created: &AgentCreated) -> Change {
    let state = AgentSnapshot {
        agent_type: Some(&created.agent_type),
        ..AgentSnapshot::of(Some(&created.name), Some(created.status), created.lease)
    };
    Change::new(Action::Create, Resource::Agent, created.id.to_string()).with(&state).about(Some(created.id))
}

fn agent_action(status: Option<AgentStatus>, before: Option<AgentStatus>) -> Action {
    match status {
        Some(status) if Some(status) == before => Action::Update,
        Some(AgentStatus::Paused | AgentStatus::Suspended | AgentStatus::Revoked) => Action::Suspend,
        Some(AgentStatus::Active) => Action::Activate,
        None => Action::Update,
    }
}

fn webhook(change: &WebhookChange, former: Option<&Former>) -> Option<Change> {
    match change {
        WebhookChange::Put(source, _) => {
            let change = Change::new(made_or_changed(former), Resource::Webhook, source.id.to_string());
            Some(change.with_text(snapshot::webhook(source)))
        }
        WebhookChange::Remove(id) => Some(Change::new(Action::Delete, Resource::Webhook, id.to_string())),
        WebhookChange::Buried(id, letter) => {
            let noted = Buried {
                event_id: FeedPosition::from(letter.place).to_string(),
                event: &letter.event,
                attempts: letter.attempts,
                reason: &letter.reason,
            };
            Some(Change::new(Action::Update, Resource::Webhook, id.to_string()).about(letter.agent).noting(&noted))
        }
        WebhookChange::Revived(id, place) => {
            let noted = Revived { redelivered: FeedPosition::from(*place).to_string() };
            Some(Change::new(Action::Update, Resource::Webhook, id.to_string()).noting(&noted))
        }
        WebhookChange::Told(..) => None,
    }
}

fn made_or_changed(former: Option<&Former>) -> Action {
    if former.is_some() { Action::Update } else { Action::Create }
}

fn of_principal(principal: &Principal) -> Option<AgentId> {
    match principal {
        Principal::Agent(agent) => Some(*agent),
        Principal::Operator | Principal::Platform(_) => None,
    }
}
