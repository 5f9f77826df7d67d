//! How do the messages that come by the million become bytes? Field by field, without a step too many: exactly the bytes that bincode
//! writes for them, which a test compares. Every other message leaves it to bincode.
//!
//! What is not read here is read again by bincode, which either knows better or says what is wrong.

use bincode::BorrowDecode;

use super::{
    codec::{self, Malformed},
    fields::{Fields, put_integer, put_integer_128, put_option, put_text},
    greeting::Handle,
    reply::{Approved, CaptureResult, Captured, Refused},
    request::{Authorize, Capture},
};
use crate::kernel::{AgentIndex, Amount, AuthorizationId, Duration, OperationId, Protocol, ShardId, request::Intent};

/// The fewest bytes that an item of a list takes.
const ITEM_BYTES_MIN: usize = 3;

/// More bytes than the fields of an [`Authorize`] take besides its texts.
const AUTHORIZE_BYTES_MAX: usize = 96;

/// A message that is written and read by hand.
pub(super) trait Hot<'a>: Sized {
    /// Appends its bytes.
    fn put(&self, bytes: &mut Vec<u8>);

    /// Takes it from the front of `fields`; `None` where bincode has to look.
    fn take(fields: &mut Fields<'a>) -> Option<Self>;
}

/// Reads `bytes` as one message and nothing more. Texts borrow from `bytes`.
///
/// # Errors
/// [`Malformed`] where they are not exactly one message.
#[inline]
pub(super) fn decode<'a, T: Hot<'a> + BorrowDecode<'a, ()>>(bytes: &'a [u8]) -> Result<T, Malformed> {
    match read(bytes) {
        Some(message) => Ok(message),
        None => codec::decode(bytes),
    }
}

#[inline]
fn read<'a, T: Hot<'a>>(bytes: &'a [u8]) -> Option<T> {
    let mut fields = Fields(bytes);
    let message = T::take(&mut fields)?;
    fields.0.is_empty().then_some(message)
}

/// A request about an agent: its handle, and what is asked.
impl<'a, T: Hot<'a>> Hot<'a> for (Handle, T) {
    #[inline]
    fn put(&self, bytes: &mut Vec<u8>) {
        self.0.put(bytes);
        self.1.put(bytes);
    }

    #[inline]
    fn take(fields: &mut Fields<'a>) -> Option<(Handle, T)> {
        Some((Handle::take(fields)?, T::take(fields)?))
    }
}

impl<'a> Hot<'a> for Handle {
    #[inline]
    fn put(&self, bytes: &mut Vec<u8>) {
        put_integer(self.shard.0.into(), bytes);
        put_integer(self.index.0.into(), bytes);
    }

    #[inline]
    fn take(fields: &mut Fields<'a>) -> Option<Handle> {
        Some(Handle { shard: ShardId(fields.integer_16()?), index: AgentIndex(fields.integer_32()?) })
    }
}

impl<'a> Hot<'a> for Authorize<'a> {
    #[inline]
    fn put(&self, bytes: &mut Vec<u8>) {
        let texts = [self.recipient, self.service, self.resource, self.session, self.wallet];
        bytes.reserve(AUTHORIZE_BYTES_MAX + texts.iter().map(|text| text.len()).sum::<usize>());
        put_integer_128(self.id.0, bytes);
        put_integer(self.amount.micros(), bytes);
        bytes.push(match self.protocol {
            Protocol::Payment => 0,
            Protocol::X402 => 1,
            Protocol::Mpp => 2,
            Protocol::Card => 3,
        });
        match self.intent {
            Intent::Charge => bytes.push(0),
            Intent::Session { duration } => {
                bytes.push(1);
                put_option(duration.map(Duration::micros), bytes);
            }
        }
        texts.iter().for_each(|text| put_text(text, bytes));
        put_option(self.hold_for.map(Duration::micros), bytes);
        match &self.facts {
            None => bytes.push(0),
            facts @ Some(_) => codec::encode(facts, bytes),
        }
    }

    #[inline]
    fn take(fields: &mut Fields<'a>) -> Option<Authorize<'a>> {
        Some(Authorize {
            id: AuthorizationId(fields.integer_128()?),
            amount: fields.amount()?,
            protocol: match fields.byte()? {
                0 => Protocol::Payment,
                1 => Protocol::X402,
                2 => Protocol::Mpp,
                3 => Protocol::Card,
                4.. => return None,
            },
            intent: match fields.byte()? {
                0 => Intent::Charge,
                1 => Intent::Session { duration: fields.option(Fields::duration)? },
                2.. => return None,
            },
            recipient: fields.text()?,
            service: fields.text()?,
            resource: fields.text()?,
            session: fields.text()?,
            wallet: fields.text()?,
            hold_for: fields.option(Fields::duration)?,
            // Few payments come with facts: what they take to read is left to bincode.
            facts: match fields.byte()? {
                0 => None,
                1.. => return None,
            },
        })
    }
}

impl<'a> Hot<'a> for Capture {
    #[inline]
    fn put(&self, bytes: &mut Vec<u8>) {
        put_integer_128(self.id.0, bytes);
        put_integer_128(self.operation.0, bytes);
        put_integer(self.amount.micros(), bytes);
        bytes.push(self.last.into());
    }

    #[inline]
    fn take(fields: &mut Fields<'a>) -> Option<Capture> {
        Some(Capture {
            id: AuthorizationId(fields.integer_128()?),
            operation: OperationId(fields.integer_128()?),
            amount: fields.amount()?,
            last: fields.truth()?,
        })
    }
}

impl<'a> Hot<'a> for Approved {
    #[inline]
    fn put(&self, bytes: &mut Vec<u8>) {
        put_integer(self.expires_at.micros(), bytes);
        put_option(self.remaining.map(Amount::micros), bytes);
        match self.wallet {
            None => bytes.push(0),
            Some(wallet) => bytes.extend_from_slice(&[1, wallet]),
        }
        put_option(self.available.map(Amount::micros), bytes);
        put_integer(self.reasons.into(), bytes);
        put_integer(self.session.into(), bytes);
        put_integer(self.policy_revision.into(), bytes);
        bytes.push(self.repeated.into());
    }

    #[inline]
    fn take(fields: &mut Fields<'a>) -> Option<Approved> {
        Some(Approved {
            expires_at: fields.moment()?,
            remaining: fields.option(Fields::amount)?,
            wallet: fields.option(Fields::byte)?,
            available: fields.option(Fields::amount)?,
            reasons: fields.integer_32()?,
            session: fields.integer_32()?,
            policy_revision: fields.integer_32()?,
            repeated: fields.truth()?,
        })
    }
}

impl<'a> Hot<'a> for Captured {
    #[inline]
    fn put(&self, bytes: &mut Vec<u8>) {
        put_integer(self.captured.micros(), bytes);
        put_integer(self.overage.micros(), bytes);
        put_integer(self.held.micros(), bytes);
        bytes.push(self.late.into());
    }

    #[inline]
    fn take(fields: &mut Fields<'a>) -> Option<Captured> {
        Some(Captured {
            captured: fields.amount()?,
            overage: fields.amount()?,
            held: fields.amount()?,
            late: fields.truth()?,
        })
    }
}

impl<'a> Hot<'a> for CaptureResult {
    #[inline]
    fn put(&self, bytes: &mut Vec<u8>) {
        match self {
            CaptureResult::Captured(captured) => {
                bytes.push(0);
                captured.put(bytes);
            }
            CaptureResult::Refused(Refused { code, retry_after_ms }) => {
                bytes.push(1);
                put_text(code, bytes);
                put_option(retry_after_ms.map(u64::from), bytes);
            }
        }
    }

    #[inline]
    fn take(fields: &mut Fields<'a>) -> Option<CaptureResult> {
        Some(match fields.byte()? {
            0 => CaptureResult::Captured(Captured::take(fields)?),
            1 => CaptureResult::Refused(Refused {
                code: fields.text()?.to_owned(),
                retry_after_ms: fields.option(Fields::integer_32)?,
            }),
            2.. => return None,
        })
    }
}

/// A list. What is reserved for it is bounded by the bytes that are there, not by the length that they claim.
impl<'a, T: Hot<'a>> Hot<'a> for Vec<T> {
    fn put(&self, bytes: &mut Vec<u8>) {
        bytes.reserve(self.len() * size_of::<T>());
        put_integer(self.len() as u64, bytes);
        self.iter().for_each(|item| item.put(bytes));
    }

    fn take(fields: &mut Fields<'a>) -> Option<Vec<T>> {
        let length = usize::try_from(fields.integer_64()?).ok()?;
        let mut items = Vec::with_capacity(length.min(fields.0.len() / ITEM_BYTES_MIN));
        for _ in 0..length {
            items.push(T::take(fields)?);
        }
        Some(items)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use bincode::Encode;
    use proptest::prelude::*;

    use super::*;

    /// What is written by hand is what bincode writes, and both read it back.
    fn check<M: Encode + Clone + PartialEq + Debug + for<'a> Hot<'a> + for<'a> BorrowDecode<'a, ()>>(message: &M) {
        let (mut by_hand, mut by_bincode) = (vec![7], vec![7]);
        message.put(&mut by_hand);
        codec::encode(message, &mut by_bincode);
        assert_eq!(by_hand, by_bincode, "{message:?}");
        assert_eq!(read(&by_hand[1..]).as_ref(), Some(message));
        agree::<M>(&by_hand[1..]);
        (1..by_hand.len()).for_each(|end| assert_eq!(read::<M>(&by_hand[1..end]), None, "{message:?} cut to {end}"));
    }

    /// What is read by hand, bincode reads alike.
    fn agree<'a, M: PartialEq + Debug + Hot<'a> + BorrowDecode<'a, ()>>(bytes: &'a [u8]) {
        if let Some(message) = read::<M>(bytes) {
            assert_eq!(codec::decode::<M>(bytes).ok(), Some(message), "{bytes:?}");
        }
    }

    fn agree_on_all(bytes: &[u8]) {
        agree::<(Handle, Authorize<'_>)>(bytes);
        agree::<(Handle, Capture)>(bytes);
        agree::<Approved>(bytes);
        agree::<Captured>(bytes);
        agree::<Vec<(Handle, Capture)>>(bytes);
        agree::<Vec<CaptureResult>>(bytes);
    }

    /// Integers of every length, and those at which the length changes.
    fn integer() -> impl Strategy<Value = u64> {
        let edges = [0, 250, 251, 0xffff, 0x1_0000, 0xffff_ffff, 0x1_0000_0000, u64::MAX];
        prop_oneof![prop::sample::select(edges.to_vec()), 0u64..1000, any::<u64>()]
    }

    fn id() -> impl Strategy<Value = u128> {
        prop_oneof![integer().prop_map(u128::from), any::<u128>()]
    }

    fn amount() -> impl Strategy<Value = Amount> {
        integer().prop_map(Amount::from_micros)
    }

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![Just(String::new()), "[ -~]{1,60}", "\\PC{0,300}"]
    }

    fn handle() -> impl Strategy<Value = Handle> {
        let index = integer().prop_map(|index| AgentIndex(index as u32));
        (integer().prop_map(|shard| ShardId(shard as u16)), index).prop_map(|(shard, index)| Handle { shard, index })
    }

    fn intent() -> impl Strategy<Value = Intent> {
        let duration = prop::option::of(integer().prop_map(Duration::from_micros));
        prop_oneof![Just(Intent::Charge), duration.prop_map(|duration| Intent::Session { duration })]
    }

    proptest! {
        #[test]
        fn authorize_is_as_bincode_has_it(
            handle in handle(),
            (id, amount, hold_for) in (id(), amount(), prop::option::of(integer().prop_map(Duration::from_micros))),
            protocol in prop::sample::select(Protocol::ALL.to_vec()),
            intent in intent(),
            texts in prop::array::uniform5(text()),
        ) {
            let [recipient, service, resource, session, wallet] = texts.each_ref().map(String::as_str);
            let id = AuthorizationId(id);
            let message = Authorize { id, amount, protocol, intent, recipient, service, resource, session, wallet, hold_for, facts: None };
            let (mut by_hand, mut by_bincode) = (Vec::new(), Vec::new());
            (handle, message.clone()).put(&mut by_hand);
            codec::encode(&(handle, &message), &mut by_bincode);
            prop_assert_eq!(&by_hand, &by_bincode);
            prop_assert_eq!(read(&by_hand), Some((handle, message)));
            for end in 0..by_hand.len() {
                prop_assert_eq!(read::<(Handle, Authorize<'_>)>(&by_hand[..end]), None);
            }
        }

        #[test]
        fn capture_is_as_bincode_has_it(handle in handle(), id in id(), operation in id(), amount in amount(), last: bool) {
            check(&(handle, Capture { id: AuthorizationId(id), operation: OperationId(operation), amount, last }));
        }

        #[test]
        fn approved_is_as_bincode_has_it(
            expires_at in integer(),
            (remaining, available) in (prop::option::of(amount()), prop::option::of(amount())),
            (wallet, repeated) in any::<(Option<u8>, bool)>(),
            [reasons, session, policy_revision] in prop::array::uniform3(integer().prop_map(|integer| integer as u32)),
        ) {
            let expires_at = crate::kernel::Timestamp::from_micros(expires_at);
            check(&Approved { expires_at, remaining, wallet, available, reasons, session, policy_revision, repeated });
        }

        #[test]
        fn captured_is_as_bincode_has_it(captured in amount(), overage in amount(), held in amount(), late: bool) {
            check(&Captured { captured, overage, held, late });
        }

        #[test]
        fn many_captures_are_as_bincode_has_them(
            captures in prop::collection::vec((handle(), id(), id(), amount(), any::<bool>()), 0..20),
        ) {
            let capture = |(handle, id, operation, amount, last)| {
                (handle, Capture { id: AuthorizationId(id), operation: OperationId(operation), amount, last })
            };
            check(&captures.into_iter().map(capture).collect::<Vec<_>>());
        }

        #[test]
        fn capture_results_are_as_bincode_has_them(
            results in prop::collection::vec((amount(), text(), any::<Option<u32>>(), any::<bool>()), 0..20),
        ) {
            let result = |(captured, code, retry_after_ms, late)| match late {
                true => CaptureResult::Captured(Captured { captured, overage: captured, held: Amount::ZERO, late }),
                false => CaptureResult::Refused(Refused { code, retry_after_ms }),
            };
            check(&results.into_iter().map(result).collect::<Vec<_>>());
        }

        #[test]
        fn any_bytes_are_read_as_bincode_reads_them(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            agree_on_all(&bytes);
        }

        /// Small numbers make likely messages; the larger ones are the marks of longer integers.
        #[test]
        fn likely_bytes_are_read_as_bincode_reads_them(
            bytes in prop::collection::vec(prop_oneof![0u8..3, Just(b'a'), 248u8..=255], 0..60),
        ) {
            agree_on_all(&bytes);
        }
    }
}
