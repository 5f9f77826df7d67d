//! A gateway under test: the built binary as a process of its own, with a data directory that outlives it.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener, UdpSocket},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

/// The longest that a start may take on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// The longest that a stop may take: the drain time of the configuration and the last commit.
const STOPPED_WITHIN: Duration = Duration::from_secs(30);
/// How often a condition is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// The operator's key of every gateway under test.
pub(crate) const OPERATOR_KEY: &str = "operator-key-of-the-system-tests-0123456789";

/// A data directory and addresses that survive the processes that use them.
pub(crate) struct Site {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) quic_addr: String,
    pub(crate) http_addr: String,
    /// Variables of the environment, beside those of every gateway under test.
    pub(crate) environment: Vec<(&'static str, &'static str)>,
}

/// A running process.
pub(crate) struct Gateway<'s> {
    pub(crate) site: &'s Site,
    child: Child,
}

impl Site {
    pub(crate) fn new() -> Site {
        // Ports that were free a moment ago; they must stay the same over restarts, as in life.
        let quic_addr = free_pair().to_string();
        let http_addr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        Site { directory: tempfile::tempdir().unwrap(), quic_addr, http_addr, environment: Vec::new() }
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub(crate) fn read(&self, file: &str) -> String {
        fs::read_to_string(self.data_dir().join(file)).unwrap().trim().to_owned()
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
        command.current_dir(self.directory.path()).env_clear().env("HOLDFAST_OPERATOR_KEY", OPERATOR_KEY);
        command.stdin(Stdio::null());
        command
    }

    pub(crate) fn serve_command(&self) -> Command {
        let mut command = self.command();
        command.args(["serve", "--quic-addr", &self.quic_addr, "--http-addr", &self.http_addr, "--data-dir"]);
        command.arg(self.data_dir()).envs(self.environment.iter().copied());
        command
    }

    /// Starts the gateway and waits until it is ready.
    pub(crate) fn start(&self) -> Gateway<'_> {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.directory.path().join("log")).unwrap();
        let mut child = self.serve_command().stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let url = format!("http://{}/readyz", self.http_addr);
        let deadline = Instant::now() + READY_WITHIN;
        while !ureq::get(&url).call().is_ok_and(|response| response.status() == 200) {
            let log = || fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
            assert!(child.try_wait().unwrap().is_none(), "the gateway ended before it was ready: {}", log());
            assert!(Instant::now() < deadline, "the gateway was not ready in time: {}", log());
            std::thread::sleep(POLL_INTERVAL);
        }
        Gateway { site: self, child }
    }

    /// Runs a command of the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.command();
        command.env("HOLDFAST_URL", format!("http://{}", self.http_addr)).env("HOLDFAST_ADDR", &self.quic_addr);
        command.env("HOLDFAST_DATA__DIR", self.data_dir());
        if !matches!(arguments.first(), Some(&("authorize" | "capture" | "void"))) {
            command.env("HOLDFAST_KEY", OPERATOR_KEY);
        }
        command.args(arguments).output().unwrap()
    }

    /// Runs a command that must succeed, and reads the JSON that it prints.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

impl Gateway<'_> {
    /// Asks as the operator.
    pub(crate) fn operator(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.ask(OPERATOR_KEY, method, path, body);
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    pub(crate) fn ask(&self, key: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.site.http_addr))
            .header("authorization", format!("Bearer {key}"))
            .header("content-type", "application/json");
        let response = if body.is_null() {
            agent.run(request.body(()).unwrap())
        } else {
            agent.run(request.body(body.to_string()).unwrap())
        };
        let mut response = response.unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        (response.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; the process must end by itself.
    pub(crate) fn stop(mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let deadline = Instant::now() + STOPPED_WITHIN;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the gateway did not stop in time");
            std::thread::sleep(POLL_INTERVAL);
        }
    }
}

impl Drop for Gateway<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A UDP port that is free together with the next one: two workers listen on two ports.
fn free_pair() -> SocketAddr {
    loop {
        let first = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let next = first.port().checked_add(1).map(|port| SocketAddr::new(first.ip(), port));
        if next.is_some_and(|next| UdpSocket::bind(next).is_ok()) {
            return first;
        }
    }
}

/// The lines that a command prints until it ends.
pub(crate) fn lines(child: &mut Child) -> Vec<String> {
    BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok).collect()
}
