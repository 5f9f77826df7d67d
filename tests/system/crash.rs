//! `kill -9`, and what must be there afterwards.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use holdfast::{
    client::{Client, new_operation_id},
    kernel::{Amount, AuthorizationId},
    wire::{Handle, request::Capture},
};
use serde_json::Value;
use tokio::{
    sync::{Mutex, Semaphore},
    task::JoinSet,
};

use crate::{
    gateway::{Gateway, Site},
    payer::{Payer, authorize, runtime, text},
};

/// How many payments are asked for at one time.
const REQUESTS: usize = 10_000;
/// How many of them the budget allows: 1.00 in pieces of 0.01.
const APPROVALS_MAX: usize = 100;
const BUDGET: &str = "1.00";
const PIECE: Amount = Amount::from_micros(10_000);
const SESSION: &str = "task-run-1";
/// So many payments are let go at one time, and the gateway is killed at the first answer, while the others are under way; the first
/// times while there is budget left. Then all the rest is let go.
const WAVES: [usize; 6] = [20, 20, 20, 20, 1_000, 4_000];

/// What the callers were told.
#[derive(Default)]
struct Told {
    answers: AtomicUsize,
    approvals: AtomicUsize,
    captured: Mutex<Vec<Capture>>,
}

/// Asks for all payments as the gate lets them go, and captures every other one that is approved.
async fn pay_all(client: &Client, agent: Handle, told: &Arc<Told>, gate: &Arc<Semaphore>, capture: bool) {
    let mut payments = JoinSet::new();
    for number in 0..REQUESTS {
        let (client, told, gate) = (client.clone(), Arc::clone(told), Arc::clone(gate));
        payments.spawn(async move {
            gate.acquire().await.unwrap().forget();
            let id = AuthorizationId(number as u128 + 1);
            let is_approved = authorize(&client, agent, id, SESSION).await;
            told.answers.fetch_add(1, Ordering::Relaxed);
            if !is_approved {
                return;
            }
            told.approvals.fetch_add(1, Ordering::Relaxed);
            if capture && number % 2 == 0 {
                let report = Capture { id, operation: new_operation_id(), amount: PIECE, last: true };
                client.capture(agent, &report).await.unwrap();
                told.captured.lock().await.push(report);
            }
        });
    }
    while let Some(done) = payments.join_next().await {
        done.unwrap();
    }
}

#[test]
fn ten_thousand_at_once_get_exactly_what_the_budget_allows() {
    let site = Site::new();
    let gateway = site.start();
    let payer = Payer::new(&gateway);
    payer.limit(&gateway, "X402_SESSION_BUDGET", BUDGET);
    let told = Arc::new(Told::default());
    runtime().block_on(async {
        let (client, agent) = payer.connect(&site).await;
        pay_all(&client, agent, &told, &Arc::new(Semaphore::new(REQUESTS)), false).await;
    });
    assert_eq!(told.answers.load(Ordering::Relaxed), REQUESTS);
    assert_eq!(told.approvals.load(Ordering::Relaxed), APPROVALS_MAX);
}

#[test]
fn killed_again_and_again_it_never_approves_more_and_keeps_every_capture() {
    let site = Site::new();
    let gateway = site.start();
    let payer = Payer::new(&gateway);
    payer.limit(&gateway, "X402_SESSION_BUDGET", BUDGET);
    let told = Arc::new(Told::default());
    let runtime = runtime();
    let (client, agent) = runtime.block_on(payer.connect(&site));
    let (client, told, runtime) = (&client, &told, &runtime);
    let gateway = std::thread::scope(|scope| {
        let gate = Arc::new(Semaphore::new(0));
        let callers = scope.spawn({
            let gate = Arc::clone(&gate);
            move || runtime.block_on(pay_all(client, agent, told, &gate, true))
        });
        let mut gateway = gateway;
        for wave in WAVES {
            let answered = told.answers.load(Ordering::Relaxed);
            gate.add_permits(wave);
            while told.answers.load(Ordering::Relaxed) == answered && !callers.is_finished() {
                std::thread::yield_now();
            }
            gateway.kill();
            gateway = site.start();
        }
        gate.add_permits(REQUESTS);
        callers.join().unwrap();
        gateway
    });
    assert_eq!(told.answers.load(Ordering::Relaxed), REQUESTS);
    let approvals = told.approvals.load(Ordering::Relaxed);
    eprintln!("{approvals} approvals in the face of {} kills", WAVES.len());
    // Every crash may cost the lease, a tenth of the budget, and the approvals whose answers were lost.
    assert!((1..=APPROVALS_MAX).contains(&approvals), "{approvals} approvals");
    let captured = runtime.block_on(told.captured.lock()).clone();
    assert!(!captured.is_empty());
    runtime.block_on(check_captures(&gateway, &payer, client, agent, &captured));
    gateway.kill();
    runtime.block_on(check_captures(&site.start(), &payer, client, agent, &captured));
}

/// Every capture that was acknowledged is there: it is remembered, so it is answered again and not booked again, and the money
/// counts as used. (A hold that a crash lost is not there any more, but what was captured of it is.)
async fn check_captures(gateway: &Gateway<'_>, payer: &Payer, client: &Client, agent: Handle, captured: &[Capture]) {
    let used = || {
        let (_, budget) = gateway.ask(&payer.key, "GET", "/api/sdk/x402/budget", &Value::Null);
        Amount::parse(&budget["spentToday"].to_string()).unwrap()
    };
    let before = used();
    assert!(before >= Amount::from_micros(PIECE.micros() * captured.len() as u64), "{before} for {}", captured.len());
    for report in captured {
        let again = client.capture(agent, report).await.unwrap();
        assert_eq!(again.captured, PIECE, "{report:?}");
    }
    assert_eq!(used(), before, "a capture that is answered again is not booked again");
}

#[test]
fn the_journal_of_a_killed_gateway_gives_the_live_state() {
    let site = Site::new();
    let gateway = site.start();
    let payer = Payer::new(&gateway);
    let approved = site.json(&["authorize", "0.05", "--to", "0x1", "--key", &payer.key]);
    site.json(&["capture", &text(&approved, "authorizationId"), "0.02", "--more", "--key", &payer.key]);
    let live = site.json(&["status", "--digest"]);
    gateway.kill();
    let verified = site.json(&["journal", "verify", "--data-dir", site.data_dir().to_str().unwrap()]);
    assert_eq!(digests(&verified), digests(&live));
    assert_eq!(digests(&live).len(), 8);
}

fn digests(report: &Value) -> Vec<String> {
    report["shards"].as_array().unwrap().iter().map(|shard| text(shard, "digest")).collect()
}
