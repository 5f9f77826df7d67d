//! How does a receiver know that a delivery is ours? By HMAC-SHA256 under the webhook's secret: over the body, in the `X-Conto-*` headers,
//! and over id, time and body, in the headers of Standard Webhooks.

use std::fmt::Write as _;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::kernel::{Timestamp, webhook::SigningSecret};

/// What secrets begin with; the key of Standard Webhooks is the base64 after it.
pub const SECRET_PREFIX: &str = "whsec_";

/// What is signed, and told about it in headers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signed<'a> {
    /// The event's id: the same in every attempt.
    pub(super) id: &'a str,
    /// The event's kind.
    pub(super) event: &'a str,
    /// When the attempt is made.
    pub(super) now: Timestamp,
    /// Which attempt, from 1.
    pub(super) attempt: u32,
    /// The body.
    pub(super) body: &'a str,
}

/// The headers of a delivery.
pub(super) fn headers(signed: Signed<'_>, secret: &SigningSecret) -> [(&'static str, String); 7] {
    let Signed { id, event, now, attempt, body } = signed;
    let seconds = now.micros() / 1_000_000;
    let of_body = mac(secret.expose().as_bytes(), &[body.as_bytes()]);
    let of_all = mac(&standard_key(secret), &[format!("{id}.{seconds}.").as_bytes(), body.as_bytes()]);
    [
        ("X-Conto-Event", event.to_owned()),
        ("X-Conto-Timestamp", now.to_string()),
        ("X-Conto-Signature", hexadecimal(&of_body)),
        ("X-Conto-Delivery-Attempt", attempt.to_string()),
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", seconds.to_string()),
        ("webhook-signature", format!("v1,{}", STANDARD.encode(of_all))),
    ]
}

/// The bytes that the text of the secret stands for; of a secret in another form, its text.
fn standard_key(secret: &SigningSecret) -> Vec<u8> {
    let text = secret.expose();
    let encoded = text.strip_prefix(SECRET_PREFIX).map(|rest| rest.trim_end_matches('='));
    encoded.and_then(|rest| STANDARD_NO_PAD.decode(rest).ok()).unwrap_or_else(|| text.as_bytes().to_vec())
}

fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // A text takes everything.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(headers: &[(&'static str, String)], name: &str) -> String {
        headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone()).unwrap()
    }

    /// The vector that the specification of Standard Webhooks gives.
    #[test]
    fn the_standard_signature_is_that_of_the_specification() {
        let secret = SigningSecret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let signed = Signed {
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
            event: "test",
            now: Timestamp::from_micros(1_614_265_330_000_000),
            attempt: 1,
            body: r#"{"test": 2432232314}"#,
        };
        let headers = headers(signed, &secret);
        assert_eq!(header(&headers, "webhook-signature"), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(header(&headers, "webhook-timestamp"), "1614265330");
    }

    /// The second vector of RFC 4231.
    #[test]
    fn the_plain_signature_is_the_hmac_of_the_body_under_the_secret_as_it_is_written() {
        let signed = Signed {
            id: "0-1-0",
            event: "payment.approved",
            now: Timestamp::from_micros(1_795_176_000_000_000),
            attempt: 3,
            body: "what do ya want for nothing?",
        };
        let headers = headers(signed, &SigningSecret::new("Jefe"));
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(header(&headers, "X-Conto-Signature"), expected);
        assert_eq!(header(&headers, "X-Conto-Event"), "payment.approved");
        assert_eq!(header(&headers, "X-Conto-Delivery-Attempt"), "3");
        assert_eq!(header(&headers, "X-Conto-Timestamp"), "2026-11-20T12:00:00.000Z");
        assert_eq!(header(&headers, "webhook-id"), "0-1-0");
    }
}
