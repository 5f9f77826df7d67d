//! What is written into Redis before the load, and read from it afterwards.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    time::Duration,
};

use holdfast::{
    kernel::Amount,
    wire::reply::{Budget, Limit, Measure},
};

use super::{
    policy::Policy,
    resp::{self, Value},
    server::RedisServer,
};
use crate::{balance::Balance, error::LoadError, transport::SERVICE};

/// Commands that are sent at one time.
const CHUNK: u32 = 1024;
/// The longest that an answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// Bytes that one read takes.
const READ_BYTES: usize = 64 << 10;
/// What each wallet has: a billion, in micro-units.
const BALANCE: f64 = 1e15;
/// The numbers of an agent, as `authorize.lua` packs them.
const AGENT_NUMBERS: usize = 18;

pub(super) const AUTHORIZE: &str = include_str!("authorize.lua");
const CAPTURE: &str = include_str!("capture.lua");

/// The names under which Redis knows the scripts.
#[derive(Clone, Debug)]
pub(super) struct Scripts {
    pub(super) authorize: String,
    pub(super) capture: String,
    /// What the first was made with.
    pub(super) policy: Policy,
}

/// A connection that waits for its answers.
pub(super) struct Books {
    stream: UnixStream,
    unread: Vec<u8>,
}

impl Books {
    pub(super) fn open(server: &RedisServer) -> Result<Books, LoadError> {
        let stream = UnixStream::connect(server.socket())?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        Ok(Books { stream, unread: Vec::new() })
    }

    /// Writes the agents, and loads the scripts with the policy.
    pub(super) fn set_up(&mut self, agents: u32, policy: Policy) -> Result<Scripts, LoadError> {
        let mut numbers = [0.0; AGENT_NUMBERS];
        // Active, with a balance, and no hold that will ever be over.
        (numbers[0], numbers[1], numbers[AGENT_NUMBERS - 1]) = (1.0, BALANCE, f64::INFINITY);
        let packed = pack(&numbers);
        self.ask_each(agents, |agent, bytes| {
            resp::write_command([&b"SET"[..], agent_key(agent).as_bytes(), &packed], bytes);
        })?;
        Ok(Scripts { authorize: self.load(&policy.and(AUTHORIZE))?, capture: self.load(CAPTURE)?, policy })
    }

    /// Makes a script known.
    pub(super) fn load(&mut self, script: &str) -> Result<String, LoadError> {
        match self.ask(&[b"SCRIPT", b"LOAD", script.as_bytes()])? {
            Kept::Text(name) => Ok(String::from_utf8_lossy(&name).into_owned()),
            other => Err(unexpected(&other)),
        }
    }

    /// What Redis has booked of each of the first `agents` agents.
    pub(super) fn balances(&mut self, agents: u32, policy: &Policy) -> Result<Vec<Balance>, LoadError> {
        let balance = |budget: &Budget| {
            let mut balance = Balance::default();
            balance.add_rail(budget);
            balance
        };
        Ok(self.budgets(agents, policy)?.iter().map(balance).collect())
    }

    /// The same with every limit, as a gateway tells it.
    pub(super) fn budgets(&mut self, agents: u32, policy: &Policy) -> Result<Vec<Budget>, LoadError> {
        let booked = self.ask_each(agents, |agent, bytes| {
            let (agent, service) = (agent_key(agent), service_key(agent));
            resp::write_command(["MGET", &agent, &service], bytes);
        })?;
        booked.iter().map(|booked| budget(booked, policy).ok_or_else(|| unexpected(booked))).collect()
    }

    /// Asks one thing.
    pub(super) fn ask(&mut self, command: &[&[u8]]) -> Result<Kept, LoadError> {
        let mut bytes = Vec::new();
        resp::write_command(command, &mut bytes);
        self.stream.write_all(&bytes)?;
        self.answer()
    }

    /// Asks `count` things, many at a time; the answers come in order.
    fn ask_each(&mut self, count: u32, write: impl Fn(u32, &mut Vec<u8>)) -> Result<Vec<Kept>, LoadError> {
        let mut answers = Vec::with_capacity(count as usize);
        let mut bytes = Vec::new();
        for first in (0..count).step_by(CHUNK as usize) {
            let chunk = first..count.min(first + CHUNK);
            bytes.clear();
            chunk.clone().for_each(|number| write(number, &mut bytes));
            self.stream.write_all(&bytes)?;
            for _ in chunk {
                answers.push(self.answer()?);
            }
        }
        Ok(answers)
    }

    fn answer(&mut self) -> Result<Kept, LoadError> {
        loop {
            if let Some((value, rest)) =
                resp::read(&self.unread).map_err(|error| LoadError::Redis(error.to_string()))?
            {
                let (kept, left) = (Kept::of(&value), rest.len());
                self.unread.drain(..self.unread.len() - left);
                return kept;
            }
            let mut bytes = [0; READ_BYTES];
            let count = self.stream.read(&mut bytes)?;
            if count == 0 {
                return Err(LoadError::Redis("it closed the connection".to_owned()));
            }
            self.unread.extend_from_slice(&bytes[..count]);
        }
    }
}

/// An answer that outlives the bytes in which it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    Text(Vec<u8>),
    Number(u64),
    Nothing,
    List(Vec<Kept>),
}

impl Kept {
    fn of(value: &Value<'_>) -> Result<Kept, LoadError> {
        Ok(match value {
            Value::Error(reason) => return Err(LoadError::Redis(format!("it refused: {reason}"))),
            Value::Text(text) => Kept::Text(text.to_vec()),
            Value::Integer(_) => value.number().map_or(Kept::Nothing, Kept::Number),
            Value::Nothing => Kept::Nothing,
            Value::List(values) => Kept::List(values.iter().map(Kept::of).collect::<Result<_, _>>()?),
        })
    }
}

/// Where an agent is kept.
pub(super) fn agent_key(agent: u32) -> String {
    format!("agent:{agent}")
}

/// Where is kept what it spends at the service of the load test.
pub(super) fn service_key(agent: u32) -> String {
    format!("service:agent:{agent}:{SERVICE}")
}

/// Numbers as the scripts keep them.
pub(super) fn pack(numbers: &[f64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// The integers of a packed text; all that is counted here is exact in a float.
fn unpack<const N: usize>(packed: &[u8]) -> Option<[u64; N]> {
    let (numbers, []) = packed.as_chunks::<8>() else { return None };
    let numbers: Vec<u64> = numbers.iter().map(|number| f64::from_le_bytes(*number) as u64).collect();
    numbers.try_into().ok()
}

/// What an answer with an agent and its service says; `None` where it is another answer.
fn budget(booked: &Kept, policy: &Policy) -> Option<Budget> {
    let Kept::List(items) = booked else { return None };
    let (agent, [_, service_used]) = match items.as_slice() {
        [Kept::Text(agent), Kept::Text(service)] => (agent, unpack(service)?),
        [Kept::Text(agent), Kept::Nothing] => (agent, [0, 0]),
        _ => return None,
    };
    let [_, _, held, spent, calls, _, day, _, week, _, month, _, session, _, _, hour_calls, _, _] =
        unpack::<AGENT_NUMBERS>(agent)?;
    let amount = Amount::from_micros;
    let limit = |name: &str, code: &str, used: Measure, cap: fn(u64) -> Measure| Limit {
        code: code.to_owned(),
        limit: cap(policy.numbers.get(name).copied().unwrap_or(0)),
        used,
    };
    let money = |micros| Measure::Money(Amount::from_micros(micros));
    Some(Budget {
        limits: vec![
            limit("session_budget", "X402_SESSION_BUDGET", money(session), money),
            limit("daily", "DAILY_LIMIT", money(day), money),
            limit("weekly", "WEEKLY_LIMIT", money(week), money),
            limit("monthly", "MONTHLY_LIMIT", money(month), money),
            limit("service_daily", "X402_SERVICE_LIMIT", money(service_used), money),
            limit("calls_hourly", "VELOCITY_LIMIT", Measure::Count(hour_calls), Measure::Count),
        ],
        remaining: None,
        spent: amount(spent),
        calls,
        held: amount(held),
        used: [day, week, month].map(amount),
        session: None,
    })
}

fn unexpected(answer: &Kept) -> LoadError {
    LoadError::Redis(format!("it answered something else than was asked: {answer:?}"))
}
