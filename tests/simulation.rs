//! What callers were told against what the limits allow, across crashes, failing disks and restarts.
//!
//! One seed is one history: agents ask, pay, report, void, extend and enlarge; workers turn and the committer commits at random
//! moments; the disk fails or the process dies in between. The world keeps its own books: money that was paid, and approvals
//! that a caller was told of and may still pay. Their sum must never exceed the limit, whatever the gateway forgot.
//! `HOLDFAST_SIMULATION_SEEDS` and `HOLDFAST_SIMULATION_SEED` choose how many histories, and the first.

use std::{
    collections::BTreeMap,
    env,
    num::NonZeroU16,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use holdfast::{
    engine::{AgentHandle, Answer, EngineError, EngineOptions, NoObserver, Ticket},
    journal::MemoryStore,
    kernel::{
        AgentId, Amount, AuthorizationId, Duration, Failure, OperationId, Outcome, PolicyId, Protocol, Request,
        Timestamp,
        outcome::{AgentView, LimitView, Measure, View},
        policy::{PRIORITY_DEFAULT, PolicyScope, PolicySource, RuleSource},
        request::{Authorize, Capture, Extend, Increment, Intent, Query, UpdateAgent},
    },
    testing::{Fault, HandDriven, VirtualClock},
};

/// What each agent may spend on the one day that a history takes, in micro-units.
const LIMIT: u64 = 100;
const AGENTS: u128 = 3;
const STEPS: u32 = 600;
/// The gateway keeps a hold this much longer than the caller may pay.
const GRACE: Duration = Duration::from_secs(30);
/// The longest hold that may ride on a lease, and the longest that is asked for: some wait for the commit.
const LEASE_HOLD_MAX: Duration = Duration::from_secs(60);
const HOLD_MAX_SECS: u64 = 80;
/// The beginning of a day.
const START: Timestamp = Timestamp::from_micros(20_777 * 86_400 * 1_000_000);

/// Splitmix64: one seed, one history.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        if from.is_empty() { None } else { Some(from[self.below(from.len() as u64) as usize]) }
    }
}

/// A told approval that may still be paid.
#[derive(Clone, Copy, Debug)]
struct Told {
    amount: u64,
    expires_at: Timestamp,
}

/// Money that was paid and whose report is not acknowledged.
#[derive(Clone, Copy, Debug)]
struct Paid {
    amount: u64,
    report_before: Timestamp,
}

/// What one agent's callers know.
#[derive(Debug, Default)]
struct Caller {
    /// Asked for and not answered: it is asked again after a crash, with the same content.
    asked: BTreeMap<u128, (u64, u64)>,
    told: BTreeMap<u128, Told>,
    paid: BTreeMap<u128, Paid>,
    spent: u64,
    acknowledged: u64,
}

impl Caller {
    fn live(&self, now: Timestamp) -> u64 {
        self.told.values().filter(|told| told.expires_at > now).map(|told| told.amount).sum()
    }
}

/// What a ticket was for.
#[derive(Clone, Copy, Debug)]
enum Errand {
    Authorize(u128),
    Capture(u128),
    Extend(u128),
    Increment(u128),
    Other,
}

struct World {
    random: Random,
    seed: u64,
    options: EngineOptions,
    disk: Arc<MemoryStore>,
    clock: Arc<VirtualClock>,
    /// The true time; the gateway's clock may be behind it.
    now: Timestamp,
    gateway: Option<HandDriven>,
    handles: Vec<AgentHandle>,
    callers: Vec<Caller>,
    errands: BTreeMap<u64, (usize, Errand)>,
    next_ticket: u64,
    next_id: u128,
    crashes: u32,
    told_early: u32,
    /// How often history was cut, interrupted cuts not counted.
    cuts: u64,
    /// Whether the next disk may fail.
    may_fail: bool,
    /// For how many steps yet the disk commits nothing, so that much rides on the leases.
    stalled_steps: u64,
}

fn options(random: &mut Random, grace: Duration) -> EngineOptions {
    let rule = RuleSource {
        rule_type: "DAILY_LIMIT".to_owned(),
        operator: "LTE".to_owned(),
        value: Amount::from_micros(LIMIT).to_string(),
        action: "ALLOW".to_owned(),
    };
    let policy = PolicySource {
        id: PolicyId(1),
        name: "simulation".to_owned(),
        description: String::new(),
        policy_type: "SPEND_LIMIT".to_owned(),
        priority: PRIORITY_DEFAULT,
        active: true,
        scope: PolicyScope::Organization,
        agents: Vec::new(),
        rules: vec![rule],
        approval: None,
        wallets: Vec::new(),
        timezone: None,
    };
    let mut options = EngineOptions::new(policy);
    (options.shards, options.workers) = (2, 2);
    options.snapshot.journal_bytes = 2000;
    // Of every other history only the newest part is kept.
    options.retention.bytes_max = Some(6000).filter(|_| random.chance(50));
    options.kernel.require_wallet = false;
    options.kernel.grace = grace;
    options.kernel.lease.hold_max = LEASE_HOLD_MAX;
    vary_lease(random, &mut options);
    options
}

fn vary_lease(random: &mut Random, options: &mut EngineOptions) {
    options.kernel.lease.share_percent = random.pick(&[0, 5, 10, 30, 100]).unwrap_or(10);
    options.kernel.lease.floor = Amount::from_micros(random.below(10));
    options.kernel.lease.ceiling = Amount::from_micros(random.pick(&[0, 20, 1000]).unwrap_or(20));
    options.kernel.lease.count_max = random.pick(&[1, 3, 10_000]).unwrap_or(3);
}

impl World {
    fn new(seed: u64, grace: Duration) -> World {
        let mut random = Random(seed);
        let options = options(&mut random, grace);
        let mut world = World {
            random,
            seed,
            options,
            disk: Arc::new(MemoryStore::new(NonZeroU16::new(2).expect("two is not zero"))),
            clock: Arc::new(VirtualClock::new(START)),
            now: START,
            gateway: None,
            handles: Vec::new(),
            callers: (0..AGENTS).map(|_| Caller::default()).collect(),
            errands: BTreeMap::new(),
            next_ticket: 0,
            next_id: 0,
            crashes: 0,
            told_early: 0,
            cuts: 0,
            may_fail: false,
            stalled_steps: 0,
        };
        world.open();
        for agent in 0..AGENTS {
            world.gateway().create_agent(AgentId(agent));
            let handle = world.gateway().engine().agent(AgentId(agent)).expect("created agents are in the directory");
            world.handles.push(handle);
        }
        world.may_fail = true;
        world
    }

    fn run(&mut self) {
        for _ in 0..STEPS {
            self.step();
            self.check();
        }
        self.end();
    }

    fn step(&mut self) {
        if self.random.chance(30) {
            let micros = self.random.below(4_000_000);
            self.pass(Duration::from_micros(micros));
        }
        self.report_what_is_due();
        // One agent is busier than the others.
        let agent = if self.random.chance(60) { 0 } else { self.random.below(AGENTS as u64) as usize };
        self.stalled_steps = self.stalled_steps.saturating_sub(1);
        match self.random.below(100) {
            0..44 => self.authorize(agent),
            44..52 => self.void(agent),
            52..60 => self.pay(agent),
            60..66 => self.report_something(agent),
            66..69 => self.extend(agent),
            69..72 => self.increment(agent),
            72..73 => self.change_lease(agent),
            73..80 => self.turn(),
            80..92 => self.commit(),
            92..93 => self.gateway().write_snapshots(),
            93..94 => self.cut_history(),
            94..96 => self.stalled_steps = 5 + self.random.below(30),
            96..97 => self.set_clock_back(),
            97..98 => self.end_cleanly(),
            _ => self.crash(),
        }
        if self.gateway().has_failed() {
            self.crash();
        }
    }

    /// Cuts history that is too much; often the process dies in the middle of it.
    fn cut_history(&mut self) {
        if self.may_fail && self.random.chance(50) {
            let writes = self.random.below(40);
            self.gateway().crash_after(writes);
        }
        let cuts = self.gateway().engine().status().commits.cuts;
        self.gateway().retain();
        self.cuts += self.gateway().engine().status().commits.cuts - cuts;
    }

    /// Never overspend: what was paid and what may still be paid, together.
    fn check(&self) {
        for (agent, caller) in self.callers.iter().enumerate() {
            let live = caller.live(self.now);
            assert!(
                caller.spent + live <= LIMIT,
                "seed {}: agent {agent} paid {} and may pay {live} of {LIMIT}",
                self.seed,
                caller.spent
            );
        }
    }

    /// Every payment is reported and counted once, and nothing else is.
    fn end(&mut self) {
        self.may_fail = false;
        self.crash();
        for agent in 0..self.callers.len() {
            let unreported: Vec<u128> = self.callers[agent].paid.keys().copied().collect();
            unreported.into_iter().for_each(|id| self.report_now(agent, id));
        }
        self.pass(Duration::from_secs(3600));
        for agent in 0..self.callers.len() {
            let view = self.agent(agent);
            let Caller { spent, acknowledged, .. } = self.callers[agent];
            assert_eq!(acknowledged, spent, "seed {}: every payment was acknowledged", self.seed);
            assert_eq!(view.used[0].micros(), spent, "seed {}: agent {agent} is booked with what it paid", self.seed);
            assert_eq!(view.held, Amount::ZERO, "seed {}: nothing is held for ever", self.seed);
        }
    }

    fn pass(&mut self, by: Duration) {
        self.now = self.now.after(by);
        self.clock.set(self.now);
    }

    fn set_clock_back(&mut self) {
        let back = self.random.below(10_000_000);
        self.clock.set(Timestamp::from_micros(self.now.micros() - back));
    }

    fn gateway(&mut self) -> &mut HandDriven {
        self.gateway.as_mut().expect("it runs")
    }

    fn ask(&mut self, agent: usize, errand: Errand, request: &Request<'_>) {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let shard = self.handles[agent].shard;
        match self.gateway().ask(shard, Ticket(ticket), request) {
            Some(answer) => {
                self.told_early += u32::from(matches!(answer, Ok(Outcome::Approved(_))));
                self.hear(agent, errand, answer);
            }
            None => _ = self.errands.insert(ticket, (agent, errand)),
        }
    }

    fn authorize(&mut self, agent: usize) {
        let again: Vec<u128> = self.callers[agent].asked.keys().copied().collect();
        let (id, amount, hold_secs) = match self.random.pick(&again) {
            Some(id) if self.random.chance(30) => {
                let (amount, hold_secs) = self.callers[agent].asked[&id];
                (id, amount, hold_secs)
            }
            _ => {
                self.next_id += 1;
                (self.next_id, 1 + self.random.below(15), 5 + self.random.below(HOLD_MAX_SECS - 5))
            }
        };
        self.callers[agent].asked.insert(id, (amount, hold_secs));
        let authorize = Authorize {
            id: AuthorizationId(id),
            amount: Amount::from_micros(amount),
            protocol: Protocol::Payment,
            intent: Intent::Charge,
            recipient: "0xabc",
            service: "",
            resource: "",
            session: "",
            wallet: "",
            hold_for: Some(Duration::from_secs(hold_secs)),
            facts: None,
        };
        let request = Request::Authorize(self.handles[agent].index, authorize);
        self.ask(agent, Errand::Authorize(id), &request);
    }

    /// A caller that asks for the release promises not to pay, whatever the answer.
    fn void(&mut self, agent: usize) {
        if let Some(id) = self.some_told(agent) {
            self.callers[agent].told.remove(&id);
            let request = Request::Void(self.handles[agent].index, AuthorizationId(id));
            self.ask(agent, Errand::Other, &request);
        }
    }

    fn pay(&mut self, agent: usize) {
        if let Some(id) = self.some_told(agent) {
            let (now, caller) = (self.now, &mut self.callers[agent]);
            let told = caller.told.remove(&id).expect("it was told");
            if told.expires_at > now {
                // Most payments are small, so that the limit lasts for the whole history.
                let amount = if self.random.chance(80) { 1 } else { 1 + self.random.below(told.amount) };
                caller.spent += amount;
                caller.paid.insert(id, Paid { amount, report_before: told.expires_at.after(GRACE) });
            }
        }
    }

    fn report_something(&mut self, agent: usize) {
        let unreported: Vec<u128> = self.callers[agent].paid.keys().copied().collect();
        if let Some(id) = self.random.pick(&unreported) {
            self.report(agent, id);
        }
    }

    /// Nobody reports later than the grace allows.
    fn report_what_is_due(&mut self) {
        let soon = self.now.after(Duration::from_secs(5));
        for agent in 0..self.callers.len() {
            let due = self.callers[agent].paid.iter().filter(|(_, paid)| paid.report_before <= soon);
            let due: Vec<u128> = due.map(|(id, _)| *id).collect();
            due.into_iter().for_each(|id| self.report_now(agent, id));
        }
    }

    fn report(&mut self, agent: usize, id: u128) {
        let capture = Capture {
            id: AuthorizationId(id),
            operation: OperationId(id),
            amount: Amount::from_micros(self.callers[agent].paid[&id].amount),
            last: true,
        };
        let request = Request::Capture(self.handles[agent].index, capture);
        self.ask(agent, Errand::Capture(id), &request);
    }

    /// Reports until it is acknowledged, through whatever happens to the disk.
    fn report_now(&mut self, agent: usize, id: u128) {
        while self.callers[agent].paid.contains_key(&id) {
            self.report(agent, id);
            self.gateway().settle();
            self.listen();
            if self.gateway().has_failed() {
                self.crash();
            }
        }
    }

    fn extend(&mut self, agent: usize) {
        if let Some(id) = self.some_told(agent) {
            self.next_id += 1;
            let by = Duration::from_secs(1 + self.random.below(HOLD_MAX_SECS));
            let extend = Extend { id: AuthorizationId(id), operation: OperationId(self.next_id), by };
            let request = Request::Extend(self.handles[agent].index, extend);
            self.ask(agent, Errand::Extend(id), &request);
        }
    }

    fn increment(&mut self, agent: usize) {
        if let Some(id) = self.some_told(agent) {
            self.next_id += 1;
            let amount = Amount::from_micros(1 + self.random.below(10));
            let increment = Increment { id: AuthorizationId(id), operation: OperationId(self.next_id), amount };
            let request = Request::Increment(self.handles[agent].index, increment);
            self.ask(agent, Errand::Increment(id), &request);
        }
    }

    fn change_lease(&mut self, agent: usize) {
        let lease = Some(Amount::from_micros(self.random.pick(&[0, 3, 20, 60]).unwrap_or(3)));
        let request = Request::UpdateAgent(self.handles[agent].index, UpdateAgent { lease, ..UpdateAgent::default() });
        self.ask(agent, Errand::Other, &request);
    }

    fn some_told(&mut self, agent: usize) -> Option<u128> {
        let told: Vec<u128> = self.callers[agent].told.keys().copied().collect();
        self.random.pick(&told)
    }

    fn turn(&mut self) {
        self.gateway().turn();
        self.listen();
    }

    fn commit(&mut self) {
        if self.stalled_steps > 0 {
            return;
        }
        self.gateway().commit();
        if self.random.chance(70) {
            self.turn();
        }
    }

    fn listen(&mut self) {
        for (Ticket(ticket), answer) in self.gateway().answers() {
            if let Some((agent, errand)) = self.errands.remove(&ticket) {
                self.hear(agent, errand, answer);
            }
        }
    }

    fn hear(&mut self, agent: usize, errand: Errand, answer: Answer) {
        let caller = &mut self.callers[agent];
        match (errand, answer) {
            (_, Err(EngineError::Unavailable)) => {}
            (Errand::Authorize(id), Ok(Outcome::Approved(approval))) => {
                // A second answer to the same question is no second approval.
                if caller.asked.remove(&id).is_some() {
                    let told = Told { amount: approval.amount.micros(), expires_at: approval.expires_at };
                    caller.told.insert(id, told);
                }
            }
            (Errand::Authorize(id), Ok(Outcome::Denied(_))) => _ = caller.asked.remove(&id),
            (Errand::Capture(id), Ok(Outcome::Captured(_))) => {
                if let Some(paid) = caller.paid.remove(&id) {
                    caller.acknowledged += paid.amount;
                }
            }
            (Errand::Extend(id), Ok(Outcome::Extended { expires_at })) => {
                if let Some(told) = caller.told.get_mut(&id) {
                    told.expires_at = told.expires_at.max(expires_at);
                }
            }
            (Errand::Increment(id), Ok(Outcome::Increased { amount, .. })) => {
                if let Some(told) = caller.told.get_mut(&id) {
                    told.amount = told.amount.max(amount.micros());
                }
            }
            (Errand::Increment(_), Ok(Outcome::Denied(_))) | (Errand::Other, Ok(_)) => {}
            // A hold that was lost in a crash, or is over, can be paid and reported, but not changed.
            (
                Errand::Extend(_) | Errand::Increment(_) | Errand::Other,
                Err(EngineError::Failure(Failure::UnknownAuthorization | Failure::AuthorizationOver(_))),
            ) => {}
            (errand, answer) => panic!("seed {}: {errand:?} was answered with {answer:?}", self.seed),
        }
    }

    fn agent(&mut self, agent: usize) -> AgentView {
        let AgentHandle { shard, index } = self.handles[agent];
        loop {
            match self.gateway().ask_durably(shard, &Request::Read(Query::Agent(index))) {
                Ok(Outcome::View(View::Agent(view))) => return *view,
                Err(EngineError::Unavailable) => self.crash(),
                other => panic!("seed {}: {other:?}", self.seed),
            }
        }
    }

    /// What counts against the agent's limit, what is unknown included.
    fn counted(&mut self, agent: usize) -> u64 {
        let AgentHandle { shard, index } = self.handles[agent];
        loop {
            match self.gateway().ask_durably(shard, &Request::Read(Query::Budget(index, Protocol::Payment, ""))) {
                Ok(Outcome::View(View::Budget(budget))) => match budget.limits[..] {
                    [LimitView { used: Measure::Money(used), .. }] => return used.micros(),
                    _ => panic!("seed {}: {budget:?}", self.seed),
                },
                Err(EngineError::Unavailable) => self.crash(),
                other => panic!("seed {}: {other:?}", self.seed),
            }
        }
    }

    /// The process dies: what was not committed is gone, and so is every answer that was not given.
    fn crash(&mut self) {
        self.crashes += 1;
        self.gateway = None;
        self.errands.clear();
        if self.random.chance(20) {
            let mut options = self.options.clone();
            vary_lease(&mut self.random, &mut options);
            self.options = options;
        }
        self.open();
        self.check_recovery();
    }

    /// What callers were told never exceeds what recovery assumes, even where the limit is far away.
    fn check_recovery(&mut self) {
        for agent in 0..self.handles.len() {
            let used = self.counted(agent);
            let caller = &self.callers[agent];
            let (spent, live) = (caller.spent, caller.live(self.now));
            assert!(
                used >= spent + live,
                "seed {}: agent {agent} paid {spent} and may pay {live}, recovery assumes {used}",
                self.seed
            );
        }
    }

    fn end_cleanly(&mut self) {
        self.gateway().settle();
        self.listen();
        self.gateway().shut_down();
        self.listen();
        let is_clean = !self.gateway().has_failed();
        self.gateway = None;
        self.errands.clear();
        self.open();
        if is_clean {
            self.check_clean_start();
        }
    }

    /// After a clean end nothing is unknown: a report of something that never was is refused.
    fn check_clean_start(&mut self) {
        for agent in 0..self.callers.len() {
            let AgentHandle { shard, index } = self.handles[agent];
            let view = self.agent(agent);
            let known = view.used[0].micros();
            assert!(known <= LIMIT, "seed {}: {known}", self.seed);
            let (id, operation) = (AuthorizationId(u128::MAX), OperationId(u128::MAX));
            let capture = Capture { id, operation, amount: Amount::ZERO, last: true };
            let answer = self.gateway().ask_durably(shard, &Request::Capture(index, capture));
            // An unknown hold of a crash before may still stand; a clean end does not end it.
            let is_refused = answer == Err(EngineError::Failure(Failure::UnknownAuthorization));
            assert!(is_refused || self.crashes > 0, "seed {}: {answer:?}", self.seed);
        }
    }

    /// Takes the disk over, which may fail at some later append.
    fn open(&mut self) {
        let fault = (self.may_fail && self.random.chance(30)).then(|| Fault::from_seed(self.random.next(), 20));
        let open = |fault| {
            let (disk, clock) = (Arc::clone(&self.disk), Arc::clone(&self.clock));
            HandDriven::open(&self.options, disk, clock, fault, Arc::new(NoObserver))
        };
        let opened = open(fault).or_else(|error| {
            assert!(fault.is_some(), "seed {}: a sound disk is taken over, not {error}", self.seed);
            open(None)
        });
        self.gateway = Some(opened.expect("a sound disk is taken over"));
    }
}

fn seed_option(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().expect("a number of seeds"))
}

#[test]
fn callers_are_never_told_more_than_the_limit() {
    let (first, count) = (seed_option("HOLDFAST_SIMULATION_SEED", 0), seed_option("HOLDFAST_SIMULATION_SEEDS", 150));
    let (mut crashes, mut told_early, mut cuts) = (0, 0, 0);
    for seed in first..first + count {
        let mut world = World::new(seed, GRACE);
        world.run();
        crashes += world.crashes;
        told_early += world.told_early;
        cuts += world.cuts;
    }
    // A simulation in which nothing rides on a lease or nothing crashes shows nothing.
    assert!(u64::from(crashes) >= count * 5, "{crashes} crashes");
    assert!(u64::from(told_early) >= count * 5, "{told_early} approvals under a lease");
    assert!(cuts >= count / 4, "{cuts} cuts");
}

#[test]
fn a_gateway_without_the_grace_is_caught() {
    let is_caught = |seed: &u64| catch_unwind(AssertUnwindSafe(|| World::new(*seed, Duration::ZERO).run())).is_err();
    assert!(
        (0..40).any(|seed| is_caught(&seed)),
        "payments that are reported after the hold was forgotten go unnoticed"
    );
}
