//! What agents ask for.

use super::{Mood, Workload, operator::PAYMENT_MICROS};
use crate::kernel::{
    AgentIndex, Amount, AuthorizationId, Duration, Facts, Protocol, Request,
    facts::Split,
    request::{Authorize, Capture, CaptureTo, CloseSession, Extend, Increment, Intent, Record, Refund, Settle},
};

/// Payees; the first is paid most.
pub(super) const RECIPIENTS: [&str; 3] = ["0xaa", "0xbb", "9xQeWv"];
/// Services; the first is none.
pub(super) const SERVICES: [&str; 4] = ["", "api.example.com", "data.example.com", "odd.example.com"];
/// Wallets; the first is none in particular, the last does not exist at first.
pub(super) const WALLETS: [&str; 4] = ["", "w1", "w2", "w3"];
/// Names of sessions; the first is none.
pub const SESSIONS: [&str; 5] = ["", "s1", "s2", "s3", "s4"];
const RESOURCES: [&str; 3] =
    ["https://api.example.com/a", "https://api.example.com/a/?q=1", "https://api.example.com/b"];
/// Few, so that payments are reported twice.
const PAYMENTS: [&str; 12] = ["p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10", "p11", "p12"];
const TRANSACTIONS: [&str; 6] = ["t1", "t2", "t3", "t4", "t5", "t6"];

pub(super) fn request(workload: &mut Workload) -> Request<'static> {
    match workload.random.below(100) {
        nth if nth < 45 || workload.placed.is_empty() => {
            let (agent, asked) = authorize(workload);
            Request::Authorize(agent, asked)
        }
        45..57 => capture(workload),
        57..60 => capture_to(workload),
        60..63 => settle(workload),
        63..75 => record(workload),
        75..80 => {
            let (agent, id) = hold(workload);
            Request::Void(agent, id)
        }
        80..84 => extend(workload),
        84..89 => increment(workload),
        89..96 => refund(workload),
        _ => close(workload),
    }
}

/// The same request with other content.
pub(super) fn altered(request: Request<'static>) -> Request<'static> {
    let more = |amount: Amount| Amount::from_micros(amount.micros() + 1);
    match request {
        Request::Authorize(agent, of) => Request::Authorize(agent, Authorize { amount: more(of.amount), ..of }),
        Request::Capture(agent, of) => Request::Capture(agent, Capture { amount: more(of.amount), ..of }),
        Request::CaptureTo(agent, of) => {
            let capture = Capture { amount: more(of.capture.amount), ..of.capture };
            Request::CaptureTo(agent, CaptureTo { capture, ..of })
        }
        Request::Settle(agent, of) => Request::Settle(agent, Settle { amount: of.amount.map(more), ..of }),
        Request::Increment(agent, of) => Request::Increment(agent, Increment { amount: more(of.amount), ..of }),
        Request::Refund(agent, of) => Request::Refund(agent, Refund { amount: more(of.amount), ..of }),
        Request::Record(agent, of) => Request::Record(agent, Record { amount: more(of.amount), ..of }),
        other => other,
    }
}

pub(super) fn authorize(workload: &mut Workload) -> (AgentIndex, Authorize<'static>) {
    let agent = workload.agent();
    let id = AuthorizationId(workload.next_id());
    let (protocol, service) = rail(workload);
    let random = &mut workload.random;
    let deposit = protocol == Protocol::Mpp && random.chance(40);
    let duration = random.chance(50).then(|| Duration::from_secs(random.between(30, 1200)));
    let times = if deposit { 4 } else { 1 };
    let amount = Amount::from_micros(random.between(1, times * PAYMENT_MICROS));
    let hold_for = random.chance(40).then(|| Duration::from_secs(random.between(1, 900)));
    let facts = if random.chance(30) { Some(Box::new(facts(workload))) } else { None };
    (
        agent,
        Authorize {
            id,
            amount,
            protocol,
            intent: if deposit { Intent::Session { duration } } else { Intent::Charge },
            recipient: recipient(workload),
            service,
            resource: workload.random.pick(&RESOURCES),
            session: session(workload),
            wallet: if workload.random.chance(90) { "" } else { workload.random.pick(&WALLETS) },
            hold_for: if deposit { None } else { hold_for },
            facts,
        },
    )
}

/// Facts that matter to every payment: until when it may settle, sometimes impossibly long, and who gets a part of it.
fn facts(workload: &mut Workload) -> Facts<'static> {
    let now = workload.now;
    let random = &mut workload.random;
    let within = if random.chance(95) { 1500 } else { 8 * 86_400 };
    let mut seconds = || random.chance(60).then(|| Duration::from_secs(random.below(within)));
    let (valid_before, valid_for) = (seconds().map(|validity| now.after(validity)), seconds());
    let recipient = random.pick(&RECIPIENTS);
    let splits = random.chance(30).then(|| Split { recipient, amount: Amount::from_micros(random.below(10)) });
    let score = random.chance(70).then(|| random.pick(&[0_u32, 4_999, 5_000, 10_000]));
    Facts {
        category: random.pick(&["", "CLOUD", "cloud", "GAMBLING"]),
        session_intent: random.pick(&["", "streaming", "batch"]),
        country: random.pick(&["", "DE", "US"]),
        counterparty_status: random.pick(&["", "TRUSTED", "BLOCKED"]),
        method: random.pick(&["", "GET", "post"]),
        merchant: random.pick(&["", "Amazon", "casino.com"]),
        merchant_category_code: random.pick(&["", "5411", "7995"]),
        contract: random.pick(&["", "0xC0ffee", "0xdead"]),
        trust_score: score,
        valid_before,
        valid_for,
        splits: splits.into_iter().collect(),
        ..Facts::default()
    }
}

fn rail(workload: &mut Workload) -> (Protocol, &'static str) {
    let random = &mut workload.random;
    let protocol = random.pick(&[Protocol::Payment, Protocol::X402, Protocol::X402, Protocol::Mpp, Protocol::Mpp]);
    let protocol = if protocol == Protocol::Payment && random.chance(30) { Protocol::Card } else { protocol };
    let service = random.pick(&["api.example.com", "api.example.com", "api.example.com", SERVICES[2], SERVICES[3]]);
    let outside = matches!(protocol, Protocol::Payment | Protocol::Card);
    (protocol, if outside && random.chance(50) { "" } else { service })
}

fn recipient(workload: &mut Workload) -> &'static str {
    workload.random.pick(&[RECIPIENTS[0], RECIPIENTS[0], RECIPIENTS[0], RECIPIENTS[1], RECIPIENTS[2]])
}

fn session(workload: &mut Workload) -> &'static str {
    if workload.random.chance(50) { "" } else { workload.random.pick(&SESSIONS) }
}

/// Mostly one of the latest holds, sometimes an old one, sometimes none that was ever placed.
fn hold(workload: &mut Workload) -> (AgentIndex, AuthorizationId) {
    match placed(workload) {
        Some((agent, asked)) if workload.random.chance(99) => (agent, asked.id),
        _ => (AgentIndex(0), AuthorizationId(u128::from(workload.random.below(1 << 20)) << 64)),
    }
}

fn placed(workload: &mut Workload) -> Option<(AgentIndex, Authorize<'static>)> {
    let random = &mut workload.random;
    let back = if random.chance(90) { random.below(6) } else { random.below(60) };
    let position = workload.placed.len().saturating_sub(back as usize + 1);
    workload.placed.get(position).cloned()
}

/// What a payment cost in the end; in a calm run never more than it was approved for, which the least approval bounds.
fn paid(workload: &mut Workload) -> Amount {
    let most = if workload.mood == Mood::Calm { 1 } else { PAYMENT_MICROS + PAYMENT_MICROS / 4 };
    Amount::from_micros(workload.random.between(u64::from(workload.mood == Mood::Calm), most))
}

fn capture(workload: &mut Workload) -> Request<'static> {
    let (agent, id) = hold(workload);
    let (operation, amount) = (workload.next_operation(), paid(workload));
    let last = workload.mood == Mood::Calm || workload.random.chance(60);
    Request::Capture(agent, Capture { id, operation, amount, last })
}

/// A capture that says who was paid, which is sometimes somebody else.
fn capture_to(workload: &mut Workload) -> Request<'static> {
    let (agent, id, right) = match placed(workload) {
        Some((agent, asked)) => (agent, asked.id, asked.recipient),
        None => (AgentIndex(0), AuthorizationId(1), RECIPIENTS[0]),
    };
    let recipient = if workload.mood == Mood::Calm || workload.random.chance(60) {
        right
    } else {
        workload.random.pick(&RECIPIENTS)
    };
    let (operation, amount) = (workload.next_operation(), paid(workload));
    let last = workload.mood == Mood::Calm || workload.random.chance(60);
    Request::CaptureTo(agent, CaptureTo { capture: Capture { id, operation, amount, last }, recipient })
}

/// A hold that ends as paid; in a calm run only before its caller pays, for then it is refused once the hold is over.
fn settle(workload: &mut Workload) -> Request<'static> {
    let (agent, id) = hold(workload);
    let wild = workload.mood == Mood::Wild;
    let amount = (wild && workload.random.chance(50)).then(|| paid(workload));
    let transactions = ["", TRANSACTIONS[0], TRANSACTIONS[1]];
    let paid = (wild && workload.random.chance(50)).then(|| workload.random.pick(&transactions));
    Request::Settle(agent, Settle { id, amount, paid })
}

fn extend(workload: &mut Workload) -> Request<'static> {
    let (agent, id) = hold(workload);
    let (operation, by) = (workload.next_operation(), Duration::from_secs(workload.random.between(1, 1200)));
    Request::Extend(agent, Extend { id, operation, by })
}

fn increment(workload: &mut Workload) -> Request<'static> {
    let (agent, id) = hold(workload);
    let (operation, amount) = (workload.next_operation(), Amount::from_micros(workload.random.between(1, 20)));
    Request::Increment(agent, Increment { id, operation, amount })
}

fn refund(workload: &mut Workload) -> Request<'static> {
    let (agent, id) = hold(workload);
    let (operation, amount) = (workload.next_operation(), Amount::from_micros(workload.random.between(1, 12)));
    Request::Refund(agent, Refund { id, operation, amount })
}

fn close(workload: &mut Workload) -> Request<'static> {
    let agent = workload.agent();
    let protocol = workload.random.pick(&Protocol::ALL);
    Request::CloseSession(agent, CloseSession { protocol, session: session(workload) })
}

fn record(workload: &mut Workload) -> Request<'static> {
    if workload.mood == Mood::Calm {
        return capture(workload);
    }
    let (agent, id) = hold(workload);
    let (mut protocol, mut service) = rail(workload);
    let (mut recipient, mut session) = (recipient(workload), session(workload));
    let mut amount = Amount::from_micros(workload.random.between(1, PAYMENT_MICROS));
    if let Some((_, asked)) = placed(workload).filter(|_| workload.random.chance(70)) {
        (protocol, service, recipient) = (asked.protocol, asked.service, asked.recipient);
        session = if workload.random.chance(60) { asked.session } else { session };
        amount = if workload.random.chance(60) { asked.amount } else { amount };
    }
    let random = &mut workload.random;
    let payment_id = if random.chance(35) { random.pick(&PAYMENTS) } else { "" };
    let transaction = if random.chance(40) { random.pick(&TRANSACTIONS) } else { "" };
    let calls = if random.chance(80) { 1 } else { random.between(2, 4) as u32 };
    let authorization = random.chance(25).then_some(id);
    let (resource, wallet) = (random.pick(&RESOURCES), random.pick(&WALLETS));
    Request::Record(
        agent,
        Record {
            authorization,
            amount,
            protocol,
            recipient,
            service,
            resource,
            session,
            wallet,
            payment_id,
            transaction,
            calls,
        },
    )
}
