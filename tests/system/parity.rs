//! One table of cases, four ways to ask: over QUIC, over REST, as a language model over HTTP, and as one over standard input and output. Each asks
//! for an agent of its own under the same rules, and must be told the same.

mod case;

use holdfast::{
    client::{Client as QuicClient, ClientError, Decision, new_authorization_id},
    kernel::{Amount, AuthorizationId, Facts, Protocol, facts::Split, request::Intent},
    wire::{
        Handle,
        reply::Measure,
        request::{Authorize, Record},
    },
};
use rmcp::ClientLifecycleMode;
use serde_json::{Map, Value, json};

use crate::{
    gateway::{Gateway, Site},
    mcp::{self, Client as McpClient},
    payer::{Payer, runtime, text},
};

use case::{
    CASES, Case, Known, Payment,
    Step::{self, Ask, Look, Tell},
};

/// What one way of asking keeps between steps: the holds, by the place of their question.
#[derive(Default)]
struct Holds(Vec<Option<AuthorizationId>>);

impl Holds {
    /// A hold that was given, or one that nobody knows.
    fn at(&self, place: usize) -> AuthorizationId {
        self.0.get(place).copied().flatten().unwrap_or(AuthorizationId(1))
    }
}

/// A way to ask.
enum Way<'s> {
    Quic(Box<QuicClient>, Handle),
    Rest(&'s Gateway<'s>, String),
    Mcp(McpClient),
}

impl Way<'_> {
    async fn told(&self, step: Step, holds: &mut Holds) -> String {
        let told = match self {
            Way::Quic(client, agent) => over_quic(client, *agent, step, holds).await,
            Way::Rest(gateway, key) => over_json(step, holds, async |question| over_rest(gateway, key, question)).await,
            Way::Mcp(client) => over_json(step, holds, async |question| over_mcp(client, question).await).await,
        };
        told.unwrap_or_else(|code| format!("refused: {code}"))
    }
}

async fn over_quic(client: &QuicClient, agent: Handle, step: Step, holds: &mut Holds) -> Result<String, String> {
    match step {
        Ask(asked) => {
            let id = new_authorization_id();
            holds.0.push(Some(id));
            let request = Authorize {
                protocol: asked.protocol,
                service: asked.service,
                session: asked.session,
                intent: if asked.opens_session { Intent::Session { duration: None } } else { Intent::Charge },
                facts: facts(&asked.known),
                ..Authorize::payment(id, amount(asked.amount), asked.recipient)
            };
            Ok(match client.authorize(agent, &request).await.map_err(code)? {
                Decision::Approved(approved) => format!("approved, {} left", written(approved.remaining)),
                Decision::Denied(denied) => {
                    let one = |one: &holdfast::wire::reply::Violation| {
                        (one.code.clone(), measured(one.limit), measured(one.current))
                    };
                    denial(denied.violations.iter().map(one))
                }
                Decision::ApprovalRequired(waiting) => {
                    let about = waiting.about.iter().map(|one| one.code.clone()).collect::<Vec<_>>();
                    format!("waits: {}", about.join(", "))
                }
            })
        }
        Tell(report) => {
            let record = Record {
                authorization: report.hold.map(|place| holds.at(place)),
                amount: amount(report.amount),
                protocol: report.protocol,
                recipient: report.recipient,
                service: report.service,
                resource: "",
                session: "",
                wallet: "",
                payment_id: report.payment_id,
                transaction: "",
                calls: 1,
            };
            let recorded = client.record(agent, &record).await.map_err(code)?;
            let booking = format!("{:?}", recorded.booking).to_lowercase();
            Ok(format!("{booking}, overage {}", recorded.overage))
        }
        Look(place) => {
            let hold = client.authorization(agent, holds.at(place)).await.map_err(code)?;
            Ok(format!("{}, {} of {}", format!("{:?}", hold.status).to_uppercase(), hold.captured, hold.amount))
        }
    }
}

/// What is asked in JSON: the tool, its arguments, and the rail.
struct Question {
    tool: &'static str,
    protocol: Protocol,
    arguments: Map<String, Value>,
}

async fn over_json(
    step: Step,
    holds: &mut Holds,
    ask: impl AsyncFnOnce(Question) -> Result<Value, String>,
) -> Result<String, String> {
    match step {
        Ask(asked) => {
            let answer = ask(asked.question()).await;
            let id = answer.as_ref().ok().and_then(|answer| answer["authorizationId"].as_str()?.parse().ok());
            holds.0.push(id);
            let answer = answer?;
            if answer["authorized"] == true || answer["approved"] == true {
                return Ok(format!("approved, {} left", number(&answer["remaining"])));
            }
            if answer["status"] == "REQUIRES_APPROVAL" {
                let about = answer["violations"].as_array().unwrap().iter().map(|one| text(one, "type"));
                return Ok(format!("waits: {}", about.collect::<Vec<_>>().join(", ")));
            }
            let one = |one: &Value| (text(one, "type"), number(&one["limit"]), number(&one["current"]));
            Ok(denial(answer["violations"].as_array().unwrap().iter().map(one)))
        }
        Tell(report) => {
            let mut body = json!({ "amount": report.amount, "recipientAddress": report.recipient, "serviceDomain": report.service,
                "paymentId": report.payment_id });
            if let Some(place) = report.hold {
                body["authorizationId"] = json!(holds.at(place).to_string());
            }
            let answer = ask(question("record_payment", report.protocol, body)).await?;
            let overage = answer.get("overage").map_or_else(|| Amount::ZERO.to_string(), number);
            Ok(format!("{}, overage {overage}", text(&answer, "booking")))
        }
        Look(place) => {
            let body = json!({ "authorizationId": holds.at(place).to_string() });
            let answer = ask(question("check_payment_status", Protocol::X402, body)).await?;
            Ok(format!("{}, {} of {}", text(&answer, "status"), number(&answer["captured"]), number(&answer["amount"])))
        }
    }
}

impl Payment {
    fn question(&self) -> Question {
        let known = &self.known;
        let mut body = json!({ "amount": self.amount, "category": known.category, "country": known.country, "trustScore": known.trust_score,
            "counterpartyStatus": known.counterparty_status, "targetContractAddress": known.contract, "method": known.method,
            "sessionIntent": known.session_intent, "merchantCategory": known.merchant_category_code, "merchantName": known.merchant });
        if known.trust_score.is_empty() {
            body["trustScore"] = Value::Null;
        }
        if !known.other.is_empty() {
            body["splits"] = json!([{ "recipientAddress": known.other, "amount": "0.01" }]);
        }
        if self.opens_session {
            body["intent"] = json!("session");
        }
        if self.protocol == Protocol::Card {
            return question("approve_card_payment", self.protocol, body);
        }
        body["recipientAddress"] = json!(self.recipient);
        body["serviceDomain"] = json!(self.service);
        body["sessionId"] = json!(self.session);
        question("pre_authorize_payment", self.protocol, body)
    }
}

/// The same for a program that speaks the binary protocol.
fn facts(known: &Known) -> Option<Box<Facts<'static>>> {
    let splits = (!known.other.is_empty()).then(|| Split { recipient: known.other, amount: amount("0.01") });
    let trust_score = (!known.trust_score.is_empty()).then(|| amount(known.trust_score).micros() / 10_000);
    let facts = Facts {
        category: known.category,
        country: known.country,
        trust_score: trust_score.map(|score| score.try_into().unwrap()),
        counterparty_status: known.counterparty_status,
        contract: known.contract,
        method: known.method,
        session_intent: known.session_intent,
        merchant_category_code: known.merchant_category_code,
        merchant: known.merchant,
        splits: splits.into_iter().collect(),
        ..Facts::default()
    };
    (facts != Facts::default()).then(|| Box::new(facts))
}

fn question(tool: &'static str, protocol: Protocol, arguments: Value) -> Question {
    let Value::Object(arguments) = arguments else { panic!("no object") };
    Question { tool, protocol, arguments }
}

fn over_rest(gateway: &Gateway<'_>, key: &str, question: Question) -> Result<Value, String> {
    let rail = question.protocol.word();
    let (method, path) = match question.tool {
        "pre_authorize_payment" => ("POST", format!("/api/sdk/{rail}/pre-authorize")),
        "record_payment" => ("POST", format!("/api/sdk/{rail}/record")),
        "approve_card_payment" => ("POST", "/api/sdk/cards/approve".to_owned()),
        _ => ("GET", format!("/api/sdk/authorizations/{}", question.arguments["authorizationId"].as_str().unwrap())),
    };
    let body = if method == "GET" { Value::Null } else { Value::Object(question.arguments) };
    let (status, answer) = gateway.ask(key, method, &path, &body);
    if status < 300 { Ok(answer) } else { Err(text(&answer["error"], "code")) }
}

async fn over_mcp(client: &McpClient, question: Question) -> Result<Value, String> {
    let mut arguments = question.arguments;
    if matches!(question.tool, "pre_authorize_payment" | "record_payment") {
        arguments.insert("protocol".to_owned(), json!(question.protocol.word()));
    }
    let result = mcp::call(client, question.tool, Value::Object(arguments)).await;
    let body = result.structured_content.unwrap();
    if result.is_error == Some(true) { Err(text(&body["error"], "code")) } else { Ok(body) }
}

fn denial(violations: impl Iterator<Item = (String, String, String)>) -> String {
    let violations = violations.map(|(code, limit, current)| format!("{code} {limit}/{current}"));
    format!("denied: {}", violations.collect::<Vec<_>>().join(", "))
}

fn code(error: ClientError) -> String {
    match error {
        ClientError::Refused(reply) => reply.code,
        other => panic!("{other}"),
    }
}

fn amount(text: &str) -> Amount {
    Amount::parse(text).unwrap()
}

fn written(amount: Option<Amount>) -> String {
    amount.map_or_else(|| "-".to_owned(), |amount| amount.to_string())
}

/// JSON does not say whether a number is money or a count, so all are written as money.
fn number(value: &Value) -> String {
    written((!value.is_null()).then(|| amount(&value.to_string())))
}

fn measured(measure: Measure) -> String {
    written(match measure {
        Measure::None => None,
        Measure::Money(amount) => Some(amount),
        Measure::Count(count) => Some(Amount::from_units(count.try_into().unwrap())),
        Measure::Time(time) => Some(Amount::from_units(time.as_secs().try_into().unwrap())),
        Measure::Score(score) => Some(Amount::from_micros(u64::from(score) * 10_000)),
    })
}

fn payer(gateway: &Gateway<'_>, case: &Case) -> Payer {
    let scopes = json!({ "name": "all rails", "scopes": ["payments:request", "payments:approve", "transactions:read", "transactions:write"] });
    let payer = Payer::with_key(gateway, Payer::new(gateway).agent, &scopes);
    let action = |kind: &str| match kind {
        "REQUIRE_APPROVAL_ABOVE" => "REQUIRE_APPROVAL",
        "COMPOSITE" => "DENY",
        _ => "ALLOW",
    };
    let rule = |(kind, operator, value): &(&str, &str, &str)| json!({ "ruleType": kind, "operator": operator, "value": value, "action": action(kind) });
    let rules: Vec<Value> = case.rules.iter().map(rule).collect();
    let policy = json!({ "name": case.name, "scope": "assigned", "agentIds": [payer.agent], "rules": rules });
    gateway.operator("POST", "/api/policies", &policy);
    payer
}

#[test]
fn the_same_cases_get_the_same_decisions_whoever_is_asked() {
    let site = Site::new();
    let gateway = site.start();
    let runtime = runtime();
    let mut wrong = Vec::new();
    for case in CASES {
        for name in ["QUIC", "REST", "MCP over HTTP", "MCP over stdio"] {
            let payer = payer(&gateway, case);
            runtime.block_on(async {
                let way = match name {
                    "QUIC" => {
                        let (client, agent) = payer.connect(&site).await;
                        Way::Quic(Box::new(client), agent)
                    }
                    "REST" => Way::Rest(&gateway, payer.key.clone()),
                    "MCP over HTTP" => {
                        Way::Mcp(mcp::over_http(&site, &payer.key, ClientLifecycleMode::Initialize).await)
                    }
                    _ => Way::Mcp(mcp::over_stdio(&site, &payer.key, ClientLifecycleMode::Initialize).await),
                };
                let mut holds = Holds::default();
                for (index, (step, expected)) in case.steps.iter().enumerate() {
                    let told = way.told(*step, &mut holds).await;
                    if told != *expected {
                        wrong.push(format!("{}, step {index}, {name}: {told}; expected {expected}", case.name));
                    }
                }
            });
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
