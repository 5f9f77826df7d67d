//! Names for things: each identifier is a type of its own, so that one cannot stand where another belongs.

use std::{fmt, str::FromStr};

use bincode::{Decode, Encode};
use thiserror::Error;

use super::anomaly::AlertNumber;

/// Why a text is not an identifier.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("expected `{prefix}` followed by {digits} hexadecimal digits")]
pub struct IdError {
    prefix: &'static str,
    digits: usize,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($int:ty), $prefix:literal, $digits:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
        pub struct $name(pub $int);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{:0", stringify!($digits), "x}"), self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let error = IdError { prefix: $prefix, digits: $digits };
                let digits = text.strip_prefix($prefix).ok_or(error.clone())?;
                if digits.len() != $digits || !digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
                    return Err(error);
                }
                <$int>::from_str_radix(digits, 16).map($name).map_err(|_| error)
            }
        }
    };
}

id! {
    /// An agent, the payer.
    AgentId(u128), "agt_", 32
}
id! {
    /// A hold, chosen by whoever asks for it; unique within its agent.
    AuthorizationId(u128), "auth_", 32
}
id! {
    /// One write of a client (a capture, a refund, ...), chosen by the client so that a retry is recognised. Unique within its agent.
    OperationId(u128), "op_", 32
}
id! {
    /// A policy.
    PolicyId(u128), "pol_", 32
}
id! {
    /// A payee of the directory.
    CounterpartyId(u128), "cp_", 32
}
id! {
    /// A webhook.
    WebhookId(u128), "whk_", 32
}
id! {
    /// A payment that people are asked about; follows from its agent and its hold.
    ApprovalRequestId(u128), "apr_", 32
}
id! {
    /// A budget that an agent asked for; unique within its agent.
    BudgetRequestId(u128), "bud_", 32
}
id! {
    /// An alert, as people name it: its shard, and its number there.
    AlertId(u128), "alt_", 32
}
id! {
    /// A credential: the first half of the hash of its secret, so it says nothing about the secret.
    KeyId(u64), "key_", 16
}

impl OperationId {
    /// The operation that a payment id of the rail (x402 `payment-identifier`, an MPP credential id) names:
    /// reporting the same payment twice is the same operation.
    #[must_use]
    pub fn of_payment(payment_id: &str) -> OperationId {
        OperationId(digest(&["payment", payment_id]))
    }

    /// The operation that a client's idempotency key names.
    #[must_use]
    pub fn of_key(idempotency_key: &str) -> OperationId {
        OperationId(digest(&["key", idempotency_key]))
    }

    /// The operation that takes the rest of a hold for paid: by this transaction, or before paying.
    #[must_use]
    pub fn of_settled(hold: AuthorizationId, paid: Option<&str>) -> OperationId {
        let when = if paid.is_some() { "paid" } else { "to pay" };
        OperationId(digest(&["settled", &hold.to_string(), when, paid.unwrap_or_default()]))
    }

    /// A payment without an id of its own: one settlement hash may pay for many calls, so recipient, resource and amount belong to its name.
    #[must_use]
    pub fn of_settlement(transaction: &str, recipient: &str, resource: &str, amount: super::Amount) -> OperationId {
        OperationId(digest(&["settlement", transaction, recipient, resource, &amount.micros().to_string()]))
    }
}

impl AlertId {
    /// The name of an alert.
    #[must_use]
    pub fn new(shard: ShardId, number: AlertNumber) -> AlertId {
        AlertId(u128::from(shard.0) << 32 | u128::from(number.0))
    }

    /// Where the alert is kept, if it can be one of ours.
    #[must_use]
    pub fn place(self) -> Option<(ShardId, AlertNumber)> {
        let shard = u16::try_from(self.0 >> 32).ok()?;
        Some((ShardId(shard), AlertNumber(self.0 as u32)))
    }
}

impl ApprovalRequestId {
    /// The request about a hold of an agent.
    #[must_use]
    pub fn of(agent: AgentId, hold: AuthorizationId) -> ApprovalRequestId {
        ApprovalRequestId(digest(&["approval request", &agent.to_string(), &hold.to_string()]))
    }
}

impl BudgetRequestId {
    /// The budget request of an agent that a client's idempotency key names.
    #[must_use]
    pub fn of_key(agent: AgentId, idempotency_key: &str) -> BudgetRequestId {
        BudgetRequestId(digest(&["budget request", &agent.to_string(), idempotency_key]))
    }
}

impl AuthorizationId {
    /// The hold that a client's idempotency key names.
    #[must_use]
    pub fn of_key(idempotency_key: &str) -> AuthorizationId {
        AuthorizationId(digest(&["authorization", idempotency_key]))
    }
}

/// 128 bits of a collision-resistant hash over length-prefixed parts: a merchant who could make two payment ids collide
/// could hide one of the payments.
fn digest(parts: &[&str]) -> u128 {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let mut first = [0; 16];
    hasher.finalize_xof().fill(&mut first);
    u128::from_le_bytes(first)
}

/// Which shard; dense from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct ShardId(pub u16);

/// An agent's place within its shard; dense from zero, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct AgentIndex(pub u32);

/// A text (recipient or service) that a shard has met, by order of first meeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct NameId(pub u32);

impl NameId {
    /// A text that the shard had no room for.
    pub const UNKNOWN: NameId = NameId(u32::MAX);
}

/// One of an agent's sessions, by order of opening; zero means none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct SessionNumber(pub u32);

impl SessionNumber {
    /// Not in a session.
    pub const NONE: SessionNumber = SessionNumber(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_print_and_parse_back() {
        let id = AgentId(0x1234);
        assert_eq!(id.to_string(), "agt_00000000000000000000000000001234");
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in
            ["", "agt_", "agt_1234", "auth_00000000000000000000000000001234", "agt_0000000000000000000000000000123G"]
        {
            assert!(bad.parse::<AgentId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn operations_of_different_origin_never_meet() {
        assert_ne!(OperationId::of_payment("a"), OperationId::of_key("a"));
        let amount = crate::kernel::Amount::from_units(1);
        assert_ne!(
            OperationId::of_settlement("ab", "c", "d", amount),
            OperationId::of_settlement("a", "bc", "d", amount)
        );
    }
}
