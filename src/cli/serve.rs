//! `holdfast serve`: runs the gateway until it is told to stop.

use std::{env, io, path::PathBuf};

use clap::Args;

#[cfg(feature = "sled")]
use super::exit::{DATA_DIR_IN_USE, DATA_DIR_NEWER};
use super::{
    CliError,
    exit::{ADDRESS_IN_USE, FAILURE, JOURNAL_BROKEN, SUCCESS, USAGE},
    output::{Output, print},
};
#[cfg(feature = "sled")]
use crate::journal::{SledOpenError, StoreError};
use crate::{
    config::{self, Config, ConfigError, Flags, Sources},
    engine::OpenError,
    server::{
        first_start::FirstStartError,
        quic::QuicError,
        start::{self, StartError},
        store::OpenStoreError,
        tls::TlsError,
    },
    telemetry,
};

/// The environment variable with the operator's key of the first start.
const OPERATOR_KEY_VARIABLE: &str = "HOLDFAST_OPERATOR_KEY";

/// How to serve.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct ServeArgs {
    /// A configuration file; config/holdfast.toml shows every setting with its default
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data directory [default: holdfast-data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// Where to serve QUIC [default: 127.0.0.1:4402]
    #[arg(long, value_name = "ADDRESS")]
    quic_addr: Option<String>,
    /// Where to serve REST [default: 127.0.0.1:8402]
    #[arg(long, value_name = "ADDRESS")]
    http_addr: Option<String>,
}

/// Which data directory a command works on without a gateway.
#[derive(Args, Clone, Debug)]
pub(super) struct DataDirArgs {
    /// The gateway's configuration file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data directory [default: holdfast-data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
}

impl DataDirArgs {
    pub(super) fn config(&self) -> Result<Config, CliError> {
        let serve = ServeArgs { config: self.config.clone(), data_dir: self.data_dir.clone(), ..ServeArgs::default() };
        serve.load()
    }
}

impl ServeArgs {
    fn load(&self) -> Result<Config, CliError> {
        let flags = Flags {
            data_dir: self.data_dir.clone(),
            quic_addr: self.quic_addr.clone(),
            http_addr: self.http_addr.clone(),
        };
        // Variables that are not text cannot be settings.
        let environment = env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Ok(config::load(&Sources { file: self.config.clone(), environment, flags })?)
    }
}

pub(super) fn run(arguments: &ServeArgs, output: Output) -> Result<u8, CliError> {
    let config = arguments.load()?;
    // A program that embeds the gateway may have started its log before.
    let _ = telemetry::start_logging(&config.log.filter, config.log.format);
    let operator_key = env::var(OPERATOR_KEY_VARIABLE).ok().filter(|key| !key.is_empty());
    start::serve(&config, operator_key.as_deref(), |welcome| {
        let text = match output {
            Output::Machines => welcome.json(),
            Output::People => welcome.to_string(),
        };
        // Whoever started the gateway may have gone; it serves all the same.
        let _ = print(&text);
    })?;
    Ok(SUCCESS)
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> CliError {
        CliError::new(error).help("config/holdfast.toml lists every setting with its default").exit(USAGE)
    }
}

impl From<OpenStoreError> for CliError {
    fn from(error: OpenStoreError) -> CliError {
        let code = match &error {
            #[cfg(feature = "sled")]
            OpenStoreError::Sled(cause) => code_of_sled(cause),
            #[cfg(not(feature = "sled"))]
            OpenStoreError::NoSled => USAGE,
            OpenStoreError::HoldsJournal { .. } => USAGE,
        };
        CliError::new(error).exit(code)
    }
}

#[cfg(feature = "sled")]
fn code_of_sled(error: &SledOpenError) -> u8 {
    match error {
        SledOpenError::InUse { .. } => DATA_DIR_IN_USE,
        SledOpenError::NewerFormat { .. } | SledOpenError::NewerAnchor { .. } => DATA_DIR_NEWER,
        SledOpenError::Blobs { .. } | SledOpenError::JournalGone { .. } => JOURNAL_BROKEN,
        SledOpenError::Store(StoreError::Damaged { .. }) => JOURNAL_BROKEN,
        SledOpenError::TooManyShards { .. } => USAGE,
        SledOpenError::Missing { .. } | SledOpenError::FileSystem { .. } | SledOpenError::Store(_) => FAILURE,
    }
}

impl From<StartError> for CliError {
    fn from(error: StartError) -> CliError {
        let code = match &error {
            StartError::Address { source, .. } if source.kind() == io::ErrorKind::AddrInUse => ADDRESS_IN_USE,
            StartError::Quic(QuicError::Bind { error, .. }) if error.kind() == io::ErrorKind::AddrInUse => {
                ADDRESS_IN_USE
            }
            StartError::Recovery(OpenError::Rebuild(_) | OpenError::Panicked { .. }) => JOURNAL_BROKEN,
            StartError::Tls(TlsError::Unreadable { .. })
            | StartError::FirstStart(FirstStartError::Secret(_))
            | StartError::Sanctions { .. } => USAGE,
            StartError::DataDir { .. }
            | StartError::TokenKey { .. }
            | StartError::Address { .. }
            | StartError::Store(_)
            | StartError::Recovery(_)
            | StartError::Quic(_)
            | StartError::Tls(_)
            | StartError::FirstStart(_)
            | StartError::Follow(_)
            | StartError::System(_) => FAILURE,
        };
        match error {
            StartError::Store(error) => error.into(),
            error if code == ADDRESS_IN_USE => CliError::new(error)
                .help("is a gateway running already? choose others with --quic-addr and --http-addr")
                .exit(code),
            error => CliError::new(error).exit(code),
        }
    }
}
