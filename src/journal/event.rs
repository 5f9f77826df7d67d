//! The bytes of one event, as `docs/JOURNAL.md` specifies them.
//!
//! What happens with every payment has a compact form, since there are millions of it: a head byte with the highest bit set, then
//! numbers of as many bytes as they need. Everything else is bincode, whose first byte is the number of the event's variant and
//! smaller than that.

use std::num::NonZeroU32;

use bincode::error::DecodeError;

use super::{
    bytes::{Reader, Writer},
    codec::ENCODING,
};
use crate::kernel::{
    AgentIndex, Amount, AuthorizationId, Duration, EndpointId, Event, NameId, OperationId, Protocol, SessionNumber,
    event::{Approved, CaptureBooked, Denied, RecordBooked},
    outcome::Booking,
    reason::Reasons,
};

/// What the head byte of a compact event has and that of any other has not.
const COMPACT: u8 = 0x80;
const KIND_SHIFT: u32 = 4;

const APPROVED: u8 = 0;
const CAPTURED: u8 = 1;
const VOIDED: u8 = 2;
const EXPIRED: u8 = 3;
const DENIED: u8 = 4;
const RECORDED: u8 = 5;

/// How many bits of a byte tell the protocol, the lowest.
const PROTOCOL_BITS: u32 = 2;
const PROTOCOL_MASK: u8 = (1 << PROTOCOL_BITS) - 1;

/// How many bits of a byte tell how a payment was booked.
const BOOKING_BITS: u32 = 3;
const BOOKING_MASK: u8 = (1 << BOOKING_BITS) - 1;

const MICROS_PER_SECOND: u64 = 1_000_000;

/// What the event before is good for: an approval mostly is on the same terms as the one before it.
///
/// It lives as long as a section, so that each section can be read by itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Context {
    terms: Option<Terms>,
}

/// What many approvals in a row have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Terms {
    protocol: Protocol,
    has_service: bool,
    has_endpoint: bool,
    from_deposit: bool,
    deposit: bool,
    wallet: Option<u8>,
    expires_after: Duration,
    reasons: Reasons,
    policy_revision: u32,
}

/// Appends an event.
pub(super) fn write(event: &Event, context: &mut Context, bytes: &mut Vec<u8>) {
    let mut writer = Writer::default();
    match event {
        Event::Approved(approved) => write_approved(approved, context, &mut writer),
        Event::Captured(captured) => write_captured(captured, &mut writer),
        Event::Voided(agent, id) => write_end(VOIDED, *agent, *id, &mut writer),
        Event::Expired(agent, id) => write_end(EXPIRED, *agent, *id, &mut writer),
        Event::Denied(denied) => write_denied(denied, &mut writer),
        Event::Recorded(recorded) => write_recorded(recorded, &mut writer),
        Event::NameMet(_)
        | Event::Settled(_)
        | Event::Extended(_)
        | Event::Increased(_)
        | Event::Refunded(_)
        | Event::SessionOpened(_)
        | Event::SessionNamed(..)
        | Event::SessionClosed(..)
        | Event::SessionForgotten(..)
        | Event::HistoryForgotten { .. }
        | Event::UnknownExpired(_)
        | Event::AgentCreated(_)
        | Event::AgentUpdated(..)
        | Event::WalletPut(..)
        | Event::KeyIssued(_)
        | Event::KeyRevoked(_)
        | Event::PolicyPut(..)
        | Event::PolicyRemoved(..)
        | Event::OptionsSet(_)
        | Event::Started { .. }
        | Event::Stopped
        | Event::Checkpoint(_)
        | Event::Alerted(_)
        | Event::AlertChanged(..)
        | Event::AgentFrozen(_)
        | Event::AgentUnfrozen(_)
        | Event::HoldsVoided(..)
        | Event::WatchingChanged(..)
        | Event::TrustSeen(..)
        | Event::ShadowPut(..)
        | Event::ShadowRemoved(..)
        | Event::CounterpartyPut(..)
        | Event::CounterpartyRemoved(..)
        | Event::SanctionsStaged(_)
        | Event::SanctionsSwitched(..)
        | Event::ShadowDiffered(_)
        | Event::FactsTold(..)
        | Event::By(..)
        | Event::Webhook(_)
        | Event::Before(_)
        | Event::AuditExported(_)
        | Event::BudgetRequested(_)
        | Event::BudgetApproved(_)
        | Event::BudgetRejected(_)
        | Event::BudgetSpent(..)
        | Event::BudgetExhausted(..)
        | Event::BudgetExpired(..)
        | Event::ApprovalAsked(_)
        | Event::ApprovalGiven(_)
        | Event::ApprovalRejected(_)
        | Event::ApprovalExpired(..) => {
            bincode::encode_into_std_write(event, bytes, ENCODING).expect("memory takes every event");
        }
    }
    bytes.extend_from_slice(writer.written());
}

/// Reads an event.
///
/// # Errors
/// Bytes that [`write`] does not write.
pub(super) fn read(reader: &mut Reader<'_>, context: &mut Context) -> Result<Event, DecodeError> {
    let head = reader.peek()?;
    if head & COMPACT == 0 {
        return read_other(reader);
    }
    let head = Head(reader.byte()?);
    Ok(match head.kind() {
        APPROVED => Event::Approved(read_approved(head, reader, context)?),
        CAPTURED => Event::Captured(read_captured(head, reader)?),
        VOIDED => read_end(head, reader).map(|(agent, id)| Event::Voided(agent, id))?,
        EXPIRED => read_end(head, reader).map(|(agent, id)| Event::Expired(agent, id))?,
        DENIED => Event::Denied(read_denied(head, reader)?),
        RECORDED => Event::Recorded(Box::new(read_recorded(head, reader)?)),
        _ => return Err(DecodeError::Other("no event has this head")),
    })
}

fn read_other(reader: &mut Reader<'_>) -> Result<Event, DecodeError> {
    let event = reader.encoded()?;
    match event {
        Event::Approved(_)
        | Event::Captured(_)
        | Event::Voided(..)
        | Event::Expired(..)
        | Event::Denied(_)
        | Event::Recorded(_) => Err(DecodeError::Other("an event that has a compact form is in no other")),
        _ => Ok(event),
    }
}

/// The first byte of a compact event: its kind and what of it is there.
#[derive(Clone, Copy)]
struct Head(u8);

impl Head {
    /// The first flag is the lowest bit.
    fn new<const FLAGS: usize>(kind: u8, flags: [bool; FLAGS]) -> Head {
        const { assert!(FLAGS <= KIND_SHIFT as usize) };
        Head(COMPACT | kind << KIND_SHIFT | bits_of(flags))
    }

    fn kind(self) -> u8 {
        (self.0 & !COMPACT) >> KIND_SHIFT
    }

    /// The flags of a kind that has so many.
    fn flags<const FLAGS: usize>(self) -> Result<[bool; FLAGS], DecodeError> {
        let bits = self.0 & !(u8::MAX << KIND_SHIFT);
        if bits >> FLAGS != 0 {
            return Err(DecodeError::Other("the event has flags that its kind has not"));
        }
        Ok(std::array::from_fn(|bit| bits >> bit & 1 == 1))
    }
}

/// The first flag as the lowest bit.
fn bits_of<const FLAGS: usize>(flags: [bool; FLAGS]) -> u8 {
    flags.iter().rev().fold(0, |bits, flag| bits << 1 | u8::from(*flag))
}

fn write_approved(approved: &Approved, context: &mut Context, writer: &mut Writer) {
    let terms = Terms::of(approved);
    let is_new = context.terms.replace(terms) != Some(terms);
    let (in_session, limited) = (approved.session != SessionNumber::NONE, approved.remaining.is_some());
    writer.byte(Head::new(APPROVED, [is_new, approved.arms, in_session, limited]).0);
    if is_new {
        terms.write(writer);
    }
    writer.number(approved.agent.0.into());
    writer.wide(approved.id.0);
    writer.hash(approved.fingerprint);
    writer.number(approved.amount.micros());
    writer.number(approved.recipient.0.into());
    if let Some(service) = approved.service {
        writer.number(service.0.into());
    }
    if let Some(endpoint) = approved.endpoint {
        writer.number(endpoint.0.get().into());
    }
    if in_session {
        writer.number(approved.session.0.into());
    }
    if let Some(remaining) = approved.remaining {
        writer.number(remaining.micros());
    }
}

fn read_approved(head: Head, reader: &mut Reader<'_>, context: &mut Context) -> Result<Approved, DecodeError> {
    let [is_new, arms, in_session, limited] = head.flags()?;
    if is_new {
        context.terms = Some(Terms::read(reader)?);
    }
    let terms = context.terms.ok_or(DecodeError::Other("the first approval of a section has no terms"))?;
    Ok(Approved {
        agent: AgentIndex(reader.small()?),
        id: AuthorizationId(reader.wide()?),
        fingerprint: reader.hash()?,
        amount: reader.amount()?,
        recipient: NameId(reader.small()?),
        service: if terms.has_service { Some(NameId(reader.small()?)) } else { None },
        endpoint: if terms.has_endpoint { Some(reader.endpoint()?) } else { None },
        session: reader.session(in_session)?,
        remaining: if limited { Some(reader.amount()?) } else { None },
        protocol: terms.protocol,
        from_deposit: terms.from_deposit,
        deposit: terms.deposit,
        wallet: terms.wallet,
        expires_after: terms.expires_after,
        reasons: terms.reasons,
        policy_revision: terms.policy_revision,
        arms,
    })
}

impl Terms {
    fn of(approved: &Approved) -> Terms {
        Terms {
            protocol: approved.protocol,
            has_service: approved.service.is_some(),
            has_endpoint: approved.endpoint.is_some(),
            from_deposit: approved.from_deposit,
            deposit: approved.deposit,
            wallet: approved.wallet,
            expires_after: approved.expires_after,
            reasons: approved.reasons,
            policy_revision: approved.policy_revision,
        }
    }

    fn write(&self, writer: &mut Writer) {
        let flags = [self.has_service, self.from_deposit, self.deposit, self.wallet.is_some(), self.has_endpoint];
        writer.byte(bits_of(flags) << PROTOCOL_BITS | self.protocol as u8);
        if let Some(wallet) = self.wallet {
            writer.byte(wallet);
        }
        write_duration(self.expires_after, writer);
        writer.number(self.reasons.0.into());
        writer.number(self.policy_revision.into());
    }

    fn read(reader: &mut Reader<'_>) -> Result<Terms, DecodeError> {
        let bits = reader.byte()?;
        let flag = |place: u32| bits >> (PROTOCOL_BITS + place) & 1 == 1;
        if bits >> (PROTOCOL_BITS + 5) != 0 {
            return Err(DecodeError::Other("the terms have flags that there are not"));
        }
        Ok(Terms {
            protocol: protocol(bits & PROTOCOL_MASK)?,
            has_service: flag(0),
            has_endpoint: flag(4),
            from_deposit: flag(1),
            deposit: flag(2),
            wallet: if flag(3) { Some(reader.byte()?) } else { None },
            expires_after: read_duration(reader)?,
            reasons: Reasons(reader.small()?),
            policy_revision: reader.small()?,
        })
    }
}

/// Whole seconds as an even number, which mostly is short; microseconds as an odd one.
fn write_duration(duration: Duration, writer: &mut Writer) {
    let micros = duration.micros();
    match micros % MICROS_PER_SECOND {
        0 => writer.number((micros / MICROS_PER_SECOND) << 1),
        _ => {
            writer.number(1);
            writer.number(micros);
        }
    }
}

fn read_duration(reader: &mut Reader<'_>) -> Result<Duration, DecodeError> {
    match reader.number()? {
        1 => Ok(Duration::from_micros(reader.number()?)),
        even if even & 1 == 0 => Ok(Duration::from_secs(even >> 1)),
        _ => Err(DecodeError::Other("a duration begins with an even number or with 1")),
    }
}

fn write_captured(captured: &CaptureBooked, writer: &mut Writer) {
    writer.byte(Head::new(CAPTURED, [captured.last]).0);
    writer.number(captured.agent.0.into());
    writer.wide(captured.id.0);
    writer.wide(captured.operation.0);
    writer.number(captured.amount.micros());
}

fn read_captured(head: Head, reader: &mut Reader<'_>) -> Result<CaptureBooked, DecodeError> {
    let [last] = head.flags()?;
    Ok(CaptureBooked {
        agent: AgentIndex(reader.small()?),
        id: AuthorizationId(reader.wide()?),
        operation: OperationId(reader.wide()?),
        amount: reader.amount()?,
        last,
    })
}

fn write_end(kind: u8, agent: AgentIndex, id: AuthorizationId, writer: &mut Writer) {
    writer.byte(Head::new(kind, []).0);
    writer.number(agent.0.into());
    writer.wide(id.0);
}

fn read_end(head: Head, reader: &mut Reader<'_>) -> Result<(AgentIndex, AuthorizationId), DecodeError> {
    let [] = head.flags()?;
    Ok((AgentIndex(reader.small()?), AuthorizationId(reader.wide()?)))
}

fn write_denied(denied: &Denied, writer: &mut Writer) {
    let (many, in_session) = (denied.count != 1, denied.session != SessionNumber::NONE);
    writer.byte(Head::new(DENIED, [many, in_session]).0);
    writer.number(denied.agent.0.into());
    writer.encoded(&denied.kind);
    if many {
        writer.number(denied.count.into());
    }
    writer.number(denied.amount.micros());
    if in_session {
        writer.number(denied.session.0.into());
    }
}

fn read_denied(head: Head, reader: &mut Reader<'_>) -> Result<Denied, DecodeError> {
    let [many, in_session] = head.flags()?;
    Ok(Denied {
        agent: AgentIndex(reader.small()?),
        kind: reader.encoded()?,
        count: if many { reader.small()? } else { 1 },
        amount: reader.amount()?,
        session: reader.session(in_session)?,
    })
}

fn write_recorded(recorded: &RecordBooked, writer: &mut Writer) {
    let (in_session, has_service) = (recorded.session != SessionNumber::NONE, recorded.service.is_some());
    let flags = [recorded.authorization.is_some(), recorded.operation.is_some(), has_service, in_session];
    writer.byte(Head::new(RECORDED, flags).0);
    let has_wallet = u8::from(recorded.wallet.is_some());
    let has_endpoint = u8::from(recorded.endpoint.is_some());
    let kinds = (has_endpoint << BOOKING_BITS | recorded.booking as u8) << 1 | has_wallet;
    writer.byte(kinds << PROTOCOL_BITS | recorded.protocol as u8);
    writer.number(recorded.agent.0.into());
    if let Some(authorization) = recorded.authorization {
        writer.wide(authorization.0);
    }
    if let Some(operation) = recorded.operation {
        writer.wide(operation.0);
    }
    writer.number(recorded.amount.micros());
    writer.number(recorded.recipient.0.into());
    if let Some(service) = recorded.service {
        writer.number(service.0.into());
    }
    if let Some(endpoint) = recorded.endpoint {
        writer.number(endpoint.0.get().into());
    }
    if in_session {
        writer.number(recorded.session.0.into());
    }
    if let Some(wallet) = recorded.wallet {
        writer.byte(wallet);
    }
    writer.number(recorded.calls.into());
}

fn read_recorded(head: Head, reader: &mut Reader<'_>) -> Result<RecordBooked, DecodeError> {
    let [has_authorization, has_operation, has_service, in_session] = head.flags()?;
    let bits = reader.byte()?;
    let has_endpoint = match bits >> (PROTOCOL_BITS + 1 + BOOKING_BITS) {
        0 => false,
        1 => true,
        _ => return Err(DecodeError::Other("a payment has flags that there are not")),
    };
    Ok(RecordBooked {
        agent: AgentIndex(reader.small()?),
        booking: booking(bits >> (PROTOCOL_BITS + 1) & BOOKING_MASK)?,
        authorization: if has_authorization { Some(AuthorizationId(reader.wide()?)) } else { None },
        operation: if has_operation { Some(OperationId(reader.wide()?)) } else { None },
        amount: reader.amount()?,
        protocol: protocol(bits & PROTOCOL_MASK)?,
        recipient: NameId(reader.small()?),
        service: if has_service { Some(NameId(reader.small()?)) } else { None },
        endpoint: if has_endpoint { Some(reader.endpoint()?) } else { None },
        session: reader.session(in_session)?,
        wallet: if bits >> PROTOCOL_BITS & 1 == 1 { Some(reader.byte()?) } else { None },
        calls: reader.small()?,
    })
}

impl Reader<'_> {
    fn amount(&mut self) -> Result<Amount, DecodeError> {
        self.number().map(Amount::from_micros)
    }

    fn endpoint(&mut self) -> Result<EndpointId, DecodeError> {
        let number = NonZeroU32::new(self.small()?);
        number.map(EndpointId).ok_or(DecodeError::Other("an endpoint has no number"))
    }

    fn session(&mut self, is_there: bool) -> Result<SessionNumber, DecodeError> {
        if is_there { self.small().map(SessionNumber) } else { Ok(SessionNumber::NONE) }
    }
}

fn protocol(number: u8) -> Result<Protocol, DecodeError> {
    let protocol = Protocol::ALL.into_iter().find(|protocol| *protocol as u8 == number);
    protocol.ok_or(DecodeError::Other("no protocol has this number"))
}

fn booking(number: u8) -> Result<Booking, DecodeError> {
    let all = [Booking::Matched, Booking::Session, Booking::Recovered, Booking::Unauthorized, Booking::Misdirected];
    let booking = all.into_iter().find(|booking| *booking as u8 == number);
    booking.ok_or(DecodeError::Other("no payment is booked with this number"))
}

#[cfg(test)]
mod tests;
