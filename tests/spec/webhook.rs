//! Webhooks: what is kept of them, and what is refused.

use crate::shard::*;
use holdfast::kernel::{
    AgentId, Failure, Options, Outcome, Request, ShardId, State, Timestamp, WebhookId,
    outcome::View,
    request::Query,
    webhook::{
        AGENTS_MAX, BEHIND_MAX, DEAD_LETTERS_MAX, DeadLetter, EVENTS_MAX, EventPlace, SigningSecret, URL_BYTES_MAX,
        Webhook, WebhookChange, WebhookProgress, WebhookSource,
    },
};

const ID: WebhookId = WebhookId(7);

fn source() -> WebhookSource {
    WebhookSource {
        id: ID,
        url: "https://hooks.example.com/in".to_owned(),
        secret: SigningSecret::new("whsec_secret"),
        description: "ledger".to_owned(),
        events: vec!["payment.approved".to_owned()],
        agents: vec![AgentId(1)],
        active: true,
    }
}

fn place(sequence: u64) -> EventPlace {
    EventPlace { shard: ShardId(0), sequence, index: 0 }
}

fn told(sequence: u64) -> WebhookProgress {
    WebhookProgress { told: vec![place(sequence)], behind: Vec::new() }
}

fn letter(sequence: u64) -> Box<DeadLetter> {
    Box::new(DeadLetter {
        place: place(sequence),
        event: "payment.approved".into(),
        agent: Some(AgentId(1)),
        attempts: 10,
        failed_at: Timestamp::from_micros(5),
        reason: "500".into(),
    })
}

fn put(source: WebhookSource) -> WebhookChange {
    WebhookChange::Put(Box::new(source), told(3))
}

fn change(shard: &mut Shard, change: WebhookChange) -> Result<Outcome, Failure> {
    shard.ask(&Request::Webhook(Box::new(change)))
}

#[track_caller]
fn webhooks(shard: &mut Shard) -> Vec<Webhook> {
    match shard.ask(&Request::Read(Query::Webhooks)) {
        Ok(Outcome::View(View::Webhooks(webhooks))) => webhooks,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_webhook_is_kept_as_it_was_described_and_told() {
    let mut shard = Shard::new(&[]);
    for step in [
        put(source()),
        WebhookChange::Told(ID, WebhookProgress { told: vec![place(9)], behind: vec![(None, place(4))] }),
        WebhookChange::Buried(ID, letter(4)),
        WebhookChange::Buried(ID, letter(5)),
        WebhookChange::Revived(ID, place(4)),
        WebhookChange::Put(Box::new(WebhookSource { active: false, ..source() }), told(1)),
    ] {
        assert_eq!(change(&mut shard, step), Ok(Outcome::Done));
    }
    let expected = Webhook {
        source: WebhookSource { active: false, ..source() },
        progress: WebhookProgress { told: vec![place(9)], behind: vec![(None, place(4))] },
        dead_letters: vec![*letter(5)],
    };
    assert_eq!(webhooks(&mut shard), [expected], "a later description leaves the progress");
    let again = State::from_image(&shard.state.image()).unwrap();
    assert_eq!(again.digest(), shard.state.digest());
    change(&mut shard, WebhookChange::Remove(ID)).unwrap();
    assert_eq!(webhooks(&mut shard), []);
}

#[test]
fn a_change_that_changes_nothing_is_no_event() {
    let mut shard = Shard::new(&[]);
    change(&mut shard, put(source())).unwrap();
    change(&mut shard, WebhookChange::Buried(ID, letter(4))).unwrap();
    let digest = shard.state.digest();
    for same in [
        put(source()),
        WebhookChange::Told(ID, told(3)),
        WebhookChange::Buried(ID, letter(4)),
        WebhookChange::Revived(ID, place(8)),
    ] {
        let mut events = Vec::new();
        let request = Request::Webhook(Box::new(same));
        assert_eq!(shard.state.decide(shard.state.moment(), &request, &mut events), Ok(Outcome::Done));
        assert_eq!(events, [], "{request:?}");
    }
    assert_eq!(shard.state.digest(), digest);
}

#[test]
fn what_cannot_be_kept_is_refused() {
    let long = "x".repeat(URL_BYTES_MAX + 1);
    for (field, wrong) in [
        ("url", WebhookSource { url: String::new(), ..source() }),
        ("url", WebhookSource { url: long.clone(), ..source() }),
        ("secret", WebhookSource { secret: SigningSecret::new(""), ..source() }),
        ("description", WebhookSource { description: long, ..source() }),
        ("events", WebhookSource { events: vec!["a".to_owned(); EVENTS_MAX + 1], ..source() }),
        ("events", WebhookSource { events: vec!["a".repeat(257)], ..source() }),
        ("agentIds", WebhookSource { agents: vec![AgentId(1); AGENTS_MAX + 1], ..source() }),
    ] {
        let refused = change(&mut Shard::new(&[]), put(wrong));
        assert!(matches!(refused, Err(Failure::Invalid { field: found, .. }) if found == field), "{refused:?}");
    }
    let mut shard = Shard::new(&[]);
    for unknown in [
        WebhookChange::Remove(ID),
        WebhookChange::Told(ID, told(1)),
        WebhookChange::Buried(ID, letter(1)),
        WebhookChange::Revived(ID, place(1)),
    ] {
        assert_eq!(change(&mut shard, unknown), Err(Failure::UnknownWebhook));
    }
}

#[test]
fn maxima() {
    let mut options: Options = options(&[]);
    options.maxima.webhooks = 1;
    let mut shard = Shard::with(options);
    change(&mut shard, put(source())).unwrap();
    let second = change(&mut shard, put(WebhookSource { id: WebhookId(8), ..source() }));
    assert_eq!(second, Err(Failure::Capacity { what: "webhooks", maximum: 1 }));
    let behind = |count: usize| WebhookProgress { told: Vec::new(), behind: vec![(None, place(1)); count] };
    change(&mut shard, WebhookChange::Told(ID, behind(BEHIND_MAX))).unwrap();
    let refused = change(&mut shard, WebhookChange::Told(ID, behind(BEHIND_MAX + 1)));
    assert!(matches!(refused, Err(Failure::Capacity { .. })), "{refused:?}");
    for sequence in 0..=DEAD_LETTERS_MAX as u64 {
        change(&mut shard, WebhookChange::Buried(ID, letter(sequence))).unwrap();
    }
    let letters = &webhooks(&mut shard)[0].dead_letters;
    assert_eq!((letters.len(), letters[0].place), (DEAD_LETTERS_MAX, place(1)), "the oldest made room");
}

#[test]
fn a_secret_is_not_printed() {
    assert!(!format!("{:?}", put(source())).contains("whsec_secret"));
}
