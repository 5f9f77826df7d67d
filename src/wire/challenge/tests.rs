//! Challenges as services send them, and as nobody should.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::wire::ErrorCode;

const BASE_SEPOLIA_USDC: &str = "0x036CbD53842c5426634e7929541eC2318f3dCF7e";
const BASE_USDC: &str = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913";
const SOLANA_USDC: &str = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v";

fn read(body: &Value, rail: Protocol) -> Result<Option<Challenge>, Refusal> {
    let text = body.to_string();
    Challenge::read(&Object::read(text.as_bytes()).unwrap(), rail)
}

#[track_caller]
fn challenge(body: &Value, rail: Protocol) -> Challenge {
    match read(body, rail) {
        Ok(Some(challenge)) => challenge,
        other => panic!("{body}: {other:?}"),
    }
}

#[track_caller]
fn refused(body: &Value, rail: Protocol, field: &str) {
    let refusal = read(body, rail).expect_err("it cannot be taken");
    assert_eq!((refusal.code(), refusal.field()), (ErrorCode::ValidationError, Some(field)), "{body} {refusal:?}");
}

fn version_1() -> Value {
    json!({ "x402Version": 1, "error": "X-PAYMENT header is required", "accepts": [ {
        "scheme": "exact", "network": "base-sepolia", "maxAmountRequired": "10000", "asset": BASE_SEPOLIA_USDC,
        "payTo": "0x209693Bc6afc0C5328bA36FaF03C514EF312287C", "resource": "https://api.example.com/weather", "description": "Weather",
        "mimeType": "application/json", "outputSchema": null, "maxTimeoutSeconds": 60, "extra": { "name": "USDC", "version": "2" } } ] })
}

fn version_2() -> Value {
    json!({ "x402Version": 2, "error": "PAYMENT-SIGNATURE header is required",
        "resource": { "url": "https://api.example.com/premium", "description": "Premium", "mimeType": "application/json" },
        "accepts": [
            { "scheme": "stream", "network": "eip155:8453", "amount": "1", "asset": BASE_USDC, "payTo": "0xS", "maxTimeoutSeconds": 60 },
            { "scheme": "exact", "network": "eip155:8453", "amount": "10000", "asset": BASE_USDC, "payTo": "0xA", "maxTimeoutSeconds": 300,
              "extra": { "name": "USD Coin", "version": "2" } },
            { "scheme": "upto", "network": "eip155:8453", "amount": "500000", "asset": BASE_USDC, "payTo": "0xA", "maxTimeoutSeconds": 300 },
            { "scheme": "exact", "network": "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", "amount": "10001", "asset": SOLANA_USDC,
              "payTo": "2wKupLR9q6wXYppw8Gr2NvWxKBUqm4PPJKkQfoxHDBg4", "maxTimeoutSeconds": 60 } ] })
}

fn payment_required(challenge: &Value) -> Value {
    json!({ "paymentRequired": challenge })
}

#[test]
fn version_1_of_x402_is_a_body() {
    let read = challenge(&payment_required(&version_1()), Protocol::X402);
    assert_eq!(read.amount, Some(Amount::from_micros(10_000)));
    assert_eq!(read.recipient.as_deref(), Some("0x209693Bc6afc0C5328bA36FaF03C514EF312287C"));
    assert_eq!(read.resource.as_deref(), Some("https://api.example.com/weather"));
    assert_eq!((read.chain.as_str(), read.asset.as_str()), ("84532", BASE_SEPOLIA_USDC));
    assert_eq!((read.valid_for, read.valid_before), (Some(Duration::from_secs(60)), None));
    assert_eq!((read.index, read.scheme.as_str(), read.is_session), (0, "exact", false));
}

#[test]
fn version_2_of_x402_is_an_object_or_a_header() {
    let plain = challenge(&payment_required(&version_2()), Protocol::X402);
    assert_eq!((plain.index, plain.amount), (1, Some(Amount::from_micros(10_000))), "the first whose scheme is known");
    assert_eq!(plain.resource.as_deref(), Some("https://api.example.com/premium"));
    assert_eq!(plain.chain, "8453");
    let text = version_2().to_string();
    for header in [STANDARD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
        assert_eq!(challenge(&json!({ "paymentRequiredHeader": header }), Protocol::X402), plain);
    }
}

#[test]
fn the_body_chooses_among_the_offers() {
    let with = |name: &str, value: Value| {
        let mut body = payment_required(&version_2());
        body[name] = value;
        body
    };
    for (name, value, index) in [
        ("acceptsIndex", json!(3), 3),
        ("scheme", json!("upto"), 2),
        ("network", json!("eip155:8453"), 1),
        ("chainId", json!(8453), 1),
        ("network", json!("solana"), 3),
    ] {
        assert_eq!(challenge(&with(name, value), Protocol::X402).index, index, "{name}");
    }
    for (name, value) in [
        ("acceptsIndex", json!(0)),
        ("acceptsIndex", json!(4)),
        ("scheme", json!("stream")),
        ("scheme", json!("cheap")),
        ("network", json!("eip155:1")),
    ] {
        refused(&with(name, value), Protocol::X402, "paymentRequired.accepts");
    }
    refused(&with("acceptsIndex", json!(-1)), Protocol::X402, "acceptsIndex");
    let mut both = with("acceptsIndex", json!(1));
    both["scheme"] = json!("upto");
    refused(&both, Protocol::X402, "paymentRequired.accepts");
}

#[test]
fn an_asset_is_counted_as_the_gateway_knows_it() {
    let with = |asset: &str, extra: Value, decimals: Value| {
        let mut offer = version_1();
        offer["accepts"][0]["asset"] = json!(asset);
        offer["accepts"][0]["extra"] = extra;
        json!({ "paymentRequired": offer, "decimals": decimals })
    };
    let known = BASE_SEPOLIA_USDC.to_ascii_lowercase();
    assert_eq!(
        challenge(&with(&known, Value::Null, json!(6)), Protocol::X402).amount,
        Some(Amount::from_micros(10_000))
    );
    refused(&with(&known, Value::Null, json!(18)), Protocol::X402, "decimals");
    // What the payee says of its asset would make it cheap.
    let boast = json!({ "decimals": 18, "name": "USDC" });
    refused(&with("0xdead", boast, Value::Null), Protocol::X402, "decimals");
    for (decimals, micros) in [(4, 1_000_000), (6, 10_000), (18, 1), (36, 1)] {
        let read = challenge(&with("0xdead", Value::Null, json!(decimals)), Protocol::X402);
        assert_eq!(read.amount, Some(Amount::from_micros(micros)), "{decimals}");
    }
    for decimals in [json!(37), json!(-1), json!("six"), json!(1e30)] {
        refused(&with("0xdead", Value::Null, decimals), Protocol::X402, "decimals");
    }
    let mut fiat = version_2();
    fiat["accepts"] =
        json!([{ "scheme": "exact", "network": "ach:us", "amount": "1999", "asset": "USD", "payTo": "merchant" }]);
    assert_eq!(challenge(&payment_required(&fiat), Protocol::X402).amount, Some(Amount::from_micros(19_990_000)));
    fiat["accepts"][0]["asset"] = json!("EUR");
    refused(&payment_required(&fiat), Protocol::X402, "decimals");
}

#[test]
fn the_digest_holds_what_the_payee_may_not_change() {
    let base = challenge(&payment_required(&version_1()), Protocol::X402).digest;
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut other = version_1();
        change(&mut other);
        challenge(&payment_required(&other), Protocol::X402).digest
    };
    let changes: [&dyn Fn(&mut Value); 6] = [
        &|value| value["accepts"][0]["maxAmountRequired"] = json!("10001"),
        &|value| value["accepts"][0]["payTo"] = json!("0xB"),
        &|value| value["accepts"][0]["resource"] = json!("https://api.example.com/other"),
        &|value| value["accepts"][0]["maxTimeoutSeconds"] = json!(61),
        &|value| value["accepts"][0]["extra"]["version"] = json!("3"),
        &|value| value["accepts"][0]["scheme"] = json!("upto"),
    ];
    for (index, change) in changes.iter().enumerate() {
        assert_ne!(changed(change), base, "change {index}");
    }
    assert_eq!(changed(&|value| value["error"] = json!("again")), base);
    assert_eq!(changed(&|value| value["accepts"][0]["description"] = json!("Sunshine")), base);
}

#[test]
fn the_identifier_of_a_payment_is_its_name() {
    let with = |id: &str| {
        let mut challenge = version_2();
        challenge["extensions"] = json!({ "payment-identifier": { "info": { "required": true, "id": id } } });
        payment_required(&challenge)
    };
    let id = "pay_7d5d747be160e280";
    assert_eq!(challenge(&with(id), Protocol::X402).payment_id.as_deref(), Some(id));
    for id in ["short", "pay 7d5d747be160e280", &"x".repeat(129)] {
        refused(&with(id), Protocol::X402, "paymentRequired.extensions.payment-identifier.info.id");
    }
}

#[test]
fn what_is_no_challenge_of_x402_names_the_place() {
    for (path, value, field) in [
        ("x402Version", json!(3), "paymentRequired.x402Version"),
        ("x402Version", Value::Null, "paymentRequired.x402Version"),
        ("accepts", json!([]), "paymentRequired.accepts"),
        (
            "accepts",
            json!(vec![json!({ "scheme": "exact", "network": "base" }); ACCEPTS_MAX + 1]),
            "paymentRequired.accepts",
        ),
        ("accepts", json!([1]), "paymentRequired.accepts[0]"),
        ("accepts", json!([{ "network": "base" }]), "paymentRequired.accepts[0].scheme"),
        ("accepts", json!([{ "scheme": "exact" }]), "paymentRequired.accepts[0].network"),
        ("accepts", json!([{ "scheme": "exact", "network": "base" }]), "paymentRequired.accepts[0].maxAmountRequired"),
    ] {
        let mut body = version_1();
        body[path] = value;
        refused(&payment_required(&body), Protocol::X402, field);
    }
    for amount in
        [json!("-1"), json!("1.5"), json!("0x10"), json!(""), json!("9".repeat(79)), json!("9".repeat(78)), json!([])]
    {
        let mut body = version_1();
        body["accepts"][0]["maxAmountRequired"] = amount;
        refused(&payment_required(&body), Protocol::X402, "paymentRequired.accepts[0].maxAmountRequired");
    }
    let mut nested = version_1();
    nested["accepts"][0]["extra"] = (0..100).fold(json!(1), |inner, _| json!([inner]));
    challenge(&payment_required(&nested), Protocol::X402);
    let deep = nested.to_string().replace("[1]", &format!("{}1{}", "[".repeat(200), "]".repeat(200)));
    let body = format!(r#"{{"paymentRequired":{deep}}}"#);
    let refusal = Challenge::read(&Object::read(body.as_bytes()).unwrap(), Protocol::X402).unwrap_err();
    assert_eq!(refusal.field(), Some("paymentRequired.accepts[0].extra"));

    refused(&json!({ "paymentRequired": "x" }), Protocol::X402, "paymentRequired");
    refused(&json!({ "paymentRequiredHeader": "%%%" }), Protocol::X402, "paymentRequiredHeader");
    refused(&json!({ "paymentRequiredHeader": STANDARD.encode("[]") }), Protocol::X402, "paymentRequiredHeader");
    let twice = STANDARD.encode(r#"{"x402Version":2,"x402Version":1}"#);
    refused(&json!({ "paymentRequiredHeader": twice }), Protocol::X402, "paymentRequiredHeader");
    let large = "x".repeat(CHALLENGE_BYTES_MAX);
    refused(&json!({ "paymentRequired": { "error": large } }), Protocol::X402, "paymentRequired");
    refused(
        &json!({ "paymentRequired": version_1(), "paymentRequiredHeader": "e30=" }),
        Protocol::X402,
        "paymentRequiredHeader",
    );
}

#[test]
fn a_challenge_belongs_to_its_rail() {
    refused(&payment_required(&version_1()), Protocol::Mpp, "paymentRequired");
    refused(&json!({ "paymentRequiredHeader": "e30=" }), Protocol::Payment, "paymentRequiredHeader");
    refused(&json!({ "wwwAuthenticate": "Payment id=a" }), Protocol::X402, "wwwAuthenticate");
    assert_eq!(read(&json!({ "amount": 1, "paymentRequired": null }), Protocol::X402), Ok(None));
}

const TEMPO_USDC: &str = "0x20c000000000000000000000b9537d11c60e8b50";

fn charge() -> Value {
    json!({ "amount": "1500000", "currency": TEMPO_USDC, "recipient": "0xPayee", "description": "one call", "externalId": "o-1",
        "methodDetails": { "chainId": 4217, "feePayer": true,
            "splits": [ { "amount": "250000", "recipient": "0xPartner", "memo": "0x01" }, { "amount": "50000", "recipient": "0xFee" } ] } })
}

fn session() -> Value {
    json!({ "amount": "25", "unitType": "token", "suggestedDeposit": "10000000", "currency": TEMPO_USDC, "recipient": "0xPayee",
        "methodDetails": { "escrowContract": "0xE", "chainId": 4217 } })
}

fn payment(id: &str, method: &str, intent: &str, request: &Value) -> String {
    let request = URL_SAFE_NO_PAD.encode(request.to_string());
    format!(
        r#"Payment id="{id}", realm="api.example.com", method="{method}", intent="{intent}", request="{request}", expires="2026-11-20T12:05:00Z", digest="sha-256=:x:", opaque="e30""#
    )
}

fn www_authenticate(header: &str) -> Value {
    json!({ "wwwAuthenticate": header })
}

#[test]
fn a_charge_of_mpp_names_every_recipient() {
    let read = challenge(&www_authenticate(&payment("c1", "tempo", "charge", &charge())), Protocol::Mpp);
    assert_eq!(read.amount, Some(Amount::from_micros(1_500_000)));
    assert_eq!((read.recipient.as_deref(), read.chain.as_str()), (Some("0xPayee"), "4217"));
    let splits = [("0xPartner", 250_000), ("0xFee", 50_000)];
    assert_eq!(read.splits, splits.map(|(recipient, micros)| (recipient.to_owned(), Amount::from_micros(micros))));
    assert_eq!(read.valid_before, Some(Timestamp::from_micros(1_795_176_300_000_000)));
    assert_eq!((read.is_session, read.resource, read.scheme.as_str()), (false, None, "tempo/charge"));
}

#[test]
fn a_session_of_mpp_suggests_a_deposit() {
    let read = challenge(&www_authenticate(&payment("c1", "tempo", "session", &session())), Protocol::Mpp);
    assert_eq!((read.amount, read.is_session), (Some(Amount::from_units(10)), true));
    let mut plain = session();
    plain["suggestedDeposit"] = Value::Null;
    let read = challenge(&www_authenticate(&payment("c1", "tempo", "session", &plain)), Protocol::Mpp);
    assert_eq!(read.amount, None);
}

#[test]
fn the_body_chooses_among_the_challenges_of_mpp() {
    let fiat = json!({ "amount": "150", "currency": "usd" });
    let headers = [
        payment("c0", "tempo", "riddle", &charge()),
        payment("c1", "tempo", "charge", &charge()),
        payment("c2", "tempo", "session", &session()),
        payment("c3", "stripe", "charge", &fiat),
    ];
    let shapes = [json!(headers.join(", ")), json!(headers), json!([headers[..2].join(","), headers[2..].join(",")])];
    for shape in shapes {
        let with = |name: &str, value: Value| {
            let mut body = json!({ "wwwAuthenticate": shape });
            body[name] = value;
            body
        };
        for (name, value, index) in [
            ("amount", json!(1), 1),
            ("challengeIndex", json!(2), 2),
            ("challengeId", json!("c3"), 3),
            ("paymentMethod", json!("stripe"), 3),
            ("intent", json!("session"), 2),
        ] {
            assert_eq!(challenge(&with(name, value), Protocol::Mpp).index, index, "{name}");
        }
        for (name, value) in [
            ("challengeIndex", json!(0)),
            ("challengeIndex", json!(4)),
            ("challengeId", json!("c9")),
            ("intent", json!("gift")),
        ] {
            refused(&with(name, value), Protocol::Mpp, "wwwAuthenticate");
        }
        let stripe = challenge(&with("paymentMethod", json!("stripe")), Protocol::Mpp);
        assert_eq!(
            (stripe.amount, stripe.recipient, stripe.chain.as_str()),
            (Some(Amount::from_micros(1_500_000)), None, "")
        );
    }
}

#[test]
fn the_seven_slots_bind_a_challenge_of_mpp() {
    let header = payment("c1", "tempo", "charge", &charge());
    let digest = |header: &str| challenge(&www_authenticate(header), Protocol::Mpp).digest;
    let base = digest(&header);
    assert_eq!(digest(&header.replace("id=\"c1\"", "id=\"c2\"")), base, "the id follows from the slots");
    for (from, to) in [
        ("realm=\"api.", "realm=\"app."),
        ("method=\"tempo\"", "method=\"evm\""),
        ("intent=\"charge\"", "intent=\"subscription\""),
        ("12:05:00", "12:06:00"),
        ("sha-256=:x:", "sha-256=:y:"),
        ("opaque=\"e30\"", "opaque=\"e31\""),
        (", opaque=\"e30\"", ""),
    ] {
        assert_ne!(digest(&header.replace(from, to)), base, "{from}");
    }
    let mut dearer = charge();
    dearer["amount"] = json!("1500001");
    assert_ne!(digest(&payment("c1", "tempo", "charge", &dearer)), base);
}

#[test]
fn the_chain_must_be_known_and_one() {
    let mut request = charge();
    request["methodDetails"]["chainId"] = Value::Null;
    let header = payment("c1", "tempo", "charge", &request);
    refused(&www_authenticate(&header), Protocol::Mpp, "chainId");
    let told = json!({ "wwwAuthenticate": header, "chainId": "eip155:4217" });
    assert_eq!(challenge(&told, Protocol::Mpp).chain, "4217");
    let contradicted = json!({ "wwwAuthenticate": payment("c1", "tempo", "charge", &charge()), "chainId": 42431 });
    refused(&contradicted, Protocol::Mpp, "chainId");
}

#[test]
fn parts_that_round_up_do_not_come_to_more_than_the_whole() {
    let request = json!({ "amount": "2000000000001", "currency": "0xdead", "recipient": "0xPayee", "methodDetails": { "chainId": 1,
        "splits": [ { "amount": "1000000000000", "recipient": "0x1" }, { "amount": "500000000000", "recipient": "0x2" },
                    { "amount": "500000000000", "recipient": "0x3" }, { "amount": "1", "recipient": "0x4" } ] } });
    let body = json!({ "wwwAuthenticate": payment("c1", "evm", "charge", &request), "decimals": 18 });
    let read = challenge(&body, Protocol::Mpp);
    assert_eq!(read.amount, Some(Amount::from_micros(4)));
}

#[test]
fn what_is_no_challenge_of_mpp_is_refused() {
    let good = payment("c1", "tempo", "charge", &charge());
    for (from, to) in [
        ("id=\"c1\"", "id=\"\""),
        ("id=\"c1\", ", ""),
        ("realm=\"api.example.com\", ", ""),
        ("method=\"tempo\", ", ""),
        ("intent=\"charge\", ", ""),
        ("2026-11-20T12:05:00Z", "soon"),
        ("request=\"", "request=\"%"),
        ("Payment", "Bearer"),
    ] {
        refused(&www_authenticate(&good.replace(from, to)), Protocol::Mpp, "wwwAuthenticate");
    }
    refused(&json!({ "wwwAuthenticate": 7 }), Protocol::Mpp, "wwwAuthenticate");
    refused(&json!({ "wwwAuthenticate": vec!["Payment id=a"; CHALLENGES_MAX + 1] }), Protocol::Mpp, "wwwAuthenticate");
    refused(&json!({ "wwwAuthenticate": ["x".repeat(CHALLENGE_BYTES_MAX), "x"] }), Protocol::Mpp, "wwwAuthenticate");
    for (name, value, field) in [
        ("amount", Value::Null, "wwwAuthenticate.request.amount"),
        ("amount", json!("1.5"), "wwwAuthenticate.request.amount"),
        ("currency", Value::Null, "wwwAuthenticate.request.currency"),
        ("currency", json!("0xdead"), "decimals"),
        ("currency", json!("eur"), "decimals"),
        ("recipient", json!(7), "wwwAuthenticate.request.recipient"),
        ("methodDetails", json!([]), "wwwAuthenticate.request.methodDetails"),
    ] {
        let mut request = charge();
        request[name] = value;
        refused(&www_authenticate(&payment("c1", "tempo", "charge", &request)), Protocol::Mpp, field);
    }
    let mut crowded = charge();
    crowded["methodDetails"]["splits"] = json!(vec![json!({ "amount": "1", "recipient": "0x1" }); 17]);
    let header = payment("c1", "tempo", "charge", &crowded);
    refused(&www_authenticate(&header), Protocol::Mpp, "wwwAuthenticate.request.methodDetails.splits");
    crowded["methodDetails"]["splits"] = json!([]);
    challenge(&www_authenticate(&payment("c1", "tempo", "charge", &crowded)), Protocol::Mpp);
}

/// Whatever arrives, the answer is a challenge or a refusal.
fn survives(body: &Value) {
    for rail in Protocol::ALL {
        let _ = read(body, rail);
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[0-9]{0,80}".prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
        prop::sample::select(vec!["exact", "base", "eip155:8453", BASE_USDC, "usd", "0xA"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 6, |inner| {
        let names = prop::sample::select(vec![
            "x402Version",
            "accepts",
            "scheme",
            "network",
            "amount",
            "maxAmountRequired",
            "asset",
            "payTo",
            "resource",
            "url",
            "extra",
            "extensions",
            "payment-identifier",
            "info",
            "id",
            "currency",
            "methodDetails",
            "splits",
            "recipient",
            "suggestedDeposit",
            "maxTimeoutSeconds",
            "chainId",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(names.prop_map(str::to_owned), inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_object_is_read_or_refused(json in any_json(), decimals in prop::option::of(0u8..40)) {
        survives(&json!({ "paymentRequired": json, "decimals": decimals }));
        survives(&json!({ "paymentRequiredHeader": STANDARD.encode(json.to_string()), "decimals": decimals }));
        survives(&json!({ "wwwAuthenticate": payment("c", "tempo", "charge", &json), "decimals": decimals }));
        let mut body = version_2();
        body["accepts"][1] = json;
        survives(&payment_required(&body));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        survives(&json!({ "paymentRequiredHeader": text }));
        survives(&json!({ "paymentRequiredHeader": STANDARD.encode(&bytes) }));
        survives(&json!({ "wwwAuthenticate": text }));
        survives(&json!({ "wwwAuthenticate": format!("Payment {text}") }));
        survives(&json!({ "wwwAuthenticate": format!("Payment id=a,request={}", URL_SAFE_NO_PAD.encode(&bytes)) }));
    }

    #[test]
    fn likely_headers_are_read_or_refused(header in "(Payment |Bearer |[a-z]=|\"|\\\\|,| |=|x){0,40}") {
        survives(&json!({ "wwwAuthenticate": header }));
    }

    /// Rounding never makes a payment cheaper than it is.
    #[test]
    fn amounts_are_never_rounded_down(atomic in "[0-9]{1,38}", decimals in 0usize..=36) {
        let told: u128 = atomic.parse().unwrap();
        let scale = 10u128.pow(u32::try_from(decimals.abs_diff(6)).unwrap());
        let micros = if decimals <= 6 { told.saturating_mul(scale) } else { told.div_ceil(scale) };
        let expected = u64::try_from(micros).ok().map(Amount::from_micros).filter(|amount| *amount <= Amount::MAX);
        prop_assert_eq!(asset::amount(&atomic, decimals), expected);
    }
}
