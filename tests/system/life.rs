//! Starting, stopping, and what keeps a gateway from starting.

use std::{fs, os::unix::fs::PermissionsExt, process::Stdio, time::Duration};

use holdfast::{
    client::{ClientError, ConnectError, RetryOptions, new_authorization_id},
    kernel::Amount,
    wire::request::Authorize,
};
use serde_json::{Value, json};

use crate::{
    gateway::{OPERATOR_KEY, Site, lines},
    payer::{Payer, RECIPIENT, runtime, text},
};

/// A revoked key stops on connections that are open within this time; a busy machine gets some more.
const REVOKED_WITHIN: Duration = Duration::from_secs(3);

fn exit_code(site: &Site) -> (Option<i32>, String) {
    let output = site.serve_command().output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn the_first_start_makes_keys_a_certificate_and_a_demo_agent_that_can_pay() {
    let site = Site::new();
    let gateway = site.start();
    for secret in ["demo.key", "tls/key.pem"] {
        let mode = fs::metadata(site.data_dir().join(secret)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{secret}");
    }
    assert!(!site.data_dir().join("operator.key").exists(), "the operator's key was chosen, so none is written");
    let approved = site.json(&["authorize", "0.05", "--to", "0xFacilitatorAddress", "--service", "api.example.com"]);
    assert_eq!(approved["authorized"], true);
    let captured = site.json(&["capture", &text(&approved, "authorizationId"), "0.03"]);
    assert_eq!(captured["captured"], "0.03");
    let agent = site.json(&["agent", "show", "agt_0000000000000000000000000000de30"]);
    assert_eq!(text(&agent, "name"), "demo");
    assert!(gateway.stop().success());
}

#[test]
fn an_operators_key_is_made_where_none_is_chosen() {
    let site = Site::new();
    let mut child = site.serve_command().env_remove("HOLDFAST_OPERATOR_KEY").stdout(Stdio::piped()).spawn().unwrap();
    let url = format!("http://{}/readyz", site.http_addr);
    while !ureq::get(&url).call().is_ok_and(|response| response.status() == 200) {
        assert!(child.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut list = site.command();
    list.args(["key", "list", "--json", "--url", &format!("http://{}", site.http_addr), "--data-dir"])
        .arg(site.data_dir());
    let output = list.output().unwrap();
    child.kill().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mode = fs::metadata(site.data_dir().join("operator.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let printed = lines(&mut child).join("\n");
    child.wait().unwrap();
    for expected in ["operator.key", "demo.key", "pre-authorize", "authorize 0.05", &site.read("tls/fingerprint")] {
        assert!(printed.contains(expected), "`{expected}` is not in: {printed}");
    }
}

#[test]
fn what_is_known_of_a_payment_is_typed_with_it() {
    let site = Site::new();
    let gateway = site.start();
    let payer = Payer::new(&gateway);
    let rule = json!({ "ruleType": "CARD_ALLOWED_MCCS", "operator": "IN_LIST", "value": "5411", "action": "ALLOW" });
    let policy = json!({ "name": "food", "scope": "assigned", "agentIds": [payer.agent], "rules": [rule] });
    gateway.operator("POST", "/api/policies", &policy);
    let asked = ["authorize", "5", "--to", "shop", "--protocol", "card", "--key", &payer.key];
    let with = |fact: &str| site.run(&[&asked[..], &["--fact", fact, "--json"]].concat());
    assert_eq!(with("merchantCategory=5411").status.code(), Some(0));
    let denied = with("merchantCategory=7995");
    assert_eq!(denied.status.code(), site.run(&asked).status.code(), "what is not known is denied, too");
    assert!(String::from_utf8_lossy(&denied.stdout).contains("CARD_MCC_RESTRICTION"));
    let unknown = with("mcc=5411");
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("`mcc` is not a fact; there are category"));
}

#[test]
fn a_clean_restart_keeps_everything() {
    let site = Site::new();
    let gateway = site.start();
    let payer = Payer::new(&gateway);
    let before = gateway.operator("GET", &format!("/api/agents/{}", payer.agent), &Value::Null);
    let fingerprint = site.read("tls/fingerprint");
    assert!(gateway.stop().success());
    let gateway = site.start();
    assert_eq!(gateway.operator("GET", &format!("/api/agents/{}", payer.agent), &Value::Null), before);
    assert_eq!(site.read("tls/fingerprint"), fingerprint);
    assert!(site.json(&["authorize", "0.05", "--to", "0x1", "--key", &payer.key])["authorized"] == true);
    // The first start is over: no second demo agent's key, no second policy.
    let policies = site.json(&["policy", "list"]);
    assert_eq!(policies["policies"].as_array().unwrap_or_else(|| policies.as_array().unwrap()).len(), 1);
}

#[test]
fn one_process_uses_a_data_directory() {
    let site = Site::new();
    let _gateway = site.start();
    let output = site
        .command()
        .args(["serve", "--quic-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0", "--data-dir"])
        .arg(site.data_dir())
        .output()
        .unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{message}");
    assert!(message.contains("in use"), "{message}");
    let verify = site.run(&["journal", "verify", "--data-dir", site.data_dir().to_str().unwrap()]);
    assert_eq!(verify.status.code(), Some(3));
}

#[test]
fn a_newer_data_directory_is_left_alone() {
    let site = Site::new();
    assert!(site.start().stop().success());
    let rewrite = |version: u16| {
        let database = sled::Config::new().path(site.data_dir().join("journal")).segment_size(1 << 20).open().unwrap();
        let format = database.open_tree("format").unwrap();
        let (key, value) = format.iter().next().unwrap().unwrap();
        format.insert(key, [&version.to_be_bytes(), &value[2..]].concat()).unwrap();
        database.flush().unwrap();
        u16::from_be_bytes([value[0], value[1]])
    };
    let version = rewrite(u16::MAX);
    let (code, message) = exit_code(&site);
    assert_eq!(code, Some(4), "{message}");
    assert!(message.contains("newer"), "{message}");
    rewrite(version);
    assert!(site.start().stop().success());
}

/// The store takes damage for a write that was cut short and drops what follows. Once the verification was content with
/// such a journal, and the gateway went on without payments that it had acknowledged.
#[test]
fn a_journal_that_lost_something_durable_is_refused() {
    let site = Site::new();
    let gateway = site.start();
    let agent = gateway.operator("POST", "/api/agents", &json!({ "name": "the agent that a flipped bit takes away" }));
    assert!(gateway.stop().success());
    let (log, name) = (site.data_dir().join("journal/db"), text(&agent, "name").into_bytes());
    let mut bytes = fs::read(&log).unwrap();
    let places: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(&name)).collect();
    assert!(!places.is_empty());
    places.into_iter().for_each(|at| bytes[at] ^= 1);
    fs::write(&log, bytes).unwrap();

    let verify = site.run(&["journal", "verify"]);
    let message = String::from_utf8_lossy(&verify.stderr).into_owned();
    assert_eq!(verify.status.code(), Some(5), "{message}");
    assert!(message.contains("was durable: the file is damaged or was replaced; restore a backup"), "{message}");
    let (code, message) = exit_code(&site);
    assert_eq!(code, Some(5), "{message}");
    assert!(message.contains("was durable"), "{message}");

    fs::write(site.data_dir().join("journal/anchor"), "not an anchor").unwrap();
    let (code, message) = exit_code(&site);
    assert_eq!(code, Some(5), "{message}");
    assert!(message.contains("anchor` is damaged"), "{message}");
}

#[test]
fn an_address_in_use_is_named() {
    let site = Site::new();
    let _gateway = site.start();
    let other = Site::new();
    let same_http = Site { http_addr: site.http_addr.clone(), ..other };
    let (code, message) = exit_code(&same_http);
    assert_eq!(code, Some(6), "{message}");
    assert!(message.contains(&site.http_addr), "{message}");
    let same_quic = Site { quic_addr: site.quic_addr.clone(), ..Site::new() };
    let (code, message) = exit_code(&same_quic);
    assert_eq!(code, Some(6), "{message}");
    assert!(message.contains(&site.quic_addr), "{message}");
}

#[test]
fn a_wrong_setting_is_wrong_usage() {
    let site = Site::new();
    let output = site.serve_command().env("HOLDFAST_ENGINE__WORKERS", "many").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("engine.workers"));
    let plain = Site { http_addr: "0.0.0.0:0".to_owned(), ..Site::new() };
    let (code, message) = exit_code(&plain);
    assert_eq!(code, Some(2), "{message}");
    assert!(message.contains("allow_plain_http"), "{message}");
    assert!(!site.data_dir().exists(), "nothing is made by a start that cannot be");
}

#[test]
fn a_revoked_key_stops_on_a_live_connection() {
    let site = Site::new();
    let gateway = site.start();
    let payer = Payer::new(&gateway);
    runtime().block_on(async {
        let mut options = payer.options(&site);
        options.retry = RetryOptions { attempts_max: 1, ..options.retry };
        let client = holdfast::client::Client::connect(options).await.unwrap();
        let agent = client.agent().unwrap();
        let ask = async || {
            let payment = Authorize::payment(new_authorization_id(), Amount::from_micros(1), RECIPIENT);
            client.authorize(agent, &payment).await
        };
        assert!(ask().await.is_ok());
        gateway.operator("DELETE", &format!("/api/agents/{}/sdk-keys/{}", payer.agent, payer.key_id), &Value::Null);
        let refused = tokio::time::timeout(REVOKED_WITHIN, async {
            loop {
                if let Err(error) = ask().await {
                    return error;
                }
            }
        });
        let error = refused.await.expect("the key still works");
        let is_refused = match &error {
            ClientError::Refused(reply) => reply.code == "AUTH_FAILED",
            ClientError::Unreachable(cause) => matches!(&**cause, ConnectError::Refused(_) | ConnectError::Lost(_)),
            ClientError::Lost(_) => true,
            ClientError::TimedOut | ClientError::Unexpected(_) | ClientError::TooLarge(_) => false,
        };
        assert!(is_refused, "{error}");
        assert!(ask().await.is_err(), "and it stays so");
    });
    let (status, answer) = gateway.ask(&payer.key, "GET", "/api/sdk/x402/budget", &Value::Null);
    assert_eq!((status, text(&answer["error"], "code")), (401, "AUTH_FAILED".to_owned()));
    let (status, _) = gateway.ask(OPERATOR_KEY, "POST", "/api/agents", &json!({ "name": "still works" }));
    assert_eq!(status / 100, 2);
}
