//! The test vectors of `docs/PROTOCOL.md`: what the page says is what is written, and what is written is read back.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{
    every_reader::{read_everything, read_item},
    frame::{Batch, BatchWriter, Frame, FrameKind, Item},
    greeting::{Address, Handle, Hello, Identified, Limits, Welcome, write_error},
    limits::FRAME_BYTES_MAX,
    reply::{
        ApprovalDecided, ApprovalRequired, Approved, Authorization, Budget as BudgetReply, BudgetRequest,
        CaptureResult, Captured, Denied, ErrorReply, Increased, Limit, Measure, Recorded, Refused, Reply, Service,
        Session, SessionClosed, Violation,
    },
    request::{Authorize, Budget, Capture, CloseSession, Extend, Increment, Operation, Record, Refund, Request},
    *,
};
use crate::kernel::{
    AgentId, AgentIndex, Amount, ApprovalRequestId, AuthorizationId, BudgetRequestId, Duration, OperationId, Protocol,
    ShardId, Timestamp,
    outcome::{Booking, HoldStatus},
    request::Intent,
};

const PAGE: &str = include_str!("../../docs/PROTOCOL.md");
const HANDLE: Handle = Handle { shard: ShardId(3), index: AgentIndex(70_000) };
const HOLD: AuthorizationId = AuthorizationId(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff);
const OPERATION: OperationId = OperationId(0x0a);
const MOMENT: Timestamp = Timestamp::from_micros(1_795_000_000_000_000);

fn requests() -> Vec<(&'static str, u64, Request<'static>)> {
    let about = |operation| Request::Agent(HANDLE, operation);
    let amount = Amount::from_micros(50_000);
    let authorize = Authorize {
        id: HOLD,
        amount,
        protocol: Protocol::X402,
        intent: Intent::Charge,
        recipient: "0xabc",
        service: "api.example.com",
        resource: "https://api.example.com/v1",
        session: "",
        wallet: "",
        hold_for: None,
        facts: None,
    };
    let deposit = Authorize {
        protocol: Protocol::Mpp,
        intent: Intent::Session { duration: Some(Duration::from_secs(60)) },
        session: "run-1",
        wallet: "main",
        hold_for: Some(Duration::from_secs(300)),
        facts: None,
        ..authorize.clone()
    };
    let record = Record {
        authorization: Some(HOLD),
        amount,
        protocol: Protocol::Mpp,
        recipient: "0xabc",
        service: "",
        resource: "",
        session: "",
        wallet: "",
        payment_id: "p1",
        transaction: "",
        calls: 1,
    };
    let capture = Capture { id: HOLD, operation: OPERATION, amount, last: true };
    let other = Handle { shard: ShardId(1), index: AgentIndex(2) };
    let captures = vec![(HANDLE, capture.clone()), (other, Capture { amount: Amount::ZERO, ..capture })];
    vec![
        ("ping", 0, Request::Ping),
        ("resolve", 1, Request::Resolve(AgentId(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef))),
        ("authorize", 7, about(Operation::Authorize(authorize))),
        ("authorize a deposit", 300, about(Operation::Authorize(deposit))),
        ("capture", 8, about(Operation::Capture(Capture { id: HOLD, operation: OPERATION, amount, last: true }))),
        ("void", 9, about(Operation::Void(HOLD))),
        (
            "extend",
            10,
            about(Operation::Extend(Extend { id: HOLD, operation: OPERATION, by: Duration::from_secs(60) })),
        ),
        ("increment", 11, about(Operation::Increment(Increment { id: HOLD, operation: OPERATION, amount }))),
        ("refund", 12, about(Operation::Refund(Refund { id: HOLD, operation: OPERATION, amount }))),
        ("record", 13, about(Operation::Record(record))),
        (
            "close session",
            14,
            about(Operation::CloseSession(CloseSession { protocol: Protocol::X402, session: "run-1" })),
        ),
        ("authorization", 15, about(Operation::Authorization(HOLD))),
        ("budget", 16, about(Operation::Budget(Budget { protocol: Protocol::Mpp, session: "" }))),
        ("services", 17, about(Operation::Services(Protocol::Payment))),
        ("budget in force", 19, about(Operation::BudgetInForce)),
        ("captures", 18, Request::Captures(captures)),
    ]
}

fn replies() -> Vec<(&'static str, u64, Reply)> {
    let cents = |cents: u64| Amount::from_micros(cents * 10_000);
    let approved = Approved {
        expires_at: MOMENT,
        remaining: Some(cents(995)),
        wallet: Some(0),
        available: None,
        reasons: 0b101,
        session: 2,
        policy_revision: 4,
        repeated: false,
    };
    let budget_request = BudgetRequest {
        id: BudgetRequestId(0x0c),
        exhausted: false,
        requested: Amount::from_units(5),
        approved: Amount::from_units(4),
        spent: Amount::from_units(1),
        held: Amount::from_units(2),
        expires_at: MOMENT,
    };
    let decided =
        ApprovalDecided { agent: HANDLE, id: HOLD, request: ApprovalRequestId(0x0b), expires_at: Some(MOMENT) };
    let waiting = ApprovalRequired {
        request: ApprovalRequestId(0x0b),
        decide_by: MOMENT,
        required: 2,
        given: 1,
        about: vec![Violation {
            code: "REQUIRE_APPROVAL_ABOVE".to_owned(),
            limit: Measure::Money(Amount::from_units(5)),
            current: Measure::Money(Amount::from_units(6)),
            message: "large".to_owned(),
        }],
        policy_revision: 4,
        repeated: false,
    };
    let denied = Denied {
        violations: vec![
            Violation {
                code: "PER_TX_LIMIT".to_owned(),
                limit: Measure::Money(cents(500)),
                current: Measure::Money(cents(600)),
                message: "too much".to_owned(),
            },
            Violation {
                code: "AGENT_PAUSED".to_owned(),
                limit: Measure::None,
                current: Measure::None,
                message: String::new(),
            },
        ],
        policy_revision: 4,
    };
    let error = ErrorReply { code: "OVERLOADED".to_owned(), message: "busy".to_owned(), retry_after_ms: Some(50) };
    let authorization = Authorization {
        id: HOLD,
        status: HoldStatus::Captured,
        protocol: Protocol::X402,
        amount: cents(5),
        captured: cents(4),
        refunded: Amount::ZERO,
        recipient: "0xabc".to_owned(),
        service: "api.example.com".to_owned(),
        session: String::new(),
        placed_at: MOMENT,
        expires_at: MOMENT.after(Duration::from_secs(300)),
    };
    let session = Session {
        name: "run-1".to_owned(),
        protocol: Protocol::Mpp,
        deposit: Some(cents(1000)),
        spent: cents(1),
        held: cents(2),
        open: true,
        opened_at: MOMENT,
        ends_at: MOMENT,
        authorization: Some(HOLD),
    };
    let limit = Limit { code: "VELOCITY_LIMIT".to_owned(), limit: Measure::Count(60), used: Measure::Count(1) };
    let budget = BudgetReply {
        limits: vec![limit],
        remaining: None,
        spent: cents(1),
        calls: 1,
        held: cents(2),
        used: [cents(3), cents(4), cents(5)],
        session: Some(session),
    };
    let service = Service {
        service: "api.example.com".to_owned(),
        spent: cents(1),
        held: Amount::ZERO,
        calls: 2,
        last_at: MOMENT,
    };
    let captured = Captured { captured: cents(4), overage: Amount::ZERO, held: cents(1), late: false };
    let results = vec![CaptureResult::Captured(captured), CaptureResult::Refused(Refused::from(ErrorCode::NotFound))];
    let recorded = Recorded { booking: Booking::Matched, authorization: Some(HOLD), overage: Amount::ZERO };
    vec![
        ("error", 1, Reply::Error(error)),
        ("denied", 7, Reply::Denied(denied)),
        ("approved", 7, Reply::Approved(approved)),
        ("captured", 8, Reply::Captured(captured)),
        ("voided", 9, Reply::Voided(cents(5))),
        ("extended", 10, Reply::Extended(MOMENT)),
        ("increased", 11, Reply::Increased(Increased { amount: cents(10), remaining: None })),
        ("refunded", 12, Reply::Refunded(cents(5))),
        ("recorded", 13, Reply::Recorded(recorded)),
        ("session closed", 14, Reply::SessionClosed(SessionClosed { spent: cents(1), released: cents(999) })),
        ("resolved", 1, Reply::Resolved(HANDLE)),
        ("authorization view", 15, Reply::Authorization(Box::new(authorization))),
        ("budget view", 16, Reply::Budget(Box::new(budget))),
        ("services view", 17, Reply::Services(vec![service])),
        ("pong", 0, Reply::Pong(MOMENT)),
        ("capture results", 18, Reply::CaptureResults(results)),
        ("approval required", 7, Reply::ApprovalRequired(Box::new(waiting))),
        ("approval decided", 0, Reply::ApprovalDecided(decided)),
        ("budget in force view", 19, Reply::BudgetInForce(Some(Box::new(budget_request)))),
    ]
}

fn welcome() -> Welcome {
    Welcome {
        version: 1,
        principal: Identified::Agent(HANDLE),
        limits: Limits {
            frame_bytes_max: 1 << 20,
            requests_per_frame_max: 4096,
            in_flight_max: 65_536,
            streams_max: 16,
            idle_timeout_ms: 30_000,
        },
        workers: vec![Address { host: String::new(), port: 4402 }, Address { host: "10.0.0.7".to_owned(), port: 4403 }],
        shards: vec![0, 1, 0, 1],
        server_time: MOMENT,
    }
}

const HELLO: Hello<'static> = Hello { version_min: 1, version_max: 1, credential: "hf_secret", client: "example/1.0" };

/// Every vector by its name, as the code writes it.
fn written() -> BTreeMap<&'static str, Vec<u8>> {
    let mut vectors = BTreeMap::new();
    for (name, tag, request) in requests() {
        let mut writer = BatchWriter::new(FrameKind::Requests);
        request.write(tag, &mut writer).unwrap();
        vectors.insert(name, writer.take(Vec::new()));
    }
    for (name, tag, reply) in replies() {
        let mut writer = BatchWriter::new(FrameKind::Replies);
        reply.write(tag, &mut writer);
        vectors.insert(name, writer.take(Vec::new()));
    }
    let mut both = BatchWriter::new(FrameKind::Requests);
    for (_, tag, request) in requests().iter().filter(|(name, ..)| ["ping", "void"].contains(name)) {
        request.write(*tag, &mut both).unwrap();
    }
    vectors.insert("two requests", both.take(Vec::new()));
    let frame = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = Vec::new();
        write(&mut bytes);
        bytes
    };
    vectors.insert("hello", frame(&|bytes| HELLO.write(bytes)));
    vectors.insert("welcome", frame(&|bytes| welcome().write(bytes)));
    let refusal = Refusal::new(ErrorCode::AuthFailed, "no such key");
    vectors.insert("error frame", frame(&|bytes| write_error(&refusal, bytes)));
    vectors
}

/// The vectors of the page: fenced blocks that open with `vector` and a name.
fn on_the_page() -> BTreeMap<&'static str, Vec<u8>> {
    PAGE.split("```vector ")
        .skip(1)
        .map(|block| {
            let (name, rest) = block.split_once('\n').expect("a name");
            let (text, _) = rest.split_once("```").expect("an end");
            (name, from_hex(text))
        })
        .collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    assert!(digits.len().is_multiple_of(2), "{text}");
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal")).collect()
}

fn to_hex(bytes: &[u8]) -> String {
    let lines: Vec<String> = bytes
        .chunks(32)
        .map(|line| line.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" "))
        .collect();
    lines.join("\n")
}

fn items<'a>(bytes: &'a [u8], kind: FrameKind) -> Vec<Item<'a>> {
    let (frame, rest) = Frame::cut(bytes, FRAME_BYTES_MAX).unwrap().expect("a whole frame");
    assert!(rest.is_empty());
    Batch::parse(frame.expect(kind).unwrap()).unwrap().collect()
}

#[test]
fn the_page_says_what_is_written() {
    let (page, written) = (on_the_page(), written());
    for (name, bytes) in &written {
        let expected = to_hex(bytes);
        assert_eq!(page.get(name).map(|bytes| to_hex(bytes)), Some(expected.clone()), "`{name}` is\n{expected}");
    }
    assert_eq!(page.keys().collect::<Vec<_>>(), written.keys().collect::<Vec<_>>());
}

#[test]
fn the_page_is_read_back() {
    let page = on_the_page();
    for (name, tag, request) in requests() {
        let items = items(&page[name], FrameKind::Requests);
        assert_eq!((items.len(), items[0].tag), (1, tag));
        assert_eq!(Request::decode(items[0]).unwrap(), request, "{name}");
    }
    for (name, tag, reply) in replies() {
        let items = items(&page[name], FrameKind::Replies);
        assert_eq!((items.len(), items[0].tag), (1, tag));
        assert_eq!(Reply::decode(items[0]).unwrap(), reply, "{name}");
    }
    let content = |name: &str, kind| Frame::cut(&page[name], FRAME_BYTES_MAX).unwrap().unwrap().0.expect(kind).unwrap();
    assert_eq!(codec::decode::<Hello<'_>>(content("hello", FrameKind::Hello)).unwrap(), HELLO);
    assert_eq!(codec::decode::<Welcome>(content("welcome", FrameKind::Welcome)).unwrap(), welcome());
    let error = codec::decode::<ErrorReply>(content("error frame", FrameKind::Error)).unwrap();
    assert_eq!(error.code, "AUTH_FAILED");
}

#[test]
fn the_page_lists_every_error_code() {
    for code in ErrorCode::ALL {
        let retry = code.retry_after_ms().map_or("—".to_owned(), |ms| ms.to_string());
        let row = format!("| `{}` | {} | {:?} | {retry} |", code.text(), code.http_status(), code.fault());
        assert!(PAGE.contains(&row), "the page lacks the row {row}");
    }
}

#[test]
fn a_body_that_is_cut_or_goes_on_is_refused() {
    for (name, _, request) in requests() {
        let mut body = Vec::new();
        request.encode(&mut body);
        for end in 0..body.len() {
            let cut = Item { tag: 0, kind: request.kind(), body: &body[..end] };
            let refusal = Refusal::from(&Request::decode(cut).unwrap_err());
            assert_eq!(refusal.code, ErrorCode::ProtocolError, "{name} cut to {end}");
        }
        body.push(0);
        assert!(Request::decode(Item { tag: 0, kind: request.kind(), body: &body }).is_err(), "{name}");
    }
}

#[test]
fn an_unknown_kind_is_named() {
    for kind in [0, 16, 127, 128, 255] {
        let refusal = Refusal::from(&Request::decode(Item { tag: 0, kind, body: &[] }).unwrap_err());
        assert_eq!(refusal.code, ErrorCode::UnknownMessage);
        assert!(refusal.message.contains(&kind.to_string()), "{refusal}");
    }
    assert!(Reply::decode(Item { tag: 0, kind: 127, body: &[] }).is_err());
}

#[test]
fn an_amount_beyond_the_largest_is_refused_with_its_field() {
    let too_much = Amount::from_micros(Amount::MAX.micros() + 1);
    let record = Record {
        authorization: None,
        amount: too_much,
        protocol: Protocol::Payment,
        recipient: "r",
        service: "",
        resource: "",
        session: "",
        wallet: "",
        payment_id: "",
        transaction: "",
        calls: 1,
    };
    for operation in [
        Operation::Authorize(Authorize::payment(HOLD, too_much, "r")),
        Operation::Capture(Capture { id: HOLD, operation: OPERATION, amount: too_much, last: true }),
        Operation::Increment(Increment { id: HOLD, operation: OPERATION, amount: too_much }),
        Operation::Refund(Refund { id: HOLD, operation: OPERATION, amount: too_much }),
        Operation::Record(record),
    ] {
        let refusal = operation.to_kernel(AgentIndex(0)).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::InvalidAmount);
        assert!(refusal.message.contains("`amount`"), "{refusal}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read_everything(&bytes);
    }

    #[test]
    fn any_body_of_any_kind_is_read_without_a_panic(kind: u8, body in prop::collection::vec(any::<u8>(), 0..120)) {
        read_item(Item { tag: 0, kind, body: &body });
    }

    #[test]
    fn vectors_with_a_few_wrong_bytes_are_read_without_a_panic(
        choice: prop::sample::Index,
        wrong in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = choice.get(&written().into_values().collect::<Vec<_>>()).clone();
        for (place, byte) in wrong {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        read_everything(&bytes);
    }
}
