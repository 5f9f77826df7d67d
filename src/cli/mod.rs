//! How do people and scripts use the gateway? One file a command; each holds the shape of its arguments and what it does.
//!
//! Operator commands ask over REST, payment commands over QUIC. Nothing here decides.

mod agent;
mod audit;
mod authorize;
mod backtest;
mod capture;
mod command;
mod completions;
mod exit;
mod facts;
mod journal;
mod json;
mod key;
mod key_file;
mod mcp;
mod output;
mod policy;
mod quic;
mod rest;
mod sanctions;
mod serve;
mod status;
mod void;

pub use command::{Cli, parse, run};
pub use exit::{
    ADDRESS_IN_USE, CliError, DATA_DIR_IN_USE, DATA_DIR_NEWER, DENIED, FAILURE, JOURNAL_BROKEN, SUCCESS, USAGE,
};
