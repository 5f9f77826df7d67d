//! One table of cases, four ways to ask: over QUIC, over REST, as a language model over HTTP, and as one over standard input and output. Each asks
//! for an agent of its own under the same rules, and must be told the same.

use holdfast::{
    client::{Client as QuicClient, ClientError, Decision, new_authorization_id},
    kernel::{Amount, AuthorizationId, Facts, Protocol, request::Intent},
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

/// A payment as it is asked for.
#[derive(Clone, Copy)]
struct Payment {
    protocol: Protocol,
    amount: &'static str,
    recipient: &'static str,
    service: &'static str,
    session: &'static str,
    opens_session: bool,
    country: &'static str,
}

/// A report of a payment.
#[derive(Clone, Copy)]
struct Report {
    protocol: Protocol,
    amount: &'static str,
    recipient: &'static str,
    service: &'static str,
    /// The place of the question that it was approved by, among all of the case.
    hold: Option<usize>,
    payment_id: &'static str,
}

#[derive(Clone, Copy)]
enum Step {
    Ask(Payment),
    Tell(Report),
    /// Looks at the hold of that place.
    Look(usize),
}

use Step::{Ask, Look, Tell};

/// Rules of the agent, and steps with what each is told.
struct Case {
    name: &'static str,
    rules: &'static [(&'static str, &'static str, &'static str)],
    steps: &'static [(Step, &'static str)],
}

const SMALL: Payment = Payment {
    protocol: Protocol::X402,
    amount: "0.05",
    recipient: "0xA",
    service: "api.example.com",
    session: "",
    opens_session: false,
    country: "",
};
const PAID: Report = Report {
    protocol: Protocol::X402,
    amount: "0.04",
    recipient: "0xA",
    service: "api.example.com",
    hold: None,
    payment_id: "",
};

const fn cost(amount: &'static str) -> Step {
    Ask(Payment { amount, ..SMALL })
}

const CASES: &[Case] = &[
    Case {
        name: "a payment is held, captured, and known",
        rules: &[("DAILY_LIMIT", "LTE", "2")],
        steps: &[
            (cost("0.05"), "approved, 1.95 left"),
            (Look(0), "OPEN, 0.00 of 0.05"),
            (Tell(Report { hold: Some(0), payment_id: "p1", ..PAID }), "matched, overage 0.00"),
            (Tell(Report { hold: Some(0), payment_id: "p1", ..PAID }), "duplicate, overage 0.00"),
            (Look(0), "CAPTURED, 0.04 of 0.05"),
            (cost("1.96"), "approved, 0.00 left"),
            (cost("0.000001"), "denied: DAILY_LIMIT 2.00/2.000001"),
        ],
    },
    Case {
        name: "a cap is reached to the millionth, and not passed",
        rules: &[("MAX_AMOUNT", "LTE", "0.5"), ("X402_PRICE_CEILING", "LTE", "0.25")],
        steps: &[
            (cost("0.25"), "approved, 999.75 left"),
            (cost("0.250001"), "denied: X402_PRICE_CEILING 0.25/0.250001"),
            (cost("0.500001"), "denied: PER_TX_LIMIT 0.50/0.500001, X402_PRICE_CEILING 0.25/0.500001"),
            (Ask(Payment { protocol: Protocol::Mpp, amount: "0.5", ..SMALL }), "approved, 999.25 left"),
        ],
    },
    Case {
        name: "lists of services and payees",
        rules: &[
            ("X402_BLOCKED_SERVICES", "IN_LIST", "[\"bad.example\"]"),
            ("BLOCKED_COUNTERPARTIES", "IN_LIST", "[\"0xEvil\"]"),
        ],
        steps: &[
            (cost("1"), "approved, 999.00 left"),
            (Ask(Payment { service: "bad.example", ..SMALL }), "denied: X402_SERVICE_BLOCKED -/-"),
            (Ask(Payment { recipient: "0xEvil", ..SMALL }), "denied: BLOCKED_COUNTERPARTY -/-"),
        ],
    },
    Case {
        name: "a session spends its deposit",
        rules: &[("MPP_SESSION_BUDGET", "LTE", "3")],
        steps: &[
            (
                Ask(Payment { protocol: Protocol::Mpp, amount: "3.01", session: "s", opens_session: true, ..SMALL }),
                "denied: MPP_SESSION_BUDGET 3.00/3.01",
            ),
            (
                Ask(Payment { protocol: Protocol::Mpp, amount: "2", session: "s", opens_session: true, ..SMALL }),
                "approved, 1.00 left",
            ),
        ],
    },
    Case {
        name: "what people must approve waits and holds its money",
        rules: &[("REQUIRE_APPROVAL_ABOVE", "GT", "0.5")],
        steps: &[
            (cost("0.5"), "approved, 999.50 left"),
            (cost("0.500001"), "waits: REQUIRE_APPROVAL_ABOVE"),
            (cost("0.1"), "approved, 998.899999 left"),
        ],
    },
    Case {
        name: "how often",
        rules: &[("VELOCITY_LIMIT", "LTE", "{\"maxCount\":2,\"period\":\"DAY\"}")],
        steps: &[
            (cost("1"), "approved, 999.00 left"),
            (cost("1"), "approved, 998.00 left"),
            (cost("1"), "denied: VELOCITY_LIMIT 2.00/3.00"),
        ],
    },
    Case {
        name: "what was paid without being asked for is booked",
        rules: &[("DAILY_LIMIT", "LTE", "1")],
        steps: &[
            (Tell(Report { amount: "0.75", payment_id: "q", ..PAID }), "unauthorized, overage 0.75"),
            (cost("0.5"), "denied: DAILY_LIMIT 1.00/1.25"),
            (cost("0.25"), "approved, 0.00 left"),
        ],
    },
    Case {
        name: "what is no payment is refused",
        rules: &[],
        steps: &[
            (cost("0"), "refused: INVALID_AMOUNT"),
            (Ask(Payment { recipient: "", ..SMALL }), "refused: VALIDATION_ERROR"),
            (Tell(Report { amount: "0", ..PAID }), "refused: INVALID_AMOUNT"),
            (Look(0), "refused: NOT_FOUND"),
        ],
    },
];

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
            let facts = Facts { country: asked.country, ..Facts::default() };
            let request = Authorize {
                protocol: asked.protocol,
                service: asked.service,
                session: asked.session,
                intent: if asked.opens_session { Intent::Session { duration: None } } else { Intent::Charge },
                facts: (!asked.country.is_empty()).then(|| Box::new(facts)),
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
            let mut body = json!({ "amount": asked.amount, "recipientAddress": asked.recipient, "serviceDomain": asked.service,
                "sessionId": asked.session, "country": asked.country });
            if asked.opens_session {
                body["intent"] = json!("session");
            }
            let answer = ask(question("pre_authorize_payment", asked.protocol, body)).await;
            let id = answer.as_ref().ok().and_then(|answer| answer["authorizationId"].as_str()?.parse().ok());
            holds.0.push(id);
            let answer = answer?;
            if answer["authorized"] == true {
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

fn question(tool: &'static str, protocol: Protocol, arguments: Value) -> Question {
    let Value::Object(arguments) = arguments else { panic!("no object") };
    Question { tool, protocol, arguments }
}

fn over_rest(gateway: &Gateway<'_>, key: &str, question: Question) -> Result<Value, String> {
    let rail = question.protocol.word();
    let (method, path) = match question.tool {
        "pre_authorize_payment" => ("POST", format!("/api/sdk/{rail}/pre-authorize")),
        "record_payment" => ("POST", format!("/api/sdk/{rail}/record")),
        _ => ("GET", format!("/api/sdk/authorizations/{}", question.arguments["authorizationId"].as_str().unwrap())),
    };
    let body = if method == "GET" { Value::Null } else { Value::Object(question.arguments) };
    let (status, answer) = gateway.ask(key, method, &path, &body);
    if status < 300 { Ok(answer) } else { Err(text(&answer["error"], "code")) }
}

async fn over_mcp(client: &McpClient, question: Question) -> Result<Value, String> {
    let mut arguments = question.arguments;
    if question.tool != "check_payment_status" {
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
    let payer = Payer::new(gateway);
    let action = |kind: &str| if kind == "REQUIRE_APPROVAL_ABOVE" { "REQUIRE_APPROVAL" } else { "ALLOW" };
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
