//! What the gateway says when it serves: where, how it is recognised, and commands that work when pasted.

use std::{fmt, net::SocketAddr, path::PathBuf};

use serde_json::json;

use super::first_start::FirstStart;
use crate::client::Fingerprint;

/// A gateway that serves.
#[derive(Debug)]
pub struct Welcome {
    /// Where QUIC is served.
    pub quic_addr: SocketAddr,
    /// Where REST is served.
    pub http_addr: SocketAddr,
    /// The data directory.
    pub data_dir: PathBuf,
    /// What clients pin.
    pub fingerprint: Fingerprint,
    /// Whether acknowledged writes survive the process.
    pub is_durable: bool,
    /// What this start made.
    pub first_start: FirstStart,
}

impl Welcome {
    /// The same for machines.
    #[must_use]
    pub fn json(&self) -> String {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        json!({
            "quicAddr": self.quic_addr.to_string(),
            "httpAddr": self.http_addr.to_string(),
            "dataDir": self.data_dir.display().to_string(),
            "fingerprint": self.fingerprint.to_string(),
            "durable": self.is_durable,
            "demoKeyFile": path(&self.first_start.demo_key),
            "operatorKeyFile": path(&self.first_start.operator_key),
        })
        .to_string()
    }

    /// The flags that a command needs because the gateway is not where it is expected.
    fn flags(&self) -> String {
        let mut flags = String::new();
        if self.quic_addr.to_string() != "127.0.0.1:4402" {
            flags += &format!(" --addr {}", self.quic_addr);
        }
        if self.data_dir != std::path::Path::new("holdfast-data") {
            flags += &format!(" --data-dir '{}'", self.data_dir.display());
        }
        flags
    }

    /// The name under which this program can be started again.
    fn program() -> String {
        std::env::args_os().next().map_or_else(|| "holdfast".to_owned(), |name| name.to_string_lossy().into_owned())
    }
}

impl fmt::Display for Welcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Holdfast {} serves", env!("CARGO_PKG_VERSION"))?;
        writeln!(f, "  QUIC         {}", self.quic_addr)?;
        writeln!(f, "  REST         http://{}", self.http_addr)?;
        writeln!(f, "  data         {}", self.data_dir.display())?;
        writeln!(f, "  fingerprint  {}", self.fingerprint)?;
        if !self.is_durable {
            writeln!(f, "  WARNING      the memory store forgets everything when the program ends")?;
        }
        if let Some(path) = &self.first_start.operator_key {
            writeln!(f, "\nThe operator's key is in {} (keep it; it can do everything).", path.display())?;
        }
        if let Some(path) = &self.first_start.demo_key {
            let (key, http, program, flags) = (path.display(), self.http_addr, Welcome::program(), self.flags());
            write!(
                f,
                r#"
There is a demo agent with a wallet of 500.00. Paste into another terminal:

  export CONTO_SDK_KEY=$(cat '{key}')

  # May it pay five cents for an API call? The money is held.
  curl -s http://{http}/api/sdk/x402/pre-authorize -H "Authorization: Bearer $CONTO_SDK_KEY" -H "Content-Type: application/json" \
    -d '{{"amount": 0.05, "recipientAddress": "0xFacilitatorAddress", "resourceUrl": "https://api.example.com/data"}}'

  # It has paid.
  curl -s http://{http}/api/sdk/x402/record -H "Authorization: Bearer $CONTO_SDK_KEY" -H "Content-Type: application/json" \
    -d '{{"amount": 0.05, "recipientAddress": "0xFacilitatorAddress", "resourceUrl": "https://api.example.com/data", "transactionHash": "0x1"}}'

  # The same question over QUIC.
  {program} authorize 0.05 --to 0xFacilitatorAddress --resource https://api.example.com/data{flags}
"#
            )?;
        }
        Ok(())
    }
}
