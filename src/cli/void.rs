//! `holdfast void`: releases a hold.

use clap::Args;
use serde_json::json;

use super::{
    CliError,
    exit::SUCCESS,
    output::{Output, print},
    quic::PayerArgs,
};
use crate::kernel::AuthorizationId;

/// Which hold.
#[derive(Args, Debug)]
pub(super) struct VoidArgs {
    /// The hold
    id: AuthorizationId,
    #[command(flatten)]
    payer: PayerArgs,
}

pub(super) fn run(arguments: &VoidArgs, output: Output) -> Result<u8, CliError> {
    let released = arguments.payer.ask(async |client, agent| client.void(agent, arguments.id).await)?;
    match output {
        Output::Machines => {
            let answer = json!({ "authorizationId": arguments.id.to_string(), "released": released.to_string() });
            print(&answer.to_string())?;
        }
        Output::People => print(&format!("voided: {released} is free again"))?,
    }
    Ok(SUCCESS)
}
