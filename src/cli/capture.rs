//! `holdfast capture`: what was really paid against a hold.

use clap::Args;
use serde_json::json;

use super::{
    CliError,
    exit::SUCCESS,
    output::{Output, print},
    quic::PayerArgs,
};
use crate::{
    client::new_operation_id,
    kernel::{Amount, AuthorizationId, OperationId},
    wire::{reply::Captured, request::Capture},
};

/// The report.
#[derive(Args, Debug)]
pub(super) struct CaptureArgs {
    /// The hold
    id: AuthorizationId,
    /// What was paid; 0 if nothing was, after all
    #[arg(value_parser = Amount::parse)]
    amount: Amount,
    /// More will be captured: keep the rest held
    #[arg(long)]
    more: bool,
    /// The id of the report; repeating it gives the first answer [default: a new one]
    #[arg(long)]
    operation: Option<OperationId>,
    #[command(flatten)]
    payer: PayerArgs,
}

pub(super) fn run(arguments: &CaptureArgs, output: Output) -> Result<u8, CliError> {
    let operation = arguments.operation.unwrap_or_else(new_operation_id);
    let request = Capture { id: arguments.id, operation, amount: arguments.amount, last: !arguments.more };
    let captured = arguments.payer.ask(async |client, agent| client.capture(agent, &request).await)?;
    match output {
        Output::Machines => print(
            &json!({
                "authorizationId": arguments.id.to_string(),
                "captured": captured.captured.to_string(),
                "overage": captured.overage.to_string(),
                "held": captured.held.to_string(),
                "late": captured.late,
            })
            .to_string(),
        )?,
        Output::People => print(&words(&captured))?,
    }
    Ok(SUCCESS)
}

fn words(captured: &Captured) -> String {
    let mut words = format!("captured {}", captured.captured);
    if !captured.held.is_zero() {
        words += &format!(", {} is still held", captured.held);
    }
    if !captured.overage.is_zero() {
        words += &format!("; {} went beyond the hold", captured.overage);
    }
    if captured.late {
        words += "; the hold was over already";
    }
    words
}
