//! Do the kernel and its model agree? Both get the same turns; every answer and every balance must be the same, and the kernel
//! must come to the same state from its events and from its image.

use std::{collections::VecDeque, fmt};

use super::{
    Model,
    mistake::{Mistake, Mistaken},
    workload::{Mood, SESSIONS, Step, Turn, Workload},
};
use crate::kernel::{
    AgentIndex, Failure, Options, Outcome, Protocol, Request, State, Timestamp,
    outcome::{ApprovalRequestView, ApprovalStatus, Booking, BudgetStatus, Measure, View, Violation, ViolationKind},
    policy::RuleKind,
    reason::Reasons,
    request::Query,
};

/// How many lines of what happened before a mismatch shows.
const TRACE_LINES: usize = 60;
/// How many holds back a glance looks.
const HOLDS_COMPARED: usize = 6;
/// How often some balances are compared.
const TURNS_TO_GLANCE: u64 = 4;
/// How often the kernel goes on from its image.
const TURNS_TO_IMAGE: u64 = 128;

/// A kernel and its model, side by side.
pub struct Comparison {
    kernel: Mistaken,
    model: Model,
    mood: Mood,
    /// Per agent: what was booked beyond holds, which limits cannot stop.
    excess: Vec<u64>,
    trace: VecDeque<String>,
    /// How many turns ended how.
    pub tally: Tally,
}

/// How the turns of a run ended, so that a test can see that everything was reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the words of the outcomes")]
pub struct Tally {
    pub turns: u64,
    pub approved: u64,
    pub repeated: u64,
    pub denied: u64,
    pub captured: u64,
    pub late: u64,
    pub overage: u64,
    pub voided: u64,
    pub extended: u64,
    pub increased: u64,
    pub refunded: u64,
    pub matched: u64,
    pub from_deposit: u64,
    pub recovered: u64,
    pub unauthorized: u64,
    pub duplicate: u64,
    pub misdirected: u64,
    pub settled: u64,
    pub sessions_closed: u64,
    pub waiting: u64,
    pub approvals_given: u64,
    pub approvals_rejected: u64,
    pub budgets_approved: u64,
    pub budget_denials: u64,
    pub budgets_exhausted: u64,
    pub failures: u64,
    pub freezes: u64,
}

/// Where kernel and model part.
#[derive(Debug)]
pub struct Mismatch {
    seed: u64,
    turn: u64,
    what: String,
    trace: Vec<String>,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {} turn {}:", self.seed, self.turn)?;
        for line in &self.trace {
            writeln!(f, "  {line}")?;
        }
        write!(f, "{}", self.what)
    }
}

/// Runs `turns` turns of `seed` against a kernel with `mistake`.
///
/// # Errors
/// [`Mismatch`] with the first turn at which kernel and model part.
pub fn run(seed: u64, mood: Mood, turns: u64, mistake: Mistake) -> Result<Tally, Box<Mismatch>> {
    let mut workload = Workload::new(seed, mood);
    let mut comparison = Comparison::new(workload.options(), mood, mistake);
    comparison.start(workload.now());
    for turn in 0..turns {
        let next = workload.turn(comparison.model.next_moment());
        let same = comparison.turn(&next, &mut workload).and_then(|()| comparison.glance(turn, &workload));
        same.map_err(|what| comparison.mismatch(seed, turn, what))?;
    }
    comparison.everything(&workload).map_err(|what| comparison.mismatch(seed, turns, what))?;
    comparison.tally.freezes = comparison.kernel.freezes;
    Ok(comparison.tally)
}

impl Comparison {
    /// Two empty shards.
    #[must_use]
    pub fn new(options: Options, mood: Mood, mistake: Mistake) -> Comparison {
        Comparison {
            kernel: Mistaken::new(State::new(options.clone()), mistake),
            model: Model::new(options),
            mood,
            excess: Vec::new(),
            trace: VecDeque::new(),
            tally: Tally::default(),
        }
    }

    /// Gives one turn to both, and the answer to the workload.
    ///
    /// # Errors
    /// A text that says how they differ.
    pub fn turn(&mut self, turn: &Turn, workload: &mut Workload) -> Result<(), String> {
        self.tally.turns += 1;
        match &turn.step {
            Step::Ask(request) => {
                let answer = self.ask(turn.now, request)?;
                workload.answered(request, &answer);
            }
            Step::Crash => {
                self.note(format!("{} crash", turn.now));
                unbroken(|| self.start(turn.now))?;
            }
            Step::Stop => {
                self.note(format!("{} stop and start", turn.now));
                unbroken(|| self.stop(turn.now))?;
                unbroken(|| self.start(turn.now))?;
            }
        }
        Ok(())
    }

    /// A process takes both shards over.
    fn start(&mut self, now: Timestamp) {
        self.kernel.start(now, self.model.incarnation() + 1);
        self.model.restart(now);
    }

    fn stop(&mut self, now: Timestamp) {
        self.kernel.stop(now);
        self.model.stop(now);
    }

    fn ask(&mut self, now: Timestamp, request: &Request<'static>) -> Result<Result<Outcome, Failure>, String> {
        self.note(format!("{now} ({}) {request:?}", now.micros()));
        let expected = self.model.decide(now, request);
        let found = unbroken(|| self.kernel.decide(now, request))?;
        self.note(format!("    -> {found:?}"));
        if comparable(&found) != comparable(&expected) {
            return Err(format!("the answers differ\n  kernel: {found:?}\n  model:  {expected:?}"));
        }
        self.count(request, &found);
        Ok(found)
    }

    /// Compares some balances on some turns: all of them on every turn would take most of the time.
    fn glance(&mut self, turn: u64, workload: &Workload) -> Result<(), String> {
        if turn % TURNS_TO_IMAGE == TURNS_TO_IMAGE - 1 {
            self.kernel.same_from_image()?;
        }
        if !turn.is_multiple_of(TURNS_TO_GLANCE) || self.model.agent_count() == 0 {
            return Ok(());
        }
        let glances = turn / TURNS_TO_GLANCE;
        for (agent, id) in workload.latest_holds(HOLDS_COMPARED) {
            self.look(&Query::Authorization(agent, id))?;
        }
        let agent = AgentIndex((glances % u64::from(self.model.agent_count())) as u32);
        self.balances(agent, &[SESSIONS[0], SESSIONS[glances as usize % SESSIONS.len()]])
    }

    /// Compares every balance, and the state with that from its events.
    fn everything(&mut self, workload: &Workload) -> Result<(), String> {
        for (agent, id) in workload.latest_holds(usize::MAX) {
            self.look(&Query::Authorization(agent, id))?;
        }
        for index in 0..self.model.agent_count() {
            self.balances(AgentIndex(index), &SESSIONS)?;
        }
        self.look(&Query::Shard { digest: false })?;
        self.look(&Query::LatestBudgetRequests(None, 50))?;
        self.look(&Query::LatestApprovalRequests(None, None, 50))?;
        self.look(&Query::LatestBudgetRequests(Some(BudgetStatus::Expired), 3))?;
        self.kernel.same_from_image()?;
        self.kernel.same_from_events()
    }

    /// Compares what can be looked at of an agent, and holds its limits against it.
    fn balances(&mut self, agent: AgentIndex, sessions: &[&str]) -> Result<(), String> {
        self.look(&Query::Agent(agent))?;
        self.look(&Query::Wallets(agent))?;
        self.look(&Query::BudgetRequests(agent, None, None))?;
        self.look(&Query::BudgetInForce(agent))?;
        self.look(&Query::LatestApprovalRequests(Some(agent), None, 9))?;
        let lease = self.kernel.state().lease(agent);
        let (found, expected) = ((lease.amount, lease.count, lease.armed), self.model.lease(agent));
        if found != expected {
            return Err(format!("the leases of {agent:?} differ\n  kernel: {found:?}\n  model:  {expected:?}"));
        }
        for protocol in Protocol::ALL {
            self.look(&Query::Services(agent, protocol))?;
            for session in sessions {
                self.look(&Query::Budget(agent, protocol, session))?;
            }
        }
        Ok(())
    }

    fn look(&mut self, query: &Query<'_>) -> Result<(), String> {
        let now = self.model.now();
        let request = Request::Read(query.clone());
        let expected = comparable(&self.model.decide(now, &request));
        let found = comparable(&unbroken(|| self.kernel.decide(now, &request))?);
        if found != expected {
            return Err(format!("at {now} {query:?} differs\n  kernel: {found:?}\n  model:  {expected:?}"));
        }
        self.within_limits(query, &found)
    }

    /// Captured and held are within every limit, but for what was booked beyond holds.
    fn within_limits(&self, query: &Query<'_>, found: &Result<Outcome, Failure>) -> Result<(), String> {
        let (Query::Budget(agent, ..), Ok(Outcome::View(View::Budget(view)))) = (query, found) else { return Ok(()) };
        let excess = self.excess.get(agent.0 as usize).copied().unwrap_or_default();
        for limit in view.limits.iter().filter(|_| self.mood == Mood::Calm) {
            if let (Measure::Money(cap), Measure::Money(used)) = (limit.limit, limit.used)
                && used.micros() > cap.micros() + excess
            {
                return Err(format!("{agent:?} overspends: {limit:?} with {excess} micros beyond holds"));
            }
        }
        Ok(())
    }

    fn note(&mut self, line: String) {
        if self.trace.len() == TRACE_LINES {
            self.trace.pop_front();
        }
        self.trace.push_back(line);
    }

    fn mismatch(&self, seed: u64, turn: u64, what: String) -> Box<Mismatch> {
        Box::new(Mismatch { seed, turn, what, trace: self.trace.iter().cloned().collect() })
    }

    fn count(&mut self, request: &Request<'_>, outcome: &Result<Outcome, Failure>) {
        let tally = &mut self.tally;
        let overage = match outcome {
            Ok(Outcome::Captured(captured)) => captured.overage,
            Ok(Outcome::Settled(settled)) => settled.captured.overage,
            Ok(Outcome::Recorded(recorded)) => recorded.overage,
            _ => crate::kernel::Amount::ZERO,
        };
        tally.overage += u64::from(!overage.is_zero());
        // What people are asked about may go beyond the cap that asks.
        let beyond = match (request, outcome) {
            (Request::Authorize(_, asked), Ok(Outcome::ApprovalRequired(_))) => asked.amount,
            _ => overage,
        };
        if let Some(agent) = agent_of(request) {
            self.excess.resize(self.excess.len().max(agent + 1), 0);
            self.excess[agent] += beyond.micros();
        }
        match outcome {
            Ok(Outcome::Approved(approval)) if approval.repeated => tally.repeated += 1,
            Ok(Outcome::Approved(_)) => tally.approved += 1,
            Ok(Outcome::Denied(denial)) => {
                tally.denied += 1;
                let by_budget = |violation: &Violation| violation.kind == ViolationKind::BudgetExceeded;
                tally.budget_denials += u64::from(denial.violations.iter().any(by_budget));
            }
            Ok(Outcome::Captured(captured)) if captured.late => tally.late += 1,
            Ok(Outcome::Captured(_)) => tally.captured += 1,
            Ok(Outcome::Settled(_)) => tally.settled += 1,
            Ok(Outcome::Voided { .. }) => tally.voided += 1,
            Ok(Outcome::Extended { .. }) => tally.extended += 1,
            Ok(Outcome::Increased { .. }) => tally.increased += 1,
            Ok(Outcome::Refunded { .. }) => tally.refunded += 1,
            Ok(Outcome::Recorded(recorded)) => match recorded.booking {
                Booking::Matched => tally.matched += 1,
                Booking::Session => tally.from_deposit += 1,
                Booking::Recovered => tally.recovered += 1,
                Booking::Unauthorized => tally.unauthorized += 1,
                Booking::Duplicate => tally.duplicate += 1,
                Booking::Misdirected => tally.misdirected += 1,
            },
            Ok(Outcome::SessionClosed { .. }) => tally.sessions_closed += 1,
            Ok(Outcome::ApprovalRequired(waiting)) if waiting.repeated => tally.repeated += 1,
            Ok(Outcome::ApprovalRequired(_)) => tally.waiting += 1,
            Ok(Outcome::ApprovalRequest(view)) => match view.status {
                ApprovalStatus::Approved => tally.approvals_given += 1,
                ApprovalStatus::Rejected => tally.approvals_rejected += 1,
                ApprovalStatus::Waiting
                | ApprovalStatus::Expired
                | ApprovalStatus::Withdrawn
                | ApprovalStatus::Bypassed => {}
            },
            Ok(Outcome::BudgetRequest(view)) => match view.status {
                BudgetStatus::Approved => tally.budgets_approved += 1,
                BudgetStatus::Exhausted => tally.budgets_exhausted += 1,
                BudgetStatus::Pending | BudgetStatus::Rejected | BudgetStatus::Expired => {}
            },
            Ok(Outcome::AgentCreated(_) | Outcome::PolicyChanged { .. } | Outcome::Done | Outcome::View(_)) => {}
            Err(_) => tally.failures += 1,
        }
    }
}

impl Tally {
    /// Whether every kind of end was seen at least once.
    #[must_use]
    pub fn reached_everything(&self) -> bool {
        let successes =
            [self.approved, self.repeated, self.captured, self.voided, self.extended, self.increased, self.settled];
        let reports =
            [self.matched, self.from_deposit, self.recovered, self.unauthorized, self.duplicate, self.misdirected];
        let others = [self.denied, self.late, self.overage, self.refunded, self.sessions_closed, self.failures];
        let waiting = [self.waiting, self.approvals_given, self.approvals_rejected];
        let budgets = [self.budgets_approved, self.budget_denials, self.budgets_exhausted, self.freezes];
        successes.iter().chain(&waiting).chain(&budgets).chain(&reports).chain(&others).all(|count| *count > 0)
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Tally) -> Tally {
        Tally {
            turns: self.turns + other.turns,
            approved: self.approved + other.approved,
            repeated: self.repeated + other.repeated,
            denied: self.denied + other.denied,
            captured: self.captured + other.captured,
            late: self.late + other.late,
            overage: self.overage + other.overage,
            voided: self.voided + other.voided,
            extended: self.extended + other.extended,
            increased: self.increased + other.increased,
            refunded: self.refunded + other.refunded,
            matched: self.matched + other.matched,
            from_deposit: self.from_deposit + other.from_deposit,
            recovered: self.recovered + other.recovered,
            unauthorized: self.unauthorized + other.unauthorized,
            duplicate: self.duplicate + other.duplicate,
            misdirected: self.misdirected + other.misdirected,
            settled: self.settled + other.settled,
            sessions_closed: self.sessions_closed + other.sessions_closed,
            waiting: self.waiting + other.waiting,
            approvals_given: self.approvals_given + other.approvals_given,
            approvals_rejected: self.approvals_rejected + other.approvals_rejected,
            budgets_approved: self.budgets_approved + other.budgets_approved,
            budget_denials: self.budget_denials + other.budget_denials,
            budgets_exhausted: self.budgets_exhausted + other.budgets_exhausted,
            failures: self.failures + other.failures,
            freezes: self.freezes + other.freezes,
        }
    }
}

fn agent_of(request: &Request<'_>) -> Option<usize> {
    match request {
        Request::Authorize(agent, _)
        | Request::Capture(agent, _)
        | Request::CaptureTo(agent, _)
        | Request::Settle(agent, _)
        | Request::Record(agent, _) => Some(agent.0 as usize),
        _ => None,
    }
}

/// An assertion that fails in the kernel is a mismatch like another.
fn unbroken<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    caught.map_err(|payload| match payload.downcast::<String>() {
        Ok(text) => format!("the kernel panicked: {text}"),
        Err(payload) => format!("the kernel panicked: {:?}", payload.downcast_ref::<&str>()),
    })
}

/// The answer without what the rules leave open: the words of a refusal and the reasons of an approval.
fn comparable(answer: &Result<Outcome, Failure>) -> Result<Outcome, Failure> {
    let mut answer = answer.clone();
    match &mut answer {
        Ok(Outcome::Approved(approval)) => approval.reasons = Reasons::default(),
        Ok(Outcome::View(View::Services(views))) => views.sort_by(|a, b| a.service.cmp(&b.service)),
        Ok(Outcome::ApprovalRequest(view)) => without_words(view),
        Ok(Outcome::View(View::ApprovalRequests(views))) => views.iter_mut().for_each(without_words),
        Ok(Outcome::View(View::Simulation(view))) => {
            view.answers = view.answers.iter().map(comparable).collect();
        }
        Ok(Outcome::Denied(denial)) => without_rest_of_ended_session(&mut denial.violations),
        Err(Failure::Invalid { field, expected }) => (*field, *expected) = ("", ""),
        Err(Failure::Capacity { what, .. }) => *what = "",
        _ => {}
    }
    answer
}

/// The words of the agent count in nothing.
fn without_words(view: &mut ApprovalRequestView) {
    for text in [&mut view.purpose, &mut view.category, &mut view.chain] {
        text.clear();
    }
}

/// What an ended session would have left is not compared: nobody needs to know.
fn without_rest_of_ended_session(violations: &mut Vec<Violation>) {
    let rest = [ViolationKind::SessionDeposit, ViolationKind::Rule(RuleKind::MppSessionBudget)];
    if violations.iter().any(|each| each.kind == ViolationKind::SessionEnded) {
        violations.retain(|each| !rest.contains(&each.kind));
    }
}
