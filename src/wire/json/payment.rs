//! `payments/request`, `payments/approve` and `cards/approve`: what is asked. All ask for a hold of one payment outside the rails.

use utoipa::ToSchema;

use crate::{
    kernel::{Amount, Duration},
    wire::ErrorCode,
};

use super::{AuthorizeBody, FactsRequest, Object, Refusal};

/// How long the caller may pay with a wallet of its own.
const EXTERNAL_WINDOW: Duration = Duration::from_secs(10 * 60);
/// How long a card may be charged.
const CARD_WINDOW: Duration = Duration::from_secs(5 * 60);
const URGENCIES: [&str; 4] = ["LOW", "NORMAL", "HIGH", "CRITICAL"];
const ADDRESS_EXPECTED: &str = "`0x` and 40 hexadecimal digits, or 32 to 44 letters and digits in base58";

/// A payment that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentBody {
    /// The hold that it takes.
    pub asked: AuthorizeBody,
    /// Whether the payment shall be executed at once, if it is approved.
    pub executes: bool,
}

/// A payment that an agent wants to make outside x402 and MPP.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({"amount": 25.5, "recipientAddress": "0x742d35Cc6634C0532925a3b844Bc9e7595f8fE00", "recipientName": "Example Inc", "purpose": "monthly plan", "category": "SAAS"}))]
#[expect(dead_code, reason = "describes what `PaymentBody::read` accepts")]
pub struct RequestedPayment {
    /// What it costs. Above zero.
    amount: Amount,
    /// Who is paid: an EVM address or one in base58.
    #[schema(
        pattern = "^(0x[0-9a-fA-F]{40}|[1-9A-HJ-NP-Za-km-z]{32,44})$",
        example = "0x742d35Cc6634C0532925a3b844Bc9e7595f8fE00"
    )]
    recipient_address: String,
    /// For people.
    recipient_name: Option<String>,
    /// The wallet that pays; without one, the gateway chooses.
    wallet_id: Option<String>,
    /// For people.
    #[schema(pattern = "^(LOW|NORMAL|HIGH|CRITICAL)$", example = "NORMAL")]
    urgency: Option<String>,
    /// Executes the payment at once, if it is approved; takes the scope `payments:execute`.
    auto_execute: Option<bool>,
    /// The URL that is paid for, where it is for a service.
    resource_url: Option<String>,
    /// How long the caller may pay. Five minutes unless said otherwise.
    hold_seconds: Option<u64>,
    /// As the header `Idempotency-Key`.
    #[schema(min_length = 1, max_length = 256)]
    idempotency_key: Option<String>,
    #[serde(flatten)]
    facts: FactsRequest,
}

/// A payment that an agent wants to make from a wallet of its own, outside the gateway's view.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({"amount": 25.5, "recipientAddress": "0x742d35Cc6634C0532925a3b844Bc9e7595f8fE00", "senderAddress": "0x1111111111111111111111111111111111111111", "chainId": "8453", "purpose": "monthly plan"}))]
#[expect(dead_code, reason = "describes what `PaymentBody::read_external` accepts")]
pub struct ExternalPayment {
    /// What it costs. Above zero.
    amount: Amount,
    /// Who is paid: an EVM address or one in base58.
    #[schema(
        pattern = "^(0x[0-9a-fA-F]{40}|[1-9A-HJ-NP-Za-km-z]{32,44})$",
        example = "0x742d35Cc6634C0532925a3b844Bc9e7595f8fE00"
    )]
    recipient_address: String,
    /// The address that pays; the agent must have a wallet there.
    #[schema(
        pattern = "^(0x[0-9a-fA-F]{40}|[1-9A-HJ-NP-Za-km-z]{32,44})$",
        example = "0x742d35Cc6634C0532925a3b844Bc9e7595f8fE00"
    )]
    sender_address: String,
    /// For people.
    recipient_name: Option<String>,
    /// The URL that is paid for, where it is for a service.
    resource_url: Option<String>,
    /// How long the caller may pay. Ten minutes unless said otherwise.
    hold_seconds: Option<u64>,
    /// As the header `Idempotency-Key`.
    #[schema(min_length = 1, max_length = 256)]
    idempotency_key: Option<String>,
    #[serde(flatten)]
    facts: FactsRequest,
}

/// A payment that an agent wants to make by card. `merchantName` or `merchantId` is required.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({"amount": 19.99, "merchantName": "Whole Foods", "merchantCategory": "5411", "purpose": "lunch"}))]
#[expect(dead_code, reason = "describes what `PaymentBody::read_card` accepts")]
pub struct CardPayment {
    /// What it costs. Above zero.
    amount: Amount,
    /// The card, by the id or address of the wallet that stands for it; without one, the gateway chooses.
    card_id: Option<String>,
    /// How long the card may be charged. Five minutes unless said otherwise.
    hold_seconds: Option<u64>,
    /// As the header `Idempotency-Key`.
    #[schema(min_length = 1, max_length = 256)]
    idempotency_key: Option<String>,
    #[serde(flatten)]
    facts: FactsRequest,
}

impl PaymentBody {
    /// Reads the body of `payments/request`.
    ///
    /// # Errors
    /// A [`Refusal`] that names the first field that is wrong.
    pub fn read(object: &Object<'_>) -> Result<PaymentBody, Refusal> {
        check_words(object)?;
        let recipient = address(object, "recipientAddress")?;
        let asked = AuthorizeBody::read_payment(object, recipient, None, None)?;
        Ok(PaymentBody { asked, executes: object.flag("autoExecute")?.unwrap_or(false) })
    }

    /// Reads the body of `payments/approve`.
    ///
    /// # Errors
    /// As for [`PaymentBody::read`].
    pub fn read_external(object: &Object<'_>) -> Result<PaymentBody, Refusal> {
        check_words(object)?;
        let (recipient, sender) = (address(object, "recipientAddress")?, address(object, "senderAddress")?);
        if object.text("walletId")?.is_some() {
            let expected = "the address alone: it names the wallet";
            return Err(Refusal::invalid(object.place("walletId"), "stands beside `senderAddress`", expected));
        }
        let asked = AuthorizeBody::read_payment(object, recipient, Some(sender), Some(EXTERNAL_WINDOW))?;
        if asked.chain().is_empty() {
            let expected = "the chain that is paid on, such as 8453";
            return Err(Refusal::invalid(object.place("chainId"), "is missing", expected));
        }
        Ok(PaymentBody { asked, executes: false })
    }

    /// Reads the body of `cards/approve`. The payee is the merchant.
    ///
    /// # Errors
    /// As for [`PaymentBody::read`].
    pub fn read_card(object: &Object<'_>) -> Result<PaymentBody, Refusal> {
        let (name, id) = (object.text("merchantName")?, object.text("merchantId")?);
        let merchant = id.or(name).filter(|merchant| !merchant.trim().is_empty());
        let merchant = object.required("merchantName", merchant, "who is paid")?;
        let card = object.text("cardId")?;
        let asked = AuthorizeBody::read_payment(object, payee_of(&merchant), card, Some(CARD_WINDOW))?;
        Ok(PaymentBody { asked, executes: false })
    }
}

/// Words that are for people alone are words all the same.
fn check_words(object: &Object<'_>) -> Result<(), Refusal> {
    object.text("recipientName")?;
    match object.text("urgency")? {
        Some(urgency) if !URGENCIES.contains(&urgency.as_str()) => {
            let expected = "`LOW`, `NORMAL`, `HIGH` or `CRITICAL`";
            Err(Refusal::invalid(object.place("urgency"), "is not known", expected))
        }
        _ => Ok(()),
    }
}

/// An address of a chain that payments are made on.
fn address(object: &Object<'_>, name: &str) -> Result<String, Refusal> {
    let address = object.text(name)?;
    let address = object.required(name, address, ADDRESS_EXPECTED)?;
    if is_address(&address) {
        return Ok(address);
    }
    Err(Refusal::of_field(ErrorCode::InvalidAddress, object.place(name), "is not an address", ADDRESS_EXPECTED))
}

fn is_address(text: &str) -> bool {
    match text.strip_prefix("0x") {
        Some(digits) => digits.len() == 40 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()),
        None => (32..=44).contains(&text.len()) && text.bytes().all(is_base58),
    }
}

/// Digits and letters but for those that look alike.
pub(super) fn is_base58(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() && !matches!(byte, b'0' | b'O' | b'I' | b'l')
}

/// A merchant as a payee: names of payees have no white space, and merchants are told apart without regard to case.
fn payee_of(merchant: &str) -> String {
    let mut payee = String::from("merchant:");
    for letter in merchant.trim().to_lowercase().chars() {
        if letter == '%' || letter.is_whitespace() || letter.is_control() {
            let mut bytes = [0; 4];
            for byte in letter.encode_utf8(&mut bytes).bytes() {
                payee.push_str(&format!("%{byte:02x}"));
            }
        } else {
            payee.push(letter);
        }
    }
    payee
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{AuthorizationId, Protocol};

    const EVM: &str = "0x742d35Cc6634C0532925a3b844Bc9e7595f8fE00";
    const SOLANA: &str = "2wKupLR9q6wXYppw8Gr2NvWxKBUqm4PPJKkQfoxHDBg4";

    fn read(body: &str) -> Result<PaymentBody, Refusal> {
        PaymentBody::read(&Object::read(body.as_bytes()).unwrap())
    }

    #[test]
    fn addresses_are_those_of_their_chains() {
        for (address, good) in [
            (EVM, true),
            (SOLANA, true),
            ("0x742d35Cc6634C0532925a3b844Bc9e7595f8fE0", false),
            ("0x742d35Cc6634C0532925a3b844Bc9e7595f8fE0g", false),
            ("2wKupLR9q6wXYppw8Gr2NvWxKBUqm4P", false),
            ("2wKupLR9q6wXYppw8Gr2NvWxKBUqm4PPJKkQfoxHDBgO", false),
            ("merchant", false),
            ("", false),
        ] {
            assert_eq!(is_address(address), good, "{address}");
        }
        let refusal = read(r#"{"amount":1,"recipientAddress":"0x1"}"#).unwrap_err();
        assert_eq!((refusal.code(), refusal.field()), (ErrorCode::InvalidAddress, Some("recipientAddress")));
    }

    #[test]
    fn a_payment_takes_a_hold_of_its_own_kind() {
        let body = read(&format!(
            r#"{{"amount":25.5,"recipientAddress":"{EVM}","recipientName":"Example","purpose":"plan","category":"SAAS",
                "walletId":"w","urgency":"HIGH","autoExecute":true,"functionSelector":"0xa9059cbb","context":{{"country":"DE"}}}}"#
        ))
        .unwrap();
        assert!(body.executes);
        let request = body.asked.request(AuthorizationId(1), Protocol::Payment);
        assert_eq!((request.recipient, request.service, request.wallet, request.hold_for), (EVM, "", "w", None));
        let facts = request.facts.unwrap();
        assert_eq!((facts.category, facts.country, facts.function), ("SAAS", "DE", "0xa9059cbb"));

        let external =
            format!(r#"{{"amount":1,"recipientAddress":"{SOLANA}","senderAddress":"{EVM}","chainId":8453}}"#);
        let external = PaymentBody::read_external(&Object::read(external.as_bytes()).unwrap()).unwrap();
        let request = external.asked.request(AuthorizationId(1), Protocol::Payment);
        assert_eq!((request.wallet, request.hold_for), (EVM, Some(EXTERNAL_WINDOW)));

        let card =
            br#"{"amount":1,"merchantName":" Whole Foods\u00a0100% ","merchantCategory":"5411","cardId":"card_1"}"#;
        let card = PaymentBody::read_card(&Object::read(card).unwrap()).unwrap();
        let request = card.asked.request(AuthorizationId(1), Protocol::Card);
        assert_eq!((request.recipient, request.wallet), ("merchant:whole%20foods%c2%a0100%25", "card_1"));
        assert_eq!(request.facts.unwrap().merchant_category_code, "5411");
    }

    #[test]
    fn the_first_wrong_field_is_named() {
        for (fields, field) in [
            (r#""amount":0"#, "amount"),
            (r#""urgency":"SOON""#, "urgency"),
            (r#""recipientName":7"#, "recipientName"),
            (r#""autoExecute":"yes""#, "autoExecute"),
            (r#""resourceUrl":"nowhere""#, "resourceUrl"),
        ] {
            let rest = if fields.contains("amount") { "" } else { r#""amount":1,"# };
            let body = format!(r#"{{{rest}"recipientAddress":"{EVM}",{fields}}}"#);
            assert_eq!(read(&body).unwrap_err().field(), Some(field), "{fields}");
        }
        let external = |fields: &str| {
            let body = format!(r#"{{"amount":1,"recipientAddress":"{EVM}",{fields}}}"#);
            PaymentBody::read_external(&Object::read(body.as_bytes()).unwrap()).unwrap_err().field().map(str::to_owned)
        };
        assert_eq!(external(r#""chainId":1"#).as_deref(), Some("senderAddress"));
        assert_eq!(external(&format!(r#""senderAddress":"{EVM}""#)).as_deref(), Some("chainId"));
        assert_eq!(
            external(&format!(r#""senderAddress":"{EVM}","chainId":1,"walletId":"w""#)).as_deref(),
            Some("walletId")
        );
        for body in [r#"{"amount":1}"#, r#"{"amount":1,"merchantName":" "}"#] {
            let refusal = PaymentBody::read_card(&Object::read(body.as_bytes()).unwrap()).unwrap_err();
            assert_eq!(refusal.field(), Some("merchantName"), "{body}");
        }
    }
}
