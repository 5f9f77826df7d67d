//! What is cut from the journal is gone, and nothing else is: not what a shard knows, not what sums say, not the proof of the rest.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;

use holdfast::{
    engine::{AgentHandle, EngineOptions, FeedError},
    journal::{ChainHash, MemoryStore, Position, Sequence, Store, record::Record, verify},
    kernel::{
        AgentId, AgentIndex, Amount, AuthorizationId, Duration, OperationId, Outcome, PolicyId, Protocol, Request,
        ShardId, Timestamp,
        outcome::{ShardView, View},
        policy::{PRIORITY_DEFAULT, PolicyScope, PolicySource, RuleSource},
        request::{Authorize, Capture, Intent, Query},
    },
    query::{ReadModels, Span, TransactionsOf},
    testing::HandDriven,
};

const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);
const SHARD: ShardId = ShardId(0);
const ALICE: AgentIndex = AgentIndex(0);
const HANDLE: AgentHandle = AgentHandle { shard: SHARD, index: ALICE };

fn options() -> EngineOptions {
    let rule = RuleSource {
        rule_type: "DAILY_LIMIT".to_owned(),
        operator: "LTE".to_owned(),
        value: "100000".to_owned(),
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
    (options.shards, options.workers) = (1, 1);
    options.kernel.require_wallet = false;
    options
}

fn kept_bytes(bytes: u64) -> EngineOptions {
    let mut options = options();
    options.retention.bytes_max = Some(bytes);
    options
}

fn authorize(id: u128) -> Request<'static> {
    Request::Authorize(
        ALICE,
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

fn capture(id: u128) -> Request<'static> {
    let operation = OperationId::of_key(&format!("capture {id}"));
    Request::Capture(ALICE, Capture { id: AuthorizationId(id), operation, amount: Amount::from_units(1), last: true })
}

/// Approves and captures payments, a second apart; what is odd stays open.
fn pay(gateway: &mut HandDriven, ids: std::ops::Range<u128>) {
    for id in ids {
        gateway.clock().advance(Duration::from_secs(1));
        assert!(matches!(gateway.ask_durably(SHARD, &authorize(id)), Ok(Outcome::Approved(_))));
        gateway.settle();
        if id.is_multiple_of(2) {
            gateway.ask_durably(SHARD, &capture(id)).unwrap();
        }
    }
}

fn opened(options: &EngineOptions) -> HandDriven {
    let mut gateway = HandDriven::new(options, NOW);
    gateway.create_agent(AgentId(1));
    gateway
}

fn view(gateway: &mut HandDriven) -> ShardView {
    match gateway.ask_durably(SHARD, &Request::Read(Query::Shard { digest: true })) {
        Ok(Outcome::View(View::Shard(view))) => view,
        other => panic!("{other:?}"),
    }
}

fn records(disk: &MemoryStore) -> Vec<u64> {
    let mut found = Vec::new();
    disk.read(SHARD, Sequence::NONE, &mut |sequence, _| {
        found.push(sequence.0);
        std::ops::ControlFlow::Continue(())
    })
    .unwrap();
    found
}

fn base(gateway: &HandDriven) -> u64 {
    gateway.disk().begins_after(SHARD).unwrap().sequence.0
}

#[test]
fn without_a_limit_nothing_is_cut() {
    let mut gateway = opened(&options());
    pay(&mut gateway, 1..50);
    gateway.retain();
    assert_eq!((base(&gateway), records(gateway.disk())[0]), (0, 1));
}

#[test]
fn the_oldest_part_of_too_much_is_cut_and_the_shard_knows_what_it_knew() {
    let options = kept_bytes(4000);
    let mut gateway = opened(&options);
    pay(&mut gateway, 1..80);
    let before = view(&mut gateway);
    gateway.retain();
    let status = gateway.engine().status();
    assert_eq!((status.commits.cuts, status.commits.cuts_failed), (1, 0), "{:?}", status.commits.cut_failure);
    let cut = base(&gateway);
    assert!(cut > 10, "{cut}");
    assert_eq!(status.shards[0].base, Sequence(cut));
    assert_eq!(records(gateway.disk())[0], cut, "the record that the base is tied to is kept");
    assert_eq!(view(&mut gateway), before);
    gateway.retain();
    assert_eq!(base(&gateway), cut, "what is left is not too much");
    verify(&**gateway.disk(), SHARD, &mut |_, _| Ok(()), &mut |_| ()).unwrap();

    // The next process knows every hold, and every answer that is remembered.
    let (held, holds) = (before.digest, before.holds);
    let mut gateway = gateway.restart(&options, None).unwrap();
    assert!(held.is_some());
    assert_eq!(view(&mut gateway).holds, holds);
    assert!(matches!(gateway.ask_durably(SHARD, &capture(2)), Ok(Outcome::Captured(_))), "repeated");
    assert!(matches!(gateway.ask_durably(SHARD, &capture(1)), Ok(Outcome::Captured(_))), "held before the cut");
}

#[test]
fn what_is_too_old_is_cut_even_where_little_happens() {
    let mut options = options();
    options.retention.age_max = Some(Duration::from_secs(3600));
    let mut gateway = opened(&options);
    pay(&mut gateway, 1..20);
    gateway.retain();
    assert_eq!(base(&gateway), 0);
    let old = gateway.disk().last(SHARD).unwrap();
    gateway.clock().advance(Duration::from_secs(3700));
    pay(&mut gateway, 20..25);
    gateway.retain();
    assert_eq!(base(&gateway), 0, "a base is not written for every little");
    gateway.clock().advance(Duration::from_secs(300));
    gateway.retain();
    // How long a group lasted is not known, so the last one before the pause counts as young as the next.
    assert!(base(&gateway) >= old.0 - 1, "{} of {old}", base(&gateway));
    verify(&**gateway.disk(), SHARD, &mut |_, _| Ok(()), &mut |_| ()).unwrap();
}

#[test]
fn sums_survive_a_cut_and_cursors_before_it_are_refused() {
    let options = kept_bytes(4000);
    let mut gateway = opened(&options);
    let models = ReadModels::new(1);
    let feed = gateway.follow(vec![models.follower()]);
    pay(&mut gateway, 1..80);
    gateway.retain();
    assert_eq!(base(&gateway), 0, "what the followers were not handed yet is not cut");
    gateway.feed();
    let spend = |models: &ReadModels, feed: &holdfast::engine::Feed| {
        let spend = models.spend_of(HANDLE, Span::All, gateway_now(), feed.directory());
        (spend[0].figures.net(), spend[0].figures.calls)
    };
    let before = spend(&models, &feed);
    let oldest = feed.oldest();
    gateway.retain();
    assert!(base(&gateway) > 0);
    assert_eq!(spend(&models, &feed), before);
    let read = feed.read(&oldest, 10, &mut |_, _| panic!("it is gone"));
    assert!(matches!(read, Err(FeedError::CursorTooOld { shard: SHARD })), "{read:?}");
    let mut left = 0;
    feed.read(&feed.oldest(), 4096, &mut |_, _| left += 1).unwrap();
    assert!(left > 0);

    let mut gateway = gateway.restart(&options, None).unwrap();
    let models = ReadModels::new(1);
    let feed = gateway.follow(vec![models.follower()]);
    gateway.feed();
    assert_eq!(spend(&models, &feed), before);
    let mut cursor = None;
    let mut transactions = 0;
    loop {
        let page = models.transactions(&feed, TransactionsOf::default(), cursor.as_ref(), 7).unwrap();
        transactions += page.transactions.len();
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    assert!((1..39).contains(&transactions), "{transactions} of 39 are kept");
}

fn gateway_now() -> Timestamp {
    NOW.after(Duration::from_secs(100))
}

#[test]
fn history_that_somebody_reads_is_kept_meanwhile() {
    let mut gateway = opened(&kept_bytes(4000));
    pay(&mut gateway, 1..80);
    let kept = gateway.engine().keep_history();
    gateway.retain();
    assert_eq!(base(&gateway), 0);
    drop(kept);
    gateway.retain();
    assert!(base(&gateway) > 0);
}

/// Cuts until it is interrupted after so many writes; whatever was done, the next process has everything and ends the cut.
#[test]
fn a_crash_at_any_step_of_a_cut_loses_nothing() {
    let options = kept_bytes(4000);
    let mut is_whole = false;
    for writes in 0..1000 {
        let mut gateway = opened(&options);
        pay(&mut gateway, 1..60);
        let holds = view(&mut gateway).holds;
        gateway.crash_after(writes);
        gateway.retain();
        is_whole = !gateway.has_failed();
        let mut gateway = gateway.restart(&options, None).unwrap();
        verify(&**gateway.disk(), SHARD, &mut |_, _| Ok(()), &mut |_| ()).unwrap();
        assert_eq!(view(&mut gateway).holds, holds, "after {writes} writes");
        assert!(matches!(gateway.ask_durably(SHARD, &capture(2)), Ok(Outcome::Captured(_))));
        gateway.retain();
        let cut = base(&gateway);
        assert!(cut > 0, "after {writes} writes: {:?}", gateway.engine().status().commits.cut_failure);
        assert_eq!(records(gateway.disk())[0], cut);
        let mut gateway = gateway.restart(&options, None).unwrap();
        assert_eq!(view(&mut gateway).holds, holds);
        if is_whole {
            break;
        }
    }
    assert!(is_whole, "the cut never comes to its end");
}

#[test]
fn what_is_cut_is_in_a_file_that_proves_itself() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = kept_bytes(4000);
    options.retention.export_dir = Some(directory.path().join("cut"));
    let mut gateway = opened(&options);
    for round in 0..3 {
        pay(&mut gateway, 1 + round * 100..80 + round * 100);
        gateway.retain();
    }
    let mut files: Vec<_> =
        fs::read_dir(directory.path().join("cut")).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 1 && files.iter().all(|file| file.extension().is_some_and(|kind| kind == "jsonl")));
    let (mut chain, mut next, mut captured) = (ChainHash::GENESIS, 1, 0);
    for line in
        files.iter().flat_map(|file| fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect::<Vec<_>>())
    {
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["firstRecord"], next);
        let payload = bytes(line["payload"].as_str().unwrap());
        let mut record = Vec::new();
        Record { continues: false, previous: chain, payload: &payload }.encode_into(&mut record).unwrap();
        chain = ChainHash::of(SHARD, Sequence(next), &record);
        assert_eq!(line["chainHash"], chain.to_string());
        captured += line["events"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|event| event["event"].as_str().unwrap().starts_with("Captured"))
            .count();
        assert!(line["events"][0]["id"].as_str().unwrap().starts_with(&format!("0-{next}-")));
        next = line["lastRecord"].as_u64().unwrap() + 1;
    }
    let begins_after: Position = gateway.disk().begins_after(SHARD).unwrap();
    assert_eq!(
        (next - 1, chain),
        (begins_after.sequence.0, begins_after.chain),
        "the files end where the journal begins"
    );
    assert!(captured > 30, "{captured}");
}

fn bytes(hexadecimal: &str) -> Vec<u8> {
    let digits: Vec<u8> = hexadecimal.chars().map(|digit| digit.to_digit(16).unwrap() as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

#[test]
fn a_directory_that_cannot_be_written_to_keeps_everything() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut options = kept_bytes(4000);
    options.retention.export_dir = Some(file.path().join("below a file"));
    let mut gateway = opened(&options);
    pay(&mut gateway, 1..80);
    gateway.retain();
    let status = gateway.engine().status();
    assert_eq!((base(&gateway), status.commits.cuts_failed, status.failed), (0, 1, false));
    assert!(status.commits.cut_failure.is_some());
}
