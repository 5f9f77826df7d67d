//! Payments asked of Redis: one script call each, many under way on one connection.

use std::{cell::RefCell, collections::VecDeque, fmt::Write as _, rc::Rc};

use holdfast::{kernel::Amount, wire::limits::IN_FLIGHT_MAX};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use super::{
    books::{Books, Scripts},
    policy::Policy,
    resp::{self, Value},
    server::RedisServer,
};
use crate::{
    balance::Balance,
    error::LoadError,
    fleet::LanePlan,
    record::{self, GatewayCounts, SubjectKind, Transport},
    rivals::deal,
    scenario::Scenario,
    setup,
    transport::{Answer, Ask, Broken, Errand, Link, Reader, SERVICE, Subject, UNEXPECTED, Writer},
};

/// How long a caller may pay, as in the gateway, in milliseconds.
const HOLD_MS: &str = "300000";
/// Room for what one read brings.
const READ_BYTES: usize = 256 << 10;
/// The code of errors in the middle of a script, which may have written something.
const SCRIPT_FAILED: &str = "ERR";

/// A server with the policy, the scripts and so many agents.
#[derive(Debug)]
pub(crate) struct Redis {
    server: RedisServer,
    scripts: Scripts,
    scenario: Scenario,
}

impl Redis {
    /// Starts a server and sets it up for the scenario.
    pub(crate) fn start(scenario: Scenario) -> Result<Redis, LoadError> {
        if scenario.kills > 0 || scenario.mix.mpp + scenario.mix.sessions > 0.0 {
            return Err(LoadError::NotForRedis);
        }
        let policy = Policy::read(&setup::policy(scenario.daily_limit))?;
        let server = RedisServer::start(scenario.fsync)?;
        let scripts = Books::open(&server)?.set_up(scenario.agents, policy)?;
        Ok(Redis { server, scripts, scenario })
    }
}

impl Subject for Redis {
    type Writer = RedisWriter;
    type Reader = RedisReader;

    fn lanes(&self, connections: u16) -> Vec<LanePlan> {
        deal(&self.scenario, 1, connections)
    }

    fn in_flight_max(&self) -> u32 {
        IN_FLIGHT_MAX as u32
    }

    fn described(&self) -> record::Subject {
        record::Subject {
            what: SubjectKind::Redis,
            version: Some(self.server.version().to_owned()),
            transport: Transport::Redis,
            durability: Some(self.server.durability()),
            workers: Some(1),
            shards: None,
        }
    }

    fn balances(&self) -> Result<Vec<Balance>, LoadError> {
        Books::open(&self.server)?.balances(self.scenario.agents, &self.scripts.policy)
    }

    fn counts(&self) -> Result<Option<GatewayCounts>, LoadError> {
        Ok(None)
    }

    fn process(&self) -> Option<u32> {
        Some(self.server.process())
    }

    async fn connect(&self, lanes: &[LanePlan]) -> Result<Vec<Link<RedisWriter, RedisReader>>, LoadError> {
        let mut links = Vec::with_capacity(lanes.len());
        for _ in lanes {
            let (read, write) = UnixStream::connect(self.server.socket()).await?.into_split();
            let tags = Rc::new(RefCell::new(VecDeque::new()));
            let writer = RedisWriter {
                write,
                scripts: self.scripts.clone(),
                tags: Rc::clone(&tags),
                names: Names::default(),
                bytes: Vec::new(),
            };
            links.push(Link { writer, reader: RedisReader { read, tags, bytes: Vec::with_capacity(READ_BYTES) } });
        }
        Ok(links)
    }
}

/// The tags of what is under way: Redis answers a connection in the order in which it was asked.
type Tags = Rc<RefCell<VecDeque<u32>>>;

/// The commands of one connection.
#[derive(Debug)]
pub(crate) struct RedisWriter {
    write: OwnedWriteHalf,
    scripts: Scripts,
    tags: Tags,
    names: Names,
    bytes: Vec<u8>,
}

impl Writer for RedisWriter {
    fn push(&mut self, tag: u32, ask: &Ask) {
        self.tags.borrow_mut().push_back(tag);
        self.names.set(ask);
        write_call(ask, &self.scripts, &self.names, &mut self.bytes);
    }

    async fn flush(&mut self) -> Result<(), Broken> {
        self.write.write_all(&self.bytes).await?;
        self.bytes.clear();
        Ok(())
    }
}

/// The keys and numbers of one call; their memory is used again.
#[derive(Debug, Default)]
struct Names {
    agent: String,
    service: String,
    due: String,
    hold: String,
    report: String,
    amount: String,
}

impl Names {
    fn set(&mut self, ask: &Ask) {
        let Names { agent, service, due, hold, report, amount } = self;
        [&mut *agent, service, due, hold, report, amount].into_iter().for_each(|text| text.clear());
        // Writing to a text cannot fail.
        let _ = write!(agent, "agent:{}", ask.agent);
        let _ = write!(service, "service:{agent}:{SERVICE}");
        let _ = write!(due, "due:{}", ask.agent);
        let _ = write!(hold, "hold:{:032x}", ask.id);
        // The id of the hold serves as that of the report, for there is one report a hold.
        let _ = write!(report, "report:{:032x}", ask.id);
        let _ = write!(amount, "{}", ask.amount.micros());
    }

    /// The id within the key of the hold.
    fn id(&self) -> &str {
        &self.hold["hold:".len()..]
    }
}

/// Appends the call of the script that carries `ask` out.
fn write_call(ask: &Ask, scripts: &Scripts, names: &Names, bytes: &mut Vec<u8>) {
    let Names { agent, service, due, hold, report, amount } = names;
    let id = names.id();
    match ask.errand {
        Errand::Pay(payment) => {
            let keys = ["EVALSHA", &scripts.authorize, "4", agent, service, hold, due];
            let arguments = [id, amount, payment.recipient(), SERVICE, HOLD_MS];
            resp::write_command(keys.into_iter().chain(arguments), bytes);
        }
        Errand::Capture => {
            let keys = ["EVALSHA", &scripts.capture, "4", agent, hold, report, due];
            resp::write_command(keys.into_iter().chain([id, amount, "1"]), bytes);
        }
        Errand::Close => unreachable!("a scenario with sessions is refused"),
    }
}

/// The answers of one connection.
#[derive(Debug)]
pub(crate) struct RedisReader {
    read: OwnedReadHalf,
    tags: Tags,
    bytes: Vec<u8>,
}

impl Reader for RedisReader {
    async fn read(&mut self, mut on_answer: impl FnMut(u32, Answer<'_>)) -> Result<(), Broken> {
        if self.read.read_buf(&mut self.bytes).await? == 0 {
            return Err(Broken("redis-server closed the connection".to_owned()));
        }
        let mut rest = &self.bytes[..];
        while let Some((value, after)) = resp::read(rest).map_err(|error| Broken(error.to_string()))? {
            // What nobody has asked for has a tag that nobody has given.
            let tag = self.tags.borrow_mut().pop_front().unwrap_or(u32::MAX);
            on_answer(tag, answer(&value));
            rest = after;
        }
        let read = self.bytes.len() - rest.len();
        self.bytes.drain(..read);
        Ok(())
    }
}

fn answer<'a>(value: &'a Value<'_>) -> Answer<'a> {
    match value {
        Value::List(items) => match items.as_slice() {
            [Value::Text(b"approved"), Value::Integer(_), Value::Integer(_)] => Answer::Approved,
            [Value::Text(b"denied"), Value::Text(code), ..] => {
                Answer::Denied { code: str::from_utf8(code).unwrap_or(UNEXPECTED) }
            }
            [Value::Text(b"captured"), captured, late] => match (captured.number(), late.number()) {
                (Some(captured), Some(late)) => {
                    Answer::Captured { amount: Amount::from_micros(captured), late: late != 0 }
                }
                (_, _) => Answer::Unclear { code: UNEXPECTED },
            },
            _ => Answer::Unclear { code: UNEXPECTED },
        },
        Value::Error(text) => match text.split(' ').next() {
            Some(SCRIPT_FAILED) | None => Answer::Unclear { code: SCRIPT_FAILED },
            Some(code) => Answer::Error { code },
        },
        Value::Text(_) | Value::Integer(_) | Value::Nothing => Answer::Unclear { code: UNEXPECTED },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        fn check(bytes: &[u8], expected: Answer<'_>) {
            let (value, _) = resp::read(bytes).unwrap().unwrap();
            assert_eq!(answer(&value), expected, "{}", bytes.escape_ascii());
        }
        let unclear = Answer::Unclear { code: UNEXPECTED };
        check(b"*3\r\n$8\r\napproved\r\n:17\r\n:5\r\n", Answer::Approved);
        check(b"*4\r\n$8\r\napproved\r\n:17\r\n:5\r\n$8\r\nrepeated\r\n", unclear);
        check(b"*3\r\n$6\r\ndenied\r\n$1\r\nA\r\n$1\r\nB\r\n", Answer::Denied { code: "A" });
        let amount = Amount::from_micros(100);
        check(b"*3\r\n$8\r\ncaptured\r\n:100\r\n:0\r\n", Answer::Captured { amount, late: false });
        check(b"*3\r\n$8\r\ncaptured\r\n:100\r\n:1\r\n", Answer::Captured { amount, late: true });
        check(b"-NOT_FOUND there is no such hold\r\n", Answer::Error { code: "NOT_FOUND" });
        check(b"-ERR user_script:1: attempt to index\r\n", Answer::Unclear { code: SCRIPT_FAILED });
        check(b"*0\r\n", unclear);
        check(b":1\r\n", unclear);
    }
}
