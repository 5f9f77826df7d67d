//! How long does it take to judge a million payments of the past by a policy, and does the policy in force deny none of them?
//!
//! ```text
//! cargo bench --no-default-features --features sled --bench backtest -- --payments 1000000
//! ```
//!
//! Fills a new directory under `TMPDIR` with payments, each authorized and captured, of agents that are held to all rules of
//! `config/policies/machine-payments.toml`, velocities among them; then judges them by the same rules, and by the same with a tenth of the
//! velocity that there was. Not a bench of criterion's, since one run says it all.

mod fixture;

use std::{error::Error, num::NonZeroU16, ops::ControlFlow, sync::Arc, time::Instant};

use fixture::{Gateway, machine_payments};
use holdfast::{
    backtest::{Backtest, Report, run},
    journal::{SledOptions, SledStore, Store, Survives, sled::CACHE_BYTES_DEFAULT},
    kernel::{
        Timestamp,
        policy::{PolicySource, RuleSource},
    },
};

/// What the gateway uses, too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SHARDS: Option<NonZeroU16> = NonZeroU16::new(8);
const AGENTS_MAX: u64 = 10_000;
/// Payments of an agent, where there are agents enough.
const PAYMENTS_EACH: u64 = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let said = arguments.iter().position(|argument| argument == "--payments");
    let said = said.and_then(|position| arguments.get(position + 1)).map(|count| count.parse::<u64>()).transpose()?;
    let is_measured = arguments.iter().any(|argument| argument == "--bench")
        && !arguments.iter().any(|argument| argument == "--test");
    let payments = said.unwrap_or(if is_measured { 1_000_000 } else { 5000 });

    let directory = tempfile::tempdir()?;
    let options = SledOptions { create_with: SHARDS, survives: Survives::Process, cache_bytes: CACHE_BYTES_DEFAULT };
    let store: Arc<dyn Store> = Arc::new(SledStore::open(directory.path(), &options)?);
    let mut gateway = Gateway::open(Arc::clone(&store), u64::MAX)?;
    let agents = (payments / PAYMENTS_EACH).clamp(1, AGENTS_MAX);
    gateway.create_agents(u32::try_from(agents)?);
    gateway.pay(payments);

    let live = judge(&gateway, &*store, "the policy in force", machine_payments())?;
    assert_eq!((live.decisions.count, live.denied.count, live.unknown.count), (payments, 0, 0), "it was in force");
    let most = (payments / agents / 10).max(1);
    let strict = judge(&gateway, &*store, "a tenth of the velocity", slower(most))?;
    assert_eq!(strict.decisions.count, payments);
    assert!(strict.denied.count > 0, "the first payments pass, and the others do not");
    Ok(())
}

/// Judges everything, and says how long that took.
fn judge(gateway: &Gateway, store: &dyn Store, what: &str, draft: PolicySource) -> Result<Report, Box<dyn Error>> {
    let backtest = Backtest { draft, since: Timestamp::ZERO };
    let begun = Instant::now();
    let report = run(store, &gateway.engine.options().kernel, &backtest, &mut |_| ControlFlow::Continue(()))?;
    let seconds = begun.elapsed().as_secs_f64();
    let (decisions, denied) = (report.decisions.count, report.denied.count);
    println!("backtest/{what}: {seconds:.2} s");
    println!("backtest/{what} denied {denied} of {decisions} payments");
    Ok(report)
}

/// The same rules, and at most so many payments an hour.
fn slower(most: u64) -> PolicySource {
    let velocity = RuleSource {
        rule_type: "VELOCITY_LIMIT".to_owned(),
        operator: "LTE".to_owned(),
        value: format!(r#"{{"maxCount":{most},"period":"HOUR"}}"#),
        action: "DENY".to_owned(),
    };
    let PolicySource { mut rules, .. } = machine_payments();
    rules.push(velocity);
    PolicySource { rules, ..machine_payments() }
}
