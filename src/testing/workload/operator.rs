//! What operators do: options, policies, wallets, agents.

use super::{
    Workload,
    approval::APPROVERS,
    payment::{self, RECIPIENTS, SERVICES, WALLETS},
    stream::{AGENTS, agent_id},
};
use crate::kernel::{
    AgentIndex, Amount, CounterpartyId, Duration, Options, PolicyId, Request,
    anomaly::{Threshold, WatchingChange},
    counterparty::{Counterparty, CounterpartyTexts, Standing},
    policy::{ApprovalTerms, PolicyScope, PolicySource, RuleSource},
    request::{AgentStatus, Freeze, Query, Simulation, UpdateAgent, WalletSource},
    sanctions::{SanctionsList, SanctionsPart},
};

/// Caps are a few times what one payment costs, so that they are reached.
pub(super) const PAYMENT_MICROS: u64 = 40;

/// Zones before and after UTC; in one of them clocks are set back on the second day, six hours after midnight in UTC.
const ZONES: [&str; 4] = ["Europe/Berlin", "America/New_York", "Pacific/Auckland", "UTC"];

pub(super) fn options(workload: &mut Workload) -> Options {
    let default_policy = PolicySource { active: true, ..source(workload, PolicyId(1)) };
    let random = &mut workload.random;
    let mut options = Options::new(PolicySource {
        scope: PolicyScope::Organization,
        agents: Vec::new(),
        wallets: Vec::new(),
        ..default_policy
    });
    options.require_wallet = random.chance(10);
    options.session_kept = Duration::from_secs(random.pick(&[3600, 24 * 3600]));
    options.history_kept = Duration::from_secs(random.pick(&[600, 3600, 24 * 3600]));
    options.lease.share_percent = random.pick(&[0, 10, 30]);
    options.lease.ceiling = Amount::from_micros(random.pick(&[0, 30, 100]));
    options.lease.count_max = random.pick(&[1, 3]);
    options
}

pub(super) fn change(workload: &mut Workload) -> Request<'static> {
    let agent = workload.agent();
    match workload.random.below(15) {
        10 => simulate(workload, agent),
        11 => watch(workload, agent),
        12..14 => Request::Unfreeze(agent),
        14 => Request::Freeze(agent, Freeze { reason: "a drill", void_holds: false }),
        0..4 => policy(workload),
        4 => Request::RemovePolicy(policy_id(workload), None),
        5..8 => wallet(workload, agent),
        _ => {
            let random = &mut workload.random;
            let stopped = if random.chance(5) {
                AgentStatus::Revoked
            } else {
                random.pick(&[AgentStatus::Paused, AgentStatus::Suspended])
            };
            let status = Some(if random.chance(80) { AgentStatus::Active } else { stopped });
            let lease = workload.random.chance(20).then(|| Amount::from_micros(workload.random.below(60)));
            Request::UpdateAgent(agent, UpdateAgent { status, name: None, lease, watching: None })
        }
    }
}

/// So that what is dangerous happens every now and then, to agents who mostly are to be frozen for it.
pub(super) fn watch(workload: &mut Workload, agent: AgentIndex) -> Request<'static> {
    let random = &mut workload.random;
    let mut some = |least: u64, most: u64| if random.chance(30) { 0 } else { random.between(least, most) as u32 };
    let thresholds = vec![
        (Threshold::MaxConsecutiveViolations, some(2, 5)),
        (Threshold::MaxConsecutiveFailures, some(2, 5)),
        (Threshold::SpendVelocityMultiplier, some(100, 600)),
        (Threshold::SpendVelocityMinTransactions, some(1, 6)),
        (Threshold::LargeTransactionMultiplier, some(150, 400)),
        (Threshold::LargeTransactionMinTransactions, some(1, 8)),
        (Threshold::MaxDistinctRecipientsPerHour, some(2, 3)),
    ];
    let auto_freeze = Some(workload.random.chance(75));
    let watching = Some(Box::new(WatchingChange { auto_freeze, thresholds }));
    Request::UpdateAgent(agent, UpdateAgent { watching, ..UpdateAgent::default() })
}

/// Who is paid, and who must not be.
pub(super) fn screen(workload: &mut Workload) -> Request<'static> {
    match workload.random.below(10) {
        0..4 => describe(workload),
        4 => Request::RemoveCounterparty(counterparty_id(workload), None),
        5..8 => stage(workload),
        _ => switch(workload),
    }
}

/// A list of whom nobody pays, mostly; in one part or two.
fn stage(workload: &mut Workload) -> Request<'static> {
    if let Some(part) = workload.parts.pop().filter(|_| workload.random.chance(90)) {
        return Request::StageSanctions(Box::new(part));
    }
    let random = &mut workload.random;
    let addresses = random.pick(&[&["0xDD"][..], &["0xdd", "0xCC"], &["0xCC"], &["0xBB", "0xdd"], &["9xQeWv"], &[]]);
    let countries = random.pick(&[&["KP"][..], &[], &[], &["de"]]);
    let list = SanctionsList::new(addresses, countries).expect("these can be sanctioned");
    let summary = list.summary("a list", "an operator");
    let mut parts = list.parts(summary.digest);
    if random.chance(50) {
        let addresses = std::mem::take(&mut parts[0].addresses);
        parts.push(SanctionsPart { number: 1, addresses, countries: Vec::new(), ..parts[0].clone() });
    }
    parts.reverse();
    let first = parts.pop().expect("a list has a part");
    (workload.parts, workload.list) = (parts, Some(summary));
    Request::StageSanctions(Box::new(first))
}

fn switch(workload: &mut Workload) -> Request<'static> {
    if let Some(part) = workload.parts.pop().filter(|_| workload.random.chance(80)) {
        return Request::StageSanctions(Box::new(part));
    }
    let list = workload.list.clone().filter(|_| workload.random.chance(60));
    Request::SwitchSanctions(list.map(Box::new), None)
}

/// Mostly of one of the recipients that are paid, sometimes of the address that another entry has.
fn describe(workload: &mut Workload) -> Request<'static> {
    let id = counterparty_id(workload);
    let random = &mut workload.random;
    let usual = RECIPIENTS[id.0 as usize % RECIPIENTS.len()];
    let address = if random.chance(90) { usual } else { random.pick(&["0xAA", "0xcc", RECIPIENTS[2]]) };
    let texts = CounterpartyTexts {
        name: "a payee",
        address,
        category: random.pick(&["", "CLOUD", "GAMBLING"]),
        country: random.pick(&["", "DE", "KP"]),
        ..CounterpartyTexts::default()
    };
    let mut counterparty = Counterparty::new(id, &texts).expect("these texts can be those of a payee");
    counterparty.trust_score = random.chance(50).then(|| random.below(10_001) as u32);
    let standings = [None, None, Some(Standing::Trusted), Some(Standing::Verified), Some(Standing::Unknown)];
    counterparty.standing = if random.chance(15) { Some(Standing::Blocked) } else { random.pick(&standings) };
    Request::PutCounterparty(Box::new(counterparty), None)
}

fn counterparty_id(workload: &mut Workload) -> CounterpartyId {
    CounterpartyId(u128::from(workload.random.below(4)))
}

fn simulate(workload: &mut Workload, agent: AgentIndex) -> Request<'static> {
    let draft = workload.random.chance(70).then(|| {
        let id = policy_id(workload);
        source(workload, id)
    });
    let payments = (0..3).map(|_| payment::authorize(workload).1).collect();
    Request::Read(Query::Simulate(agent, Box::new(Simulation { draft, payments })))
}

pub(super) fn wallet(workload: &mut Workload, agent: AgentIndex) -> Request<'static> {
    let random = &mut workload.random;
    let mut cap =
        |payments: u64| random.chance(18).then(|| Amount::from_micros(random.below(payments * PAYMENT_MICROS)));
    let limits = [cap(4), cap(20), cap(40), cap(80), cap(40)];
    let hours = [
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        Some((0, 24)),
        Some((22, 3)),
        Some((8, 20)),
        Some((5, 5)),
    ];
    Request::PutWallet(
        agent,
        WalletSource {
            id: random.pick(&WALLETS[1..]).to_owned(),
            address: "0xfeed".to_owned(),
            chain_id: "8453".to_owned(),
            custody: random.pick(&["PRIVY", "SPONGE", "SMART_CONTRACT", "EXTERNAL", "OTHER"]).to_owned(),
            frozen: random.chance(5),
            balance: limits[4],
            limit_per_payment: limits[0],
            limit_per_day: limits[1],
            limit_per_week: limits[2],
            limit_per_month: limits[3],
            allowed_hours: random.pick(&hours),
            allowed_days: random.pick(&[0, 0, 0, 0, 0x7f, 0x7f, 0x1f]),
        },
    )
}

pub(super) fn policy(workload: &mut Workload) -> Request<'static> {
    let id = policy_id(workload);
    Request::PutPolicy(source(workload, id), None)
}

fn policy_id(workload: &mut Workload) -> PolicyId {
    PolicyId(u128::from(workload.random.between(2, 4)))
}

fn source(workload: &mut Workload, id: PolicyId) -> PolicySource {
    let rules = (0..workload.random.between(1, 5)).map(|_| rule(workload)).collect();
    let random = &mut workload.random;
    let everybody = random.chance(60);
    let approval = random.chance(40).then(|| ApprovalTerms {
        required: random.between(1, 2) as u16,
        approvers: if random.chance(50) { Vec::new() } else { APPROVERS[..2].to_vec() },
        timeout: random.chance(50).then(|| Duration::from_secs(random.between(1, 900))),
    });
    let agents = (0..AGENTS).filter(|_| random.chance(50)).map(agent_id).collect();
    let on_wallets = random.chance(15);
    let wallets = if on_wallets { vec![random.pick(&WALLETS[1..]).to_owned()] } else { Vec::new() };
    PolicySource {
        id,
        name: "a policy".to_owned(),
        description: String::new(),
        policy_type: "SPEND_LIMIT".to_owned(),
        priority: random.pick(&[10, 50, 50, 90]),
        active: random.chance(85),
        scope: match (on_wallets, everybody) {
            (true, _) => PolicyScope::Wallet,
            (false, true) => PolicyScope::Organization,
            (false, false) => PolicyScope::Assigned,
        },
        agents: if everybody { Vec::new() } else { agents },
        rules,
        approval,
        wallets,
        timezone: random.chance(15).then(|| random.pick(&ZONES).to_owned()),
    }
}

fn rule(workload: &mut Workload) -> RuleSource {
    let random = &mut workload.random;
    let mut payments =
        |times: u64| Amount::from_micros(random.between(PAYMENT_MICROS, times * PAYMENT_MICROS)).to_string();
    let (one, few, many) = (payments(3), payments(20), payments(80));
    let period = random.pick(&["MINUTE", "HOUR", "DAY", "WEEK", "MONTH"]);
    let action = if random.chance(8) { "REQUIRE_APPROVAL" } else { "ALLOW" }.to_owned();
    let calendar = random.pick(&["DAILY", "WEEKLY", "MONTHLY"]);
    let (zone, seconds) = (random.pick(&ZONES), random.pick(&[1, 60, 61, 3600, 86_400, 7 * 86_400, 30 * 86_400]));
    let (rule_type, value) = match random.below(43) {
        0 => ("MAX_AMOUNT", one),
        1 => ("X402_MAX_PER_REQUEST", one),
        2 => ("MPP_MAX_PER_REQUEST", one),
        3 => ("X402_PRICE_CEILING", one),
        4 => ("MPP_PRICE_CEILING", one),
        5..8 => ("DAILY_LIMIT", few),
        8..10 => ("WEEKLY_LIMIT", many),
        10 => ("MONTHLY_LIMIT", many),
        11 => ("X402_MAX_PER_SERVICE", few),
        12 => ("X402_MAX_PER_SERVICE", format!(r#"{{"amount":"{few}","period":"DAILY"}}"#)),
        13..15 => ("X402_SESSION_BUDGET", few),
        15..17 => ("MPP_SESSION_BUDGET", few),
        17 => ("MPP_MAX_CONCURRENT_SESSIONS", random.between(0, 3).to_string()),
        18 => ("MPP_MAX_SESSION_DURATION", random.between(60, 900).to_string()),
        19..21 => ("VELOCITY_LIMIT", format!(r#"{{"maxCount":{},"period":"{period}"}}"#, random.between(2, 60))),
        21 => ("MPP_MAX_PER_SERVICE", few),
        22 => ("BUDGET_CAP", format!(r#"{{"amount":"{many}","period":"WEEKLY"}}"#)),
        23 => {
            let [rule_type, operator, action] = ["REQUIRE_APPROVAL_ABOVE", "GT", "REQUIRE_APPROVAL"].map(str::to_owned);
            return RuleSource { rule_type, operator, value: one, action };
        }
        24..26 => ("DAILY_LIMIT", format!(r#"{{"amount":"{few}","timezone":"{zone}"}}"#)),
        26 => ("BUDGET_CAP", format!(r#"{{"amount":"{many}","period":"{calendar}","timezone":"{zone}"}}"#)),
        27 => ("X402_MAX_PER_SERVICE", format!(r#"{{"amount":"{few}","period":"WEEK","timezone":"{zone}"}}"#)),
        28..30 => ("ROLLING_LIMIT", format!(r#"{{"amount":"{few}","seconds":{seconds}}}"#)),
        30 => ("X402_MAX_PER_ENDPOINT", few),
        31 => ("X402_MAX_PER_ENDPOINT", format!(r#"{{"amount":"{few}","period":"{calendar}","timezone":"{zone}"}}"#)),
        32 => ("MPP_MAX_PER_ENDPOINT", format!(r#"{{"amount":"{few}","period":"{calendar}"}}"#)),
        33 => {
            ("X402_VELOCITY_PER_ENDPOINT", format!(r#"{{"maxCount":{},"period":"{period}"}}"#, random.between(2, 40)))
        }
        34 => ("MPP_VELOCITY_PER_ENDPOINT", format!(r#"{{"maxCount":{},"period":"{period}"}}"#, random.between(2, 40))),
        35..39 => return circumstance(workload),
        _ => return list(workload),
    };
    RuleSource { rule_type: rule_type.to_owned(), operator: "LTE".to_owned(), value, action }
}

fn circumstance(workload: &mut Workload) -> RuleSource {
    let random = &mut workload.random;
    let (rule_type, operator, value, action) = random.pick(&[
        ("TIME_WINDOW", "BETWEEN", r#"{"start":"03:00","end":"02:00","timezone":"Europe/Berlin"}"#, "ALLOW"),
        ("DAY_OF_WEEK", "IN_LIST", r#"["Sun"]"#, "DENY"),
        ("BLACKOUT_PERIOD", "BETWEEN", r#"{"windows":[{"start":"04:00","end":"05:00"}]}"#, "DENY"),
        ("BLOCKED_CATEGORIES", "IN_LIST", "GAMBLING", "DENY"),
        ("MPP_BLOCK_SESSION_INTENT", "IN_LIST", "streaming", "DENY"),
        ("MPP_MAX_SESSION_DEPOSIT", "LTE", "0.000120", "ALLOW"),
        (
            "COMPOSITE",
            "AND",
            r#"[{"field":"amount","operator":"GT","value":"0.000030"},{"field":"recipient","operator":"NEQ","value":"0xaa"}]"#,
            "DENY",
        ),
        (
            "COMPOSITE",
            "OR",
            r#"[{"field":"category","operator":"EQ","value":"CLOUD"},{"field":"amount","operator":"LTE","value":"0.000045"}]"#,
            "ALLOW",
        ),
        ("COUNTERPARTY_STATUS", "IN_LIST", r#"["TRUSTED","VERIFIED","UNKNOWN"]"#, "ALLOW"),
        ("TRUST_SCORE", "GTE", "0.2", "ALLOW"),
        ("GEOGRAPHIC_RESTRICTION", "NOT_IN_LIST", r#"["KP"]"#, "ALLOW"),
        ("GEOGRAPHIC_RESTRICTION", "IN_LIST", "US", "DENY"),
        ("TRUST_SCORE", "GTE", "0.5", "ALLOW"),
        ("COUNTERPARTY_STATUS", "IN_LIST", "BLOCKED", "DENY"),
        ("CONTRACT_ALLOWLIST", "IN_LIST", "0xc0FFEE", "REQUIRE_APPROVAL"),
        ("MPP_ALLOWED_METHODS", "IN_LIST", "GET,POST", "ALLOW"),
        ("CARD_MAX_AMOUNT", "LTE", "0.000040", "ALLOW"),
        ("CARD_ALLOWED_MCCS", "IN_LIST", "5411", "REQUIRE_APPROVAL"),
        ("CARD_BLOCKED_MERCHANTS", "IN_LIST", "Casino.com", "DENY"),
        ("EXPIRATION", "LTE", "2026-11-14", "ALLOW"),
        ("X402_ALLOWED_SERVICES", "IN_LIST", "*.example.com", "ALLOW"),
        ("X402_BLOCKED_SERVICES", "IN_LIST", "*.odd.example.com", "DENY"),
    ]);
    let [rule_type, operator, value, action] = [rule_type, operator, value, action].map(str::to_owned);
    RuleSource { rule_type, operator, value, action }
}

fn list(workload: &mut Workload) -> RuleSource {
    let random = &mut workload.random;
    let (rule_type, names) = random.pick(&[
        ("ALLOWED_COUNTERPARTIES", format!("{},{}", RECIPIENTS[0], RECIPIENTS[1])),
        ("BLOCKED_COUNTERPARTIES", RECIPIENTS[2].to_owned()),
        ("X402_ALLOWED_SERVICES", format!("{},{}", SERVICES[1], SERVICES[2])),
        ("X402_BLOCKED_SERVICES", SERVICES[3].to_owned()),
        ("MPP_ALLOWED_SERVICES", format!("{},{}", SERVICES[1], SERVICES[2])),
        ("MPP_BLOCKED_SERVICES", SERVICES[3].to_owned()),
    ]);
    let (operator, action) = ("IN_LIST".to_owned(), "ALLOW".to_owned());
    RuleSource { rule_type: rule_type.to_owned(), operator, value: names, action }
}
