//! The past is judged as the live gateway would have judged it.

use std::{num::NonZeroU16, ops::ControlFlow, sync::Arc};

use super::{
    Backtest, BacktestError, Money, Report,
    past::{self, SessionNames},
    run,
    trial::Trial,
};
use crate::{
    journal::{Group, Journal, MemoryStore, Position, codec::Section, replay},
    kernel::{
        AgentId, AgentIndex, Amount, AuthorizationId, Duration, Event, Facts, OperationId, Options, Outcome, PolicyId,
        Protocol, Request, ShardId, State, Timestamp,
        policy::{PolicyScope, PolicySource, RuleSource},
        request::{AgentStatus, Authorize, Capture, CreateAgent, Increment, Intent, Record},
    },
    testing::workload::{Mood, Step, Workload},
};

/// The policy that is judged; no other has its id.
const JUDGED: PolicyId = PolicyId(9);

fn policy(rules: &[(&str, &str)]) -> PolicySource {
    let rule = |(rule_type, value): &(&str, &str)| RuleSource {
        rule_type: (*rule_type).to_owned(),
        operator: "LTE".to_owned(),
        value: (*value).to_owned(),
        action: "DENY".to_owned(),
    };
    PolicySource {
        id: JUDGED,
        name: "judged".to_owned(),
        description: String::new(),
        policy_type: "SPEND_LIMIT".to_owned(),
        priority: 50,
        active: true,
        scope: PolicyScope::Organization,
        agents: Vec::new(),
        rules: rules.iter().map(rule).collect(),
        approval: None,
        wallets: Vec::new(),
        timezone: None,
    }
}

/// A shard that keeps everything that happens to it.
struct Lived {
    options: Options,
    state: State,
    events: Vec<(Timestamp, Event)>,
    now: Timestamp,
}

impl Lived {
    fn new(options: Options) -> Lived {
        let mut lived =
            Lived { state: State::new(options.clone()), options, events: Vec::new(), now: Timestamp::from_micros(1) };
        lived.happen(Event::Started { incarnation: 1 });
        lived
    }

    fn happen(&mut self, event: Event) {
        self.state.apply(self.now, &event);
        self.events.push((self.now, event));
    }

    fn go_on_to(&mut self, now: Timestamp) {
        self.now = now.max(self.now);
        let mut due = Vec::new();
        loop {
            self.state.advance(self.now, &mut due);
            if due.is_empty() {
                return;
            }
            due.drain(..).for_each(|event| self.happen(event));
        }
    }

    fn ask(&mut self, request: &Request<'_>) -> Option<Outcome> {
        self.go_on_to(self.now);
        let mut events = Vec::new();
        let answer = self.state.decide(self.now, request, &mut events).ok();
        events.into_iter().for_each(|event| self.happen(event));
        answer
    }

    fn judge(&self, draft: &PolicySource, since: Timestamp) -> Trial {
        let mut before = State::new(self.options.clone());
        let within = self.events.partition_point(|(moment, _)| *moment < since);
        self.events[..within].iter().for_each(|(moment, event)| before.apply(*moment, event));
        let mut trial = Trial::new(before, draft).unwrap();
        self.events[within..].iter().for_each(|(moment, event)| trial.happen(*moment, event.clone()));
        trial
    }
}

#[test]
fn the_policy_in_force_would_have_decided_everything_as_it_did() {
    let (mut decisions, mut denied_before) = (0, 0);
    for seed in 0..32 {
        let mut workload = Workload::new(seed, Mood::Wild);
        let mut lived = Lived::new(workload.options());
        let judged = policy(&[
            ("MAX_AMOUNT", "0.000100"),
            ("DAILY_LIMIT", "0.002"),
            ("X402_SESSION_BUDGET", "0.000300"),
            ("VELOCITY_LIMIT", r#"{"maxCount":9,"period":"HOUR"}"#),
            ("DAILY_LIMIT", r#"{"amount":"0.003","timezone":"Europe/Berlin"}"#),
            ("ROLLING_LIMIT", r#"{"amount":"0.001","seconds":7200}"#),
            ("X402_MAX_PER_ENDPOINT", "0.001500"),
            ("MPP_VELOCITY_PER_ENDPOINT", r#"{"maxCount":9,"period":"HOUR"}"#),
        ]);
        lived.ask(&Request::PutPolicy(judged.clone(), None)).unwrap();
        let mut incarnation = 1;
        for _ in 0..600 {
            let turn = workload.turn(None);
            lived.go_on_to(turn.now);
            match &turn.step {
                Step::Ask(request) => {
                    let mut events = Vec::new();
                    let answer = lived.state.decide(lived.now, request, &mut events);
                    events.into_iter().for_each(|event| lived.happen(event));
                    workload.answered(request, &answer);
                    continue;
                }
                Step::Crash => {}
                Step::Stop => lived.happen(Event::Stopped),
            }
            incarnation += 1;
            lived.happen(Event::Started { incarnation });
        }
        let middle = lived.events[lived.events.len() / 2].0;
        for since in [Timestamp::from_micros(2), middle] {
            let trial = lived.judge(&judged, since);
            let report = trial.report();
            assert_eq!((report.denied, report.unknown), Default::default(), "seed {seed}: {:?}", report.examples);
            assert_eq!(trial.state.digest(), lived.state.digest(), "seed {seed}");
            decisions += report.decisions.count;
            denied_before += report.denied_before.count;
        }
    }
    assert!(decisions > 1000 && denied_before > 1000, "{decisions} {denied_before}");
}

fn charge(id: u128, amount: u64) -> Authorize<'static> {
    Authorize {
        id: AuthorizationId(id),
        amount: Amount::from_micros(amount),
        protocol: Protocol::X402,
        intent: Intent::Charge,
        recipient: "0xaa",
        service: "api.example.com",
        resource: "",
        session: "",
        wallet: "",
        hold_for: None,
        facts: None,
    }
}

const AGENT: AgentIndex = AgentIndex(0);

/// One agent to whom everything was permitted.
fn permitted() -> Lived {
    let mut options = Options::new(policy(&[]));
    options.require_wallet = false;
    let mut lived = Lived::new(options);
    lived.now = Timestamp::from_micros(1_794_819_600_000_000);
    let agent = CreateAgent { id: AgentId(1), name: "", agent_type: "", status: AgentStatus::Active, lease: None };
    lived.ask(&Request::CreateAgent(agent)).unwrap();
    lived
}

fn pay(lived: &mut Lived, asked: Authorize<'_>) {
    let answer = lived.ask(&Request::Authorize(AGENT, asked));
    assert!(matches!(answer, Some(Outcome::Approved(_))), "{answer:?}");
}

fn capture(lived: &mut Lived, id: u128, amount: u64) {
    let amount = Amount::from_micros(amount);
    let capture = Capture { id: AuthorizationId(id), operation: OperationId(id), amount, last: true };
    lived.ask(&Request::Capture(AGENT, capture)).unwrap();
}

fn denied_ids(report: &Report) -> Vec<u128> {
    report.examples.iter().map(|example| example.authorization.0).collect()
}

#[test]
fn what_is_denied_leaves_room_for_what_comes_after_it() {
    let mut lived = permitted();
    [(1, 30), (2, 30), (3, 20)].into_iter().for_each(|(id, amount)| pay(&mut lived, charge(id, amount)));
    let trial = lived.judge(&policy(&[("DAILY_LIMIT", "0.000050")]), Timestamp::ZERO);
    assert_eq!(denied_ids(trial.report()), [2]);
    assert_eq!(trial.report().decisions, Money { count: 3, amount: Amount::from_micros(80) });
    assert_eq!(trial.report().denied, Money { count: 1, amount: Amount::from_micros(30) });
}

#[test]
fn what_a_capture_gives_back_is_free_in_the_past_too() {
    for (captured, expected) in [(10, vec![]), (11, vec![2])] {
        let mut lived = permitted();
        pay(&mut lived, charge(1, 30));
        capture(&mut lived, 1, captured);
        pay(&mut lived, charge(2, 40));
        let trial = lived.judge(&policy(&[("DAILY_LIMIT", "0.000050")]), Timestamp::ZERO);
        assert_eq!(denied_ids(trial.report()), expected, "{captured}");
    }
}

#[test]
fn what_was_paid_of_a_denied_hold_is_told_and_counts_nowhere() {
    let mut lived = permitted();
    pay(&mut lived, charge(1, 60));
    capture(&mut lived, 1, 55);
    pay(&mut lived, charge(2, 60));
    let report = Record {
        authorization: Some(AuthorizationId(2)),
        amount: Amount::from_micros(50),
        protocol: Protocol::X402,
        recipient: "0xaa",
        service: "api.example.com",
        resource: "",
        session: "",
        wallet: "",
        payment_id: "",
        transaction: "",
        calls: 1,
    };
    lived.ask(&Request::Record(AGENT, report)).unwrap();
    pay(&mut lived, charge(3, 50));
    let trial = lived.judge(&policy(&[("DAILY_LIMIT", "0.000050")]), Timestamp::ZERO);
    assert_eq!(denied_ids(trial.report()), [1, 2]);
    assert_eq!(trial.report().spent, Amount::from_micros(105));
}

#[test]
fn velocity_counts_only_what_would_have_been_approved() {
    let mut lived = permitted();
    for id in 0..10 {
        pay(&mut lived, charge(id, 1));
        lived.go_on_to(lived.now.after(Duration::from_secs(25)));
    }
    let draft = policy(&[("VELOCITY_LIMIT", r#"{"maxCount":2,"period":"MINUTE"}"#)]);
    // At 0 and 25 s, then again once the first has left the minute, and so on.
    assert_eq!(denied_ids(lived.judge(&draft, Timestamp::ZERO).report()), [2, 5, 8]);
}

#[test]
fn the_facts_of_a_payment_are_those_that_came_with_it() {
    let mut lived = permitted();
    let told = |id, purpose: &'static str| Authorize {
        facts: Some(Box::new(Facts { purpose, ..Facts::default() })),
        ..charge(id, 5)
    };
    pay(&mut lived, told(1, "weather"));
    pay(&mut lived, charge(2, 5));
    let mut kept = Vec::new();
    let (mut facts, sessions) = (Box::default(), SessionNames::default());
    for (_, event) in &lived.events {
        match event {
            Event::FactsTold(_, told) => facts = told.clone(),
            Event::Approved(approved) => {
                let asked = past::authorize(&lived.state, &sessions, approved, &[], &facts);
                kept.push((asked.id.0, asked.facts.map(|facts| facts.purpose.to_owned())));
                facts = Box::default();
            }
            _ => {}
        }
    }
    assert_eq!(kept, [(1, Some("weather".to_owned())), (2, None)]);
}

/// A draft of one rule of any sort.
fn draft(rule_type: &str, operator: &str, value: &str) -> PolicySource {
    let mut draft = policy(&[(rule_type, value)]);
    operator.clone_into(&mut draft.rules[0].operator);
    draft
}

#[test]
fn rules_about_what_is_known_and_about_when_judge_the_past_as_it_was() {
    let mut lived = permitted();
    let bought = |id, category: &'static str| Authorize {
        facts: Some(Box::new(Facts { category, ..Facts::default() })),
        ..charge(id, 5)
    };
    pay(&mut lived, bought(1, "CLOUD"));
    let more = Increment { id: AuthorizationId(1), operation: OperationId(1), amount: Amount::from_micros(5) };
    assert!(matches!(lived.ask(&Request::Increment(AGENT, more)), Some(Outcome::Increased { .. })));
    pay(&mut lived, bought(2, "GAMBLING"));
    lived.go_on_to(lived.now.after(Duration::from_secs(3600)));
    pay(&mut lived, charge(3, 5));
    // They were made at 09:00 and at 10:00 of a Monday.
    for (draft, expected) in [
        (draft("BLOCKED_CATEGORIES", "IN_LIST", "GAMBLING"), vec![2, 3]),
        (draft("ALLOWED_CATEGORIES", "IN_LIST", "CLOUD"), vec![2, 3]),
        (draft("BLACKOUT_PERIOD", "BETWEEN", r#"{"start":"10:00","end":"10:01"}"#), vec![3]),
        (draft("DAY_OF_WEEK", "IN_LIST", "Mon"), vec![1, 2, 3]),
        (draft("X402_BLOCKED_SERVICES", "IN_LIST", "*.example.com"), vec![1, 2, 3]),
    ] {
        let rule = draft.rules[0].rule_type.clone();
        assert_eq!(denied_ids(lived.judge(&draft, Timestamp::ZERO).report()), expected, "{rule}");
    }
}

/// The journal knows the endpoints of payments that were made while a policy limited any.
#[test]
fn endpoints_are_those_of_the_past_as_far_as_they_were_known() {
    let resources = ["/a", "/b", "/a", "/b", "/a"];
    let limits = |live: &str, draft: &str| {
        let mut lived = permitted();
        lived.ask(&Request::PutPolicy(policy(&[("X402_MAX_PER_ENDPOINT", live)]), None)).unwrap();
        for (id, resource) in (1..).zip(resources) {
            pay(&mut lived, Authorize { resource, ..charge(id, 20) });
        }
        let draft = policy(&[("X402_MAX_PER_ENDPOINT", draft)]);
        denied_ids(lived.judge(&draft, Timestamp::from_micros(2)).report())
    };
    assert_eq!(limits("1", "0.000060"), []);
    assert_eq!(limits("1", "0.000040"), [5]);
    assert_eq!(limits("1", "0.000020"), [3, 4, 5]);
    let pace =
        |count: u32| policy(&[("X402_VELOCITY_PER_ENDPOINT", &format!(r#"{{"maxCount":{count},"period":"HOUR"}}"#))]);
    let mut lived = permitted();
    lived.ask(&Request::PutPolicy(pace(100), None)).unwrap();
    for (id, resource) in (1..).zip(resources) {
        pay(&mut lived, Authorize { resource, ..charge(id, 20) });
    }
    assert_eq!(denied_ids(lived.judge(&pace(2), Timestamp::from_micros(2)).report()), [5]);
}

#[test]
fn where_endpoints_were_not_known_a_service_is_one() {
    let mut lived = permitted();
    for (id, resource) in (1..).zip(["/a", "/b", "/c"]) {
        pay(&mut lived, Authorize { resource, ..charge(id, 20) });
    }
    pay(&mut lived, Authorize { service: "data.example.com", ..charge(4, 20) });
    let draft = policy(&[("X402_MAX_PER_ENDPOINT", "0.000040")]);
    assert_eq!(denied_ids(lived.judge(&draft, Timestamp::ZERO).report()), [3]);
}

#[test]
fn payments_before_the_time_are_taken_as_they_were() {
    let mut lived = permitted();
    pay(&mut lived, charge(1, 60));
    let since = lived.now.after(Duration::from_secs(1));
    lived.go_on_to(since);
    pay(&mut lived, charge(2, 10));
    let draft = policy(&[("DAILY_LIMIT", "0.000069")]);
    let report = lived.judge(&draft, since).into_report();
    assert_eq!((denied_ids(&report), report.decisions.count), (vec![2], 1));
    assert_eq!(report.by_rule.keys().collect::<Vec<_>>(), [&"DAILY_LIMIT"]);
    assert_eq!(report.by_service.named.keys().collect::<Vec<_>>(), ["api.example.com"]);
}

#[test]
fn an_earlier_version_of_the_policy_does_not_matter() {
    let mut lived = permitted();
    lived.ask(&Request::PutPolicy(policy(&[("MAX_AMOUNT", "0.000060")]), None)).unwrap();
    pay(&mut lived, charge(1, 60));
    lived.ask(&Request::RemovePolicy(JUDGED, None)).unwrap();
    pay(&mut lived, charge(2, 61));
    let trial = lived.judge(&policy(&[("MAX_AMOUNT", "0.000055")]), Timestamp::ZERO);
    assert_eq!(denied_ids(trial.report()), [1, 2]);
}

#[test]
fn sessions_go_on_without_what_was_denied_in_them() {
    let mut lived = permitted();
    for (id, amount, session) in [(1, 30, "task"), (2, 30, "task"), (3, 10, "task"), (4, 30, "other")] {
        pay(&mut lived, Authorize { session, ..charge(id, amount) });
    }
    let trial = lived.judge(&policy(&[("X402_SESSION_BUDGET", "0.000040")]), Timestamp::ZERO);
    assert_eq!(denied_ids(trial.report()), [2]);
    // A session that began with a denied payment begins with the next one.
    let trial = lived.judge(&policy(&[("X402_SESSION_BUDGET", "0.000020")]), Timestamp::ZERO);
    assert_eq!(denied_ids(trial.report()), [1, 2, 4]);
    assert_eq!(trial.state.agents.get(AGENT).unwrap().sessions().len(), 1);
}

/// A store that has what was lived, in groups of a few events.
fn stored(lived: &Lived) -> MemoryStore {
    let store = Arc::new(MemoryStore::new(NonZeroU16::MIN));
    let mut journal = Journal::new(Arc::clone(&store) as _);
    journal.resume(&replay(&*store, ShardId(0), Position::START, &mut |_, _| Ok(())).unwrap()).unwrap();
    for (moment, event) in &lived.events {
        let (mut section, mut payload) = (Section::default(), Vec::new());
        section.write(event);
        section.keep();
        section.close(*moment, &mut payload);
        journal.commit(&[Group { shard: ShardId(0), payload: &payload }]).unwrap();
    }
    drop(journal);
    Arc::into_inner(store).expect("the journal is gone")
}

#[test]
fn the_journal_of_a_store_is_judged_with_progress_and_can_be_left() {
    let mut lived = permitted();
    (0..20).for_each(|id| pay(&mut lived, charge(id, 5)));
    let store = stored(&lived);
    let backtest = Backtest { draft: policy(&[("DAILY_LIMIT", "0.000050")]), since: Timestamp::ZERO };
    let mut seen = Vec::new();
    let report = run(&store, &lived.options, &backtest, &mut |progress| {
        seen.push((progress.records_done, progress.decisions));
        assert_eq!(progress.records, lived.events.len() as u64);
        ControlFlow::Continue(())
    });
    assert_eq!(denied_ids(&report.unwrap()), (10..20).collect::<Vec<_>>());
    assert!(seen.is_sorted());
    assert_eq!(seen.last(), Some(&(lived.events.len() as u64, 20)));

    let left = run(&store, &lived.options, &backtest, &mut |_| ControlFlow::Break(()));
    assert!(matches!(left, Err(BacktestError::Stopped)), "{left:?}");
    let unreadable = Backtest { draft: policy(&[("DAILY_LIMIT", "lots")]), since: Timestamp::ZERO };
    let refused = run(&store, &lived.options, &unreadable, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(refused, Err(BacktestError::Draft(_))), "{refused:?}");
    let later = Backtest { since: Timestamp::from_micros(u64::MAX), ..backtest };
    assert_eq!(run(&store, &lived.options, &later, &mut |_| ControlFlow::Continue(())).unwrap(), Report::default());
}
