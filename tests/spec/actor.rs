//! A change in somebody's name: the journal says who, what was there before, and what is there now.

use crate::shard::*;
use holdfast::kernel::{
    Actor, ActorKind, Event, Failure, Former, KeyId, Outcome, PolicyId, Request, Timestamp, WebhookId,
    policy::PolicySource,
    request::{AgentStatus, KeySource, Principal, UpdateAgent, WalletSource},
    webhook::{SigningSecret, WebhookChange, WebhookProgress, WebhookSource},
};

fn actor() -> Actor {
    Actor {
        kind: ActorKind::User,
        key: Some(KeyId(9)),
        name: "ada".into(),
        address: "192.0.2.7".into(),
        user_agent: "console".into(),
    }
}

fn by(request: Request<'static>) -> Request<'static> {
    Request::By(Box::new(actor()), Box::new(request))
}

fn key() -> KeySource {
    KeySource {
        id: KeyId(1),
        hash: [1; 32],
        principal: Principal::Operator,
        name: "key".to_owned(),
        prefix: "holdfast".to_owned(),
        scopes: Vec::new(),
        expires_at: Timestamp::MAX,
    }
}

fn webhook() -> WebhookSource {
    WebhookSource {
        id: WebhookId(7),
        url: "https://hooks.example.com/in".to_owned(),
        secret: SigningSecret::new("whsec_secret"),
        description: String::new(),
        events: Vec::new(),
        agents: Vec::new(),
        active: true,
    }
}

#[test]
fn what_is_changed_is_told_as_it_was() {
    let wallet = WalletSource { limit_per_payment: Some(micros(5)), ..wallet("w") };
    let policy = policy(&[("MAX_AMOUNT", "5")]);
    let put = |webhook| Request::Webhook(Box::new(WebhookChange::Put(Box::new(webhook), WebhookProgress::default())));
    let pause = UpdateAgent { status: Some(AgentStatus::Paused), name: None, lease: None, watching: None };
    let of_agent = Former::Agent(AGENT, AgentStatus::Active, "a".into(), None);
    // (asked before, asked, what was there)
    for (first, request, former) in [
        (None, Request::UpdateAgent(AGENT, pause), Some(of_agent)),
        (None, Request::PutWallet(AGENT, wallet.clone()), None),
        (
            Some(Request::PutWallet(AGENT, wallet.clone())),
            Request::PutWallet(AGENT, WalletSource { frozen: true, ..wallet.clone() }),
            Some(Former::Wallet(AGENT, Box::new(wallet))),
        ),
        (None, Request::IssueKey(key()), None),
        (Some(Request::IssueKey(key())), Request::RevokeKey(KeyId(1)), Some(Former::Key(Box::new(key())))),
        (None, Request::PutPolicy(policy.clone(), None), None),
        (
            Some(Request::PutPolicy(policy.clone(), None)),
            Request::PutPolicy(PolicySource { active: false, ..policy.clone() }, None),
            Some(Former::Policy(Box::new(policy.clone()))),
        ),
        (
            Some(Request::PutPolicy(policy.clone(), None)),
            Request::RemovePolicy(PolicyId(7), None),
            Some(Former::Policy(Box::new(policy))),
        ),
        (None, put(webhook()), None),
        (
            Some(put(webhook())),
            put(WebhookSource { active: false, ..webhook() }),
            Some(Former::Webhook(Box::new(webhook()))),
        ),
    ] {
        let mut shard = Shard::new(&[]);
        if let Some(first) = first {
            shard.ask(&first).unwrap();
        }
        let mut events = Vec::new();
        shard.state.decide(shard.state.moment(), &by(request), &mut events).unwrap();
        let before = former.map(|former| Event::Before(Box::new(former)));
        let expected = 1 + usize::from(before.is_some());
        assert_eq!(events.len(), 1 + expected, "{events:?}");
        assert_eq!(events[0], Event::By(Box::new(actor()), expected as u32));
        assert_eq!(events[1..expected], before.into_iter().collect::<Vec<_>>());
        shard.apply(&events);
    }
}

#[test]
fn what_changes_nothing_names_nobody() {
    let mut shard = Shard::new(&[]);
    shard.ask(&Request::IssueKey(key())).unwrap();
    let mut events = Vec::new();
    for request in [Request::IssueKey(key()), Request::Read(holdfast::kernel::request::Query::Policies)] {
        shard.state.decide(shard.state.moment(), &by(request), &mut events).unwrap();
    }
    let refused = shard.state.decide(shard.state.moment(), &by(Request::RevokeKey(KeyId(5))), &mut events);
    assert_eq!((refused, events), (Err(Failure::UnknownKey), Vec::new()));
}

#[test]
fn there_is_one_actor() {
    let mut shard = Shard::new(&[]);
    let answer = shard.ask(&by(by(Request::IssueKey(key()))));
    assert!(matches!(answer, Err(Failure::Invalid { field: "actor", .. })), "{answer:?}");
    assert_eq!(shard.ask(&by(Request::IssueKey(key()))), Ok(Outcome::Done));
}
