//! `record`: payments that were made, one or many, in each of the shapes that clients send; and how each was booked.

use serde::Serialize;
use utoipa::ToSchema;

use crate::kernel::{
    Amount, AuthorizationId, Protocol,
    outcome::{Booking, Recorded},
    request::Record,
};

use super::{BudgetRequestBody, Money, Object, Refusal, authorize::recipient, refusal::RefusalDetail, service_domain};

/// The most payments that one request may report, and the most calls that one settlement may list.
pub const RECORDS_MAX: usize = 1000;

/// A `record` that was read.
#[derive(Debug)]
pub enum RecordBody {
    /// One payment, which may settle many calls.
    Single(RecordItem),
    /// Many payments, each good or bad on its own.
    Bulk(Vec<Result<RecordItem, Refusal>>),
}

impl RecordBody {
    /// Reads the body of a `record`: one payment at the top level, or a list called `batch` or `payments`.
    ///
    /// # Errors
    /// A [`Refusal`] where a single payment is wrong or a list is none; a wrong payment in a list is an item of the result.
    pub fn read(object: &Object<'_>) -> Result<RecordBody, Refusal> {
        let lists = (object.items("batch", RECORDS_MAX)?, object.items("payments", RECORDS_MAX)?);
        match lists {
            (Some(_), Some(_)) => Err(Refusal::invalid("payments", "stands beside `batch`", "only one of the two")),
            (Some(items), None) | (None, Some(items)) => {
                let read =
                    |item: Result<Object<'_>, Refusal>| item.and_then(|item| RecordItem::read(&item, Some(object)));
                Ok(RecordBody::Bulk(items.into_iter().map(read).collect()))
            }
            (None, None) => RecordItem::read(object, None).map(RecordBody::Single),
        }
    }
}

/// Payments that were made: one at the top level, or many in a list.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(clippy::large_enum_variant, reason = "it describes, and is never made")]
pub enum RecordRequest {
    /// One payment.
    Single(PaymentRequest),
    /// Many, each good or bad on its own. Session and wallet may be named once beside the list.
    Batch(BatchRequest),
    /// The same under another name.
    Payments(PaymentsRequest),
}

/// Many payments.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({"batch": [
    {"amount": 0.01, "recipientAddress": "0x...", "transactionHash": "0x1...", "resourceUrl": "https://api.example.com/v1"},
    {"amount": 0.02, "recipientAddress": "0x...", "transactionHash": "0x2...", "resourceUrl": "https://api.example.com/v2"}]}))]
#[expect(dead_code, reason = "describes what `RecordBody::read` accepts")]
pub struct BatchRequest {
    /// The payments; the list may also be called `payments`.
    #[schema(min_items = 1, max_items = 1000)]
    batch: Vec<PaymentRequest>,
    /// The session of the payments that name none.
    session_id: Option<String>,
    /// The wallet of the payments that name none.
    wallet_id: Option<String>,
    /// As the header `Idempotency-Key`.
    #[schema(min_length = 1, max_length = 256)]
    idempotency_key: Option<String>,
}

/// Many payments.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what `RecordBody::read` accepts")]
pub struct PaymentsRequest {
    /// The payments; the list may also be called `batch`.
    #[schema(min_items = 1, max_items = 1000)]
    payments: Vec<PaymentRequest>,
    /// The session of the payments that name none.
    session_id: Option<String>,
    /// The wallet of the payments that name none.
    wallet_id: Option<String>,
    /// As the header `Idempotency-Key`.
    #[schema(min_length = 1, max_length = 256)]
    idempotency_key: Option<String>,
}

/// One payment that was made.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({"amount": 0.05, "recipientAddress": "0xFacilitatorAddress",
    "transactionHash": "0xabc123...", "resourceUrl": "https://api.example.com/data", "serviceDomain": "api.example.com"}))]
#[expect(dead_code, reason = "describes what `RecordItem::read` accepts")]
pub struct PaymentRequest {
    /// What was paid. Above zero.
    amount: Amount,
    /// Who was paid.
    #[schema(min_length = 1, max_length = 256)]
    recipient_address: String,
    /// The hold that it was paid from; without it, the gateway looks for the one that fits.
    authorization_id: Option<AuthorizationId>,
    /// The URL that was paid for.
    resource_url: Option<String>,
    /// The service; must agree with `resourceUrl` where both are named.
    service_domain: Option<String>,
    /// The client's name for the session.
    session_id: Option<String>,
    /// The wallet that paid.
    wallet_id: Option<String>,
    /// The rail's id of the payment: one that is reported twice is booked once.
    payment_id: Option<String>,
    /// The same as `paymentId`.
    credential_id: Option<String>,
    /// The settlement on its chain.
    transaction_hash: Option<String>,
    /// The same as `transactionHash`.
    tx_hash: Option<String>,
    /// The calls that one settlement pays for; their amounts add up to `amount`.
    #[schema(min_items = 1, max_items = 1000)]
    batch_items: Option<Vec<CallRequest>>,
    /// As the header `Idempotency-Key`.
    #[schema(min_length = 1, max_length = 256)]
    idempotency_key: Option<String>,
}

/// One call of a settlement.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({"amount": 1.00, "resourceUrl": "https://api.service.com/stream?chunk=1", "credentialId": "cred_1"}))]
#[expect(dead_code, reason = "describes what `RecordItem::read` accepts")]
struct CallRequest {
    /// What it cost.
    amount: Amount,
    /// The URL that was paid for.
    resource_url: Option<String>,
    /// The credential that paid for it.
    credential_id: Option<String>,
}

/// One payment that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordItem {
    authorization: Option<AuthorizationId>,
    amount: Amount,
    recipient: String,
    service: String,
    resource: String,
    session: String,
    wallet: String,
    payment_id: String,
    transaction: String,
    calls: u32,
}

impl RecordItem {
    /// Reads one payment. What an item of a list does not say about session and wallet, its `around` says.
    fn read(object: &Object<'_>, around: Option<&Object<'_>>) -> Result<RecordItem, Refusal> {
        let resource = object.text("resourceUrl")?;
        let given = object.text("serviceDomain")?;
        let inherited = |name| match (object.text(name)?, around) {
            (None, Some(around)) => around.text(name),
            (own, _) => Ok(own),
        };
        let amount = object.positive_amount("amount")?;
        let amount = object.required("amount", amount, "what was paid, above zero, such as 0.05")?;
        Ok(RecordItem {
            authorization: object.identifier("authorizationId")?,
            amount,
            recipient: recipient(object)?,
            service: service_domain(object, resource.as_deref(), given.as_deref())?,
            resource: resource.unwrap_or_default(),
            session: inherited("sessionId")?.unwrap_or_default(),
            wallet: inherited("walletId")?.unwrap_or_default(),
            payment_id: object.text("paymentId")?.or(object.text("credentialId")?).unwrap_or_default(),
            transaction: object.text_of(&["transactionHash", "txHash"])?.unwrap_or_default(),
            calls: calls(object, amount)?,
        })
    }

    /// Gives the payment a name of the client's where it has neither an id nor a transaction of its own, so that a retry is recognised.
    pub fn name_by(&mut self, key: &str) {
        if self.payment_id.is_empty() && self.transaction.is_empty() {
            self.payment_id = key.to_owned();
        }
    }

    /// What was paid.
    #[must_use]
    pub fn amount(&self) -> Amount {
        self.amount
    }

    /// How many calls it settles.
    #[must_use]
    pub fn calls(&self) -> u32 {
        self.calls
    }

    /// The request to the engine.
    #[must_use]
    pub fn request(&self, protocol: Protocol) -> Record<'_> {
        Record {
            authorization: self.authorization,
            amount: self.amount,
            protocol,
            recipient: &self.recipient,
            service: &self.service,
            resource: &self.resource,
            session: &self.session,
            wallet: &self.wallet,
            payment_id: &self.payment_id,
            transaction: &self.transaction,
            calls: self.calls,
        }
    }
}

/// How many calls a settlement pays for: one, or those in `batchItems`, whose amounts must add up to it.
fn calls(object: &Object<'_>, amount: Amount) -> Result<u32, Refusal> {
    let Some(items) = object.objects("batchItems", RECORDS_MAX)? else { return Ok(1) };
    let mut sum = Amount::ZERO;
    for item in &items {
        let part = item.amount("amount")?;
        let part = item.required("amount", part, "what the call cost, such as 0.05")?;
        sum = sum.saturating_add(part);
    }
    if sum != amount {
        let found = format!("adds up to {sum}");
        return Err(Refusal::invalid(
            object.place("batchItems"),
            &found,
            format!("items that add up to `amount`, {amount}"),
        ));
    }
    Ok(u32::try_from(items.len()).unwrap_or(u32::MAX))
}

/// How one payment was booked.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ItemBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    booking: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<AuthorizationId>)]
    authorization_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    overage: Option<Money>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<RefusalDetail<'a>>,
}

impl<'a> ItemBody<'a> {
    /// What became of the payment at `index` of a list.
    #[must_use]
    pub fn of(index: Option<usize>, outcome: &'a Result<Recorded, Refusal>) -> ItemBody<'a> {
        match outcome {
            Ok(recorded) => ItemBody {
                index,
                status: if recorded.booking == Booking::Duplicate { "duplicate" } else { "recorded" },
                booking: Some(booking_word(recorded.booking)),
                authorization_id: recorded.authorization.map(|id| id.to_string()),
                overage: Some(recorded.overage).filter(|overage| !overage.is_zero()).map(Money),
                error: None,
            },
            Err(refusal) => ItemBody {
                index,
                status: "error",
                booking: None,
                authorization_id: None,
                overage: None,
                error: Some(refusal.detail()),
            },
        }
    }
}

/// How a reported payment was booked, in a word.
#[must_use]
pub fn booking_word(booking: Booking) -> &'static str {
    match booking {
        Booking::Matched => "matched",
        Booking::Session => "session",
        Booking::Recovered => "recovered",
        Booking::Unauthorized => "unauthorized",
        Booking::Duplicate => "duplicate",
        Booking::Misdirected => "misdirected",
    }
}

/// The answer to a `record`: how many of what, and each payment; a single payment also at the top level.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecordedBody<'a> {
    recorded: usize,
    duplicates: usize,
    errors: usize,
    /// What this request added to the books.
    total_amount: Money,
    /// The calls that it settled.
    total_calls: u64,
    #[serde(flatten)]
    single: Option<ItemBody<'a>>,
    results: Vec<ItemBody<'a>>,
    /// The budget that limits the agent, where one is in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    budget_request: Option<BudgetRequestBody>,
}

impl<'a> RecordedBody<'a> {
    /// What became of `items`, in their order; `single` where the request was one payment and no list.
    #[must_use]
    pub fn of(
        items: &[Option<&RecordItem>],
        outcomes: &'a [Result<Recorded, Refusal>],
        single: bool,
    ) -> RecordedBody<'a> {
        let mut body = RecordedBody {
            recorded: 0,
            duplicates: 0,
            errors: 0,
            total_amount: Money(Amount::ZERO),
            total_calls: 0,
            single: outcomes.first().filter(|_| single).map(|outcome| ItemBody::of(None, outcome)),
            results: Vec::with_capacity(outcomes.len()),
            budget_request: None,
        };
        for (index, (item, outcome)) in items.iter().zip(outcomes).enumerate() {
            body.count(*item, outcome);
            body.results.push(ItemBody::of(Some(index), outcome));
        }
        body
    }

    /// The same, with the budget that limits the agent.
    #[must_use]
    pub fn with_budget(self, budget_request: Option<BudgetRequestBody>) -> RecordedBody<'a> {
        RecordedBody { budget_request, ..self }
    }

    fn count(&mut self, item: Option<&RecordItem>, outcome: &Result<Recorded, Refusal>) {
        match outcome {
            Ok(recorded) if recorded.booking == Booking::Duplicate => self.duplicates += 1,
            Ok(_) => {
                self.recorded += 1;
                if let Some(item) = item {
                    self.total_amount = Money(self.total_amount.0.saturating_add(item.amount));
                    self.total_calls = self.total_calls.saturating_add(u64::from(item.calls));
                }
            }
            Err(_) => self.errors += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{wire::ErrorCode, wire::json::print};

    use super::*;

    fn read(body: &str) -> Result<RecordBody, Refusal> {
        RecordBody::read(&Object::read(body.as_bytes())?)
    }

    fn single(body: &str) -> RecordItem {
        match read(body).unwrap() {
            RecordBody::Single(item) => item,
            RecordBody::Bulk(_) => panic!("a list"),
        }
    }

    fn bulk(body: &str) -> Vec<Result<RecordItem, Refusal>> {
        match read(body).unwrap() {
            RecordBody::Bulk(items) => items,
            RecordBody::Single(_) => panic!("no list"),
        }
    }

    #[test]
    fn the_documented_single_records_are_read() {
        let x402 = single(
            r#"{ "amount": 0.05, "recipientAddress": "0xFacilitatorAddress", "transactionHash": "0xabc123...",
                "resourceUrl": "https://api.example.com/data", "serviceDomain": "api.example.com",
                "facilitator": "0xFacilitatorAddress", "scheme": "exact", "walletId": "wal_123", "chainId": "8453" }"#,
        );
        let request = x402.request(Protocol::X402);
        assert_eq!((request.amount.micros(), request.transaction, request.wallet), (50_000, "0xabc123...", "wal_123"));
        assert_eq!((request.service, request.calls, request.session), ("api.example.com", 1, ""));

        let mpp = single(
            r#"{ "amount": 3.50, "recipientAddress": "0xServiceAddress", "txHash": "0xabc123...",
                "resourceUrl": "https://api.service.com/stream", "sessionId": "mpp_session_xyz", "scheme": "mpp",
                "walletId": "wal_123", "chainId": "4217" }"#,
        );
        let request = mpp.request(Protocol::Mpp);
        assert_eq!((request.amount.micros(), request.transaction), (3_500_000, "0xabc123..."));
        assert_eq!((request.session, request.service), ("mpp_session_xyz", "api.service.com"));
    }

    #[test]
    fn the_documented_lists_are_read() {
        let batch = bulk(
            r#"{ "batch": [
                { "amount": 0.01, "recipientAddress": "0x...", "transactionHash": "0x1...", "resourceUrl": "https://api.example.com/v1", "serviceDomain": "api.example.com" },
                { "amount": 0.02, "recipientAddress": "0x...", "transactionHash": "0x2...", "resourceUrl": "https://api.example.com/v2", "serviceDomain": "api.example.com" }
            ] }"#,
        );
        let amounts: Vec<u64> = batch.iter().map(|item| item.as_ref().unwrap().amount().micros()).collect();
        assert_eq!(amounts, [10_000, 20_000]);

        let payments = bulk(
            r#"{ "sessionId": "run", "payments": [ { "amount": 0.01, "recipientAddress": "0x1", "resourceUrl": "https://a.b/c",
                "paymentId": "pay_1", "txHash": "0x1", "responseCode": 200, "facilitator": "0x2" } ] }"#,
        );
        let request = payments[0].as_ref().unwrap().request(Protocol::X402);
        assert_eq!((request.payment_id, request.transaction, request.session), ("pay_1", "0x1", "run"));
    }

    #[test]
    fn one_settlement_of_many_calls_is_one_payment() {
        let body = r#"{ "amount": 3.50, "recipientAddress": "0xServiceAddress", "txHash": "0xsettlement123...",
            "resourceUrl": "https://api.service.com/stream", "sessionId": "mpp_session_xyz",
            "batchItems": [
                { "amount": 1.00, "resourceUrl": "https://api.service.com/stream?chunk=1", "credentialId": "cred_1" },
                { "amount": 2.50, "resourceUrl": "https://api.service.com/stream?chunk=2", "credentialId": "cred_2" } ] }"#;
        let item = single(body);
        assert_eq!((item.amount().micros(), item.calls()), (3_500_000, 2));
        let refusal = read(&body.replace("2.50", "2.51")).unwrap_err();
        assert_eq!(refusal.field(), Some("batchItems"));
        assert_eq!(refusal.expected(), Some("items that add up to `amount`, 3.50"));
        assert_eq!(read(&body.replace("2.50", "\"x\"")).unwrap_err().field(), Some("batchItems[1].amount"));
    }

    #[test]
    fn a_wrong_item_does_not_spoil_the_others() {
        let items = bulk(
            r#"{"batch":[{"amount":1,"recipientAddress":"0x1","resourceUrl":"https://a.b"},{"amount":0},{"amount":1,"recipientAddress":"0x1","resourceUrl":"https://a.b"}]}"#,
        );
        let outcomes: Vec<_> = items.iter().map(|item| item.as_ref().map(drop).map_err(|r| r.field())).collect();
        assert_eq!(outcomes, [Ok(()), Err(Some("batch[1].amount")), Ok(())]);
    }

    #[test]
    fn a_list_that_is_none_is_refused() {
        let many = format!(r#"{{"batch":[{}]}}"#, vec!["{}"; RECORDS_MAX + 1].join(","));
        for body in
            [r#"{"batch":[]}"#, r#"{"batch":{}}"#, r#"{"payments":1}"#, r#"{"batch":[{}],"payments":[{}]}"#, &many]
        {
            assert_eq!(read(body).unwrap_err().code(), ErrorCode::ValidationError, "{body:.60}");
        }
        assert_eq!(bulk(r#"{"batch":[1]}"#)[0].as_ref().unwrap_err().field(), Some("batch[0]"));
    }

    #[test]
    fn a_payment_without_a_name_takes_the_clients() {
        let mut item = single(r#"{"amount":1,"recipientAddress":"0x1","resourceUrl":"https://a.b"}"#);
        item.name_by("retry-7");
        assert_eq!(item.request(Protocol::X402).payment_id, "retry-7");
        let mut item = single(r#"{"amount":1,"recipientAddress":"0x1","resourceUrl":"https://a.b","txHash":"0x9"}"#);
        item.name_by("retry-7");
        assert_eq!(item.request(Protocol::X402).payment_id, "");
    }

    #[test]
    fn the_answer_counts_and_lists() {
        let items = bulk(
            r#"{"batch":[{"amount":1,"recipientAddress":"0x1","resourceUrl":"https://a.b"},{"amount":2,"recipientAddress":"0x1","resourceUrl":"https://a.b"},{"amount":0}]}"#,
        );
        let recorded = |booking| Recorded { booking, authorization: None, overage: Amount::ZERO };
        let outcomes = [
            Ok(recorded(Booking::Unauthorized)),
            Ok(recorded(Booking::Duplicate)),
            Err(items[2].as_ref().unwrap_err().clone()),
        ];
        let items: Vec<_> = items.iter().map(|item| item.as_ref().ok()).collect();
        let text = print(&RecordedBody::of(&items, &outcomes, false));
        let start = r#"{"recorded":1,"duplicates":1,"errors":1,"totalAmount":1.00,"totalCalls":1,"results":[{"index":0,"status":"recorded","booking":"unauthorized"},{"index":1,"status":"duplicate","booking":"duplicate"},{"index":2,"status":"error","error":{"code":"INVALID_AMOUNT","#;
        assert!(text.starts_with(start), "{text}");
        let text = print(&RecordedBody::of(&items[..1], &outcomes[..1], true));
        assert!(text.contains(r#""status":"recorded","booking":"unauthorized","results":["#), "{text}");
    }
}
