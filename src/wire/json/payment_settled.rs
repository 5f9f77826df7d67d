//! What becomes of payments outside the rails: they are executed, confirmed, charged to a card, and looked at.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    kernel::{
        Amount, AuthorizationId, Timestamp,
        outcome::{ApprovalStatus, AuthorizationView, HoldStatus, Settled},
    },
    wire::{ErrorCode, chain::Chain},
};

use super::{
    Money, Object, Refusal,
    payment::is_base58,
    payment_decision::currency,
    refusal::{RefusalBody, RefusalDetail},
};

const HASH_EXPECTED: &str = "`0x` and 64 hexadecimal digits, or 64 to 88 letters and digits in base58";
/// What a card's status says when it was charged, and when it was not.
const CHARGED: [&str; 7] = ["COMPLETED", "CONFIRMED", "SETTLED", "SUCCESS", "SUCCEEDED", "CAPTURED", "APPROVED"];
const NOT_CHARGED: [&str; 7] = ["FAILED", "DECLINED", "CANCELLED", "CANCELED", "VOIDED", "REVERSED", "EXPIRED"];

/// A `payments/{id}/confirm` that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfirmBody {
    /// What paid.
    pub transaction: String,
    /// What was given out with the approval.
    pub token: String,
}

/// By which transaction an approved payment was made.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what `ConfirmBody::read` accepts")]
pub struct ConfirmRequest {
    /// The transaction: an EVM hash or a signature in base58. Also `transactionHash`.
    #[schema(
        pattern = "^(0x[0-9a-fA-F]{64}|[1-9A-HJ-NP-Za-km-z]{64,88})$",
        example = "0x5c504ed432cb51138bcf09aa5e8a410dd4a1e204ef84bfed1be16dfba1b22060"
    )]
    tx_hash: String,
    /// The token of the approval.
    approval_token: String,
}

impl ConfirmBody {
    /// Reads `{txHash, approvalToken}`.
    ///
    /// # Errors
    /// A [`Refusal`] that names the first field that is wrong.
    pub fn read(object: &Object<'_>) -> Result<ConfirmBody, Refusal> {
        let transaction = object.text_of(&["txHash", "transactionHash"])?;
        let transaction = object.required("txHash", transaction, HASH_EXPECTED)?;
        if !is_hash(&transaction) {
            return Err(Refusal::invalid(object.place("txHash"), "is no transaction", HASH_EXPECTED));
        }
        let token = object.text("approvalToken")?;
        let token = object.required("approvalToken", token, "the token that came with the approval")?;
        Ok(ConfirmBody { transaction, token })
    }
}

fn is_hash(text: &str) -> bool {
    match text.strip_prefix("0x") {
        Some(digits) => digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()),
        None => (64..=88).contains(&text.len()) && text.bytes().all(is_base58),
    }
}

/// A `cards/{id}/confirm` that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CardConfirmBody {
    /// The card was charged.
    Charged {
        /// So much; what was approved where absent.
        amount: Option<Amount>,
        /// The network's name for it; empty where it has none.
        reference: String,
    },
    /// It was not.
    NotCharged,
}

/// What became of an approved card payment.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({"transactionReference": "ch_3NqR", "amount": 19.99, "status": "COMPLETED"}))]
#[expect(dead_code, reason = "describes what `CardConfirmBody::read` accepts")]
pub struct CardConfirmRequest {
    /// The card network's name for the charge.
    #[schema(max_length = 128)]
    transaction_reference: Option<String>,
    /// What was charged; what was approved unless said otherwise.
    amount: Option<Amount>,
    /// `COMPLETED` unless said otherwise. `FAILED`, `DECLINED`, `CANCELLED` and their like release the hold.
    #[schema(example = "COMPLETED")]
    status: Option<String>,
}

impl CardConfirmBody {
    /// Reads `{transactionReference?, amount?, status?}`.
    ///
    /// # Errors
    /// A [`Refusal`] that names the first field that is wrong.
    pub fn read(object: &Object<'_>) -> Result<CardConfirmBody, Refusal> {
        let amount = object.amount("amount")?;
        let reference = object.text("transactionReference")?.unwrap_or_default();
        let status = object.text("status")?.map(|status| status.to_ascii_uppercase());
        match status.as_deref() {
            None => Ok(CardConfirmBody::Charged { amount, reference }),
            Some(status) if CHARGED.contains(&status) => Ok(CardConfirmBody::Charged { amount, reference }),
            Some(status) if NOT_CHARGED.contains(&status) => Ok(CardConfirmBody::NotCharged),
            Some(_) => {
                let expected = format!("one of {} or {}", CHARGED.join(", "), NOT_CHARGED.join(", "));
                Err(Refusal::invalid(object.place("status"), "is not known", expected))
            }
        }
    }
}

/// A payment was executed or confirmed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SettledBody {
    #[schema(value_type = AuthorizationId)]
    request_id: String,
    transaction_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmed: Option<bool>,
    #[schema(pattern = "^(EXECUTED|CONFIRMED)$", example = "EXECUTED")]
    status: &'static str,
    /// What was booked.
    amount: Money,
    /// What of it went beyond the hold.
    overage: Money,
    currency: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient: Option<String>,
    /// `null` where the caller is about to pay.
    tx_hash: Option<String>,
    explorer_url: Option<String>,
}

impl SettledBody {
    /// The caller may pay now: it is booked.
    #[must_use]
    pub fn executed(id: AuthorizationId, settled: &Settled) -> SettledBody {
        SettledBody::of(id, settled, "EXECUTED", "")
    }

    /// The caller has paid `recipient` on `chain` by `transaction`.
    #[must_use]
    pub fn confirmed(
        id: AuthorizationId,
        settled: &Settled,
        chain: &str,
        recipient: Option<String>,
        transaction: &str,
    ) -> SettledBody {
        let known = Chain::find(chain).filter(|_| !transaction.is_empty());
        SettledBody {
            confirmed: Some(true),
            recipient,
            tx_hash: Some(transaction.to_owned()).filter(|transaction| !transaction.is_empty()),
            explorer_url: known.map(|chain| chain.transaction_url(transaction)),
            ..SettledBody::of(id, settled, "CONFIRMED", chain)
        }
    }

    fn of(id: AuthorizationId, settled: &Settled, status: &'static str, chain: &str) -> SettledBody {
        SettledBody {
            request_id: id.to_string(),
            transaction_id: settled.operation.to_string(),
            confirmed: None,
            status,
            amount: Money(settled.amount),
            overage: Money(settled.captured.overage),
            currency: currency(chain),
            recipient: None,
            tx_hash: None,
            explorer_url: None,
        }
    }
}

/// A payment that was made though its hold was over: a refusal, and what was booked all the same, since the money has moved.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LateBody {
    error: RefusalDetail<'static>,
    #[schema(value_type = AuthorizationId)]
    request_id: String,
    transaction_id: String,
    confirmed: bool,
    /// How the hold had ended.
    status: &'static str,
    /// What was booked.
    amount: Money,
    /// What of it went beyond the hold: all of it.
    overage: Money,
}

/// What a confirmation is refused with.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum ConfirmRefused {
    /// It came too late, and is booked all the same.
    Late(LateBody),
    /// The request was not carried out.
    Refused(RefusalBody<'static>),
}

impl LateBody {
    /// What was booked for `id`, whose hold had ended as `over`.
    #[must_use]
    pub fn of(id: AuthorizationId, settled: &Settled, over: HoldStatus) -> (ErrorCode, LateBody) {
        let (code, message) = match over {
            HoldStatus::Expired => (
                ErrorCode::Expired,
                "the approval had expired when the payment was confirmed; it is booked beyond every limit, since the money has moved",
            ),
            HoldStatus::Open | HoldStatus::Captured | HoldStatus::Voided => (
                ErrorCode::InvalidStatus,
                "the approval was over when the payment was confirmed; it is booked beyond every limit, since the money has moved",
            ),
        };
        let body = LateBody {
            error: RefusalDetail::of_code(code, message),
            request_id: id.to_string(),
            transaction_id: settled.operation.to_string(),
            confirmed: false,
            status: status(over, false),
            amount: Money(settled.amount),
            overage: Money(settled.captured.overage),
        };
        (code, body)
    }
}

/// A card payment that was not made.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotChargedBody {
    #[schema(value_type = AuthorizationId)]
    request_id: String,
    confirmed: bool,
    status: &'static str,
    /// What is free again.
    released: Money,
}

/// What the confirmation of a card payment is answered with.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum CardConfirmed {
    /// It is booked.
    Settled(SettledBody),
    /// It is released.
    NotCharged(NotChargedBody),
}

impl NotChargedBody {
    /// The hold `id` is released.
    #[must_use]
    pub fn of(id: AuthorizationId, released: Amount) -> NotChargedBody {
        NotChargedBody { request_id: id.to_string(), confirmed: false, status: "VOIDED", released: Money(released) }
    }
}

/// A payment, as of now.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PaymentStatusBody {
    #[schema(value_type = AuthorizationId)]
    request_id: String,
    #[schema(
        pattern = "^(APPROVED|REQUIRES_APPROVAL|DENIED|EXECUTED|CONFIRMED|EXPIRED|VOIDED)$",
        example = "APPROVED"
    )]
    status: &'static str,
    /// What people were asked, where they were.
    #[serde(skip_serializing_if = "Option::is_none")]
    approval_request_id: Option<String>,
    protocol: &'static str,
    amount: Money,
    captured: Money,
    refunded: Money,
    recipient_address: String,
    tx_hash: Option<String>,
    #[schema(value_type = Timestamp)]
    created_at: String,
    #[schema(value_type = Timestamp)]
    expires_at: String,
}

impl PaymentStatusBody {
    /// What `view` shows at `now`.
    #[must_use]
    pub fn of(view: AuthorizationView, now: Timestamp) -> PaymentStatusBody {
        let may_pay = view.status == HoldStatus::Open && now <= view.expires_at;
        let status = match view.approval.map(|(_, status)| status) {
            Some(ApprovalStatus::Waiting) => "REQUIRES_APPROVAL",
            Some(ApprovalStatus::Rejected | ApprovalStatus::Expired) if view.status != HoldStatus::Captured => "DENIED",
            _ if may_pay => "APPROVED",
            _ => status(view.status, view.transaction.is_some()),
        };
        PaymentStatusBody {
            request_id: view.id.to_string(),
            status,
            approval_request_id: view.approval.map(|(request, _)| request.to_string()),
            protocol: view.protocol.word(),
            amount: Money(view.amount),
            captured: Money(view.captured),
            refunded: Money(view.refunded),
            recipient_address: view.recipient,
            tx_hash: view.transaction.filter(|transaction| !transaction.is_empty()),
            created_at: view.placed_at.to_string(),
            expires_at: view.expires_at.to_string(),
        }
    }
}

/// The word for a hold that may not be paid any more. What is open is kept for the report alone.
fn status(over: HoldStatus, confirmed: bool) -> &'static str {
    match over {
        HoldStatus::Open | HoldStatus::Expired => "EXPIRED",
        HoldStatus::Captured if confirmed => "CONFIRMED",
        HoldStatus::Captured => "EXECUTED",
        HoldStatus::Voided => "VOIDED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transactions_are_those_of_their_chains() {
        let signature = "5".repeat(88);
        for (hash, good) in [
            (format!("0x{}", "aB".repeat(32)), true),
            (signature.clone(), true),
            ("5".repeat(64), true),
            (format!("0x{}", "aB".repeat(31)), false),
            (format!("0x{}", "zz".repeat(32)), false),
            ("5".repeat(63), false),
            (format!("{signature}5"), false),
            (signature.replacen('5', "0", 1), false),
            (String::new(), false),
        ] {
            let body = format!(r#"{{"txHash":"{hash}","approvalToken":"t"}}"#);
            let read = ConfirmBody::read(&Object::read(body.as_bytes()).unwrap());
            assert_eq!(read.is_ok(), good, "{hash}");
        }
        let refusal = ConfirmBody::read(&Object::read(format!(r#"{{"txHash":"{signature}"}}"#).as_bytes()).unwrap());
        assert_eq!(refusal.unwrap_err().field(), Some("approvalToken"));
    }

    #[test]
    fn a_card_was_charged_or_not() {
        let read = |body: &str| CardConfirmBody::read(&Object::read(body.as_bytes()).unwrap());
        let charged = |amount: Option<u64>, reference: &str| CardConfirmBody::Charged {
            amount: amount.map(Amount::from_micros),
            reference: reference.to_owned(),
        };
        for (body, expected) in [
            ("{}", charged(None, "")),
            (
                r#"{"transactionReference":"ch_1","amount":"19.99","status":"completed"}"#,
                charged(Some(19_990_000), "ch_1"),
            ),
            (r#"{"status":"DECLINED"}"#, CardConfirmBody::NotCharged),
        ] {
            assert_eq!(read(body), Ok(expected), "{body}");
        }
        assert_eq!(read(r#"{"status":"PERHAPS"}"#).unwrap_err().field(), Some("status"));
    }
}
