//! `holdfast authorize`: may this payment happen? If so, its money is held.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::{
    CliError,
    exit::{DENIED, SUCCESS},
    facts,
    output::{Output, print},
    quic::PayerArgs,
};
use crate::{
    client::{Decision, new_authorization_id},
    kernel::{Amount, AuthorizationId, Duration, Protocol, policy::service::host_of_url, request::Intent},
    wire::{
        reply::{ApprovalRequired, Approved, Denied, Measure},
        request::Authorize,
    },
};

/// The payment to be.
#[derive(Args, Debug)]
pub(super) struct AuthorizeArgs {
    /// What it may cost at most, such as 0.05
    #[arg(value_parser = Amount::parse)]
    amount: Amount,
    /// Who gets the money
    #[arg(long)]
    to: String,
    /// What is bought, a URL
    #[arg(long, default_value = "")]
    resource: String,
    /// The domain of the paid service [default: the host of --resource]
    #[arg(long)]
    service: Option<String>,
    /// Through which protocol [default: x402 for a service, else a plain payment]
    #[arg(long)]
    protocol: Option<Rail>,
    /// The session that it belongs to
    #[arg(long, default_value = "")]
    session: String,
    /// Hold the deposit of an MPP session instead of a payment
    #[arg(long, requires = "protocol")]
    deposit: bool,
    /// Which of the agent's wallets pays [default: the first that may]
    #[arg(long, default_value = "")]
    wallet: String,
    /// How many seconds the agent may take to pay [default: as configured]
    #[arg(long, value_name = "SECONDS")]
    hold_for: Option<u64>,
    /// What is known of the payment, such as category=CLOUD; rules may ask for it. Can be given several times
    #[arg(long = "fact", value_name = "NAME=VALUE", value_parser = facts::parse)]
    facts: Vec<(String, String)>,
    /// The id of the authorization; asking again with the same id gives the same answer [default: a new one]
    #[arg(long)]
    id: Option<AuthorizationId>,
    /// Print only the id of an approval
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    payer: PayerArgs,
}

/// A protocol as it is typed.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Rail {
    X402,
    Mpp,
    /// A plain payment
    Payment,
    /// A payment by card
    Card,
}

pub(super) fn run(arguments: &AuthorizeArgs, output: Output) -> Result<u8, CliError> {
    let id = arguments.id.unwrap_or_else(new_authorization_id);
    let service = match &arguments.service {
        Some(service) => service.clone(),
        None => host_of_url(&arguments.resource).unwrap_or_default().to_lowercase(),
    };
    let protocol = match arguments.protocol {
        Some(rail) => rail.into(),
        None if service.is_empty() => Protocol::Payment,
        None => Protocol::X402,
    };
    let known = facts::read(&arguments.facts)?;
    let request = Authorize {
        protocol,
        intent: if arguments.deposit { Intent::Session { duration: None } } else { Intent::Charge },
        service: &service,
        resource: &arguments.resource,
        session: &arguments.session,
        wallet: &arguments.wallet,
        hold_for: arguments.hold_for.map(Duration::from_secs),
        facts: known.facts(),
        ..Authorize::payment(id, arguments.amount, &arguments.to)
    };
    match arguments.payer.ask(async |client, agent| client.authorize(agent, &request).await)? {
        Decision::Approved(approved) => {
            match output {
                Output::Machines => print(&approval_json(id, arguments.amount, &approved).to_string())?,
                Output::People if arguments.quiet => print(&id.to_string())?,
                Output::People => print(&approval_words(id, arguments.amount, &approved))?,
            }
            Ok(SUCCESS)
        }
        Decision::Denied(denied) => {
            match output {
                Output::Machines => print(&denial_json(&denied).to_string())?,
                Output::People => print(&denial_words(&denied))?,
            }
            Ok(DENIED)
        }
        Decision::ApprovalRequired(waiting) => {
            match output {
                Output::Machines => print(&waiting_json(id, &waiting).to_string())?,
                Output::People => print(&waiting_words(id, &waiting))?,
            }
            Ok(DENIED)
        }
    }
}

impl From<Rail> for Protocol {
    fn from(rail: Rail) -> Protocol {
        match rail {
            Rail::X402 => Protocol::X402,
            Rail::Mpp => Protocol::Mpp,
            Rail::Payment => Protocol::Payment,
            Rail::Card => Protocol::Card,
        }
    }
}

fn waiting_words(id: AuthorizationId, waiting: &ApprovalRequired) -> String {
    let about: Vec<String> = waiting.about.iter().map(|violation| format!("\n  {}", violation.message)).collect();
    format!(
        "waiting: people must approve ({} of {} have), until {}{}\n{id}\nnext: ask again with `--id {id}`",
        waiting.given,
        waiting.required,
        waiting.decide_by,
        about.concat()
    )
}

fn waiting_json(id: AuthorizationId, waiting: &ApprovalRequired) -> Value {
    json!({
        "authorized": false,
        "status": "REQUIRES_APPROVAL",
        "authorizationId": id.to_string(),
        "approvalRequestId": waiting.request.to_string(),
        "expiresAt": waiting.decide_by.to_string(),
        "reasons": waiting.about.iter().map(|violation| &violation.message).collect::<Vec<_>>(),
    })
}

fn approval_words(id: AuthorizationId, amount: Amount, approved: &Approved) -> String {
    let remaining = approved.remaining.map(|remaining| format!("\n{remaining} is left")).unwrap_or_default();
    format!(
        "approved: {amount} is held until {}{remaining}\n{id}\nnext: holdfast capture {id} {amount}",
        approved.expires_at
    )
}

fn approval_json(id: AuthorizationId, amount: Amount, approved: &Approved) -> Value {
    json!({
        "authorized": true,
        "authorizationId": id.to_string(),
        "amount": amount.to_string(),
        "expiresAt": approved.expires_at.to_string(),
        "remaining": approved.remaining.map(|remaining| remaining.to_string()),
        "repeated": approved.repeated,
    })
}

fn denial_words(denied: &Denied) -> String {
    let lines = denied.violations.iter().map(|violation| format!("\n  {}: {}", violation.code, violation.message));
    format!("denied{}", lines.collect::<String>())
}

fn denial_json(denied: &Denied) -> Value {
    let violations: Vec<Value> = denied
        .violations
        .iter()
        .map(|violation| {
            json!({
                "type": violation.code,
                "limit": measure(violation.limit),
                "current": measure(violation.current),
                "message": violation.message,
            })
        })
        .collect();
    json!({ "authorized": false, "violations": violations })
}

fn measure(measure: Measure) -> Value {
    match measure {
        Measure::None => Value::Null,
        Measure::Money(amount) => amount.to_string().into(),
        Measure::Count(count) => count.into(),
        Measure::Time(duration) => duration.as_secs().into(),
        Measure::Score(score) => Amount::from_micros(u64::from(score) * 10_000).to_string().into(),
    }
}
