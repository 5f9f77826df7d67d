//! What is found about how an agent pays: below, at and above each threshold.

use crate::shard::*;
use holdfast::kernel::{
    AgentId, AgentIndex, CounterpartyId, Facts, Outcome, Protocol, Request, State,
    anomaly::{ALERTS_PER_AGENT_MAX, AlertKind, AlertStatus, Group, Severity, Threshold, WatchingChange},
    counterparty::{Counterparty, CounterpartyTexts},
    outcome::{AlertView, View, ViolationKind},
    policy::RuleKind,
    request::{AgentStatus, AlertQuery, Authorize, Capture, CaptureTo, Query, Record, UpdateAgent},
};

const MINUTE: u64 = 60;
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;
/// A unit of money, in micro-units.
const UNIT: u64 = 1_000_000;

impl Shard {
    /// All alerts of the agent, the oldest first.
    pub(crate) fn alerts(&mut self) -> Vec<AlertView> {
        let query = AlertQuery::latest(Some(AGENT), 1000);
        let View::Alerts(mut views) = self.view(Query::Alerts(query)) else { panic!("another view") };
        views.reverse();
        views
    }

    pub(crate) fn found(&mut self) -> Vec<AlertKind> {
        self.alerts().iter().map(|view| view.alert.finding.kind).collect()
    }

    pub(crate) fn watch(&mut self, auto_freeze: bool, thresholds: &[(Threshold, u32)]) {
        let change = WatchingChange { auto_freeze: Some(auto_freeze), thresholds: thresholds.to_vec() };
        let update = UpdateAgent { watching: Some(Box::new(change)), ..UpdateAgent::default() };
        assert_eq!(self.ask(&Request::UpdateAgent(AGENT, update)), Ok(Outcome::Done));
    }

    /// So many payments of an amount, each in a minute of its own.
    pub(crate) fn pay(&mut self, from: u128, count: u128, amount: u64) -> &mut Shard {
        for hold in from..from + count {
            self.wait(MINUTE);
            self.hold(x402(hold, amount));
        }
        self
    }
}

/// Every detector off but some, so that a table is about one.
pub(crate) fn only(thresholds: &[(Threshold, u32)]) -> Vec<(Threshold, u32)> {
    let given = |threshold| thresholds.iter().find(|(known, _)| *known == threshold).map_or(0, |(_, value)| *value);
    Threshold::ALL.map(|threshold| (threshold, given(threshold))).to_vec()
}

/// A shard that looks for one thing alone.
fn looking_for(thresholds: &[(Threshold, u32)]) -> Shard {
    let mut shard = Shard::new(&[]);
    shard.watch(false, &only(thresholds));
    shard
}

#[track_caller]
fn check(shard: &mut Shard, kind: AlertKind, is_found: bool, case: &str) {
    let expected: &[AlertKind] = if is_found { &[kind] } else { &[] };
    assert_eq!(shard.found(), expected, "{case}");
}

#[test]
fn a_price_spike_is_over_three_times_the_mean_price_of_its_service() {
    use Threshold::{PriceSpikeMinCalls, PriceSpikeMultiplier};
    // (calls before, price before, price, found)
    for (calls, before, price, found) in
        [(10, 100, 300, false), (10, 100, 301, true), (9, 100, 900, false), (11, 7, 22, true), (11, 7, 21, false)]
    {
        let mut shard = looking_for(&[(PriceSpikeMultiplier, 300), (PriceSpikeMinCalls, 10)]);
        shard.pay(1, calls, before).hold(x402(100, price));
        check(&mut shard, AlertKind::PriceSpike, found, &format!("{calls} {before} {price}"));
    }
    let mut shard = looking_for(&[(PriceSpikeMultiplier, 300), (PriceSpikeMinCalls, 10)]);
    shard.pay(1, 10, 100).hold(Authorize { service: "other.example.com", ..x402(100, 900) });
    shard.hold(deposit(101, 9000, ""));
    check(&mut shard, AlertKind::PriceSpike, false, "another service, and a deposit, which has no price");
    shard.hold(x402(102, 301));
    let alert = &shard.alerts()[0];
    assert_eq!((alert.alert.finding.measured, alert.alert.finding.limit), (money(301), money(300)));
    assert_eq!((alert.recipient.as_str(), alert.service.as_str(), alert.agent), (PAYEE, SERVICE, AgentId(1)));
    assert_eq!((alert.alert.severity, alert.alert.status), (Severity::Warning, AlertStatus::Active));
}

#[test]
fn a_high_frequency_is_over_a_floor_and_over_ten_times_the_hour() {
    use Threshold::{HighFrequencyCallsPerMinute, HighFrequencyMultiplier};
    let thresholds = [(HighFrequencyCallsPerMinute, 5), (HighFrequencyMultiplier, 1000)];
    for (calls, found) in [(5, false), (6, true)] {
        let mut shard = looking_for(&thresholds);
        for hold in 1..=calls {
            shard.wait(9).hold(x402(hold, 1));
        }
        check(&mut shard, AlertKind::HighFrequency, found, &format!("{calls} in a minute"));
    }
    // 60 calls in the hour before are one a minute, so ten are usual.
    for (calls, found) in [(10, false), (11, true)] {
        let mut shard = looking_for(&thresholds);
        shard.pay(1, 60, 1).wait(80);
        (100..100 + calls).for_each(|hold| shard.hold(x402(hold, 1)));
        check(&mut shard, AlertKind::HighFrequency, found, &format!("{calls} after sixty in an hour"));
    }
    let mut shard = looking_for(&thresholds);
    shard.record(Record { calls: 6, ..paid(5) }).unwrap();
    assert!(shard.found().contains(&AlertKind::HighFrequency), "a report of six calls is six calls");
}

#[test]
fn a_new_service_is_told_once_there_is_another() {
    let mut shard = looking_for(&[(Threshold::NewServiceAfterServices, 1)]);
    shard.hold(x402(1, 5));
    shard.hold(x402(2, 5));
    shard.hold(plain(3, 5));
    check(&mut shard, AlertKind::NewService, false, "the first, and none at all");
    shard.hold(Authorize { service: "other.example.com", ..x402(4, 5) });
    shard.hold(Authorize { service: "other.example.com", ..x402(5, 5) });
    check(&mut shard, AlertKind::NewService, true, "the second");
    let alert = shard.alerts().remove(0);
    assert_eq!((alert.alert.finding.count, alert.service.as_str()), (1, "other.example.com"));
    assert_eq!(alert.alert.severity, Severity::Info);
}

#[test]
fn a_limit_is_nearly_used_at_eighty_percent() {
    let daily = ViolationKind::Rule(RuleKind::DailyLimit);
    // (payments, percent, found)
    for (payments, percent, found) in [
        (&[799][..], 80, false),
        (&[800], 80, true),
        (&[400, 399], 80, false),
        (&[400, 400], 80, true),
        (&[989], 99, false),
        (&[990], 99, true),
        (&[1000], 0, false),
    ] {
        let mut shard = Shard::new(&[("DAILY_LIMIT", "0.001")]);
        shard.watch(false, &only(&[(Threshold::SpendLimitWarningPercent, percent)]));
        payments.iter().zip(1..).for_each(|(amount, hold)| shard.hold(x402(hold, *amount)));
        let case = format!("{payments:?} {percent}");
        check(&mut shard, AlertKind::SpendLimitWarning, found, &case);
        if let Some(view) = shard.alerts().first() {
            let finding = &view.alert.finding;
            assert_eq!((finding.about, finding.limit), (Some(daily), money(1000)), "{case}");
        }
    }
}

#[test]
fn each_limit_is_told_by_itself_and_again_when_its_window_is_new() {
    let mut shard = Shard::new(&[("DAILY_LIMIT", "0.001"), ("WEEKLY_LIMIT", "0.0015")]);
    shard.watch(false, &only(&[(Threshold::SpendLimitWarningPercent, 80)]));
    shard.hold(x402(1, 900));
    shard.capture(1, 900, true).unwrap();
    shard.wait(DAY).hold(x402(2, 400));
    let told = |shard: &mut Shard| {
        let of = |view: &AlertView| match view.alert.finding.about {
            Some(ViolationKind::Rule(RuleKind::DailyLimit)) => 'd',
            Some(ViolationKind::Rule(RuleKind::WeeklyLimit)) => 'w',
            _ => '?',
        };
        shard.alerts().iter().map(of).collect::<String>()
    };
    assert_eq!(told(&mut shard), "dw");
    // A new week, the same use.
    shard.wait(8 * DAY).hold(x402(3, 900));
    assert_eq!(told(&mut shard), "dwd");
    shard.hold(x402(4, 50));
    shard.hold(x402(5, 50));
    assert_eq!(told(&mut shard), "dwd", "it is told once");
}

#[test]
fn a_denial_by_a_limit_that_adds_up_tells_so() {
    let mut shard = Shard::new(&[("DAILY_LIMIT", "0.001"), ("X402_PRICE_CEILING", "0.0009")]);
    shard.watch(false, &only(&[(Threshold::MaxConsecutiveViolations, 0)]));
    shard.hold(x402(1, 500));
    shard.authorize(x402(2, 901)).unwrap();
    assert_eq!(shard.found(), [], "a cap on one payment");
    shard.authorize(x402(3, 501)).unwrap();
    shard.authorize(x402(4, 502)).unwrap();
    let alerts = shard.alerts();
    assert_eq!(alerts.len(), 1);
    let finding = &alerts[0].alert.finding;
    assert_eq!((finding.kind, finding.count), (AlertKind::SpendLimitExceeded, 2));
    assert_eq!((finding.measured, finding.limit), (money(500), money(1000)));
}

#[test]
fn a_duplicate_is_the_same_amount_to_the_same_payee_within_a_minute() {
    use Threshold::{DuplicateMinAmount, DuplicateWithinSeconds};
    let first = x402(1, UNIT);
    let second = || x402(2, UNIT);
    for (seconds, again, found) in [
        (60, second(), true),
        (61, second(), false),
        (0, x402(2, UNIT + 1), false),
        (0, Authorize { recipient: "0xbb", ..second() }, false),
        (0, Authorize { service: "other.example.com", ..second() }, false),
        (0, first.clone(), false),
    ] {
        let mut shard = looking_for(&[(DuplicateWithinSeconds, 60), (DuplicateMinAmount, 100)]);
        shard.hold(first.clone());
        shard.wait(seconds).hold(again.clone());
        check(&mut shard, AlertKind::DuplicatePayment, found, &format!("{seconds} {again:?}"));
    }
    let mut shard = looking_for(&[(DuplicateWithinSeconds, 60), (DuplicateMinAmount, 100)]);
    shard.hold(x402(1, UNIT - 1));
    shard.hold(x402(2, UNIT - 1));
    check(&mut shard, AlertKind::DuplicatePayment, false, "small amounts repeat");
    (3..12).for_each(|hold| shard.hold(x402(hold, UNIT + hold as u64)));
    shard.hold(x402(12, UNIT + 4));
    check(&mut shard, AlertKind::DuplicatePayment, true, "among others");
}

#[test]
fn what_a_failed_payment_is() {
    let failure: Deed = |shard| {
        shard.hold(x402(9, 5));
        shard.void(9).unwrap();
    };
    let cases: [(&str, Deed, u64); 9] = [
        ("a void", failure, 1),
        ("an expiry", |shard| shard.wait_and_hold(9), 1),
        ("a capture of nothing", |shard| shard.hold_and_capture(0, true), 1),
        ("a capture of nothing yet", |shard| shard.hold_and_capture(0, false), 0),
        ("a capture", |shard| shard.hold_and_capture(3, true), 0),
        (
            "a void of the rest",
            |shard| {
                shard.hold_and_capture(3, false);
                shard.void(9).unwrap();
            },
            0,
        ),
        (
            "a deposit",
            |shard| {
                shard.hold(deposit(9, 50, ""));
                shard.void(9).unwrap();
            },
            0,
        ),
        (
            "a charge inside a deposit",
            |shard| {
                shard.hold(deposit(8, 50, "s"));
                shard.hold(mpp(9, 5, "s"));
                shard.void(9).unwrap();
            },
            1,
        ),
        (
            "of an agent that is paused",
            |shard| {
                shard.hold(x402(9, 5));
                shard.status(AgentStatus::Paused);
                shard.void(9).unwrap();
                shard.status(AgentStatus::Active);
            },
            0,
        ),
    ];
    for (case, deed, failures) in cases {
        let mut shard = looking_for(&[(Threshold::FailedStreak, 1)]);
        deed(&mut shard);
        let counted: u64 = shard.alerts().iter().map(|view| u64::from(view.alert.finding.count)).sum();
        assert_eq!(counted, failures, "{case}");
    }
}

impl Shard {
    fn wait_and_hold(&mut self, hold: u128) {
        self.hold(x402(hold, 5));
        self.wait(HOUR);
    }

    fn hold_and_capture(&mut self, amount: u64, last: bool) {
        self.hold(x402(9, 5));
        self.capture(9, amount, last).unwrap();
    }

    fn status(&mut self, status: AgentStatus) {
        let update = UpdateAgent { status: Some(status), ..UpdateAgent::default() };
        self.ask(&Request::UpdateAgent(AGENT, update)).unwrap();
    }
}

#[test]
fn failures_in_a_row_are_told_at_three_and_at_five() {
    let fail = |shard: &mut Shard, holds: std::ops::Range<u128>| {
        for hold in holds {
            shard.hold(x402(hold, 5));
            shard.void(hold).unwrap();
        }
    };
    use AlertKind::{ConsecutiveFailures, FailedStreak};
    let thresholds = [(Threshold::FailedStreak, 3), (Threshold::MaxConsecutiveFailures, 5)];
    for (failures, expected) in
        [(2, &[][..]), (3, &[FailedStreak]), (4, &[FailedStreak]), (5, &[FailedStreak, ConsecutiveFailures])]
    {
        let mut shard = looking_for(&thresholds);
        fail(&mut shard, 1..1 + failures);
        assert_eq!(shard.found(), expected, "{failures}");
    }
    let mut shard = looking_for(&thresholds);
    fail(&mut shard, 1..30);
    let counts: Vec<u32> = shard.alerts().iter().map(|view| view.alert.finding.count).collect();
    assert_eq!(counts, [4, 3], "told at 3, 6, 12 and 24, and at 5, 10 and 20");
    let ends: [Deed; 2] = [|shard| drop(shard.capture(100, 1, false)), |shard| drop(shard.record(paid(5)))];
    for (case, end) in ends.into_iter().enumerate() {
        let mut shard = looking_for(&thresholds);
        shard.hold(x402(100, 5));
        fail(&mut shard, 1..3);
        end(&mut shard);
        fail(&mut shard, 3..5);
        assert!(!shard.found().contains(&FailedStreak), "case {case} ends the row");
    }
}

#[test]
fn violations_in_a_row_are_told_at_five() {
    let deny = |shard: &mut Shard, count: u128| {
        (0..count).for_each(|hold| _ = kinds(&shard.authorize(x402(1000 + hold, 11))));
    };
    let shard = || {
        let mut shard = Shard::new(&[("MAX_AMOUNT", "0.00001")]);
        shard.watch(false, &only(&[(Threshold::MaxConsecutiveViolations, 5)]));
        shard
    };
    for (denials, found) in [(4, false), (5, true), (9, true)] {
        let mut shard = shard();
        deny(&mut shard, denials);
        check(&mut shard, AlertKind::ConsecutiveViolations, found, &format!("{denials}"));
    }
    let mut shard = shard();
    deny(&mut shard, 4);
    shard.hold(x402(1, 5));
    deny(&mut shard, 4);
    check(&mut shard, AlertKind::ConsecutiveViolations, false, "an approval ends the row");
    shard.status(AgentStatus::Paused);
    deny(&mut shard, 4);
    check(&mut shard, AlertKind::ConsecutiveViolations, false, "an agent that may not pay violates nothing");
}

#[test]
fn spend_velocity_is_over_three_times_the_hourly_mean() {
    use Threshold::{SpendVelocityMinTransactions, SpendVelocityMultiplier};
    let thresholds = [(SpendVelocityMultiplier, 300), (SpendVelocityMinTransactions, 5)];
    // Ten hours in which 1000 were spent, so 100 an hour; then an amount. (transactions, the amount, found)
    for (transactions, amount, found) in [(5, 300, false), (5, 301, true), (4, 301, false)] {
        let mut shard = looking_for(&thresholds);
        for hold in 1..transactions {
            shard.hold(x402(hold, 10));
            shard.wait(MINUTE);
        }
        shard.hold(x402(50, 1000 - 10 * (transactions as u64 - 1)));
        shard.wait(11 * HOUR - (transactions as u64 - 1) * MINUTE).hold(x402(100, amount));
        check(&mut shard, AlertKind::SpendVelocity, found, &format!("{transactions} {amount}"));
    }
    // What is spent bit by bit comes together.
    let mut shard = looking_for(&thresholds);
    shard.pay(1, 10, 100).wait(11 * HOUR - 9 * MINUTE);
    shard.hold(x402(100, 150));
    shard.wait(30 * MINUTE).hold(x402(101, 150));
    check(&mut shard, AlertKind::SpendVelocity, false, "300 in an hour");
    shard.wait(5 * MINUTE).increment(101, 1).unwrap();
    check(&mut shard, AlertKind::SpendVelocity, true, "301 in an hour");
    let finding = shard.alerts().remove(0).alert.finding;
    assert_eq!((finding.measured, finding.limit), (money(301), money(300)));
    // Whoever is new has no usual spend.
    let mut shard = looking_for(&thresholds);
    (1..50).for_each(|hold| shard.hold(x402(hold, 1000)));
    shard.wait(MINUTE).hold(x402(100, 1_000_000));
    check(&mut shard, AlertKind::SpendVelocity, false, "in the first hour");
}

#[test]
fn spend_of_over_a_month_ago_is_forgotten() {
    use Threshold::{SpendVelocityMinTransactions, SpendVelocityMultiplier};
    let mut shard = looking_for(&[(SpendVelocityMultiplier, 300), (SpendVelocityMinTransactions, 1)]);
    shard.pay(1, 10, 720_000).wait(40 * DAY).hold(x402(100, 720));
    shard.wait(2 * HOUR).hold(x402(101, 1));
    // Only the 720 of two hours ago are known: a mean of one an hour of thirty days.
    shard.wait(20).hold(x402(102, 3));
    check(&mut shard, AlertKind::SpendVelocity, true, "four in an hour are over three");
}

#[test]
fn a_large_transaction_is_over_ten_times_the_mean() {
    use Threshold::{LargeTransactionMinTransactions, LargeTransactionMultiplier};
    let thresholds = [(LargeTransactionMultiplier, 1000), (LargeTransactionMinTransactions, 10)];
    for (before, amount, found) in [(10, 1000, false), (10, 1001, true), (9, 5000, false)] {
        let mut shard = looking_for(&thresholds);
        shard.pay(1, before, 100).wait(MINUTE).hold(x402(100, amount));
        check(&mut shard, AlertKind::LargeTransactionAnomaly, found, &format!("{before} {amount}"));
    }
    let mut shard = looking_for(&thresholds);
    shard.pay(1, 10, 100).wait(MINUTE).hold(deposit(100, 1001, "s"));
    check(&mut shard, AlertKind::LargeTransactionAnomaly, true, "a deposit is a transaction");
    shard.hold(mpp(101, 1001, "s"));
    assert_eq!(shard.alerts()[0].alert.finding.count, 1, "a charge inside it is none");
    let mut shard = looking_for(&thresholds);
    shard.pay(1, 10, 100).wait(MINUTE);
    shard.record(Record { recipient: "0xbb", ..paid(1001) }).unwrap();
    assert!(shard.found().contains(&AlertKind::LargeTransactionAnomaly), "nor need it be approved");
}

#[test]
fn ten_recipients_in_an_hour_are_rapid_switching() {
    const NAMES: [&str; 16] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p"];
    let thresholds = [(Threshold::MaxDistinctRecipientsPerHour, 10)];
    // (recipients, how many times in turn, seconds between payments, found)
    for (recipients, rounds, seconds, found) in
        [(9, 3, 60, false), (10, 1, 60, true), (10, 1, 400, true), (10, 1, 402, false), (16, 1, 1, true)]
    {
        let mut shard = looking_for(&thresholds);
        let names = NAMES[..recipients].iter().cycle().take(recipients * rounds);
        for (hold, recipient) in (1..).zip(names) {
            shard.hold(Authorize { recipient, ..x402(hold, 5) });
            shard.wait(seconds);
        }
        check(&mut shard, AlertKind::RapidCounterpartySwitching, found, &format!("{recipients} every {seconds} s"));
    }
}

#[test]
fn trust_is_too_low_on_the_mean_or_has_dropped() {
    use Threshold::{TrustScoreDropPercent, TrustScoreMinTransactions, TrustScoreThreshold};
    let pay = |shard: &mut Shard, hold: u128, score: u32| {
        let facts = Facts { trust_score: Some(score), ..Facts::default() };
        shard.hold(Authorize { facts: Some(Box::new(facts)), ..x402(hold, 5) });
    };
    for (scores, found) in [
        (&[2000, 2000, 2000, 2000, 2000][..], false),
        (&[2000, 2000, 2000, 2000, 1999], true),
        (&[0, 0, 0, 0], false),
        (&[9000, 0, 0, 0, 0], true),
    ] {
        let mut shard = looking_for(&[(TrustScoreThreshold, 2000), (TrustScoreMinTransactions, 5)]);
        (1..).zip(scores).for_each(|(hold, score)| pay(&mut shard, hold, *score));
        check(&mut shard, AlertKind::TrustScoreBelowThreshold, found, &format!("{scores:?}"));
    }
    for (days, later, found) in [(2, 5600, true), (2, 5601, false), (0, 5600, false)] {
        let mut shard = looking_for(&[(TrustScoreDropPercent, 30), (TrustScoreMinTransactions, 5)]);
        (1..6).for_each(|hold| pay(&mut shard, hold, 8000));
        shard.wait(days * DAY);
        (6..11).for_each(|hold| pay(&mut shard, hold, later));
        check(&mut shard, AlertKind::TrustScoreDrop, found, &format!("{days} {later}"));
    }
}

#[test]
fn how_far_a_payee_is_trusted_is_not_the_agents_to_say() {
    use Threshold::{TrustScoreMinTransactions, TrustScoreThreshold};
    let payment = x402(1, 5);
    for (described, claimed, found) in [
        (Some(1000), Some(9000), true),
        (Some(1000), None, true),
        (Some(9000), Some(1000), false),
        (None, Some(1000), true),
        (None, None, false),
    ] {
        let mut shard = looking_for(&[(TrustScoreThreshold, 2000), (TrustScoreMinTransactions, 5)]);
        let texts = CounterpartyTexts { name: "a payee", address: payment.recipient, ..CounterpartyTexts::default() };
        let mut payee = Counterparty::new(CounterpartyId(1), &texts).unwrap();
        payee.trust_score = described;
        shard.ask(&Request::PutCounterparty(Box::new(payee), None)).unwrap();
        let facts = claimed.map(|score| Box::new(Facts { trust_score: Some(score), ..Facts::default() }));
        (1..6).for_each(|hold| {
            shard.hold(Authorize { facts: facts.clone(), ..x402(hold, 5) });
        });
        let name = format!("{described:?} {claimed:?}");
        check(&mut shard, AlertKind::TrustScoreBelowThreshold, found, &name);
    }
}

#[test]
fn money_that_nobody_approved_is_told() {
    use AlertKind::{Overage, UnauthorizedSpend};
    let cases: [(&str, Deed, &[AlertKind]); 8] = [
        ("a report without a hold", |shard| drop(shard.record(paid(5))), &[UnauthorizedSpend]),
        (
            "a report of a hold",
            |shard| {
                shard.hold(x402(1, 5));
                shard.record(paid(5)).unwrap();
            },
            &[],
        ),
        (
            "a report of a hold that names another recipient",
            |shard| {
                shard.hold(x402(1, 5));
                let id = Some(id(1));
                shard.record(Record { authorization: id, recipient: "0xbb", ..paid(5) }).unwrap();
            },
            &[UnauthorizedSpend],
        ),
        (
            "a report of a session that went to another recipient",
            |shard| {
                shard.hold(deposit(1, 50, "s"));
                let report = Record { protocol: Protocol::Mpp, session: "s", recipient: "0xbb", ..paid(5) };
                shard.record(report).unwrap();
            },
            &[UnauthorizedSpend],
        ),
        (
            "a capture for another recipient",
            |shard| {
                shard.hold(x402(1, 5));
                let capture = Capture { id: id(1), operation: shard.next_operation(), amount: micros(5), last: true };
                shard.ask(&Request::CaptureTo(AGENT, CaptureTo { capture, recipient: "0xbb" })).unwrap();
            },
            &[UnauthorizedSpend],
        ),
        (
            "a capture of more than was held",
            |shard| {
                shard.hold(x402(1, 5));
                shard.capture(1, 6, true).unwrap();
            },
            &[Overage],
        ),
        (
            "a capture of a hold that was over",
            |shard| {
                shard.hold(x402(1, 5));
                shard.void(1).unwrap();
                shard.capture(1, 5, true).unwrap();
            },
            &[Overage],
        ),
        (
            "a report of more than was held",
            |shard| {
                shard.hold(x402(1, 5));
                shard.record(Record { authorization: Some(id(1)), ..paid(6) }).unwrap();
            },
            &[Overage],
        ),
    ];
    for (case, deed, expected) in cases {
        let mut shard = looking_for(&[]);
        deed(&mut shard);
        assert_eq!(shard.found(), expected, "{case}");
    }
    let severities = |shard: &mut Shard| shard.alerts().iter().map(|view| view.alert.severity).collect::<Vec<_>>();
    let mut shard = looking_for(&[]);
    shard.record(paid(5)).unwrap();
    assert_eq!(severities(&mut shard), [Severity::Critical]);
}

#[test]
fn what_repeats_joins_the_alert_until_it_is_resolved_or_an_hour_passed() {
    let mut shard = looking_for(&[]);
    let report = |shard: &mut Shard| drop(shard.record(paid(5)));
    report(&mut shard);
    shard.wait(HOUR);
    report(&mut shard);
    let alert = shard.alerts().remove(0).alert;
    assert_eq!((alert.finding.count, alert.last_at.since(alert.raised_at).as_secs()), (2, HOUR));
    shard.wait(HOUR).wait_micros(1);
    report(&mut shard);
    assert_eq!(shard.alerts().len(), 2);
    let number = shard.alerts()[1].alert.number;
    shard.ask(&Request::ChangeAlert(number, AlertStatus::Acknowledged)).unwrap();
    report(&mut shard);
    assert_eq!(shard.alerts()[1].alert.finding.count, 2);
    shard.ask(&Request::ChangeAlert(number, AlertStatus::Resolved)).unwrap();
    report(&mut shard);
    assert_eq!(shard.alerts().len(), 3);
    assert!(shard.ask(&Request::ChangeAlert(number, AlertStatus::Active)).is_err(), "a resolved one stays resolved");
    assert_eq!(shard.ask(&Request::ChangeAlert(number, AlertStatus::Resolved)), Ok(Outcome::Done));
}

#[test]
fn an_agent_keeps_so_many_alerts() {
    let mut shard = looking_for(&[]);
    for _ in 0..ALERTS_PER_AGENT_MAX + 3 {
        shard.record(paid(5)).unwrap();
        let number = shard.alerts().last().unwrap().alert.number;
        shard.ask(&Request::ChangeAlert(number, AlertStatus::Resolved)).unwrap();
    }
    let alerts = shard.alerts();
    assert_eq!(alerts.len(), ALERTS_PER_AGENT_MAX);
    assert_eq!(alerts[0].alert.number.0, 4, "the oldest are forgotten");
}

#[test]
fn alerts_are_found_by_what_they_are() {
    let mut shard = looking_for(&[]);
    shard.create(2, AgentStatus::Active);
    shard.record(paid(5)).unwrap();
    shard.wait(10);
    shard.ask(&Request::Record(AgentIndex(1), paid(5))).unwrap();
    shard.hold(x402(1, 5));
    shard.capture(1, 6, true).unwrap();
    let all = AlertQuery::latest(None, 10);
    let mut ask = |query: AlertQuery| {
        let View::Alerts(views) = shard.view(Query::Alerts(query)) else { panic!("another view") };
        views.iter().map(|view| view.alert.number.0).collect::<Vec<_>>()
    };
    let (at, number) = (Shard::new(&[]).now, |number| holdfast::kernel::anomaly::AlertNumber(number));
    assert_eq!(ask(all.clone()), [3, 2, 1]);
    assert_eq!(ask(AlertQuery { count: 1, ..all.clone() }), [3]);
    assert_eq!(ask(AlertQuery { agent: Some(AgentIndex(1)), ..all.clone() }), [2]);
    assert_eq!(ask(AlertQuery { severity: Some(Severity::Critical), ..all.clone() }), [2, 1]);
    assert_eq!(ask(AlertQuery { kind: Some(AlertKind::Overage), ..all.clone() }), [3]);
    assert_eq!(ask(AlertQuery { status: Some(AlertStatus::Resolved), ..all.clone() }), [0; 0]);
    assert_eq!(ask(AlertQuery { before: (at, number(2)), ..all.clone() }), [1]);
    assert_eq!(ask(AlertQuery { before: (at, number(1)), ..all }), [0; 0]);
}

#[test]
fn thresholds_are_changed_one_by_one_within_their_ranges() {
    let mut shard = Shard::new(&[]);
    shard.watch(true, &[(Threshold::FailedStreak, 7)]);
    let watching = shard.agent().watching;
    assert!(watching.auto_freeze);
    for threshold in Threshold::ALL {
        let expected = if threshold == Threshold::FailedStreak { 7 } else { threshold.default_value() };
        assert_eq!(watching.thresholds.of(threshold), expected, "{threshold:?}");
        let mut change = |thresholds| {
            let watching = Some(Box::new(WatchingChange { auto_freeze: None, thresholds }));
            shard.ask(&Request::UpdateAgent(AGENT, UpdateAgent { watching, ..UpdateAgent::default() }))
        };
        assert_eq!(change(vec![(threshold, threshold.maximum())]), Ok(Outcome::Done));
        assert!(change(vec![(threshold, threshold.maximum() + 1)]).is_err(), "{threshold:?}");
        assert!(change(vec![(threshold, 1), (threshold, 2)]).is_err(), "{threshold:?}");
        assert!(matches!(threshold.group(), Group::Alert | Group::Freeze));
    }
    let watching = shard.agent().watching;
    assert!(Threshold::ALL.iter().all(|threshold| watching.thresholds.of(*threshold) == threshold.maximum()));
}

#[test]
fn without_detectors_nothing_is_remembered() {
    let mut options = options(&[("MAX_AMOUNT", "0.00001")]);
    options.detectors = false;
    let mut shard = Shard::with(options);
    shard.record(paid(5)).unwrap();
    (0..20).for_each(|hold| drop(shard.authorize(x402(hold, 11))));
    assert_eq!(shard.found(), []);
    let facts = Facts { trust_score: Some(1), ..Facts::default() };
    shard.hold(Authorize { facts: Some(Box::new(facts)), ..x402(100, 5) });
    assert!(!shard.state.has_findings());
}

/// What is remembered for the detectors is part of the state: a shard that is loaded goes on as the one that lived.
#[test]
fn a_restart_keeps_what_was_seen() {
    let mut shard = Shard::new(&[("MAX_AMOUNT", "0.01")]);
    shard.watch(false, &[(Threshold::DuplicateMinAmount, 1), (Threshold::PriceSpikeMinCalls, 3)]);
    shard.create(2, AgentStatus::Active);
    shard.pay(1, 12, 100).wait(3 * HOUR);
    (100..104).for_each(|hold| drop(shard.authorize(x402(hold, 10_001))));
    (200..209).for_each(|hold| {
        shard.hold(Authorize { recipient: ["a", "b", "c"][hold as usize % 3], ..x402(hold, 100) });
    });
    let facts = Facts { trust_score: Some(100), ..Facts::default() };
    (300..304).for_each(|hold| {
        shard.hold(Authorize { facts: Some(Box::new(facts.clone())), ..x402(hold, 100) });
        shard.void(hold).unwrap();
    });
    let mut copy = Shard { state: State::from_image(&shard.state.image()).unwrap(), ..Shard::new(&[]) };
    copy.now = shard.now;
    assert_eq!(copy.state.digest(), shard.state.digest());
    for shard in [&mut shard, &mut copy] {
        shard.hold(Authorize { facts: Some(Box::new(facts.clone())), ..x402(400, 9999) });
        shard.hold(Authorize { recipient: "d", protocol: Protocol::Mpp, ..x402(401, 5000) });
        shard.wait(20).hold(x402(402, 5000));
        shard.void(402).unwrap();
    }
    assert!(copy.alerts().len() > 4, "{:?}", copy.found());
    assert_eq!(copy.alerts(), shard.alerts());
    assert_eq!(copy.state.digest(), shard.state.digest());
    // So does what was found and not yet said.
    let mut events = Vec::new();
    shard.state.decide(shard.now, &Request::Record(AgentIndex(1), paid(7)), &mut events).unwrap();
    shard.apply(&events);
    assert!(shard.state.has_findings());
    let mut copy = Shard { state: State::from_image(&shard.state.image()).unwrap(), ..Shard::new(&[]) };
    copy.now = shard.now;
    assert!(copy.state.has_findings());
    assert_eq!(copy.alerts(), shard.alerts());
    assert!(!copy.state.has_findings());
}

#[test]
fn a_denial_is_told_of_by_whatever_limit_on_money_adds_up() {
    let daily = r#"{"amount":"0.00001","period":"DAILY"}"#;
    let rolling = r#"{"amount":"0.00001","seconds":60}"#;
    let zoned = r#"{"amount":"0.00001","timezone":"Europe/Berlin"}"#;
    for (rule_type, value) in [
        ("DAILY_LIMIT", "0.00001"),
        ("WEEKLY_LIMIT", zoned),
        ("MONTHLY_LIMIT", "0.00001"),
        ("ROLLING_LIMIT", rolling),
        ("BUDGET_CAP", daily),
        ("X402_SESSION_BUDGET", "0.00001"),
        ("X402_MAX_PER_SERVICE", daily),
        ("X402_MAX_PER_ENDPOINT", daily),
    ] {
        let mut shard = Shard::new(&[(rule_type, value)]);
        shard.watch(false, &only(&[]));
        _ = kinds(&shard.authorize(x402(1, 11)));
        check(&mut shard, AlertKind::SpendLimitExceeded, true, rule_type);
        let kind = RuleKind::from_rule_type(rule_type).unwrap();
        assert!(kind.is_of_total(), "{rule_type}");
    }
    let totals = RuleKind::ALL.iter().filter(|kind| kind.is_of_total()).count();
    assert_eq!(totals, 8 + 3, "the same of MPP");
}
