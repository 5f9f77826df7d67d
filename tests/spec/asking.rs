//! Rules whose breach is for a human to decide: what is asked, and when nobody is.

use crate::shard::*;
use holdfast::kernel::{outcome::ViolationKind, policy::RuleKind};

#[test]
fn what_equals_the_threshold_needs_nobody() {
    for (rule_type, operator, value, kind) in [
        ("REQUIRE_APPROVAL_ABOVE", "GT", "0.000050", RuleKind::RequireApprovalAbove),
        ("REQUIRE_APPROVAL_ABOVE", "GREATER_THAN", "0.000050", RuleKind::RequireApprovalAbove),
        ("MAX_AMOUNT", "LTE", "0.000050", RuleKind::MaxAmount),
        ("SINGLE_AMOUNT", "GREATER_THAN", r#"{"amount":0.000050}"#, RuleKind::MaxAmount),
        ("DAILY_LIMIT", "LTE", "0.000050", RuleKind::DailyLimit),
    ] {
        for payment in [x402, plain, |id, amount| mpp(id, amount, ""), |id, amount| deposit(id, amount, "")] {
            let mut shard = Shard::under(&[(rule_type, operator, value, "REQUIRE_APPROVAL")]);
            assert_eq!(kinds(&shard.authorize(payment(1, 51))), [ViolationKind::Rule(kind)], "{rule_type}");
            assert_eq!(shard.balance(), [51; 4], "the money is held while people decide");
            shard.void(1).unwrap();
            assert_eq!(kinds(&shard.authorize(payment(2, 50))), [], "{rule_type}");
        }
    }
}

#[test]
fn denials_win_over_approvals() {
    let mut shard = Shard::under(&[
        ("MAX_AMOUNT", "LTE", "0.000010", "REQUIRE_APPROVAL"),
        ("REQUIRE_APPROVAL_ABOVE", "GT", "0.000020", "REQUIRE_APPROVAL"),
        ("MAX_AMOUNT", "LTE", "0.000030", "DENY"),
    ]);
    let (max, above) = (RuleKind::MaxAmount, RuleKind::RequireApprovalAbove);
    for (amount, expected) in [(10, &[][..]), (20, &[max]), (30, &[max, above]), (31, &[max])] {
        let answer = shard.fork().authorize(x402(1, amount));
        assert_eq!(kinds(&answer), expected.iter().copied().map(ViolationKind::Rule).collect::<Vec<_>>(), "{amount}");
    }
    let denied = violations(&shard.authorize(x402(1, 31)));
    assert_eq!(denied[0].limit, money(30));
}

#[test]
fn what_is_left_is_what_passes_without_a_human() {
    let mut shard = Shard::under(&[
        ("DAILY_LIMIT", "LTE", "0.000100", "ALLOW"),
        ("WEEKLY_LIMIT", "LTE", "0.000060", "REQUIRE_APPROVAL"),
    ]);
    let Ok(holdfast::kernel::Outcome::Approved(approval)) = shard.authorize(plain(1, 50)) else {
        panic!("not approved")
    };
    assert_eq!(approval.remaining, Some(micros(10)));
    assert_eq!(kinds(&shard.increment(1, 11)), [ViolationKind::Rule(RuleKind::WeeklyLimit)]);
    assert_eq!(kinds(&shard.increment(1, 10)), []);
}
