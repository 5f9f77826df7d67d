//! Payments that were reported, one by one.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    kernel::{AgentId, AuthorizationId, Protocol, Timestamp},
    query::{Transaction, TransactionKind, TransactionPage},
};

use super::{Money, record::booking_word};

/// Transactions of a page where the request does not say.
pub const TRANSACTIONS_PAGE_DEFAULT: usize = 50;

/// The answer to `transactions`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransactionsBody {
    /// The newest first. There may be fewer than asked for although older ones exist.
    transactions: Vec<TransactionBody>,
    /// Whether there are older ones.
    has_more: bool,
    /// For `cursor`, to see them.
    next_cursor: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct TransactionBody {
    /// Unique, and the same for ever.
    id: String,
    #[schema(pattern = "^(PAYMENT|REFUND)$")]
    r#type: &'static str,
    #[schema(pattern = "^(CONFIRMED|REFUNDED)$")]
    status: &'static str,
    amount: Money,
    currency: &'static str,
    /// `null` where it is no longer known.
    protocol: Option<&'static str>,
    recipient_address: Option<String>,
    service_domain: Option<String>,
    #[schema(value_type = Option<AgentId>)]
    agent_id: Option<String>,
    #[schema(value_type = Option<AuthorizationId>)]
    authorization_id: Option<String>,
    operation_id: Option<String>,
    /// How a reported payment was booked: `captured`, `matched`, `session`, `recovered`, `unauthorized` or `misdirected`.
    booking: Option<&'static str>,
    #[schema(value_type = Timestamp)]
    created_at: String,
}

impl TransactionsBody {
    /// A page.
    #[must_use]
    pub fn of(page: &TransactionPage) -> TransactionsBody {
        TransactionsBody {
            transactions: page.transactions.iter().map(TransactionBody::of).collect(),
            has_more: page.next.is_some(),
            next_cursor: page.next.as_ref().map(ToString::to_string),
        }
    }
}

impl TransactionBody {
    fn of(transaction: &Transaction) -> TransactionBody {
        let (r#type, status, booking) = match transaction.kind {
            TransactionKind::Captured => ("PAYMENT", "CONFIRMED", Some("captured")),
            TransactionKind::Recorded(booking) => ("PAYMENT", "CONFIRMED", Some(booking_word(booking))),
            TransactionKind::Refunded => ("REFUND", "REFUNDED", None),
        };
        TransactionBody {
            id: transaction.id.to_string(),
            r#type,
            status,
            amount: Money(transaction.amount),
            currency: "USDC",
            protocol: transaction.protocol.map(Protocol::word),
            recipient_address: transaction.recipient.as_deref().map(str::to_owned),
            service_domain: transaction.service.as_deref().map(str::to_owned),
            agent_id: transaction.agent.map(|agent| agent.to_string()),
            authorization_id: transaction.authorization.map(|id| id.to_string()),
            operation_id: transaction.operation.map(|id| id.to_string()),
            booking,
            created_at: transaction.at.to_string(),
        }
    }
}
