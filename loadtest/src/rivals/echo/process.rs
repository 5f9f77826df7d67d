//! The echo server as a process of its own, as a gateway is, and how lanes ask it.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use holdfast::{
    client::{ClientOptions, Fingerprint, Trust},
    wire::limits::IN_FLIGHT_MAX,
};

use super::server::Announcement;
use crate::{
    balance::Balance,
    error::LoadError,
    fleet::LanePlan,
    record::{self, GatewayCounts, SubjectKind, Transport},
    rivals::deal,
    scenario::Scenario,
    transport::{Link, QuicReader, QuicWriter, Subject, connect_quic},
};

/// An echo server that ends with this value.
#[derive(Debug)]
pub(crate) struct Echo {
    child: Child,
    addresses: Vec<SocketAddr>,
    fingerprint: Fingerprint,
    scenario: Scenario,
}

impl Echo {
    /// Starts one with so many workers for the payments of `scenario`.
    pub(crate) fn start(workers: u16, scenario: Scenario) -> Result<Echo, LoadError> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["echo", "--workers", &workers.to_string(), "--amount", &scenario.amount.to_string()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let said = || LoadError::EchoStart(line.trim_end().to_owned());
        let Announcement { addresses, fingerprint } = serde_json::from_str(&line).map_err(|_| said())?;
        let fingerprint = fingerprint.parse().map_err(|_| said())?;
        Ok(Echo { child, addresses, fingerprint, scenario })
    }
}

impl Subject for Echo {
    type Writer = QuicWriter;
    type Reader = QuicReader;

    fn lanes(&self, connections: u16) -> Vec<LanePlan> {
        deal(&self.scenario, self.addresses.len(), connections)
    }

    fn in_flight_max(&self) -> u32 {
        IN_FLIGHT_MAX as u32
    }

    fn described(&self) -> record::Subject {
        record::Subject {
            what: SubjectKind::Echo,
            version: None,
            transport: Transport::Echo,
            durability: None,
            workers: u32::try_from(self.addresses.len()).ok(),
            shards: None,
        }
    }

    fn balances(&self) -> Result<Vec<Balance>, LoadError> {
        Ok(Vec::new())
    }

    fn counts(&self) -> Result<Option<GatewayCounts>, LoadError> {
        Ok(None)
    }

    fn process(&self) -> Option<u32> {
        Some(self.child.id())
    }

    async fn connect(&self, lanes: &[LanePlan]) -> Result<Vec<Link<QuicWriter, QuicReader>>, LoadError> {
        let options = ClientOptions::new(self.addresses[0], Trust::Fingerprint(self.fingerprint), "");
        connect_quic(options, lanes, None).await
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        // It has nothing to lose. It fails only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
