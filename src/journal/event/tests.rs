//! Every event comes back from its bytes, and the bytes are those of docs/JOURNAL.md.

use super::*;
use crate::kernel::outcome::{AgentStatusCode, ViolationKind};

const ID: AuthorizationId = AuthorizationId(0x0123_4567_89ab_cdef_0011_2233_4455_6677);
const OPERATION: OperationId = OperationId(0xffee_ddcc_bbaa_9988_7766_5544_3322_1100);

fn approved() -> Approved {
    Approved {
        agent: AgentIndex(7000),
        id: ID,
        amount: Amount::from_micros(2500),
        protocol: Protocol::X402,
        recipient: NameId(3),
        service: Some(NameId(4)),
        session: SessionNumber(1),
        from_deposit: false,
        deposit: false,
        wallet: Some(0),
        expires_after: Duration::from_secs(300),
        remaining: Some(Amount::from_micros(99_997_500)),
        reasons: Reasons(0b110_0101_0011),
        policy_revision: 2,
        fingerprint: 0xfedc_ba98_7654_3210,
        arms: false,
        endpoint: None,
    }
}

fn recorded() -> RecordBooked {
    RecordBooked {
        agent: AgentIndex(7000),
        booking: Booking::Matched,
        authorization: Some(ID),
        operation: Some(OPERATION),
        amount: Amount::from_micros(2500),
        protocol: Protocol::X402,
        recipient: NameId(3),
        service: Some(NameId(4)),
        session: SessionNumber(1),
        wallet: Some(0),
        calls: 1,
        endpoint: None,
    }
}

fn bytes_of(events: &[Event]) -> Vec<u8> {
    let (mut context, mut bytes) = (Context::default(), Vec::new());
    events.iter().for_each(|event| write(event, &mut context, &mut bytes));
    bytes
}

fn events_of(bytes: &[u8]) -> Result<Vec<Event>, DecodeError> {
    let (mut context, mut reader, mut events) = (Context::default(), Reader::new(bytes), Vec::new());
    while reader.left() > 0 {
        events.push(read(&mut reader, &mut context)?);
    }
    Ok(events)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// These bytes are on disks, and in the documentation.
#[test]
fn golden_vectors() {
    fn check(event: Event, expected: &str) {
        let bytes = bytes_of(std::slice::from_ref(&event));
        assert_eq!(hex(&bytes), expected, "{event:?}");
        assert_eq!(events_of(&bytes).unwrap(), [event]);
    }
    check(Event::Approved(approved()), APPROVED_ALONE);
    let captured = CaptureBooked {
        agent: AgentIndex(7000),
        id: ID,
        operation: OPERATION,
        amount: Amount::from_micros(2500),
        last: true,
    };
    check(Event::Captured(captured), CAPTURED_LAST);
    check(Event::Voided(AgentIndex(7000), ID), "a0d8360123456789abcdef0011223344556677");
    check(Event::Expired(AgentIndex(7000), ID), "b0d8360123456789abcdef0011223344556677");
    let denied = Denied {
        agent: AgentIndex(7000),
        kind: ViolationKind::WalletPerDay,
        count: 12,
        amount: Amount::from_micros(30_000),
        session: SessionNumber(1),
    };
    check(Event::Denied(denied), "c3d8360d0cb0ea0101");
    check(Event::Recorded(Box::new(recorded())), RECORDED_MATCHED);
    check(Event::NameMet("api.example.com".into()), "000f6170692e6578616d706c652e636f6d");
    check(Event::Stopped, "19");
}

const APPROVED_ALONE: &str = "8d2500d804d30c02d8360123456789abcdef0011223344556677fedcba9876543210c413030401bcaed72f";
const CAPTURED_LAST: &str = "91d8360123456789abcdef0011223344556677ffeeddccbbaa99887766554433221100c413";
const RECORDED_MATCHED: &str = "df05d8360123456789abcdef0011223344556677ffeeddccbbaa99887766554433221100c4130304010001";

#[test]
fn an_approval_names_its_terms_where_they_are_new() {
    let (same, other) = (approved(), Approved { policy_revision: 3, ..approved() });
    let events = [same.clone(), same.clone(), other.clone(), other, same].map(Event::Approved);
    let bytes = bytes_of(&events);
    assert_eq!(events_of(&bytes).unwrap(), events);
    assert_eq!(bytes_of(&events[..2]).len(), 43 + 36);
    // Without the first one, nobody knows the terms of the second.
    assert!(events_of(&bytes[43..]).is_err());
}

#[test]
fn whatever_an_event_says_comes_back() {
    let wide = |event: &dyn Fn(u64, u128, bool) -> Event| {
        for (number, id) in [(0, 0), (1, 1), (127, 1 << 64), (u64::from(u32::MAX), u128::MAX), (u64::MAX, 7)] {
            for flag in [false, true] {
                let event = event(number, id, flag);
                assert_eq!(events_of(&bytes_of(std::slice::from_ref(&event))).unwrap(), [event]);
            }
        }
    };
    wide(&|number, id, flag| {
        Event::Approved(Approved {
            agent: AgentIndex(number as u32),
            id: AuthorizationId(id),
            amount: Amount::from_micros(number),
            protocol: if flag { Protocol::Mpp } else { Protocol::Payment },
            recipient: NameId(number as u32),
            service: flag.then_some(NameId(number as u32)),
            session: SessionNumber(number as u32),
            from_deposit: flag,
            deposit: !flag,
            wallet: flag.then_some(number as u8),
            expires_after: Duration::from_micros(number),
            remaining: flag.then_some(Amount::from_micros(number)),
            reasons: Reasons(number as u32),
            policy_revision: number as u32,
            fingerprint: number,
            arms: flag,
            endpoint: (!flag).then(|| NonZeroU32::new(number as u32).map(EndpointId)).flatten(),
        })
    });
    wide(&|number, id, flag| {
        Event::Recorded(Box::new(RecordBooked {
            agent: AgentIndex(number as u32),
            booking: if flag { Booking::Unauthorized } else { Booking::Session },
            authorization: flag.then_some(AuthorizationId(id)),
            operation: (!flag).then_some(OperationId(id)),
            amount: Amount::from_micros(number),
            recipient: NameId(number as u32),
            service: flag.then_some(NameId(number as u32)),
            session: SessionNumber(number as u32),
            wallet: flag.then_some(number as u8),
            calls: number as u32,
            endpoint: flag.then(|| NonZeroU32::new(number as u32).map(EndpointId)).flatten(),
            ..recorded()
        }))
    });
    wide(&|number, _, flag| {
        let paused = ViolationKind::AgentNotActive(AgentStatusCode::Paused);
        Event::Denied(Denied {
            agent: AgentIndex(number as u32),
            kind: if flag { ViolationKind::Balance } else { paused },
            count: number as u32,
            amount: Amount::from_micros(number),
            session: SessionNumber(number as u32),
        })
    });
}

#[test]
fn bytes_that_are_never_written_are_refused() {
    let whole = bytes_of(&[Event::Approved(approved())]);
    for length in 1..whole.len() {
        assert!(events_of(&whole[..length]).is_err(), "cut to {length} bytes");
    }
    let refused = |bytes: &[u8]| assert!(events_of(bytes).is_err(), "{bytes:?}");
    // A kind that there is not; a flag that its kind has not; terms with a protocol and a flag that there are not.
    refused(&[0xe0, 1]);
    refused(&[&[0xa1][..], &[1; 17]].concat());
    refused(&[&[0x81, 0b11][..], &whole[2..]].concat());
    refused(&[&[0x81, 0b1000_0001][..], &whole[2..]].concat());
    // A void in bincode.
    refused(&bincode::encode_to_vec(Event::Voided(AgentIndex(1), ID), ENCODING).unwrap());
}
