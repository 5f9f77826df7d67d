//! Every event is told as documented, or is on the list of those that are not.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

use super::{Notice, NoticeFilter, NoticeKind};
use crate::{
    engine::{Fact, FeedDirectory, FeedPosition},
    journal::{ChainHash, Sequence},
    kernel::{
        Actor, ActorKind, AgentId, AgentIndex, Amount, ApprovalRequestId, AuthorizationId, BudgetRequestId,
        CounterpartyId, Duration, Event, Former, KeyId, NameId, OperationId, Options, PolicyId, Protocol,
        SessionNumber, ShardId, Timestamp,
        anomaly::{AlertKind, AlertNumber, AlertStatus, Finding, Severity, WatchingChange},
        counterparty::{Counterparty, CounterpartyTexts, Standing},
        event::{
            AgentCreated, AlertRaised, ApprovalAsked, ApprovalGiven, ApprovalRejected, Approved, BudgetApproved,
            BudgetRejected, BudgetRequested, CaptureBooked, Denied, Extended, Frozen, Increased, RecordBooked,
            RefundBooked, SessionKind, SessionOpened, SettlementBooked, ShadowDiffered,
        },
        id::WebhookId,
        outcome::{Booking, BudgetStatus, Measure, Violation, ViolationKind},
        policy::{PolicyScope, PolicySource},
        reason::Reasons,
        request::{AgentStatus, KeySource, Principal, WalletSource},
        sanctions::SanctionsList,
        webhook::WebhookChange,
    },
};

const AGENT: AgentId = AgentId(0x19a_b3c4_d5e6);
const INDEX: AgentIndex = AgentIndex(0);
const HOLD: AuthorizationId = AuthorizationId(0x7f2);
const OPERATION: OperationId = OperationId(0x51);
const BUDGET: BudgetRequestId = BudgetRequestId(0xb1);
const POLICY: PolicyId = PolicyId(0x90);
const PAYEE: CounterpartyId = CounterpartyId(0xc0);
const KEY: KeyId = KeyId(0xa1b2);
/// Noon of a Friday in 2026.
const NOON: Timestamp = Timestamp::from_micros(1_795_176_000_000_000);

/// The events that nothing is told of.
const NOT_TOLD: [&str; 15] = [
    "Before",
    "BudgetSpent",
    "By",
    "Checkpoint",
    "FactsTold",
    "HistoryForgotten",
    "HoldsVoided",
    "NameMet",
    "OptionsSet",
    "SanctionsStaged",
    "SessionForgotten",
    "ShadowDiffered",
    "TrustSeen",
    "UnknownExpired",
    "Webhook",
];

macro_rules! names {
    ($($name:ident),*) => {
        /// Every name of an event.
        const NAMES: &[&str] = &[$(stringify!($name)),*];

        /// The name of an event. A new one does not compile until it is in the list, and fails until there is an example of it.
        fn name(event: &Event) -> &'static str {
            match event { $(Event::$name { .. } => stringify!($name)),* }
        }
    };
}

names! {
    NameMet, Approved, Denied, Captured, Voided, Expired, Extended, Increased, Refunded, Recorded,
    SessionOpened, SessionNamed, SessionClosed, SessionForgotten, HistoryForgotten, UnknownExpired,
    AgentCreated, AgentUpdated, WalletPut, KeyIssued, KeyRevoked, PolicyPut, PolicyRemoved,
    OptionsSet, Started, Stopped, Checkpoint, By, Webhook, Before, BudgetRequested, BudgetApproved,
    BudgetRejected, BudgetSpent, BudgetExhausted, BudgetExpired, Settled, Alerted, AlertChanged,
    AgentFrozen, AgentUnfrozen, HoldsVoided, WatchingChanged, TrustSeen, ShadowPut, ShadowRemoved,
    ShadowDiffered, FactsTold, AuditExported, ApprovalAsked, ApprovalGiven, ApprovalRejected,
    ApprovalExpired, CounterpartyPut, CounterpartyRemoved,
    SanctionsStaged, SanctionsSwitched
}

fn micros(micros: u64) -> Amount {
    Amount::from_micros(micros)
}

fn approved() -> Approved {
    Approved {
        agent: INDEX,
        id: HOLD,
        amount: micros(50_000),
        protocol: Protocol::X402,
        recipient: NameId(0),
        service: Some(NameId(1)),
        session: SessionNumber(1),
        from_deposit: false,
        deposit: false,
        wallet: Some(0),
        expires_after: Duration::from_secs(300),
        remaining: Some(micros(499_950_000)),
        reasons: Reasons(0),
        policy_revision: 2,
        fingerprint: 0,
        arms: false,
        endpoint: None,
    }
}

fn asked() -> ApprovalAsked {
    ApprovalAsked {
        request: ApprovalRequestId::of(AGENT, HOLD),
        hold: approved(),
        about: vec![Violation {
            kind: ViolationKind::WalletPerPayment,
            limit: Measure::Money(micros(20_000)),
            current: Measure::Money(micros(50_000)),
        }],
        required: 2,
        approvers: vec![KEY],
        texts: ["https://api.example.com/data".into(), "market data".into(), "API_PROVIDER".into(), "8453".into()],
        lasts: Duration::from_secs(300),
    }
}

fn given(until: Option<Timestamp>) -> Event {
    let comment = "agreed with finance".into();
    Event::ApprovalGiven(Box::new(ApprovalGiven { agent: INDEX, id: HOLD, approver: KEY, comment, until }))
}

fn settled(transaction: Option<&str>) -> Event {
    Event::Settled(Box::new(SettlementBooked {
        agent: INDEX,
        id: HOLD,
        operation: OPERATION,
        amount: micros(50_000),
        transaction: transaction.map(Into::into),
    }))
}

fn policy() -> Box<PolicySource> {
    Box::new(PolicySource {
        id: POLICY,
        name: "micropayments".to_owned(),
        description: String::new(),
        policy_type: "SPEND_LIMIT".to_owned(),
        priority: 50,
        active: true,
        scope: PolicyScope::Organization,
        agents: Vec::new(),
        rules: Vec::new(),
        approval: None,
        wallets: Vec::new(),
        timezone: None,
    })
}

fn counterparty() -> Counterparty {
    let texts =
        CounterpartyTexts { name: "Example Compute", address: "0xFacilitatorAddress", ..CounterpartyTexts::default() };
    let mut entry = Counterparty::new(PAYEE, &texts).unwrap();
    entry.standing = Some(Standing::Trusted);
    entry
}

fn sanctions() -> SanctionsList {
    SanctionsList::new(&["0xbad"], &["KP"]).unwrap()
}

fn actor() -> Box<Actor> {
    let nothing = || Box::<str>::default();
    Box::new(Actor { kind: ActorKind::System, key: None, name: nothing(), address: nothing(), user_agent: nothing() })
}

fn wallet() -> WalletSource {
    WalletSource {
        id: "wal_123".to_owned(),
        address: "0xAgentWallet".to_owned(),
        chain_id: "8453".to_owned(),
        custody: "EXTERNAL".to_owned(),
        frozen: false,
        balance: None,
        limit_per_payment: None,
        limit_per_day: None,
        limit_per_week: None,
        limit_per_month: None,
        allowed_hours: None,
        allowed_days: 0,
    }
}

/// An example of every event, and of every kind of notice.
fn examples() -> Vec<Event> {
    let updated = |status, name: Option<&str>| Event::AgentUpdated(INDEX, status, name.map(Into::into), None);
    vec![
        Event::AgentCreated(Box::new(AgentCreated {
            id: AGENT,
            name: "shopper".into(),
            agent_type: "CUSTOM".into(),
            status: AgentStatus::Active,
            lease: None,
        })),
        Event::NameMet("0xfacilitatoraddress".into()),
        Event::NameMet("api.example.com".into()),
        Event::Approved(approved()),
        Event::Denied(Denied {
            agent: INDEX,
            kind: ViolationKind::WalletPerPayment,
            count: 1,
            amount: micros(5_000_000_000),
            session: SessionNumber::NONE,
        }),
        Event::Captured(CaptureBooked {
            agent: INDEX,
            id: HOLD,
            operation: OPERATION,
            amount: micros(40_000),
            last: true,
        }),
        settled(None),
        settled(Some("0x5c504ed432cb51138bcf09aa5e8a410dd4a1e204ef84bfed1be16dfba1b22060")),
        Event::Voided(INDEX, HOLD),
        Event::Expired(INDEX, HOLD),
        Event::Extended(Extended {
            agent: INDEX,
            id: HOLD,
            operation: OPERATION,
            by: Duration::from_secs(300),
            expires_at: NOON.after(Duration::from_secs(600)),
        }),
        Event::Increased(Increased {
            agent: INDEX,
            id: HOLD,
            operation: OPERATION,
            by: micros(10_000),
            remaining: Some(micros(499_940_000)),
        }),
        Event::Refunded(RefundBooked { agent: INDEX, id: HOLD, operation: OPERATION, amount: micros(10_000) }),
        Event::Recorded(Box::new(RecordBooked {
            agent: INDEX,
            booking: Booking::Matched,
            authorization: Some(HOLD),
            operation: Some(OPERATION),
            amount: micros(50_000),
            protocol: Protocol::X402,
            recipient: NameId(0),
            service: Some(NameId(1)),
            session: SessionNumber(1),
            wallet: Some(0),
            calls: 1,
            endpoint: None,
        })),
        Event::SessionOpened(SessionOpened {
            agent: INDEX,
            number: SessionNumber(2),
            protocol: Protocol::Mpp,
            kind: SessionKind::Envelope {
                recipient: NameId(0),
                service: NameId(1),
                deposit: HOLD,
                ends_at: NOON.after(Duration::from_secs(3600)),
            },
            name: "mpp_session_xyz".into(),
        }),
        Event::SessionNamed(INDEX, SessionNumber(2), "mpp_session_xyz".into()),
        Event::SessionClosed(INDEX, SessionNumber(2)),
        Event::SessionForgotten(INDEX, SessionNumber(2)),
        Event::HistoryForgotten { holds: 1, operations: 1 },
        Event::UnknownExpired(INDEX),
        Event::ApprovalAsked(Box::new(asked())),
        given(None),
        given(Some(NOON.after(Duration::from_secs(300)))),
        Event::ApprovalRejected(Box::new(ApprovalRejected {
            agent: INDEX,
            id: HOLD,
            approver: KEY,
            comment: "not this month".into(),
        })),
        Event::ApprovalExpired(INDEX, HOLD),
        Event::BudgetRequested(Box::new(BudgetRequested {
            agent: INDEX,
            id: BUDGET,
            amount: Amount::from_units(50),
            purpose: "Research reports for the board".into(),
            category: "API_PROVIDER".into(),
            metadata: "{}".into(),
        })),
        Event::BudgetApproved(Box::new(BudgetApproved {
            agent: INDEX,
            id: BUDGET,
            amount: Amount::from_units(40),
            expires_at: NOON.after(Duration::from_secs(86_400)),
            comment: "for this week".into(),
        })),
        Event::BudgetRejected(Box::new(BudgetRejected { agent: INDEX, id: BUDGET, comment: "too much".into() })),
        Event::BudgetSpent(INDEX, BUDGET, Amount::from_units(1)),
        Event::BudgetExhausted(INDEX, BUDGET),
        Event::BudgetExpired(INDEX, BUDGET, BudgetStatus::Expired),
        updated(None, Some("research")),
        updated(Some(AgentStatus::Paused), None),
        updated(Some(AgentStatus::Active), None),
        updated(Some(AgentStatus::Suspended), None),
        updated(Some(AgentStatus::Revoked), None),
        Event::WatchingChanged(INDEX, Box::new(WatchingChange { auto_freeze: Some(true), thresholds: Vec::new() })),
        Event::Alerted(Box::new(AlertRaised {
            number: AlertNumber(7),
            agent: INDEX,
            finding: Finding {
                recipient: Some(NameId(0)),
                service: Some(NameId(1)),
                ..Finding::new(AlertKind::PriceSpike, Measure::None, Measure::None)
            },
            severity: Severity::Warning,
            froze: false,
            reason: "".into(),
        })),
        Event::AlertChanged(INDEX, AlertNumber(7), AlertStatus::Acknowledged),
        Event::AgentFrozen(Box::new(Frozen {
            agent: INDEX,
            alert: AlertNumber(8),
            trigger: AlertKind::SpendVelocity,
            voids: true,
        })),
        Event::HoldsVoided(INDEX, None),
        Event::AgentUnfrozen(INDEX),
        Event::TrustSeen(INDEX, 5000),
        Event::WalletPut(INDEX, Box::new(wallet())),
        Event::KeyIssued(Box::new(KeySource {
            id: KEY,
            hash: [0; 32],
            principal: Principal::Agent(AGENT),
            name: "production".to_owned(),
            prefix: String::new(),
            scopes: Vec::new(),
            expires_at: NOON.after(Duration::from_secs(31_536_000)),
        })),
        Event::KeyRevoked(KEY),
        Event::PolicyPut(policy(), 3),
        Event::PolicyRemoved(POLICY, 4),
        Event::ShadowPut(policy(), 5),
        Event::ShadowRemoved(POLICY, 6),
        Event::CounterpartyPut(Box::new(counterparty()), 7),
        Event::CounterpartyRemoved(PAYEE, 8),
        Event::SanctionsStaged(Box::new(sanctions().parts([0; 32]).remove(0))),
        Event::SanctionsSwitched(Some(Box::new(sanctions().summary("sdn.csv", "first"))), 9),
        Event::SanctionsSwitched(None, 10),
        Event::ShadowDiffered(Box::new(ShadowDiffered {
            policy: POLICY,
            agent: INDEX,
            id: HOLD,
            amount: micros(1),
            live: None,
            shadow: None,
        })),
        Event::FactsTold(INDEX, Box::default()),
        Event::OptionsSet(Box::new(Options::new(*policy()))),
        Event::Started { incarnation: 2 },
        Event::Stopped,
        Event::Checkpoint([0; 32]),
        Event::By(actor(), 1),
        Event::Webhook(Box::new(WebhookChange::Remove(WebhookId(1)))),
        Event::Before(Box::new(Former::Alert(AlertNumber(7), AlertStatus::Active))),
        Event::AuditExported("all entries".into()),
    ]
}

/// What is told of the examples, as if they had happened one a second in `shard`.
fn told(shard: ShardId, filter: &NoticeFilter) -> Vec<(Event, Option<Notice>)> {
    let events: Vec<(Timestamp, Event)> = examples().into_iter().map(|event| (NOON, event)).collect();
    let directory = FeedDirectory::knowing(shard, &events);
    let tell = |(index, (moment, event)): (u32, (Timestamp, Event))| {
        let position = FeedPosition { shard, sequence: Sequence(1234), index };
        let chain = ChainHash([0; 32]);
        let fact = Fact { position, chain, moment, event: &event, actor: None, directory: &directory };
        let notice = Notice::of(&fact, filter);
        (event, notice)
    };
    (0..).zip(events).map(tell).collect()
}

#[test]
fn every_event_is_told_or_is_on_the_list_of_those_that_are_not() {
    let told = told(ShardId(0), &NoticeFilter::ALL);
    let names: BTreeSet<&str> = told.iter().map(|(event, _)| name(event)).collect();
    assert_eq!(names, NAMES.iter().copied().collect(), "an event without an example");
    let untold: BTreeSet<&str> =
        told.iter().filter(|(_, notice)| notice.is_none()).map(|(event, _)| name(event)).collect();
    assert_eq!(untold, NOT_TOLD.into_iter().collect());
    let kinds: BTreeSet<NoticeKind> = told.iter().filter_map(|(_, notice)| Some(notice.as_ref()?.kind)).collect();
    assert_eq!(kinds, NoticeKind::ALL.iter().copied().collect(), "a kind that nothing is told with");
}

#[test]
fn a_notice_has_its_envelope_and_names_its_agent() {
    for (event, notice) in told(ShardId(0), &NoticeFilter::ALL) {
        let Some(notice) = notice else { continue };
        let body: Value = serde_json::from_str(&notice.body).unwrap();
        let members: Vec<&String> = body.as_object().unwrap().keys().collect();
        assert_eq!(members, ["data", "event", "id", "timestamp"], "{event:?}");
        assert_eq!(body["id"], notice.position.to_string());
        assert_eq!(body["event"], notice.kind.word());
        assert_eq!(body["timestamp"], "2026-11-20T12:00:00.000Z");
        assert_eq!(body["data"]["agentId"].as_str().map(str::to_owned), notice.agent.map(|agent| agent.to_string()));
        assert!(!notice.body.contains('\n'), "a line of a stream");
    }
}

#[test]
fn what_every_shard_follows_is_told_of_one() {
    let home = ["policy.", "counterparty.", "sanctions.", "gateway.", "audit."];
    for (_, notice) in told(ShardId(1), &NoticeFilter::ALL) {
        let word = notice.map_or("", |notice| notice.kind.word());
        assert!(!home.iter().any(|family| word.starts_with(family)), "{word}");
    }
}

#[test]
fn only_what_is_wanted_is_told() {
    let filter = NoticeFilter { agents: BTreeSet::from([AGENT]), ..NoticeFilter::ALL };
    assert!(told(ShardId(0), &filter).iter().flat_map(|(_, notice)| notice).all(|notice| notice.agent == Some(AGENT)));
    let filter = NoticeFilter { agents: BTreeSet::from([AgentId(1)]), ..NoticeFilter::ALL };
    assert!(told(ShardId(0), &filter).iter().all(|(_, notice)| notice.is_none()));
}

/// The page has every kind with the example that is made here, so that it cannot say what is not so.
///
/// `UPDATE=1 cargo test --all-features --lib notice` writes the examples anew.
#[test]
fn the_page_describes_every_kind_with_its_example() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/EVENTS.md");
    let mut page = fs::read_to_string(&path).unwrap();
    for (_, notice) in told(ShardId(0), &NoticeFilter::ALL) {
        let Some(notice) = notice else { continue };
        let body: Value = serde_json::from_str(&notice.body).unwrap();
        let heading = format!("### {}\n", notice.kind);
        let section = page.find(&heading).unwrap_or_else(|| panic!("the page has no heading `{}`", notice.kind));
        let begin = section + page[section..].find("```json\n").unwrap() + "```json\n".len();
        let end = begin + page[begin..].find("\n```").unwrap();
        // Of several events that are told alike, the last one is the example.
        let is_last = |other: &(Event, Option<Notice>)| other.1.as_ref().is_some_and(|one| one.kind == notice.kind);
        let last = told(ShardId(0), &NoticeFilter::ALL).into_iter().rfind(is_last).unwrap().1.unwrap();
        if last != notice {
            continue;
        }
        if std::env::var_os("UPDATE").is_some() {
            page.replace_range(begin..end, &notice.body);
            fs::write(&path, &page).unwrap();
            continue;
        }
        let example: Value = serde_json::from_str(&page[begin..end]).unwrap();
        assert_eq!(example, body, "{}", notice.kind);
    }
}
