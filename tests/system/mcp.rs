//! Language models: a client of the Model Context Protocol, over HTTP and as the parent of `holdfast mcp`, in both of the protocol's ways to begin.

use std::collections::BTreeSet;

use rmcp::{
    ClientLifecycleMode, ClientServiceExt, RoleClient,
    model::{CallToolRequestParams, CallToolResult, ClientConfig, ProtocolVersion},
    service::RunningService,
    transport::{
        StreamableHttpClientTransport, TokioChildProcess, streamable_http_client::StreamableHttpClientTransportConfig,
    },
};
use serde_json::{Value, json};

use crate::{
    gateway::{Gateway, OPERATOR_KEY, Site},
    payer::{Payer, runtime, text},
};

/// A client that is connected.
pub(crate) type Client = RunningService<RoleClient, ClientConfig>;

/// How a client begins: with the handshake of older releases of the protocol, or without any.
pub(crate) fn beginnings() -> [ClientLifecycleMode; 2] {
    [
        ClientLifecycleMode::Initialize,
        ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] },
    ]
}

pub(crate) async fn over_http(site: &Site, key: &str, beginning: ClientLifecycleMode) -> Client {
    let mut config = StreamableHttpClientTransportConfig::with_uri(format!("http://{}/mcp", site.http_addr));
    config.auth_header = Some(key.to_owned());
    let transport = StreamableHttpClientTransport::from_config(config);
    ClientConfig::default().serve_with_lifecycle(transport, beginning).await.unwrap()
}

pub(crate) async fn over_stdio(site: &Site, key: &str, beginning: ClientLifecycleMode) -> Client {
    let mut command = tokio::process::Command::from(site.command());
    command.arg("mcp").env("HOLDFAST_URL", format!("http://{}", site.http_addr)).env("HOLDFAST_KEY", key);
    let transport = TokioChildProcess::new(command).unwrap();
    ClientConfig::default().serve_with_lifecycle(transport, beginning).await.unwrap()
}

pub(crate) async fn call(client: &Client, tool: &'static str, arguments: Value) -> CallToolResult {
    let Value::Object(arguments) = arguments else { panic!("no object") };
    client.call_tool(CallToolRequestParams::new(tool).with_arguments(arguments)).await.unwrap()
}

/// The words of an answer.
pub(crate) fn words(result: &CallToolResult) -> String {
    result.content.iter().filter_map(|block| block.as_text()).map(|block| block.text.as_str()).collect()
}

async fn answered(client: &Client, tool: &'static str, arguments: Value) -> Value {
    let result = call(client, tool, arguments).await;
    assert_eq!(result.is_error, Some(false), "{tool}: {}", words(&result));
    assert_eq!(serde_json::from_str::<Value>(&words(&result)).ok(), result.structured_content, "{tool}");
    result.structured_content.unwrap()
}

async fn refused(client: &Client, tool: &'static str, arguments: Value, code: &str) {
    let result = call(client, tool, arguments).await;
    assert_eq!(result.is_error, Some(true), "{tool}: {}", words(&result));
    assert!(words(&result).starts_with(&format!("{code}: ")), "{tool}: {}", words(&result));
    assert_eq!(result.structured_content.unwrap()["error"]["code"], code, "{tool}");
}

/// A payment outside the rails: asked for, denied with its reasons, and executed by none but whose key may.
async fn transfers(client: &Client) {
    let transfer = |amount: &str| json!({ "amount": amount, "recipientAddress": format!("0x{:040}", 1) });
    let approved = answered(client, "request_payment", transfer("0.01")).await;
    assert_eq!(approved["status"], "APPROVED");
    refused(client, "execute_payment", json!({ "requestId": approved["requestId"] }), "INSUFFICIENT_SCOPE").await;
    let denied = call(client, "request_payment", transfer("100000")).await;
    let told = denied.structured_content.clone().unwrap();
    assert_eq!((denied.is_error, &told["status"]), (Some(true), &json!("DENIED")));
    for reason in told["reasons"].as_array().unwrap() {
        assert!(words(&denied).contains(reason.as_str().unwrap()), "{}", words(&denied));
    }
}

/// A payment from the question to the books, and what goes wrong on the way.
async fn pays(client: &Client, payer: &Payer) {
    let listed = client.list_all_tools().await.unwrap();
    let names: BTreeSet<&str> = listed.iter().map(|tool| &*tool.name).collect();
    for name in ["pre_authorize_payment", "record_payment", "get_budget", "check_payment_status", "list_services"] {
        assert!(names.contains(name), "{name} is not offered: {names:?}");
    }
    assert!(listed.iter().all(|tool| tool.input_schema["type"] == "object" && tool.description.is_some()));

    let before = answered(client, "get_budget", json!({})).await;
    let asked = json!({ "amount": 0.05, "recipientAddress": "0xA", "resourceUrl": "https://api.example.com/data" });
    let approved = answered(client, "pre_authorize_payment", asked).await;
    assert_eq!(approved["authorized"], true, "{approved}");
    let id = text(&approved, "authorizationId");
    let held = answered(client, "check_payment_status", json!({ "authorizationId": id })).await;
    assert_eq!((text(&held, "status"), &held["amount"]), ("OPEN".to_owned(), &json!(0.05)));
    let paid = json!({ "amount": "0.04", "recipientAddress": "0xA", "resourceUrl": "https://api.example.com/data",
        "authorizationId": id, "transactionHash": "0xabc", "paymentId": id });
    assert_eq!(answered(client, "record_payment", paid.clone()).await["booking"], "matched");
    assert_eq!(answered(client, "record_payment", paid).await["status"], "duplicate");
    let after = answered(client, "get_budget", json!({ "protocol": "x402" })).await;
    assert_eq!(after["calls"].as_u64(), before["calls"].as_u64().map(|calls| calls + 1));
    let services = answered(client, "list_services", json!({ "protocol": "x402" })).await;
    assert_eq!(services["services"][0]["serviceDomain"], "api.example.com");

    let too_much =
        json!({ "protocol": "mpp", "amount": "5.00", "recipientAddress": "0xA", "resourceUrl": "https://a.example" });
    let denied = answered(client, "pre_authorize_payment", too_much).await;
    assert_eq!((&denied["authorized"], &denied["violations"][0]["type"]), (&json!(false), &json!("PER_TX_LIMIT")));

    let many = json!(
        [0.05, 5.0].map(|amount| json!({ "amount": amount, "recipientAddress": "0xA", "serviceDomain": "a.example" }))
    );
    let simulated = answered(client, "simulate_policy", json!({ "requests": many })).await;
    let decided: Vec<&Value> = simulated["results"].as_array().unwrap().iter().map(|one| &one["authorized"]).collect();
    assert_eq!(decided, [true, false], "{simulated}");

    let wish = json!({ "amount": 50, "purpose": "research" });
    let wished = answered(client, "request_budget", wish.clone()).await;
    assert_eq!(wished["status"], "PENDING", "{wished}");
    refused(client, "request_budget", wish, "BUDGET_REQUEST_EXISTS").await;
    let found = answered(client, "get_budget_request", json!({ "budgetRequestId": wished["id"] })).await;
    assert_eq!(found["budgetRequests"][0]["id"], wished["id"], "{found}");

    refused(client, "pre_authorize_payment", json!({ "amount": 1 }), "VALIDATION_ERROR").await;
    transfers(client).await;
    refused(client, "pre_authorize_payment", json!({ "amount": 1e30, "recipientAddress": "0xA" }), "VALIDATION_ERROR")
        .await;
    refused(client, "check_payment_status", json!({ "authorizationId": "../agents" }), "VALIDATION_ERROR").await;
    refused(client, "get_budget", json!({ "agentId": "agt_00000000000000000000000000000001" }), "INSUFFICIENT_SCOPE")
        .await;
    let unknown = client.call_tool(CallToolRequestParams::new("rob_bank")).await.unwrap_err().to_string();
    assert!(unknown.contains("pre_authorize_payment") && !unknown.contains(&payer.key), "{unknown}");
}

fn payer(gateway: &Gateway<'_>) -> Payer {
    let payer = Payer::new(gateway);
    payer.limit(gateway, "MAX_AMOUNT", "2");
    payer
}

#[test]
fn a_model_pays_over_http() {
    let site = Site::new();
    let gateway = site.start();
    for beginning in beginnings() {
        let payer = payer(&gateway);
        runtime().block_on(async {
            let client = over_http(&site, &payer.key, beginning).await;
            pays(&client, &payer).await;
            client.cancel().await.unwrap();
        });
    }
}

#[test]
fn a_model_pays_over_standard_input_and_output() {
    let site = Site::new();
    let gateway = site.start();
    for beginning in beginnings() {
        let payer = payer(&gateway);
        runtime().block_on(async {
            let client = over_stdio(&site, &payer.key, beginning).await;
            pays(&client, &payer).await;
            client.cancel().await.unwrap();
        });
    }
}

#[test]
fn a_gateway_that_is_away_is_named_with_the_next_step() {
    let site = Site::new();
    runtime().block_on(async {
        let client = over_stdio(&site, "holdfast_agent_secret", ClientLifecycleMode::Initialize).await;
        let result = call(&client, "get_budget", json!({})).await;
        let told = words(&result);
        assert_eq!(result.is_error, Some(true));
        assert!(told.contains("is it running?") && !told.contains("holdfast_agent_secret"), "{told}");
        client.cancel().await.unwrap();
    });
}

#[test]
fn the_command_takes_no_key_that_is_not_meant_for_it() {
    let site = Site::new();
    let output = site.command().arg("mcp").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--key-file"));
}

/// Over HTTP: no key, a dead key, a foreign host and a web page get nothing.
#[test]
fn strangers_are_told_nothing() {
    let site = Site::new();
    let gateway = site.start();
    let url = format!("http://{}/mcp", site.http_addr);
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {} }).to_string();
    let ask = |headers: &[(&str, &str)]| {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut request = ureq::http::Request::builder().method("POST").uri(&url);
        request =
            request.header("content-type", "application/json").header("accept", "application/json, text/event-stream");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = agent.run(request.body(list.clone()).unwrap()).unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        (response.status().as_u16(), text)
    };
    let bearer = format!("Bearer {OPERATOR_KEY}");
    let known = ("authorization", bearer.as_str());
    assert_eq!(ask(&[known]).0, 200);
    for (headers, status) in [
        (vec![], 401),
        (vec![("authorization", "Bearer nobody")], 401),
        (vec![known, ("host", "evil.example")], 403),
        (vec![known, ("origin", "https://evil.example")], 403),
        (vec![known, ("origin", "null")], 403),
    ] {
        let (found, text) = ask(&headers);
        assert_eq!(found, status, "{headers:?}: {text}");
        assert!(!text.contains("pre_authorize_payment"), "{headers:?}");
    }
    drop(gateway);
}
