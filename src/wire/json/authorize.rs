//! `pre-authorize`: what is asked, and the decision.

use serde::Serialize;
use utoipa::ToSchema;

use crate::kernel::{
    Amount, ApprovalRequestId, AuthorizationId, Duration, Protocol, Timestamp,
    outcome::{Approval, ApprovalRequired, Denial, Measure, Violation},
    request::{Authorize, Intent, WalletSource},
};

use crate::wire::challenge::Challenge;

use super::{
    BudgetRequestBody, ChallengeRequest, ChallengeSummary, FactsBody, FactsRequest, Money, Object, Refusal, challenged,
    service_domain,
};

/// A `pre-authorize` that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizeBody {
    amount: Amount,
    intent: Intent,
    recipient: String,
    service: String,
    resource: String,
    session: String,
    wallet: String,
    hold_for: Option<Duration>,
    payment_id: Option<String>,
    facts: FactsBody,
    challenge: Option<ChallengeSummary>,
}

/// A payment that an agent wants to make.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({"amount": 0.05, "recipientAddress": "0xFacilitatorAddress", "resourceUrl": "https://api.example.com/data", "serviceDomain": "api.example.com"}))]
#[expect(dead_code, reason = "describes what `AuthorizeBody::read` accepts")]
pub struct AuthorizeRequest {
    /// What it costs. Above zero. Required unless `depositAmount` or a challenge is named.
    amount: Option<Amount>,
    /// Who is paid. Required unless a challenge says it.
    #[schema(min_length = 1, max_length = 256)]
    recipient_address: Option<String>,
    /// The URL that is paid for; the service follows from its host. Required for x402 and MPP unless `serviceDomain` is named.
    resource_url: Option<String>,
    /// The service; must agree with `resourceUrl` where both are named.
    service_domain: Option<String>,
    /// `charge` for one payment, `session` for a deposit that many are made from.
    #[schema(example = "charge", pattern = "^(charge|session)$")]
    intent: Option<String>,
    /// What a session may spend; `amount` where it is not named.
    deposit_amount: Option<Amount>,
    /// How long a session may last.
    duration_seconds: Option<u64>,
    /// The client's name for the session that the payment belongs to, or that it opens.
    session_id: Option<String>,
    /// The wallet that pays; without one, the gateway chooses.
    wallet_id: Option<String>,
    /// How long the caller may pay. Five minutes unless said otherwise.
    hold_seconds: Option<u64>,
    /// The same as `holdSeconds`.
    expires_in_seconds: Option<u64>,
    /// The rail's id of the payment: a second request with it is answered as the first.
    payment_id: Option<String>,
    /// As the header `Idempotency-Key`.
    #[schema(min_length = 1, max_length = 256)]
    idempotency_key: Option<String>,
    #[serde(flatten)]
    challenge: ChallengeRequest,
    #[serde(flatten)]
    facts: FactsRequest,
}

impl AuthorizeBody {
    /// Reads the body of a `pre-authorize` on `rail`, with the challenge in it, if there is one.
    ///
    /// # Errors
    /// A [`Refusal`] that names the first field that is wrong.
    pub fn read(object: &Object<'_>, rail: Protocol) -> Result<AuthorizeBody, Refusal> {
        let challenge = Challenge::read(object, rail)?;
        let resource = challenged::resource(object, challenge.as_ref())?;
        let service = service_domain(object, resource.as_deref(), object.text("serviceDomain")?.as_deref())?;
        AuthorizeBody::read_for(object, challenge.as_ref(), resource, service)
    }

    /// The same of a payment that need not be for a service.
    ///
    /// # Errors
    /// As for [`AuthorizeBody::read`].
    pub fn read_outside_services(object: &Object<'_>) -> Result<AuthorizeBody, Refusal> {
        match object.text("resourceUrl")?.or(object.text("serviceDomain")?) {
            Some(_) => AuthorizeBody::read(object, Protocol::Payment),
            None => AuthorizeBody::read_for(object, None, None, String::new()),
        }
    }

    /// A payment outside both rails, to a payee and from a wallet that the body names in its own way. The service may be left out.
    ///
    /// # Errors
    /// As for [`AuthorizeBody::read`].
    pub(super) fn read_payment(
        object: &Object<'_>,
        recipient: String,
        wallet: Option<String>,
        hold_for: Option<Duration>,
    ) -> Result<AuthorizeBody, Refusal> {
        let amount = object.positive_amount("amount")?;
        let (resource, domain) = (object.text("resourceUrl")?, object.text("serviceDomain")?);
        let service = match (&resource, &domain) {
            (None, None) => String::new(),
            _ => service_domain(object, resource.as_deref(), domain.as_deref())?,
        };
        Ok(AuthorizeBody {
            amount: object.required("amount", amount, "an amount above zero, such as 0.05")?,
            intent: Intent::Charge,
            recipient,
            service,
            resource: resource.unwrap_or_default(),
            session: object.text("sessionId")?.unwrap_or_default(),
            wallet: wallet.or(object.text("walletId")?).unwrap_or_default(),
            hold_for: hold_seconds(object)?.or(hold_for),
            payment_id: object.text("paymentId")?,
            facts: FactsBody::read(object)?,
            challenge: None,
        })
    }

    fn read_for(
        object: &Object<'_>,
        challenge: Option<&Challenge>,
        resource: Option<String>,
        service: String,
    ) -> Result<AuthorizeBody, Refusal> {
        let intent = intent(object, challenge)?;
        let (amount, recipient) = match challenge {
            Some(challenge) => {
                (challenged::amount(object, challenge, intent)?, challenged::recipient(object, challenge)?)
            }
            None => (amount(object, intent)?, recipient(object)?),
        };
        Ok(AuthorizeBody {
            challenge: challenge.map(|challenge| ChallengeSummary::of(challenge, amount, &recipient)),
            amount,
            recipient,
            service,
            intent,
            resource: resource.unwrap_or_default(),
            session: object.text("sessionId")?.unwrap_or_default(),
            wallet: object.text("walletId")?.unwrap_or_default(),
            hold_for: hold_seconds(object)?,
            payment_id: challenged::payment_id(object, challenge)?,
            facts: challenged::facts(object, challenge)?,
        })
    }

    /// What is asked for.
    #[must_use]
    pub fn amount(&self) -> Amount {
        self.amount
    }

    /// Who is to be paid.
    #[must_use]
    pub fn recipient(&self) -> &str {
        &self.recipient
    }

    /// The chain of the payment in its canonical form; empty where it is not told.
    #[must_use]
    pub fn chain(&self) -> &str {
        self.facts.chain()
    }

    /// Whether the request names the wallet that pays.
    #[must_use]
    pub fn names_wallet(&self) -> bool {
        !self.wallet.is_empty()
    }

    /// The challenge that is answered, where there is one.
    #[must_use]
    pub fn challenge(&self) -> Option<ChallengeSummary> {
        self.challenge.clone()
    }

    /// The rail's id of the payment, which names the request where the client gives it no other name.
    #[must_use]
    pub fn payment_id(&self) -> Option<&str> {
        self.payment_id.as_deref()
    }

    /// The request to the engine.
    #[must_use]
    pub fn request(&self, id: AuthorizationId, protocol: Protocol) -> Authorize<'_> {
        Authorize {
            id,
            amount: self.amount,
            protocol,
            intent: self.intent,
            recipient: &self.recipient,
            service: &self.service,
            resource: &self.resource,
            session: &self.session,
            wallet: &self.wallet,
            hold_for: self.hold_for,
            facts: self.facts.facts(),
        }
    }
}

fn intent(object: &Object<'_>, challenge: Option<&Challenge>) -> Result<Intent, Refusal> {
    let given = object.text("intent")?;
    let is_session = challenge.is_some_and(|challenge| challenge.is_session);
    match given.as_deref() {
        // The challenge was chosen by the intent, where that was given.
        None | Some("charge" | "subscription") if challenge.is_some() && !is_session => Ok(Intent::Charge),
        None | Some("charge") if !is_session => Ok(Intent::Charge),
        None | Some("session") => {
            let seconds = object.whole("durationSeconds", "a whole number of seconds")?;
            Ok(Intent::Session { duration: seconds.map(Duration::from_secs) })
        }
        Some(_) => Err(Refusal::invalid(object.place("intent"), "is not known", "`charge` or `session`")),
    }
}

/// A session holds its deposit; where none is named, the amount is the deposit.
fn amount(object: &Object<'_>, intent: Intent) -> Result<Amount, Refusal> {
    let amount = object.positive_amount("amount")?;
    let deposit = object.positive_amount("depositAmount")?;
    let held = match intent {
        Intent::Charge => amount,
        Intent::Session { .. } => deposit.or(amount),
    };
    object.required("amount", held, "an amount above zero, such as 0.05")
}

/// Who gets the money.
pub(super) fn recipient(object: &Object<'_>) -> Result<String, Refusal> {
    let expected = "the address that is paid, without white space, of at most 256 bytes";
    let recipient = object.text("recipientAddress")?;
    let recipient = object.required("recipientAddress", recipient, expected)?;
    if let Err(error) = crate::kernel::Name::recipient(&recipient) {
        let found = error.to_string();
        let found = found.strip_prefix("it ").unwrap_or(&found);
        return Err(Refusal::invalid(object.place("recipientAddress"), found, expected));
    }
    Ok(recipient)
}

/// How long the caller may pay, under either name.
pub(super) fn hold_seconds(object: &Object<'_>) -> Result<Option<Duration>, Refusal> {
    let expected = "a whole number of seconds";
    let seconds = match object.whole("holdSeconds", expected)? {
        Some(seconds) => Some(seconds),
        None => object.whole("expiresInSeconds", expected)?,
    };
    Ok(seconds.map(Duration::from_secs))
}

/// The answer to a `pre-authorize`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    authorized: bool,
    /// `REQUIRES_APPROVAL` where the money is held while people decide; asking again with the same name tells what they decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^REQUIRES_APPROVAL$", example = "REQUIRES_APPROVAL")]
    status: Option<&'static str>,
    /// What people are asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ApprovalRequestId>)]
    approval_request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<AuthorizationId>)]
    authorization_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Timestamp>)]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining: Option<Money>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wallet: Option<WalletSummary>,
    /// Which offer of the challenge was decided on, where the request had one.
    #[serde(skip_serializing_if = "Option::is_none")]
    challenge: Option<ChallengeSummary>,
    reasons: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    violations: Vec<ViolationBody>,
    /// The budget that limits the agent, where one is in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    budget_request: Option<BudgetRequestBody>,
}

impl Decision {
    /// The money is held. A repeated request prints the same.
    #[must_use]
    pub fn approved(approval: &Approval, protocol: Protocol, wallet: Option<WalletSummary>) -> Decision {
        Decision {
            authorized: true,
            status: None,
            approval_request_id: None,
            authorization_id: Some(approval.id.to_string()),
            expires_at: Some(approval.expires_at.to_string()),
            remaining: approval.remaining.map(Money),
            wallet,
            challenge: None,
            reasons: approval.reasons.texts(protocol),
            violations: Vec::new(),
            budget_request: None,
        }
    }

    /// The payment may not happen; every limit against it is named.
    #[must_use]
    pub fn denied(denial: &Denial) -> Decision {
        Decision {
            authorized: false,
            status: None,
            approval_request_id: None,
            authorization_id: None,
            expires_at: None,
            remaining: None,
            wallet: None,
            challenge: None,
            reasons: denial.violations.iter().map(Violation::message).collect(),
            violations: denial.violations.iter().map(ViolationBody::of).collect(),
            budget_request: None,
        }
    }

    /// The money is held while people decide.
    #[must_use]
    pub fn waiting(waiting: &ApprovalRequired) -> Decision {
        Decision {
            authorized: false,
            status: Some("REQUIRES_APPROVAL"),
            approval_request_id: Some(waiting.request.to_string()),
            authorization_id: Some(waiting.id.to_string()),
            expires_at: Some(waiting.decide_by.to_string()),
            remaining: None,
            wallet: None,
            challenge: None,
            reasons: waiting.about.iter().map(Violation::message).collect(),
            violations: waiting.about.iter().map(ViolationBody::of).collect(),
            budget_request: None,
        }
    }

    /// The same, with the budget that limits the agent.
    #[must_use]
    pub fn with_budget(self, budget_request: Option<BudgetRequestBody>) -> Decision {
        Decision { budget_request, ..self }
    }

    /// With the challenge that was decided on.
    #[must_use]
    pub fn answering(self, challenge: Option<ChallengeSummary>) -> Decision {
        Decision { challenge, ..self }
    }
}

/// The wallet that pays.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WalletSummary {
    id: String,
    address: String,
    chain_id: String,
    /// `null` where the balance is not known.
    available_balance: Option<Money>,
}

impl WalletSummary {
    /// The wallet, with what it had left when the hold was placed.
    #[must_use]
    pub fn of(wallet: &WalletSource, available: Option<Amount>) -> WalletSummary {
        WalletSummary {
            id: wallet.id.clone(),
            address: wallet.address.clone(),
            chain_id: wallet.chain_id.clone(),
            available_balance: available.map(Money),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ViolationBody {
    #[serde(rename = "type")]
    kind: &'static str,
    limit: MeasureBody,
    current: MeasureBody,
    message: String,
}

impl ViolationBody {
    pub(super) fn of(violation: &Violation) -> ViolationBody {
        ViolationBody {
            kind: violation.kind.code(),
            limit: MeasureBody::of(violation.limit),
            current: MeasureBody::of(violation.current),
            message: violation.message(),
        }
    }
}

/// Money as a decimal, counts and seconds as whole numbers, `null` for what has no number.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum MeasureBody {
    Money(Money),
    Whole(u64),
    None,
}

impl MeasureBody {
    pub(super) fn of(measure: Measure) -> MeasureBody {
        match measure {
            Measure::Money(amount) => MeasureBody::Money(Money(amount)),
            Measure::Count(count) => MeasureBody::Whole(count),
            Measure::Time(duration) => MeasureBody::Whole(duration.as_secs()),
            // A score of 100, which may have two digits after the point.
            Measure::Score(score) => MeasureBody::Money(Money(Amount::from_micros(u64::from(score) * 10_000))),
            Measure::None | Measure::Missing(_) => MeasureBody::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        kernel::{SessionNumber, outcome::ViolationKind, policy::RuleKind, reason::Reasons},
        wire::json::print,
    };

    use super::*;

    const X402: &str = r#"{
        "amount": 0.05,
        "recipientAddress": "0xFacilitatorAddress",
        "resourceUrl": "https://api.example.com/data",
        "serviceDomain": "api.example.com",
        "facilitator": "0xFacilitatorAddress",
        "scheme": "exact"
    }"#;

    const MPP: &str = r#"{
        "amount": 10.00,
        "recipientAddress": "0xServiceAddress",
        "resourceUrl": "https://api.service.com/stream",
        "intent": "session",
        "depositAmount": 10.00
    }"#;

    fn read(body: &str) -> Result<AuthorizeBody, Refusal> {
        AuthorizeBody::read(&Object::read(body.as_bytes())?, Protocol::X402)
    }

    #[test]
    fn the_documented_bodies_are_read() {
        let body = read(X402).unwrap();
        let request = body.request(AuthorizationId(7), Protocol::X402);
        assert_eq!(request.amount, Amount::from_micros(50_000));
        assert_eq!((request.recipient, request.service), ("0xFacilitatorAddress", "api.example.com"));
        assert_eq!((request.resource, request.session), ("https://api.example.com/data", ""));
        assert_eq!((request.intent, request.hold_for), (Intent::Charge, None));

        let body = read(MPP).unwrap();
        let request = body.request(AuthorizationId(7), Protocol::Mpp);
        assert_eq!(request.amount, Amount::from_units(10));
        assert_eq!(request.service, "api.service.com");
        assert_eq!(request.intent, Intent::Session { duration: None });
    }

    #[test]
    fn a_session_holds_its_deposit() {
        for (amounts, held) in [
            (r#""amount":1,"depositAmount":"9.5""#, 9_500_000),
            (r#""depositAmount":9"#, 9_000_000),
            (r#""amount":1"#, 1_000_000),
        ] {
            let body =
                format!(r#"{{{amounts},"recipientAddress":"0x1","resourceUrl":"https://a.b","intent":"session"}}"#);
            assert_eq!(read(&body).unwrap().amount.micros(), held, "{amounts}");
        }
    }

    #[test]
    fn the_first_wrong_field_is_named() {
        let good = [
            ("amount", "1"),
            ("recipientAddress", r#""0x1""#),
            ("resourceUrl", r#""https://a.b/c""#),
            ("serviceDomain", r#""a.b""#),
        ];
        for (name, value) in [
            ("amount", "null"),
            ("amount", "0"),
            ("amount", "true"),
            ("depositAmount", "-1"),
            ("recipientAddress", "null"),
            ("recipientAddress", "7"),
            ("recipientAddress", r#""""#),
            ("recipientAddress", r#""0x1 ""#),
            ("resourceUrl", "{}"),
            ("resourceUrl", r#""nowhere""#),
            ("serviceDomain", r#""other.example""#),
            ("intent", r#""stream""#),
            ("sessionId", "5"),
            ("walletId", "[]"),
            ("holdSeconds", "1.5"),
            ("expiresInSeconds", r#""60""#),
            ("paymentId", "1"),
        ] {
            let members = good.into_iter().filter(|(known, _)| *known != name).chain([(name, value)]);
            let members: Vec<String> = members.map(|(name, value)| format!("\"{name}\":{value}")).collect();
            let refusal = read(&format!("{{{}}}", members.join(","))).unwrap_err();
            assert_eq!(refusal.field(), Some(name), "{value}");
            assert!(refusal.expected().is_some(), "{name} {value}");
        }
    }

    #[test]
    fn unknown_members_are_no_concern() {
        assert!(
            read(&X402.replace("\"scheme\"", "\"somethingNew\": {\"a\": [1]}, \"chainId\": 8453, \"scheme\"")).is_ok()
        );
    }

    #[test]
    fn a_denial_prints_every_violation() {
        let money = |micros| Measure::Money(Amount::from_micros(micros));
        let violation = |kind, limit, current| Violation { kind, limit, current };
        let denial = Denial {
            violations: vec![
                violation(ViolationKind::Rule(RuleKind::X402PriceCeiling), money(10_000), money(50_000)),
                violation(ViolationKind::Rule(RuleKind::VelocityLimit), Measure::Count(3), Measure::Count(4)),
                violation(ViolationKind::NoWallet, Measure::None, Measure::None),
            ],
            policy_revision: 1,
        };
        let text = print(&Decision::denied(&denial));
        assert!(text.starts_with(r#"{"authorized":false,"reasons":["#), "{text}");
        assert!(text.contains(r#"{"type":"X402_PRICE_CEILING","limit":0.01,"current":0.05,"message":"#), "{text}");
        assert!(text.contains(r#"{"type":"VELOCITY_LIMIT","limit":3,"current":4,"#), "{text}");
        assert!(text.contains(r#"{"type":"NO_WALLET","limit":null,"current":null,"#), "{text}");
    }

    #[test]
    fn an_approval_prints_its_hold() {
        let approval = Approval {
            id: AuthorizationId(7),
            amount: Amount::from_micros(50_000),
            expires_at: Timestamp::from_micros(1_700_000_000_000_000),
            remaining: Some(Amount::from_micros(4_950_000)),
            wallet: None,
            available: None,
            reasons: Reasons::default(),
            session: SessionNumber::NONE,
            policy_revision: 1,
            repeated: false,
        };
        let text = print(&Decision::approved(&approval, Protocol::X402, None));
        let start = r#"{"authorized":true,"authorizationId":"auth_00000000000000000000000000000007","expiresAt":"2023-11-14T22:13:20.000Z","remaining":4.95,"reasons":["#;
        assert!(text.starts_with(start), "{text}");
        assert!(!text.contains("violations"), "{text}");
    }
}
