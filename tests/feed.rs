//! What followers are promised: every durable event, once, in the order of its shard, whatever else happens.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    num::NonZeroU16,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration as Wait,
};

use holdfast::{
    engine::{
        Engine, EngineOptions, EngineThreads, Fact, Feed, FeedCursor, FeedError, FeedPosition, FollowError, Follower,
        NoObserver, SUBSCRIPTIONS_MAX,
    },
    journal::{MemoryStore, Position, codec::visit_events, replay},
    kernel::{
        Actor, ActorKind, AgentId, AgentIndex, Amount, AuthorizationId, Duration, Event, NameId, OperationId, Outcome,
        PolicyId, Protocol, Request, SessionNumber, ShardId, State, Timestamp,
        policy::{PRIORITY_DEFAULT, PolicyScope, PolicySource, RuleSource},
        request::AgentStatus,
        request::{Authorize, Capture, CreateAgent, Intent, UpdateAgent},
    },
    testing::{HandDriven, VirtualClock},
};

const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);
const SHARDS: u16 = 3;

fn options() -> EngineOptions {
    let rule = RuleSource {
        rule_type: "DAILY_LIMIT".to_owned(),
        operator: "LTE".to_owned(),
        value: "1000".to_owned(),
        action: "ALLOW".to_owned(),
    };
    let mut options = EngineOptions::new(PolicySource {
        id: PolicyId(1),
        name: "test".to_owned(),
        description: String::new(),
        policy_type: "SPEND_LIMIT".to_owned(),
        priority: PRIORITY_DEFAULT,
        active: true,
        scope: PolicyScope::Organization,
        agents: Vec::new(),
        rules: vec![rule],
        approval: None,
        wallets: Vec::new(),
        timezone: None,
    });
    (options.shards, options.workers) = (SHARDS, 2);
    options.kernel.require_wallet = false;
    options
}

/// What a follower was handed.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    begun: Vec<ShardId>,
    facts: Vec<(FeedPosition, Timestamp, Event, Option<String>)>,
    caught_up: usize,
}

impl Notes {
    fn of_shard(&self, shard: ShardId) -> Vec<(FeedPosition, Timestamp, Event, Option<String>)> {
        let told = self.0.lock().unwrap();
        told.facts.iter().filter(|(position, ..)| position.shard == shard).cloned().collect()
    }

    fn count(&self) -> usize {
        self.0.lock().unwrap().facts.len()
    }

    fn boxed(&self) -> Vec<Box<dyn Follower>> {
        vec![Box::new(self.clone())]
    }
}

impl Follower for Notes {
    fn name(&self) -> &'static str {
        "notes"
    }

    fn begin(&mut self, shard: ShardId, state: &State) {
        assert_eq!(state.agents().count(), 0, "nothing was cut");
        self.0.lock().unwrap().begun.push(shard);
    }

    fn event(&mut self, fact: &Fact<'_>) {
        self.0.lock().unwrap().facts.push(note(fact));
    }

    fn caught_up(&mut self) {
        self.0.lock().unwrap().caught_up += 1;
    }
}

fn note(fact: &Fact<'_>) -> (FeedPosition, Timestamp, Event, Option<String>) {
    (fact.position, fact.moment, fact.event.clone(), fact.actor.map(|actor| actor.name.to_string()))
}

/// What the disk holds, read without the feed.
fn on_disk(disk: &MemoryStore, shard: ShardId) -> Vec<(Timestamp, Event)> {
    let mut events = Vec::new();
    replay(disk, shard, Position::START, &mut |_, payload| {
        Ok(visit_events(payload, &mut |moment, event| events.push((moment, event)))?)
    })
    .unwrap();
    events
}

fn shards() -> impl Iterator<Item = ShardId> {
    (0..SHARDS).map(ShardId)
}

fn authorize(agent: AgentIndex, id: u128) -> Request<'static> {
    Request::Authorize(
        agent,
        Authorize {
            id: AuthorizationId(id),
            amount: Amount::from_units(1),
            protocol: Protocol::X402,
            intent: Intent::Charge,
            recipient: "0xabc",
            service: "api.example.com",
            resource: "",
            session: "",
            wallet: "",
            hold_for: None,
            facts: None,
        },
    )
}

fn capture(agent: AgentIndex, id: u128) -> Request<'static> {
    let operation = OperationId::of_key(&format!("capture {id}"));
    Request::Capture(agent, Capture { id: AuthorizationId(id), operation, amount: Amount::from_units(1), last: true })
}

/// Creates agents and pays with them, each on its own shard by hash.
fn pay(gateway: &mut HandDriven, agents: std::ops::Range<u128>) {
    for id in agents {
        let shard = gateway.engine().shard_of(AgentId(id));
        gateway.create_agent(AgentId(id));
        let index = gateway.engine().agent(AgentId(id)).unwrap().index;
        assert!(matches!(gateway.ask_durably(shard, &authorize(index, id)), Ok(Outcome::Approved(_))));
        if id.is_multiple_of(2) {
            gateway.ask_durably(shard, &capture(index, id)).unwrap();
        }
    }
}

/// Every event of every shard, once and in order.
fn assert_complete(notes: &Notes, disk: &MemoryStore) {
    for shard in shards() {
        let told = notes.of_shard(shard);
        let expected = on_disk(disk, shard);
        let events: Vec<_> = told.iter().map(|(_, moment, event, _)| (*moment, event.clone())).collect();
        assert_eq!(events, expected, "shard {}", shard.0);
        assert!(told.is_sorted_by(|(one, ..), (other, ..)| one < other), "positions ascend");
    }
}

#[test]
fn every_durable_event_is_handed_out_once_and_in_order_across_crashes() {
    let notes = Notes::default();
    let mut gateway = HandDriven::new(&options(), NOW);
    gateway.follow(notes.boxed());
    assert_eq!(notes.0.lock().unwrap().begun.len(), usize::from(SHARDS));
    pay(&mut gateway, 1..20);
    while gateway.feed_a_little() {}
    assert_complete(&notes, gateway.disk());
    assert_eq!(notes.0.lock().unwrap().caught_up, 1);
    gateway.feed();
    assert_eq!(notes.0.lock().unwrap().caught_up, 1, "nothing new is no news");

    // What is decided and not durable is nobody's news; after the crash it never happened.
    let (index, shard) = (AgentIndex(0), gateway.engine().shard_of(AgentId(1)));
    let _ = gateway.ask(shard, holdfast::engine::Ticket(1), &authorize(index, 1000));
    gateway.turn();
    gateway.feed();
    assert_complete(&notes, gateway.disk());

    let before: Vec<_> = shards().map(|shard| notes.of_shard(shard)).collect();
    let mut gateway = gateway.restart(&options(), None).unwrap();
    let again = Notes::default();
    gateway.follow(again.boxed());
    pay(&mut gateway, 20..30);
    gateway.feed();
    assert_complete(&again, gateway.disk());
    for (shard, before) in shards().zip(before) {
        assert_eq!(again.of_shard(shard)[..before.len()], before, "the same events have the same ids");
    }
}

#[test]
fn a_change_says_who_asked_for_it() {
    let notes = Notes::default();
    let mut gateway = HandDriven::new(&options(), NOW);
    gateway.follow(notes.boxed());
    gateway.create_agent(AgentId(1));
    let shard = gateway.engine().shard_of(AgentId(1));
    let actor =
        Actor { kind: ActorKind::User, key: None, name: "olivia".into(), address: "".into(), user_agent: "".into() };
    let pause = Request::UpdateAgent(
        AgentIndex(0),
        UpdateAgent { status: Some(AgentStatus::Paused), name: None, lease: None, watching: None },
    );
    gateway.ask_durably(shard, &Request::By(Box::new(actor), Box::new(pause))).unwrap();
    gateway.ask_durably(shard, &authorize(AgentIndex(0), 1)).unwrap();
    gateway.feed();
    let told = notes.of_shard(shard);
    let of_olivia: Vec<_> = told.iter().filter(|(.., actor)| actor.is_some()).map(|(_, _, event, _)| event).collect();
    assert!(matches!(of_olivia[..], [Event::By(..), Event::Before(..), Event::AgentUpdated(..)]), "{of_olivia:?}");
}

#[test]
fn the_directory_knows_what_events_speak_of() {
    let mut gateway = HandDriven::new(&options(), NOW);
    let feed = gateway.follow(Vec::new());
    let shard = gateway.engine().shard_of(AgentId(9));
    let create = CreateAgent { id: AgentId(9), name: "Ada", agent_type: "", status: AgentStatus::Active, lease: None };
    gateway.ask_durably(shard, &Request::CreateAgent(create)).unwrap();
    gateway.ask_durably(shard, &authorize(AgentIndex(0), 5)).unwrap();
    gateway.feed();
    let directory = feed.directory();
    assert_eq!(directory.agent(shard, AgentIndex(0)), Some(AgentId(9)));
    assert_eq!(directory.agent(shard, AgentIndex(1)), None);
    assert_eq!(directory.agent_name(shard, AgentIndex(0)), "Ada");
    assert_eq!(directory.name(shard, NameId(1)).as_deref(), Some("api.example.com"));
    let hold = directory.hold(shard, AgentIndex(0), AuthorizationId(5)).unwrap();
    assert_eq!((hold.amount, hold.protocol, hold.recipient), (Amount::from_units(1), Protocol::X402, NameId(0)));
    assert_eq!((hold.service, hold.session, hold.placed_at), (Some(NameId(1)), SessionNumber(1), NOW));

    // It is forgotten as the shard forgets it: a day after it ended.
    gateway.ask_durably(shard, &capture(AgentIndex(0), 5)).unwrap();
    gateway.feed();
    assert!(directory.hold(shard, AgentIndex(0), AuthorizationId(5)).is_some());
    gateway.clock().advance(Duration::from_secs(24 * 3600));
    gateway.ask_durably(shard, &authorize(AgentIndex(0), 6)).unwrap();
    gateway.settle();
    gateway.feed();
    assert_eq!(directory.hold(shard, AgentIndex(0), AuthorizationId(5)), None);
    assert!(directory.hold(shard, AgentIndex(0), AuthorizationId(6)).is_some());
}

fn read(feed: &Feed, cursor: &FeedCursor, max: usize) -> (Vec<FeedPosition>, FeedCursor) {
    let mut positions = Vec::new();
    let mut last = cursor.clone();
    let next = feed
        .read(cursor, max, &mut |fact, after| {
            positions.push(fact.position);
            last = after.clone();
        })
        .unwrap();
    assert_eq!(next, last, "the last cursor is the one to go on from");
    (positions, next)
}

#[test]
fn reading_resumes_from_every_cursor() {
    let mut gateway = HandDriven::new(&options(), NOW);
    let feed = gateway.follow(Vec::new());
    pay(&mut gateway, 1..9);
    gateway.feed();
    let (all, end) = read(&feed, &feed.oldest(), usize::MAX);
    assert_eq!(end, feed.newest());
    let count: usize = shards().map(|shard| on_disk(gateway.disk(), shard).len()).sum();
    assert_eq!(all.len(), count);
    for stretch in 1..=count {
        let (mut cursor, mut seen) = (feed.oldest(), Vec::new());
        while feed.is_behind(&cursor) {
            // As a client keeps it.
            let (positions, next) = read(&feed, &cursor.to_string().parse().unwrap(), stretch);
            assert!((1..=stretch).contains(&positions.len()));
            seen.extend(positions);
            cursor = next;
        }
        let of_shard = |seen: &[FeedPosition], shard| -> Vec<_> {
            seen.iter().filter(|position| position.shard == shard).copied().collect()
        };
        for shard in shards() {
            assert_eq!(of_shard(&seen, shard), of_shard(&all, shard), "{stretch} at a time");
        }
        assert_eq!(seen.len(), count);
    }
    // Nothing is told again, and what comes later is told then, also in the next process.
    assert_eq!(read(&feed, &end, 10), (Vec::new(), end.clone()));
    let mut gateway = gateway.restart(&options(), None).unwrap();
    let feed = gateway.follow(Vec::new());
    pay(&mut gateway, 9..12);
    gateway.settle();
    assert!(!feed.is_behind(&end), "what the followers were not handed yet is not there to be read");
    gateway.feed();
    let (later, _) = read(&feed, &end, usize::MAX);
    assert!(!later.is_empty() && later.iter().all(|position| !all.contains(position)));
}

#[test]
fn a_cursor_of_somewhere_else_is_refused() {
    let mut gateway = HandDriven::new(&options(), NOW);
    let feed = gateway.follow(Vec::new());
    pay(&mut gateway, 1..3);
    gateway.feed();
    for foreign in ["1", "1.1", "1.1.1.1", "1000.1.1", "1.1.18446744073709551615"] {
        let cursor = foreign.parse().unwrap();
        let read = feed.read(&cursor, 1, &mut |_, _| panic!("nothing is read"));
        assert!(matches!(read, Err(FeedError::UnknownCursor)), "{foreign}");
    }
}

struct Panics;

impl Follower for Panics {
    fn name(&self) -> &'static str {
        "panics"
    }

    fn begin(&mut self, _: ShardId, _: &State) {}

    fn event(&mut self, fact: &Fact<'_>) {
        assert!(!matches!(fact.event, Event::Captured(_)), "on purpose");
    }

    fn caught_up(&mut self) {}
}

#[test]
fn a_follower_that_panics_follows_alone_no_more() {
    let notes = Notes::default();
    let mut gateway = HandDriven::new(&options(), NOW);
    let feed = gateway.follow(vec![Box::new(Panics), Box::new(notes.clone())]);
    assert_eq!(feed.status().followers, 2);
    pay(&mut gateway, 1..6);
    gateway.feed();
    assert_complete(&notes, gateway.disk());
    let status = feed.status();
    assert_eq!((status.followers, status.failed_followers), (1, vec!["panics"]));
    assert_eq!((status.failure, status.lag_records, status.caught_up), (None, 0, true));
    assert_eq!(status.events, notes.count() as u64);
}

#[test]
fn an_engine_has_its_followers_once_and_not_too_many() {
    let gateway = HandDriven::new(&options(), NOW);
    let engine = gateway.engine();
    let many = || (0..=holdfast::engine::FOLLOWERS_MAX).map(|_| Box::new(Panics) as Box<dyn Follower>).collect();
    assert!(matches!(engine.follow(many()), Err(FollowError::TooMany { .. })));
    assert!(engine.feed().is_none() && engine.status().feed.is_none());
    engine.follow(Vec::new()).unwrap();
    assert!(matches!(engine.follow(Vec::new()), Err(FollowError::AlreadyFollowed)));
}

/// Waits in its first event until it is let go.
struct Slow {
    go: Arc<AtomicBool>,
    told: Arc<AtomicUsize>,
}

impl Follower for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }

    fn begin(&mut self, _: ShardId, _: &State) {}

    fn event(&mut self, _: &Fact<'_>) {
        while !self.go.load(Ordering::Acquire) {
            std::thread::park_timeout(Wait::from_millis(1));
        }
        self.told.fetch_add(1, Ordering::AcqRel);
    }

    fn caught_up(&mut self) {}
}

#[test]
fn a_slow_follower_holds_up_nobody_and_catches_up_later() {
    let store = Arc::new(MemoryStore::new(NonZeroU16::new(SHARDS).unwrap()));
    let clock = Arc::new(VirtualClock::new(NOW));
    let mut options = options();
    options.commit.interval_us = 100;
    let (engine, workers) =
        Engine::open(options, Arc::<MemoryStore>::clone(&store), clock, Arc::new(NoObserver)).unwrap();
    let threads = EngineThreads::spawn(workers).unwrap();
    let (go, told) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let slow = Slow { go: Arc::clone(&go), told: Arc::clone(&told) };
    let feed = engine.follow(vec![Box::new(slow)]).unwrap();
    let begin = feed.oldest();
    for id in 1..100 {
        let shard = engine.shard_of(AgentId(id));
        let create =
            CreateAgent { id: AgentId(id), name: "", agent_type: "", status: AgentStatus::Active, lease: None };
        let Ok(Outcome::AgentCreated(index)) = engine.call(shard, &Request::CreateAgent(create)) else {
            panic!("an agent is created");
        };
        assert!(matches!(engine.call(shard, &authorize(index, id)), Ok(Outcome::Approved(_))));
        engine.call(shard, &capture(index, id)).unwrap();
    }
    assert_eq!(told.load(Ordering::Acquire), 0);
    let status = engine.status().feed.unwrap();
    assert!(status.lag_records > 100 && !status.caught_up, "{status:?}");
    go.store(true, Ordering::Release);
    let count = || shards().map(|shard| on_disk(&store, shard).len()).sum::<usize>();
    let mut cursor = begin;
    while told.load(Ordering::Acquire) < count() {
        assert!(feed.wait(&cursor, Wait::from_secs(10)), "there is more");
        cursor = feed.newest();
    }
    assert_eq!(feed.status().lag_records, 0);
    engine.shut_down();
    threads.join();
}

#[test]
fn whoever_subscribes_is_told_until_the_subscription_ends() {
    let mut gateway = HandDriven::new(&options(), NOW);
    let feed = gateway.follow(Vec::new());
    gateway.feed();
    let told = Arc::new(AtomicUsize::new(0));
    let notify = {
        let told = Arc::clone(&told);
        Arc::new(move || _ = told.fetch_add(1, Ordering::AcqRel))
    };
    let subscription = feed.subscribe(notify).unwrap();
    gateway.create_agent(AgentId(1));
    gateway.feed();
    assert_eq!(told.load(Ordering::Acquire), 1);
    drop(subscription);
    gateway.create_agent(AgentId(2));
    gateway.feed();
    assert_eq!(told.load(Ordering::Acquire), 1);
    let all: Vec<_> = (0..SUBSCRIPTIONS_MAX).map(|_| feed.subscribe(Arc::new(|| ())).unwrap()).collect();
    assert!(matches!(feed.subscribe(Arc::new(|| ())), Err(FeedError::TooManySubscriptions)));
    drop(all);
    assert!(feed.subscribe(Arc::new(|| ())).is_ok());
}
