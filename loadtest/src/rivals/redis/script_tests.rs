//! The scripts against a real `redis-server`: requests in, answers and books out.

use holdfast::{
    kernel::Amount,
    wire::reply::{
        Budget,
        Measure::{Count, Money},
    },
};

use super::{
    Fsync,
    books::{AUTHORIZE, Books, Kept, Scripts, agent_key, pack},
    policy::Policy,
    server::RedisServer,
};
use crate::{error::LoadError, setup};

const RECIPIENT: &str = "0x1111111111111111111111111111111111111111";
const SERVICE: &str = "api.example.com";

/// A server with the load test's policy and one agent; `None`, and a line that says so, where Redis is not installed.
struct Bench {
    books: Books,
    scripts: Scripts,
    _server: RedisServer,
}

impl Bench {
    fn new() -> Option<Bench> {
        let server = match RedisServer::start(Fsync::Everysec) {
            Ok(server) => server,
            Err(LoadError::NoRedis) => {
                eprintln!("skipped: {}", LoadError::NoRedis);
                return None;
            }
            Err(error) => panic!("{error}"),
        };
        let mut books = Books::open(&server).unwrap();
        let scripts = books.set_up(1, Policy::read(&setup::policy(None)).unwrap()).unwrap();
        Some(Bench { books, scripts, _server: server })
    }

    fn policy(&mut self, name: &'static str, value: u64) {
        self.scripts.policy.numbers.insert(name, value).expect("a number of the policy");
        self.scripts.authorize = self.books.load(&self.scripts.policy.and(AUTHORIZE)).unwrap();
    }

    fn call(&mut self, script: &str, keys: &[&str], arguments: &[&str]) -> String {
        let count = keys.len().to_string();
        let parts =
            ["EVALSHA", script, &count].into_iter().chain(keys.iter().copied()).chain(arguments.iter().copied());
        let parts: Vec<&[u8]> = parts.map(str::as_bytes).collect();
        match self.books.ask(&parts) {
            Ok(Kept::List(items)) => items.iter().map(shown).collect::<Vec<_>>().join(" "),
            Ok(other) => format!("{other:?}"),
            Err(error) => error.to_string(),
        }
    }

    /// The answer without the moment at which an approval expires.
    fn authorize(&mut self, id: &str, amount: u64, recipient: &str, service: &str, hold_ms: u64) -> String {
        let (hold, amount, hold_ms) = (format!("hold:{id}"), amount.to_string(), hold_ms.to_string());
        let script = self.scripts.authorize.clone();
        let keys = ["agent:0", &format!("service:agent:0:{service}"), &hold, "due:0"];
        let answer = self.call(&script, &keys, &[id, &amount, recipient, service, &hold_ms]);
        let words: Vec<&str> = answer.split(' ').collect();
        match words.as_slice() {
            ["approved", _, rest @ ..] => ["approved"].iter().chain(rest).copied().collect::<Vec<_>>().join(" "),
            _ => answer,
        }
    }

    fn pay(&mut self, id: &str, amount: u64) -> String {
        self.authorize(id, amount, RECIPIENT, SERVICE, 300_000)
    }

    fn capture(&mut self, id: &str, report: &str, amount: u64, is_last: bool) -> String {
        let (hold, report, amount) = (format!("hold:{id}"), format!("report:{id}:{report}"), amount.to_string());
        let script = self.scripts.capture.clone();
        let last = if is_last { "1" } else { "0" };
        self.call(&script, &["agent:0", &hold, &report, "due:0"], &[id, &amount, last])
    }

    fn budget(&mut self) -> Budget {
        self.books.budgets(1, &self.scripts.policy).unwrap().remove(0)
    }

    /// Calls, held, spent, and what counts in the day.
    fn booked(&mut self) -> [u64; 4] {
        let budget = self.budget();
        [budget.calls, budget.held.micros(), budget.spent.micros(), budget.used[0].micros()]
    }
}

fn shown(value: &Kept) -> String {
    match value {
        Kept::Text(text) => String::from_utf8_lossy(text).into_owned(),
        Kept::Number(number) => number.to_string(),
        Kept::Nothing => "nothing".to_owned(),
        Kept::List(_) => "list".to_owned(),
    }
}

const DAILY: u64 = 100_000_000_000_000;

#[test]
fn an_approval_holds_the_money_in_every_window() {
    let Some(mut bench) = Bench::new() else { return };
    assert_eq!(bench.pay("a", 100), format!("approved {}", DAILY - 100));
    assert_eq!(bench.pay("b", 50), format!("approved {}", DAILY - 150));
    assert_eq!(bench.booked(), [2, 150, 0, 150]);
    let budget = bench.budget();
    let money: Vec<_> = budget.limits.iter().map(|limit| (limit.code.as_str(), limit.used)).collect();
    let used = Money(Amount::from_micros(150));
    let expected = [
        ("X402_SESSION_BUDGET", used),
        ("DAILY_LIMIT", used),
        ("WEEKLY_LIMIT", used),
        ("MONTHLY_LIMIT", used),
        ("X402_SERVICE_LIMIT", used),
        ("VELOCITY_LIMIT", Count(2)),
    ];
    assert_eq!(money, expected);
}

#[test]
fn the_same_id_gets_the_same_answer_or_a_conflict() {
    let Some(mut bench) = Bench::new() else { return };
    let first = bench.pay("a", 100);
    bench.pay("b", 100);
    assert_eq!(bench.pay("a", 100), format!("{first} repeated"));
    assert!(bench.pay("a", 101).contains("IDEMPOTENCY_CONFLICT"));
    assert_eq!(bench.booked(), [2, 200, 0, 200]);
}

#[test]
fn each_limit_denies_what_exceeds_it_and_only_that() {
    // Each with 100 counted already: a policy's field, its value, and what a payment of 100 is told.
    let table = [
        ("max_amount", 99, "denied PER_TX_LIMIT"),
        ("max_per_request", 99, "denied X402_PRICE_CEILING"),
        ("price_ceiling", 99, "denied X402_PRICE_CEILING"),
        ("session_budget", 199, "denied X402_SESSION_BUDGET"),
        ("daily", 199, "denied DAILY_LIMIT"),
        ("weekly", 199, "denied WEEKLY_LIMIT"),
        ("monthly", 199, "denied MONTHLY_LIMIT"),
        ("service_daily", 199, "denied X402_SERVICE_LIMIT"),
        ("calls_hourly", 1, "denied VELOCITY_LIMIT"),
    ];
    for (field, value, expected) in table {
        let Some(mut bench) = Bench::new() else { return };
        bench.pay("first", 100);
        bench.policy(field, value);
        assert_eq!(bench.pay("over", 100), expected, "{field}");
        assert_eq!(bench.booked(), [1, 100, 0, 100], "{field}");
        bench.policy(field, value + 1);
        assert!(bench.pay("over", 100).starts_with("approved"), "{field}");
    }
}

#[test]
fn lists_and_states_deny_and_all_violations_are_told() {
    let Some(mut bench) = Bench::new() else { return };
    for (recipient, service, expected) in [
        ("0x00", SERVICE, "denied WHITELIST_VIOLATION"),
        ("0x000000000000000000000000000000000000dEaD", SERVICE, "denied WHITELIST_VIOLATION BLOCKED_COUNTERPARTY"),
        (RECIPIENT, "other.example", "denied X402_SERVICE_NOT_ALLOWED"),
        (RECIPIENT, "untrusted.example", "denied X402_SERVICE_NOT_ALLOWED X402_SERVICE_BLOCKED"),
    ] {
        assert_eq!(bench.authorize("a", 100, recipient, service, 1000), expected);
    }
    let mut numbers = [0.0; 18];
    (numbers[1], numbers[17]) = (99.0, f64::INFINITY);
    bench.books.ask(&[b"SET", agent_key(0).as_bytes(), &pack(&numbers)]).unwrap();
    assert_eq!(bench.pay("a", 100), "denied AGENT_NOT_ACTIVE INSUFFICIENT_BALANCE");
    assert_eq!(bench.booked(), [0, 0, 0, 0]);
}

#[test]
fn captures_are_counted_once_and_release_what_was_not_spent() {
    let Some(mut bench) = Bench::new() else { return };
    bench.pay("a", 100);
    assert_eq!(bench.capture("a", "1", 30, false), "captured 30 0");
    assert_eq!(bench.capture("a", "1", 30, false), "captured 30 0");
    assert!(bench.capture("a", "1", 31, false).contains("IDEMPOTENCY_CONFLICT"));
    assert_eq!(bench.booked(), [1, 70, 30, 100]);
    assert_eq!(bench.capture("a", "2", 40, true), "captured 70 0");
    assert_eq!(bench.booked(), [1, 0, 70, 70]);
    // The money has moved, so what comes late or is more than was held is booked all the same.
    assert_eq!(bench.capture("a", "3", 5, true), "captured 75 1");
    bench.pay("b", 10);
    assert_eq!(bench.capture("b", "1", 25, true), "captured 25 0");
    assert_eq!(bench.booked(), [2, 0, 100, 100]);
    assert!(bench.capture("c", "1", 5, true).contains("NOT_FOUND"));
}

#[test]
fn a_hold_that_is_over_gives_back_what_was_not_captured() {
    let Some(mut bench) = Bench::new() else { return };
    bench.policy("grace", 0);
    bench.authorize("short", 100, RECIPIENT, SERVICE, 0);
    bench.capture("short", "1", 30, false);
    // The next payment finds it over.
    assert_eq!(bench.pay("next", 10), format!("approved {}", DAILY - 40));
    assert_eq!(bench.booked(), [2, 10, 30, 40]);
    assert_eq!(bench.capture("short", "2", 5, true), "captured 35 1");
    assert_eq!(bench.booked(), [2, 10, 35, 45]);
}

#[test]
fn a_session_that_was_idle_begins_anew() {
    let Some(mut bench) = Bench::new() else { return };
    bench.pay("a", 100);
    bench.policy("session_idle", 0);
    bench.policy("session_budget", 100);
    assert!(bench.pay("b", 100).starts_with("approved"));
}
