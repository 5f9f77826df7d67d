//! An agent under test: made by the operator, asking over QUIC.

use std::time::Duration;

use holdfast::{
    client::{Client, ClientOptions, Decision, RetryOptions, Trust},
    kernel::{Amount, AuthorizationId, Protocol},
    wire::{Handle, request::Authorize},
};
use serde_json::{Value, json};

use crate::gateway::{Gateway, Site};

/// The longest that a request may take, with a restart of the gateway in between.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

pub(crate) const SERVICE: &str = "api.example.com";
pub(crate) const RECIPIENT: &str = "0xRecipient";

/// An agent with a wallet and a key.
pub(crate) struct Payer {
    pub(crate) agent: String,
    pub(crate) key: String,
    pub(crate) key_id: String,
}

impl Payer {
    pub(crate) fn new(gateway: &Gateway<'_>) -> Payer {
        let agent = text(&gateway.operator("POST", "/api/agents", &json!({ "name": "payer" })), "id");
        let wallet = json!({ "id": "wal_1", "address": "0xWallet", "chainId": "8453", "balance": "1000.00" });
        gateway.operator("POST", &format!("/api/agents/{agent}/wallets"), &wallet);
        Payer::with_key(gateway, agent, &json!({ "name": "test" }))
    }

    /// The agent with one more key.
    pub(crate) fn with_key(gateway: &Gateway<'_>, agent: String, key: &Value) -> Payer {
        let issued = gateway.operator("POST", &format!("/api/agents/{agent}/sdk-keys"), key);
        Payer { key: text(&issued, "key"), key_id: text(&issued, "id"), agent }
    }

    /// Puts a policy with one rule in force for this agent alone.
    pub(crate) fn limit(&self, gateway: &Gateway<'_>, rule_type: &str, value: &str) {
        let rule = json!({ "ruleType": rule_type, "operator": "LTE", "value": value, "action": "ALLOW" });
        let policy = json!({
            "name": rule_type, "policyType": "SPEND_LIMIT", "scope": "assigned", "agentIds": [self.agent], "rules": [rule],
        });
        gateway.operator("POST", "/api/policies", &policy);
    }

    /// Asks again, with the same id, until there is an answer: the gateway may be away for a while.
    pub(crate) fn options(&self, site: &Site) -> ClientOptions {
        let fingerprint = site.read("tls/fingerprint").parse().unwrap();
        let mut options =
            ClientOptions::new(site.quic_addr.parse().unwrap(), Trust::Fingerprint(fingerprint), self.key.clone());
        options.timeout = ANSWER_WITHIN;
        options.retry = RetryOptions {
            attempts_max: 10_000,
            pause_min: Duration::from_millis(5),
            pause_max: Duration::from_millis(100),
        };
        options
    }

    pub(crate) async fn connect(&self, site: &Site) -> (Client, Handle) {
        let client = Client::connect(self.options(site)).await.unwrap();
        let handle = client.agent().unwrap();
        (client, handle)
    }
}

/// Asks for one micropayment in a session; whether it may happen.
pub(crate) async fn authorize(client: &Client, agent: Handle, id: AuthorizationId, session: &str) -> bool {
    let request = Authorize {
        protocol: Protocol::X402,
        service: SERVICE,
        session,
        ..Authorize::payment(id, Amount::from_micros(10_000), RECIPIENT)
    };
    match client.authorize(agent, &request).await.unwrap() {
        Decision::Approved(_) => true,
        Decision::Denied(_) | Decision::ApprovalRequired(_) => false,
    }
}

pub(crate) fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("no `{field}` in {value}")).to_owned()
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}
