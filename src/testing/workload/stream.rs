//! The stream of turns, and what each is about.

use super::{approval, budget, operator, payment};
use crate::{
    kernel::{
        AgentId, AgentIndex, AuthorizationId, BudgetRequestId, Failure, OperationId, Options, Outcome, Request,
        Timestamp,
        request::{AgentStatus, Authorize, CreateAgent},
        sanctions::{SanctionsPart, SanctionsSummary},
    },
    testing::random::Random,
};

/// The first moment: Saturday 2026-10-31T23:50Z, so that a month turns after ten minutes and a week a day later.
const BEGINNING: Timestamp = Timestamp::from_micros(1_793_490_600_000_000);
/// The agents of a run.
pub(super) const AGENTS: u32 = 3;
/// How many earlier requests may be asked again.
const REMEMBERED: usize = 40;

/// What a run is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Everything happens.
    Wild,
    /// Nothing is paid beyond its hold or without one, limits stay as they are and no process dies: no limit may ever be exceeded.
    Calm,
}

/// What happens at a moment.
#[derive(Clone, Debug)]
pub struct Turn {
    /// When.
    pub now: Timestamp,
    /// What.
    pub step: Step,
}

/// What happens.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly every step is a request")]
pub enum Step {
    /// A request comes in.
    Ask(Request<'static>),
    /// The process dies and another takes over.
    Crash,
    /// The process stops in good order and another takes over.
    Stop,
}

/// The turns of one seed.
#[derive(Clone, Debug)]
pub struct Workload {
    pub(super) random: Random,
    pub(super) mood: Mood,
    pub(super) now: Timestamp,
    /// The holds that were approved, as they were asked for.
    pub(super) placed: Vec<(AgentIndex, Authorize<'static>)>,
    /// The budgets that were asked for.
    pub(super) budgets: Vec<(AgentIndex, BudgetRequestId)>,
    /// The holds that wait for people, or did.
    pub(super) waiting: Vec<(AgentIndex, AuthorizationId)>,
    /// The parts of a list of sanctions that have not been told yet, the next one last, and what is known of the list.
    pub(super) parts: Vec<SanctionsPart>,
    pub(super) list: Option<SanctionsSummary>,
    ids: u128,
    asked: Vec<Request<'static>>,
    opening: Vec<Request<'static>>,
}

impl Workload {
    /// The turns of `seed`.
    #[must_use]
    pub fn new(seed: u64, mood: Mood) -> Workload {
        let random = Random::new(seed);
        let (now, placed, asked, opening) = (BEGINNING, Vec::new(), Vec::new(), Vec::new());
        let (budgets, waiting) = (Vec::new(), Vec::new());
        let (parts, list) = (Vec::new(), None);
        let mut workload =
            Workload { random, mood, now, placed, budgets, waiting, parts, list, ids: 0, asked, opening };
        workload.opening = workload.opening_requests();
        workload
    }

    /// The options of the shard.
    pub fn options(&mut self) -> Options {
        operator::options(self)
    }

    /// The moment of the last turn.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The next turn; `deadline` is when the shard will change by itself next.
    pub fn turn(&mut self, deadline: Option<Timestamp>) -> Turn {
        if let Some(request) = self.opening.pop() {
            return Turn { now: self.now, step: Step::Ask(request) };
        }
        self.now = self.later(deadline);
        Turn { now: self.now, step: self.step() }
    }

    /// Tells how a request was answered: what was approved is captured, extended and refunded later.
    pub fn answered(&mut self, request: &Request<'static>, answer: &Result<Outcome, Failure>) {
        if let (Request::Authorize(agent, asked), Ok(Outcome::ApprovalRequired(required))) = (request, answer)
            && !required.repeated
        {
            self.waiting.push((*agent, asked.id));
            self.placed.push((*agent, asked.clone()));
        }
        if let (Request::Authorize(agent, asked), Ok(Outcome::Approved(approval))) = (request, answer)
            && !approval.repeated
        {
            self.placed.push((*agent, asked.clone()));
        }
    }

    /// The holds that were placed last.
    #[must_use]
    pub fn latest_holds(&self, count: usize) -> Vec<(AgentIndex, AuthorizationId)> {
        self.placed.iter().rev().take(count).map(|(agent, asked)| (*agent, asked.id)).collect()
    }

    fn opening_requests(&mut self) -> Vec<Request<'static>> {
        let mut opening = Vec::new();
        for index in (0..AGENTS).rev() {
            for _ in 0..self.random.below(3) {
                opening.push(operator::wallet(self, AgentIndex(index)));
            }
        }
        for _ in 0..self.random.below(3) {
            opening.push(operator::policy(self));
        }
        // Of a calm run nothing changes; of a wild one the hot agent is left alone at first.
        let watched = if self.mood == Mood::Wild { 1..AGENTS } else { 0..0 };
        for index in watched {
            opening.push(operator::watch(self, AgentIndex(index)));
        }
        for index in (0..AGENTS).rev() {
            opening.push(Request::CreateAgent(CreateAgent {
                id: agent_id(index),
                name: "agent",
                agent_type: "CUSTOM",
                status: AgentStatus::Active,
                lease: None,
            }));
        }
        opening
    }

    fn step(&mut self) -> Step {
        let wild = self.mood == Mood::Wild;
        if wild && self.random.below(400) == 0 {
            return if self.random.chance(70) { Step::Crash } else { Step::Stop };
        }
        let request = match self.random.below(100) {
            0..15 if !self.asked.is_empty() => self.again(),
            0..18 if wild => operator::change(self),
            18..22 => budget::request(self),
            22..26 if !self.waiting.is_empty() => approval::decide(self),
            _ if wild && self.random.chance(4) => operator::screen(self),
            _ => payment::request(self),
        };
        if self.asked.len() == REMEMBERED {
            let forgotten = self.random.below(REMEMBERED as u64) as usize;
            self.asked.swap_remove(forgotten);
        }
        self.asked.push(request.clone());
        Step::Ask(request)
    }

    /// An earlier request, sometimes with another amount.
    fn again(&mut self) -> Request<'static> {
        let asked = self.asked.clone();
        let request = self.random.pick(&asked);
        if self.random.chance(80) { request } else { payment::altered(request) }
    }

    pub(super) fn agent(&mut self) -> AgentIndex {
        // The first is hot. Now and then an agent is asked for that does not exist.
        AgentIndex(match self.random.below(300) {
            0 => AGENTS,
            1..180 => 0,
            180..270 => 1,
            _ => 2,
        })
    }

    pub(super) fn next_id(&mut self) -> u128 {
        self.ids += 1;
        self.ids
    }

    pub(super) fn next_operation(&mut self) -> OperationId {
        OperationId(self.next_id())
    }
}

pub(super) fn agent_id(index: u32) -> AgentId {
    AgentId(0xa000 + u128::from(index))
}
