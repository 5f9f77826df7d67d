//! What the engine promises about answers, disks, restarts and load, each driven step by step.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    num::NonZeroU16,
    sync::{Arc, Mutex},
    thread,
};

use holdfast::{
    engine::{
        Answer, Batch, Engine, EngineError, EngineOptions, EngineThreads, NoObserver, Observer, Replies, Ticket,
        WorkerId,
    },
    journal::{MemoryStore, Position, Store, codec::visit_events, replay},
    kernel::{
        AgentId, AgentIndex, Amount, AuthorizationId, CounterpartyId, Duration, Event, Failure, OperationId, Outcome,
        PolicyId, Protocol, Request, ShardId, State, Timestamp,
        anomaly::{Threshold, WatchingChange},
        counterparty::{Counterparty, CounterpartyTexts},
        outcome::{ShardView, View},
        policy::{PRIORITY_DEFAULT, PolicyScope, PolicySource, RuleSource},
        request::{Authorize, Capture, Freeze, Intent, Query, UpdateAgent},
        sanctions::SanctionsList,
        state::counterparties::Entry,
    },
    testing::{Fault, FaultKind, HandDriven, VirtualClock},
};

const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);
const AGENT: AgentId = AgentId(1);
const SHARD: ShardId = ShardId(0);
const ALICE: AgentIndex = AgentIndex(0);

/// A day's limit of 100, so a lease of 10; one shard, so that an agent's index is known.
fn options() -> EngineOptions {
    let mut options = EngineOptions::new(policy(1, &[("DAILY_LIMIT", "100")]));
    (options.shards, options.workers) = (1, 1);
    options.kernel.require_wallet = false;
    options
}

fn policy(id: u128, rules: &[(&str, &str)]) -> PolicySource {
    let rule = |&(rule_type, value): &(&str, &str)| RuleSource {
        rule_type: rule_type.to_owned(),
        operator: "LTE".to_owned(),
        value: value.to_owned(),
        action: "ALLOW".to_owned(),
    };
    PolicySource {
        id: PolicyId(id),
        name: "test".to_owned(),
        description: String::new(),
        policy_type: "SPEND_LIMIT".to_owned(),
        priority: PRIORITY_DEFAULT,
        active: true,
        scope: PolicyScope::Organization,
        agents: Vec::new(),
        rules: rules.iter().map(rule).collect(),
        approval: None,
        wallets: Vec::new(),
        timezone: None,
    }
}

fn asking(id: u128, amount: u32) -> Authorize<'static> {
    Authorize {
        id: AuthorizationId(id),
        amount: Amount::from_units(amount),
        protocol: Protocol::Payment,
        intent: Intent::Charge,
        recipient: "0xabc",
        service: "",
        resource: "",
        session: "",
        wallet: "",
        hold_for: None,
        facts: None,
    }
}

fn authorize(id: u128, amount: u32) -> Request<'static> {
    Request::Authorize(ALICE, asking(id, amount))
}

fn capture(id: u128, amount: u32) -> Request<'static> {
    let operation = OperationId::of_key(&format!("capture {id}"));
    Request::Capture(
        ALICE,
        Capture { id: AuthorizationId(id), operation, amount: Amount::from_units(amount), last: true },
    )
}

fn is_approved(answer: &Answer) -> bool {
    matches!(answer, Ok(Outcome::Approved(_)))
}

fn is_denied(answer: &Answer) -> bool {
    matches!(answer, Ok(Outcome::Denied(_)))
}

/// With one agent, whose lease is armed durably by hold 1 of amount 1.
fn armed(options: &EngineOptions) -> HandDriven {
    let mut gateway = HandDriven::new(options, NOW);
    gateway.create_agent(AGENT);
    assert!(is_approved(&gateway.ask_durably(SHARD, &authorize(1, 1))));
    gateway
}

/// Asks for as many ones as are approved, with ids from `first_id` on.
fn room(gateway: &mut HandDriven, first_id: u128) -> usize {
    (first_id..).take_while(|id| is_approved(&gateway.ask_durably(SHARD, &authorize(*id, 1)))).count()
}

fn shard_view(gateway: &mut HandDriven, shard: ShardId) -> ShardView {
    match gateway.ask_durably(shard, &Request::Read(Query::Shard { digest: true })) {
        Ok(Outcome::View(View::Shard(view))) => view,
        other => panic!("{other:?}"),
    }
}

fn policies(gateway: &mut HandDriven, shard: ShardId) -> Vec<(PolicyId, u32)> {
    match gateway.ask_durably(shard, &Request::Read(Query::Policies)) {
        Ok(Outcome::View(View::Policies(policies))) => {
            policies.into_iter().map(|(p, revision)| (p.id, revision)).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn events(disk: &MemoryStore, shard: ShardId) -> Vec<Event> {
    let mut events = Vec::new();
    replay(disk, shard, Position::START, &mut |_, payload| {
        Ok(visit_events(payload, &mut |_, event| events.push(event))?)
    })
    .unwrap();
    events
}

/// The digest of the state that the whole journal comes to.
fn replayed_digest(disk: &MemoryStore, shard: ShardId) -> Option<[u8; 32]> {
    let mut state = State::new(options().kernel);
    replay(disk, shard, Position::START, &mut |_, payload| {
        Ok(visit_events(payload, &mut |moment, event| state.apply(moment, &event))?)
    })
    .unwrap();
    Some(state.digest())
}

#[test]
fn only_approvals_under_an_armed_lease_leave_before_they_are_durable() {
    let at_once = |name: &str, request: Request<'_>, expected: bool| {
        let mut gateway = armed(&options());
        let first = gateway.ask(SHARD, Ticket(2), &authorize(2, 3));
        assert!(first.is_some_and(|answer| is_approved(&answer)), "3 of 10 ride on the lease");
        let answer = gateway.ask(SHARD, Ticket(3), &request);
        assert_eq!(answer.is_some(), expected, "{name}: {answer:?}");
        gateway.settle();
        assert_eq!(gateway.answers().len(), usize::from(!expected), "{name}: answered when durable");
    };
    let changed = |change: fn(&mut Authorize<'static>)| {
        let mut authorize = asking(3, 1);
        change(&mut authorize);
        Request::Authorize(ALICE, authorize)
    };
    at_once("what is left of the lease", authorize(3, 7), true);
    at_once("one more than is left", authorize(3, 8), false);
    at_once("a denial", authorize(3, 97), true);
    at_once("a failure", changed(|a| a.recipient = ""), true);
    at_once("an unknown agent", Request::Authorize(AgentIndex(77), asking(3, 1)), true);
    at_once("a repeated approval that is not durable", authorize(2, 3), false);
    at_once("the same id with another amount", authorize(2, 4), true);
    at_once("the longest hold", changed(|a| a.hold_for = Some(Duration::from_secs(600))), true);
    at_once("a longer hold", changed(|a| a.hold_for = Some(Duration::from_secs(601))), false);
    let deposit = |a: &mut Authorize<'static>| {
        (a.protocol, a.intent, a.service) =
            (Protocol::Mpp, Intent::Session { duration: Some(Duration::from_secs(60)) }, "s");
    };
    at_once("a deposit", changed(deposit), false);
    at_once("a capture", capture(2, 3), false);
    at_once("a void", Request::Void(ALICE, AuthorizationId(2)), false);
    at_once("a look", Request::Read(Query::Agent(ALICE)), false);
    at_once("a look at the wallets, which an approval names", Request::Read(Query::Wallets(ALICE)), true);
}

#[test]
fn nothing_waits_for_what_is_durable_already() {
    let mut gateway = armed(&options());
    assert!(gateway.ask(SHARD, Ticket(0), &Request::Read(Query::Agent(ALICE))).is_some());
    assert!(gateway.ask(SHARD, Ticket(0), &authorize(1, 1)).is_some_and(|answer| is_approved(&answer)));
}

/// A load test was told of approvals that the gateway's counters did not show yet: they were published every quarter of a second.
#[test]
fn the_counters_say_what_was_decided_before_anybody_is_answered() {
    let mut gateway = armed(&options());
    let approvals = |gateway: &HandDriven| -> u64 {
        gateway.engine().status().workers.iter().map(|worker| worker.counters.approvals).sum()
    };
    let before = approvals(&gateway);
    assert!(gateway.ask(SHARD, Ticket(1), &authorize(1, 1)).is_some());
    gateway.finish();
    assert_eq!(approvals(&gateway), before + 1);
}

#[test]
fn the_first_approval_of_a_process_arms_the_lease() {
    let mut gateway = HandDriven::new(&options(), NOW);
    gateway.create_agent(AGENT);
    assert_eq!(gateway.ask(SHARD, Ticket(1), &authorize(1, 1)), None, "it arms");
    assert_eq!(gateway.ask(SHARD, Ticket(2), &authorize(2, 1)), None, "the lease is armed, but not durably");
    gateway.turn();
    assert_eq!(gateway.ask(SHARD, Ticket(3), &authorize(3, 1)), None, "handed over is not durable");
    gateway.commit();
    assert_eq!(gateway.answers(), vec![], "the worker has not learnt of the commit");
    gateway.turn();
    assert_eq!(gateway.answers().iter().map(|(ticket, _)| ticket.0).collect::<Vec<_>>(), [1, 2]);
    assert!(gateway.ask(SHARD, Ticket(4), &authorize(4, 1)).is_some());
}

#[test]
fn a_commit_frees_the_lease() {
    let mut gateway = armed(&options());
    for round in 0..5 {
        assert!(gateway.ask(SHARD, Ticket(0), &authorize(10 + 2 * round, 10)).is_some());
        assert_eq!(gateway.ask(SHARD, Ticket(1), &authorize(11 + 2 * round, 1)), None);
        gateway.settle();
        assert_eq!(gateway.answers().len(), 1);
    }
}

#[test]
fn a_lease_of_nothing_makes_every_approval_wait() {
    let mut options = options();
    options.kernel.lease.ceiling = Amount::ZERO;
    let mut gateway = armed(&options);
    assert_eq!(gateway.ask(SHARD, Ticket(1), &authorize(2, 1)), None);
}

#[test]
fn after_a_crash_the_lease_is_assumed_to_be_spent_until_it_would_have_expired() {
    let mut gateway = armed(&options());
    assert!(gateway.ask(SHARD, Ticket(2), &authorize(2, 10)).is_some(), "told, and lost with the process");
    let mut gateway = gateway.restart(&options(), None).unwrap();
    assert_eq!(gateway.engine().agent(AGENT).map(|handle| handle.index), Some(ALICE));
    assert_eq!(room(&mut gateway, 1000), 100 - 1 - 10);
    assert!(matches!(gateway.ask_durably(SHARD, &capture(2, 10)), Ok(Outcome::Captured(captured)) if captured.late));
    // 600 s for the longest hold under the lease, 30 s for its report.
    gateway.clock().advance(Duration::from_secs(630));
    assert_eq!(room(&mut gateway, 2000), 100 - 10, "only the capture is left: the holds expired");
}

#[test]
fn after_a_clean_end_nothing_is_assumed() {
    let mut gateway = armed(&options());
    assert!(gateway.ask(SHARD, Ticket(2), &authorize(2, 10)).is_some());
    gateway.shut_down();
    assert_eq!(gateway.ask(SHARD, Ticket(3), &authorize(3, 1)), Some(Err(EngineError::Unavailable)));
    let log = events(gateway.disk(), SHARD);
    assert!(matches!(log[..], [.., Event::Checkpoint(_), Event::Stopped]), "{log:?}");
    let mut gateway = gateway.restart(&options(), None).unwrap();
    assert_eq!(room(&mut gateway, 1000), 100 - 1 - 10);
    assert_eq!(
        gateway.ask(SHARD, Ticket(4), &capture(77, 1)),
        Some(Err(EngineError::Failure(Failure::UnknownAuthorization)))
    );
}

#[test]
fn a_smaller_lease_in_the_new_configuration_does_not_shrink_what_a_crash_left() {
    let gateway = armed(&options());
    let mut smaller = options();
    smaller.kernel.lease.ceiling = Amount::from_units(2);
    smaller.kernel.lease.hold_max = Duration::from_secs(1);
    let mut gateway = gateway.restart(&smaller, None).unwrap();
    gateway.clock().advance(Duration::from_secs(100));
    assert_eq!(room(&mut gateway, 1000), 100 - 1 - 10);
}

#[test]
fn a_failed_disk_ends_everything_and_loses_nothing_that_was_acknowledged() {
    for (kind, survives) in [(FaultKind::Nothing, false), (FaultKind::Torn, false), (FaultKind::Everything, true)] {
        let gateway = armed(&options());
        // The first append of the new process is its start.
        let fault = Fault { append: 1, kind, seed: 7 };
        let mut gateway = gateway.restart(&options(), Some(fault)).unwrap();
        assert_eq!(gateway.ask(SHARD, Ticket(1), &capture(1, 1)), None);
        gateway.settle();
        assert_eq!(gateway.answers(), vec![(Ticket(1), Err(EngineError::Unavailable))], "{kind:?}");
        assert_eq!(gateway.ask(SHARD, Ticket(2), &authorize(2, 1)), Some(Err(EngineError::Unavailable)));
        assert!(gateway.engine().status().failed);
        let mut gateway = gateway.restart(&options(), None).unwrap();
        let Ok(Outcome::Captured(captured)) = gateway.ask_durably(SHARD, &capture(1, 1)) else { panic!("{kind:?}") };
        assert_eq!((captured.captured, captured.late), (Amount::from_units(1), false), "{kind:?}");
        let captures = events(gateway.disk(), SHARD).iter().filter(|e| matches!(e, Event::Captured(_))).count();
        assert_eq!(captures, 1, "{kind:?}: survived {survives}");
    }
}

#[test]
fn a_full_mailbox_gives_the_batch_back() {
    let mut options = options();
    (options.mailbox_batches_max, options.batch_requests_max) = (2, 3);
    let mut gateway = armed(&options);
    let batch = |gateway: &HandDriven, count: u64| {
        let mut batch = gateway.batch();
        (0..count).for_each(|n| batch.push(SHARD, Ticket(n), &Request::Read(Query::Policies)));
        batch
    };
    let submit = |gateway: &HandDriven, batch: Batch| gateway.engine().submit(WorkerId(0), batch).map_err(|b| b.len());
    assert_eq!(submit(&gateway, batch(&gateway, 4)), Err(4), "too long");
    assert_eq!(gateway.engine().submit(WorkerId(9), batch(&gateway, 1)).map_err(|b| b.len()), Err(1), "no such worker");
    assert_eq!(submit(&gateway, batch(&gateway, 3)), Ok(()));
    assert_eq!(submit(&gateway, batch(&gateway, 1)), Ok(()));
    assert_eq!(submit(&gateway, batch(&gateway, 2)), Err(2), "full");
    gateway.turn();
    assert_eq!(gateway.answers().len(), 4);
    assert_eq!(submit(&gateway, batch(&gateway, 2)), Ok(()));
}

#[test]
fn a_request_for_a_shard_of_another_worker_is_unavailable() {
    let mut gateway = armed(&options());
    assert_eq!(gateway.engine().worker_of(ShardId(5)), WorkerId(0));
    let answer = gateway.ask(ShardId(5), Ticket(1), &Request::Read(Query::Policies));
    assert_eq!(answer, Some(Err(EngineError::Unavailable)));
}

#[test]
fn what_the_disk_cannot_keep_up_with_is_refused_before_it_is_decided() {
    let mut options = options();
    options.commit.backlog_bytes_max = 1000;
    let mut gateway = armed(&options);
    let refused_at = (0..1000).position(|n| {
        let answer = gateway.ask(SHARD, Ticket(n), &authorize(10 + u128::from(n), 1));
        gateway.turn();
        answer == Some(Err(EngineError::Overloaded))
    });
    let refused_at = refused_at.expect("1000 approvals are more than 1000 bytes");
    assert!((5..40).contains(&refused_at), "{refused_at}");
    assert!(gateway.engine().status().commits.backlog_bytes > 1000);
    assert_eq!(gateway.engine().status().workers[0].counters.overloaded, 1);
    gateway.settle();
    assert_eq!(gateway.engine().status().commits.backlog_bytes, 0);
    assert_eq!(shard_view(&mut gateway, SHARD).holds, 1 + refused_at as u64, "what was refused did not happen");
    assert!(is_approved(&gateway.ask_durably(SHARD, &authorize(5000, 1))));
}

#[test]
fn more_turns_than_the_committer_takes_wait_with_the_worker() {
    let mut options = options();
    options.kernel.lease.ceiling = Amount::ZERO;
    options.kernel.default_policy = policy(1, &[("MAX_AMOUNT", "100")]);
    let mut gateway = armed(&options);
    const TURNS: u64 = 3000;
    for n in 0..TURNS {
        assert_eq!(gateway.ask(SHARD, Ticket(n), &authorize(10 + u128::from(n), 1)), None);
        gateway.turn();
    }
    (0..4).for_each(|_| gateway.settle());
    let tickets: Vec<u64> = gateway.answers().iter().map(|(ticket, _)| ticket.0).collect();
    assert_eq!(tickets, (0..TURNS).collect::<Vec<_>>());
}

#[test]
fn a_policy_change_that_a_crash_interrupted_reaches_every_shard() {
    let mut options = options();
    (options.shards, options.workers) = (5, 2);
    let mut gateway = HandDriven::new(&options, NOW);
    let home = gateway.engine().home();
    let kept = Request::PutPolicy(policy(7, &[("MAX_AMOUNT", "5")]), None);
    assert_eq!(gateway.ask_durably(home, &kept), Ok(Outcome::PolicyChanged { revision: 1 }));
    let removed = policy(8, &[("MAX_AMOUNT", "6")]);
    assert!(gateway.ask_durably(home, &Request::PutPolicy(removed.clone(), None)).is_ok());
    assert!(gateway.ask_durably(ShardId(3), &Request::PutPolicy(removed, Some(2))).is_ok());
    assert!(gateway.ask_durably(home, &Request::RemovePolicy(PolicyId(8), None)).is_ok());
    assert_eq!(policies(&mut gateway, ShardId(3)), [(PolicyId(8), 2)]);
    let mut gateway = gateway.restart(&options, None).unwrap();
    for shard in (0..5).map(ShardId) {
        assert_eq!(policies(&mut gateway, shard), [(PolicyId(7), 1)], "{shard:?}");
        assert_eq!(shard_view(&mut gateway, shard).policy_revision, 3, "{shard:?}");
    }
    let before: usize = (0..5).map(|shard| events(gateway.disk(), ShardId(shard)).len()).sum();
    let gateway = gateway.restart(&options, None).unwrap();
    let after: usize = (0..5).map(|shard| events(gateway.disk(), ShardId(shard)).len()).sum();
    assert_eq!(after - before, 5, "the next start has nothing to repair");
}

#[test]
fn a_change_of_the_directory_that_a_crash_interrupted_reaches_every_shard() {
    fn put(id: u128, address: &str, revision: Option<u32>) -> Request<'static> {
        let texts = CounterpartyTexts { name: "a payee", address, ..CounterpartyTexts::default() };
        Request::PutCounterparty(Box::new(Counterparty::new(CounterpartyId(id), &texts).unwrap()), revision)
    }
    fn payees(gateway: &mut HandDriven, shard: ShardId) -> Vec<(u128, String, u32)> {
        let all = Request::Read(Query::Counterparties { after: None, count: 10 });
        let Ok(Outcome::View(View::Counterparties(entries))) = gateway.ask_durably(shard, &all) else { panic!() };
        let told =
            |entry: Entry| (entry.counterparty.id.0, entry.counterparty.texts().address.to_owned(), entry.revision);
        entries.into_iter().map(told).collect()
    }
    let mut options = options();
    (options.shards, options.workers) = (5, 2);
    let mut gateway = HandDriven::new(&options, NOW);
    let home = gateway.engine().home();
    // One is kept, one moves to the address of one that is removed.
    for (shard, request) in [
        (home, put(1, "0x1", None)),
        (home, put(2, "0x2", None)),
        (home, put(3, "0x3", None)),
        (ShardId(3), put(2, "0x2", Some(2))),
        (ShardId(3), put(3, "0x3", Some(3))),
        (home, Request::RemoveCounterparty(CounterpartyId(2), None)),
        (home, put(3, "0x2", None)),
    ] {
        assert!(gateway.ask_durably(shard, &request).is_ok());
    }
    let mut gateway = gateway.restart(&options, None).unwrap();
    for shard in (0..5).map(ShardId) {
        let expected = [(1, "0x1".to_owned(), 1), (3, "0x2".to_owned(), 5)];
        assert_eq!(payees(&mut gateway, shard), expected, "{shard:?}");
        assert_eq!(shard_view(&mut gateway, shard).policy_revision, 5, "{shard:?}");
    }
    let before: usize = (0..5).map(|shard| events(gateway.disk(), ShardId(shard)).len()).sum();
    let gateway = gateway.restart(&options, None).unwrap();
    let after: usize = (0..5).map(|shard| events(gateway.disk(), ShardId(shard)).len()).sum();
    assert_eq!(after - before, 5, "the next start has nothing to repair");
}

#[test]
fn a_list_of_sanctions_that_a_crash_interrupted_is_in_force_everywhere_or_nowhere() {
    fn list_of(gateway: &mut HandDriven, shard: ShardId) -> Option<(Box<str>, u32)> {
        match gateway.ask_durably(shard, &Request::Read(Query::Sanctions)) {
            Ok(Outcome::View(View::Sanctions(view))) => view.map(|view| (view.summary.source.clone(), view.revision)),
            other => panic!("{other:?}"),
        }
    }
    fn stage(gateway: &mut HandDriven, shard: ShardId, list: &SanctionsList) {
        for part in list.parts(list.summary("", "").digest) {
            assert!(gateway.ask_durably(shard, &Request::StageSanctions(Box::new(part))).is_ok());
        }
    }
    fn switch(list: &SanctionsList, source: &str, revision: Option<u32>) -> Request<'static> {
        Request::SwitchSanctions(Some(Box::new(list.summary(source, "me"))), revision)
    }
    let mut options = options();
    (options.shards, options.workers) = (4, 2);
    let mut gateway = HandDriven::new(&options, NOW);
    let home = gateway.engine().home();
    let first = SanctionsList::new(&["0xbad", "0xworse"], &["KP"]).unwrap();
    // Of all shards, the home and one other have it when the process dies.
    for shard in (0..4).map(ShardId) {
        stage(&mut gateway, shard, &first);
    }
    assert!(gateway.ask_durably(home, &switch(&first, "first", None)).is_ok());
    assert!(gateway.ask_durably(ShardId(2), &switch(&first, "first", Some(1))).is_ok());
    assert_eq!(list_of(&mut gateway, ShardId(1)), None);
    let mut gateway = gateway.restart(&options, None).unwrap();
    for shard in (0..4).map(ShardId) {
        assert_eq!(list_of(&mut gateway, shard), Some(("first".into(), 1)), "{shard:?}");
    }
    // The next one comes everywhere and is switched nowhere.
    let second = SanctionsList::new(&["0xother"], &[]).unwrap();
    for shard in (0..4).map(ShardId) {
        stage(&mut gateway, shard, &second);
    }
    let mut gateway = gateway.restart(&options, None).unwrap();
    for shard in (0..4).map(ShardId) {
        assert_eq!(list_of(&mut gateway, shard), Some(("first".into(), 1)), "{shard:?}");
    }
    let late = gateway.ask_durably(home, &switch(&second, "second", None));
    assert!(matches!(late, Err(EngineError::Failure(Failure::Invalid { field: "list", .. }))), "{late:?}");
    // That none is in force any more is made good, too.
    assert!(gateway.ask_durably(home, &Request::SwitchSanctions(None, None)).is_ok());
    let mut gateway = gateway.restart(&options, None).unwrap();
    for shard in (0..4).map(ShardId) {
        assert_eq!(list_of(&mut gateway, shard), None, "{shard:?}");
    }
    let before: usize = (0..4).map(|shard| events(gateway.disk(), ShardId(shard)).len()).sum();
    let gateway = gateway.restart(&options, None).unwrap();
    let after: usize = (0..4).map(|shard| events(gateway.disk(), ShardId(shard)).len()).sum();
    assert_eq!(after - before, 4, "the next start has nothing to repair");
}

/// What was durable at a start, with a snapshot or at a clean end is missed by the next start if it is lost.
#[test]
fn starts_snapshots_and_clean_ends_are_anchored() {
    fn is_anchored(gateway: &HandDriven) -> bool {
        let disk = gateway.disk();
        disk.anchored(SHARD).unwrap().sequence == disk.last(SHARD).unwrap()
    }
    let mut options = options();
    options.snapshot.journal_bytes = 1;
    let mut gateway = HandDriven::new(&options, NOW);
    assert!(is_anchored(&gateway), "the start");
    gateway.create_agent(AGENT);
    assert!(!is_anchored(&gateway), "an anchor is off the hot path");
    gateway.write_snapshots();
    assert!(is_anchored(&gateway), "the snapshot");
    assert!(is_approved(&gateway.ask_durably(SHARD, &authorize(1, 1))));
    let mut gateway = gateway.restart(&options, None).unwrap();
    assert!(is_anchored(&gateway), "the start after a crash");
    assert!(is_approved(&gateway.ask_durably(SHARD, &authorize(2, 1))));
    gateway.shut_down();
    assert!(is_anchored(&gateway), "the clean end");
    gateway.disk().tamper(SHARD, |records| drop(records.pop_last())).unwrap();
    let error = gateway.restart(&options, None).err().unwrap().to_string();
    assert!(error.contains("was durable: the file is damaged or was replaced; restore a backup"), "{error}");
}

#[test]
fn a_snapshot_and_the_rest_of_the_journal_are_the_whole_journal() {
    let mut with_snapshots = options();
    with_snapshots.snapshot.journal_bytes = 500;
    let digests = [options(), with_snapshots].map(|options| {
        let mut gateway = armed(&options);
        for n in 2..200_u64 {
            gateway.ask(SHARD, Ticket(n), &authorize(u128::from(n), 1));
            gateway.ask(SHARD, Ticket(n), &capture(u128::from(n) / 2, 0));
            gateway.clock().advance(Duration::from_secs(5));
            gateway.settle();
            gateway.write_snapshots();
        }
        assert_eq!(gateway.engine().status().commits.snapshots > 10, options.snapshot.journal_bytes == 500);
        assert_eq!(gateway.engine().status().commits.snapshots_failed, 0);
        gateway.ask(SHARD, Ticket(0), &authorize(1000, 1));
        gateway.settle();
        let live = shard_view(&mut gateway, SHARD).digest;
        let mut gateway = gateway.restart(&options, None).unwrap();
        assert_ne!(shard_view(&mut gateway, SHARD).digest, live, "a start changes the state");
        assert_eq!(shard_view(&mut gateway, SHARD).digest, replayed_digest(gateway.disk(), SHARD));
        shard_view(&mut gateway, SHARD).digest
    });
    assert_eq!(digests[0], digests[1]);
    assert!(digests[0].is_some());
}

#[test]
fn a_checkpoint_has_the_digest_that_a_replay_comes_to() {
    let mut gateway = armed(&options());
    gateway.ask(SHARD, Ticket(2), &authorize(2, 10));
    gateway.ask(SHARD, Ticket(2), &authorize(3, 1000));
    gateway.shut_down();
    let mut state = State::new(options().kernel);
    let mut checkpoints = 0;
    replay(&**gateway.disk(), SHARD, Position::START, &mut |_, payload| {
        Ok(visit_events(payload, &mut |moment, event| {
            if let Event::Checkpoint(digest) = &event {
                assert_eq!(*digest, state.digest());
                checkpoints += 1;
            }
            state.apply(moment, &event);
        })?)
    })
    .unwrap();
    assert_eq!(checkpoints, 1);
}

#[test]
fn a_clock_that_is_set_back_stands_still() {
    let mut gateway = armed(&options());
    let expires_at = |gateway: &mut HandDriven, id| match gateway.ask_durably(SHARD, &authorize(id, 1)) {
        Ok(Outcome::Approved(approval)) => approval.expires_at,
        other => panic!("{other:?}"),
    };
    let before = expires_at(&mut gateway, 2);
    gateway.clock().set(Timestamp::from_micros(NOW.micros() - 3_600_000_000));
    assert_eq!(expires_at(&mut gateway, 3), before);
    let mut gateway = gateway.restart(&options(), None).unwrap();
    assert_eq!(expires_at(&mut gateway, 4), before);
}

#[test]
fn holds_expire_without_being_asked() {
    let mut gateway = armed(&options());
    let due = NOW.after(Duration::from_secs(330));
    gateway.clock().set(due);
    gateway.turn();
    assert_eq!(
        gateway.ask(SHARD, Ticket(1), &Request::Read(Query::Agent(ALICE))),
        None,
        "the expiry is not durable yet"
    );
    gateway.settle();
    assert!(matches!(events(gateway.disk(), SHARD).last(), Some(Event::Expired(ALICE, AuthorizationId(1)))));
}

#[test]
fn what_was_due_while_nobody_ran_happens_at_the_start() {
    let mut gateway = armed(&options());
    gateway.create_agent(AgentId(2));
    gateway.clock().advance(Duration::from_secs(3600));
    let mut gateway = gateway.restart(&options(), None).unwrap();
    let log = events(gateway.disk(), SHARD);
    assert!(
        matches!(log[..], [.., Event::Expired(ALICE, AuthorizationId(1)), Event::Started { incarnation: 2 }]),
        "{log:?}"
    );
    assert_eq!(shard_view(&mut gateway, SHARD).holds, 0);
    assert_eq!(shard_view(&mut gateway, SHARD).digest, replayed_digest(gateway.disk(), SHARD));
}

#[test]
fn a_flood_of_denials_is_a_few_events_and_counts_all() {
    let mut gateway = armed(&options());
    for n in 0..1000 {
        assert!(
            gateway
                .ask(SHARD, Ticket(n), &authorize(10 + u128::from(n), 1000))
                .is_some_and(|answer| is_denied(&answer))
        );
    }
    gateway.clock().advance(Duration::from_secs(1));
    gateway.settle();
    let counts = events(gateway.disk(), SHARD).into_iter().filter_map(|event| match event {
        Event::Denied(denied) => Some(denied.count),
        _ => None,
    });
    assert_eq!(counts.collect::<Vec<_>>(), [1, 1, 1, 1, 1, 1, 1, 1, 992]);
}

fn watching(violations: u32) -> Request<'static> {
    let thresholds = vec![(Threshold::MaxConsecutiveViolations, violations)];
    let watching = Some(Box::new(WatchingChange { auto_freeze: Some(true), thresholds }));
    Request::UpdateAgent(ALICE, UpdateAgent { watching, ..UpdateAgent::default() })
}

/// Decided one after the other in the same turn, at the same moment, and before anything is durable.
#[test]
fn a_freeze_is_seen_by_the_next_decision_of_the_same_turn() {
    let freezes: [fn(&mut HandDriven); 2] = [
        |gateway| {
            let freeze = Freeze { reason: "a drill", void_holds: false };
            assert_eq!(gateway.ask(SHARD, Ticket(50), &Request::Freeze(ALICE, freeze)), None);
        },
        |gateway| {
            (50..52).for_each(|id| {
                assert!(is_denied(&gateway.ask(SHARD, Ticket(id), &authorize(id.into(), 1000)).unwrap()))
            })
        },
    ];
    for freeze in freezes {
        let mut gateway = armed(&options());
        gateway.ask_durably(SHARD, &watching(2)).unwrap();
        assert!(is_approved(&gateway.ask(SHARD, Ticket(1), &authorize(10, 1)).unwrap()));
        freeze(&mut gateway);
        assert!(is_denied(&gateway.ask(SHARD, Ticket(2), &authorize(11, 1)).unwrap()));
        gateway.settle();
        let counters = gateway.engine().status().workers[0].counters;
        assert!(counters.alerts >= 1 && counters.freezes == 1, "{counters:?}");
        let mut gateway = gateway.restart(&options(), None).unwrap();
        assert!(is_denied(&gateway.ask_durably(SHARD, &authorize(12, 1))), "it survives a crash");
    }
}

/// Of a flood, denials are journalled as sums: each of them counts in the row all the same.
#[test]
fn a_row_of_denials_is_as_long_as_their_flood() {
    let mut gateway = armed(&options());
    gateway.ask_durably(SHARD, &watching(500)).unwrap();
    (10..509).for_each(|id| assert!(is_denied(&gateway.ask(SHARD, Ticket(0), &authorize(id, 1000)).unwrap())));
    gateway.clock().advance(Duration::from_secs(1));
    assert!(is_approved(&gateway.ask_durably(SHARD, &authorize(600, 1))), "499 in a row are not 500");
    (1010..1510).for_each(|id| assert!(is_denied(&gateway.ask(SHARD, Ticket(0), &authorize(id, 1000)).unwrap())));
    gateway.clock().advance(Duration::from_secs(1));
    assert!(is_denied(&gateway.ask_durably(SHARD, &authorize(601, 1))));
}

#[test]
fn a_policy_that_no_turn_can_carry_is_refused() {
    let mut gateway = armed(&options());
    let huge = PolicySource { description: "x".repeat(300_000), ..policy(9, &[("MAX_AMOUNT", "5")]) };
    let answer = gateway.ask_durably(SHARD, &Request::PutPolicy(huge, None));
    assert!(matches!(answer, Err(EngineError::Failure(Failure::Capacity { .. } | Failure::Policy(_)))), "{answer:?}");
    assert!(is_approved(&gateway.ask_durably(SHARD, &authorize(2, 1))));
    let mut gateway = gateway.restart(&options(), None).unwrap();
    assert_eq!(policies(&mut gateway, SHARD), []);
}

#[test]
fn a_great_deal_that_is_due_at_once_becomes_several_turns() {
    let mut options = options();
    options.kernel.default_policy = policy(1, &[("MAX_AMOUNT", "100")]);
    options.kernel.lease.ceiling = Amount::from_units(1_000_000);
    options.kernel.lease.count_max = 1_000_000;
    let mut gateway = armed(&options);
    const HOLDS: u128 = 60_000;
    for id in 2..=HOLDS {
        assert!(gateway.ask(SHARD, Ticket(0), &authorize(id, 1)).is_some_and(|answer| is_approved(&answer)));
    }
    gateway.settle();
    gateway.clock().advance(Duration::from_secs(330));
    gateway.settle();
    let expired = events(gateway.disk(), SHARD).iter().filter(|event| matches!(event, Event::Expired(..))).count();
    assert_eq!(expired as u128, HOLDS);
    assert!(!gateway.engine().status().failed);
}

#[derive(Default)]
struct Diary(Mutex<Vec<String>>);

impl Observer for Diary {
    fn recovered(&self, shard: ShardId, state: &State) {
        self.0.lock().unwrap().push(format!("shard {} has {} agents", shard.0, state.agents().count()));
    }

    fn observe(&self, _: ShardId, event: &Event) {
        self.0.lock().unwrap().push(format!("{event:?}").split('(').next().unwrap().to_owned());
    }
}

#[test]
fn observers_are_told_of_durable_facts_only() {
    let diary = Arc::new(Diary::default());
    let disk = Arc::new(MemoryStore::new(NonZeroU16::MIN));
    let clock = Arc::new(VirtualClock::new(NOW));
    let mut gateway = HandDriven::open(&options(), disk, clock, None, Arc::<Diary>::clone(&diary)).unwrap();
    let told = || std::mem::take(&mut *diary.0.lock().unwrap());
    assert_eq!(told(), ["shard 0 has 0 agents"]);
    assert_eq!(gateway.ask(SHARD, Ticket(1), &Request::PutPolicy(policy(7, &[("MAX_AMOUNT", "5")]), None)), None);
    gateway.turn();
    assert_eq!(told(), [""; 0]);
    assert_eq!(gateway.engine().agent(AGENT), None);
    gateway.create_agent(AGENT);
    assert_eq!(told(), ["PolicyPut", "AgentCreated"]);
    assert!(gateway.engine().agent(AGENT).is_some());
}

fn threaded(options: EngineOptions) -> (Engine, EngineThreads, Arc<MemoryStore>) {
    let disk = Arc::new(MemoryStore::new(NonZeroU16::new(options.shards).unwrap()));
    let clock = Arc::new(VirtualClock::new(NOW));
    let (engine, workers) =
        Engine::open(options, Arc::<MemoryStore>::clone(&disk), clock, Arc::new(NoObserver)).unwrap();
    (engine, EngineThreads::spawn(workers).unwrap(), disk)
}

#[test]
fn many_threads_never_get_more_than_the_limit_together() {
    let mut options = options();
    (options.shards, options.workers) = (4, 2);
    let (engine, threads, _) = threaded(options);
    let home = engine.shard_of(AGENT);
    let create = holdfast::kernel::request::CreateAgent {
        id: AGENT,
        name: "",
        agent_type: "",
        status: holdfast::kernel::request::AgentStatus::Active,
        lease: None,
    };
    engine.call(home, &Request::CreateAgent(create)).unwrap();
    let approved: usize = thread::scope(|scope| {
        let askers: Vec<_> = (0..8_u128)
            .map(|asker| {
                let engine = &engine;
                let ask = move |n: &u128| is_approved(&engine.call(home, &authorize(asker * 1000 + n, 1)));
                scope.spawn(move || (1..=50).filter(ask).count())
            })
            .collect();
        askers.into_iter().map(|asker| asker.join().unwrap()).sum()
    });
    assert_eq!(approved, 100);
    let status = engine.status();
    assert_eq!(status.workers.iter().map(|worker| worker.counters.denials).sum::<u64>(), 300);
    engine.shut_down();
    threads.join();
    assert_eq!(engine.call(home, &authorize(9999, 1)), Err(EngineError::Unavailable));
}

#[test]
fn policies_are_written_and_removed_in_every_shard() {
    let mut options = options();
    (options.shards, options.workers) = (4, 2);
    let (engine, threads, disk) = threaded(options.clone());
    assert_eq!(engine.put_policy(policy(7, &[("MAX_AMOUNT", "5")]), None), Ok(Outcome::PolicyChanged { revision: 1 }));
    assert_eq!(engine.put_policy(policy(8, &[("MAX_AMOUNT", "6")]), None), Ok(Outcome::PolicyChanged { revision: 2 }));
    assert_eq!(engine.remove_policy(PolicyId(7), None), Ok(Outcome::PolicyChanged { revision: 3 }));
    assert_eq!(engine.remove_policy(PolicyId(9), None), Err(EngineError::Failure(Failure::UnknownPolicy)));
    assert!(matches!(
        engine.put_policy(policy(9, &[("NONSENSE", "6")]), None),
        Err(EngineError::Failure(Failure::Policy(_)))
    ));
    engine.shut_down();
    for shard in (0..engine.shard_count()).map(ShardId) {
        assert_eq!(disk.anchored(shard).unwrap().sequence, disk.last(shard).unwrap());
    }
    threads.join();
    let clock = Arc::new(VirtualClock::new(NOW));
    let mut gateway = HandDriven::open(&options, disk, clock, None, Arc::new(NoObserver)).unwrap();
    for shard in (0..4).map(ShardId) {
        assert_eq!(policies(&mut gateway, shard), [(PolicyId(8), 2)], "{shard:?}");
    }
}

struct Count(Mutex<Vec<Answer>>);

impl Replies for Count {
    fn deliver(&self, replies: &mut dyn Iterator<Item = (Ticket, Answer)>) {
        self.0.lock().unwrap().extend(replies.map(|(_, answer)| answer));
    }
}

#[test]
fn whoever_waits_for_a_worker_that_is_gone_is_told() {
    let disk = Arc::new(MemoryStore::new(NonZeroU16::MIN));
    let (engine, workers) =
        Engine::open(options(), disk, Arc::new(VirtualClock::new(NOW)), Arc::new(NoObserver)).unwrap();
    let replies = Arc::new(Count(Mutex::default()));
    let batch = || {
        let mut batch = Batch::new(Arc::<Count>::clone(&replies));
        batch.push(SHARD, Ticket(1), &Request::Read(Query::Policies));
        batch
    };
    assert!(engine.submit(WorkerId(0), batch()).is_ok());
    drop(workers);
    assert!(engine.submit(WorkerId(0), batch()).is_ok());
    assert_eq!(*replies.0.lock().unwrap(), [Err(EngineError::Unavailable), Err(EngineError::Unavailable)]);
    assert_eq!(engine.call(SHARD, &Request::Read(Query::Policies)), Err(EngineError::Unavailable));
}
