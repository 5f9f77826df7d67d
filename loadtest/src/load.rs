//! One load on one subject: threads that generate it, and what they have found out.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{Arc, Barrier, OnceLock},
    thread::{self, ScopedJoinHandle},
};

use tokio::{runtime::Runtime, task::LocalSet};

use crate::{
    book::Payer,
    crash::Crashes,
    error::LoadError,
    fleet::{self, LanePlan},
    lane::{self, Lane, LaneHandles, Orders},
    machine,
    mix::Dealer,
    pace::{self, Pace, Schedule},
    plan::Plan,
    progress,
    scenario::{Scenario, ScenarioPace},
    tally::{LastSecond, Tally, last_second},
    transport::{Broken, Link, Reader, Subject, Writer},
};

/// What a load has shown.
pub(crate) struct Measured {
    pub(crate) plan: Plan,
    pub(crate) payers: Vec<Payer>,
    pub(crate) tally: Tally,
    /// Requests that waited for an answer at the end of each second.
    pub(crate) in_flight: Vec<u64>,
    /// Connections that broke, and why.
    pub(crate) broken: Vec<String>,
    /// Processors that were busy on average with generating the load, and with serving it where the subject is ours.
    pub(crate) cpu_load: Option<f64>,
    pub(crate) cpu_gateway: Option<f64>,
}

/// Puts the subject under the scenario's load. `crashes` is told when the load begins.
pub(crate) fn run<S: Subject>(
    subject: &S,
    scenario: &Scenario,
    crashes: &Crashes<'_>,
    progress: bool,
) -> Result<Measured, LoadError> {
    let threads = usize::from(scenario.threads.min(scenario.connections));
    let mut shares: Vec<Share> = (0..threads).map(|_| Vec::new()).collect();
    let handles: Vec<LaneHandles> = (0..scenario.connections).map(|_| LaneHandles::default()).collect();
    for (number, lane) in subject.lanes(scenario.connections).into_iter().enumerate() {
        shares[number % threads].push((number, lane));
    }
    let load = Load {
        subject,
        scenario,
        crashes,
        schedule: Schedule::of(scenario).map(Arc::new),
        handles,
        last_seconds: (0..threads).map(|_| last_second()).collect(),
        barrier: Barrier::new(threads + 1),
        plan: OnceLock::new(),
        id_prefix: u64::from_le_bytes(random()?) << 16,
        progress,
    };
    thread::scope(|scope| {
        let threads = shares.into_iter().zip(&load.last_seconds);
        let threads: Vec<_> = threads.map(|(share, last)| scope.spawn(|| load.generate(share, last))).collect();
        load.conduct(threads)
    })
}

/// The lanes of one thread, each with its number.
type Share = Vec<(usize, LanePlan)>;

struct Load<'a, S> {
    subject: &'a S,
    scenario: &'a Scenario,
    crashes: &'a Crashes<'a>,
    schedule: Option<Arc<Schedule>>,
    handles: Vec<LaneHandles>,
    /// Of each thread.
    last_seconds: Vec<Arc<LastSecond>>,
    /// Everybody is connected; and again: the plan is made.
    barrier: Barrier,
    plan: OnceLock<Plan>,
    id_prefix: u64,
    progress: bool,
}

/// What one thread has found out.
struct Outcome {
    payers: Vec<Payer>,
    tally: Tally,
    broken: Vec<String>,
}

impl<S: Subject> Load<'_, S> {
    /// Gives the start, shows how it goes, and gathers the results.
    fn conduct(&self, threads: Vec<ScopedJoinHandle<'_, Result<Outcome, LoadError>>>) -> Result<Measured, LoadError> {
        self.barrier.wait();
        let plan = *self.plan.get_or_init(|| Plan::new(self.scenario));
        let cpu = || (machine::cpu_seconds(None), self.subject.process().and_then(|id| machine::cpu_seconds(Some(id))));
        let cpu_before = cpu();
        self.barrier.wait();
        let wake: Vec<_> = self.handles.iter().map(|handles| Arc::clone(&handles.wake)).collect();
        let (in_flight, crashed) = thread::scope(|scope| {
            if self.schedule.is_some() {
                scope.spawn(|| pace::beat(plan, &wake));
            }
            let crashing = scope.spawn(|| self.crashes.conduct(&plan));
            let in_flight = progress::show(&plan, &self.handles, &self.last_seconds, self.progress);
            (in_flight, crashing.join())
        });
        crashed.map_err(|_| LoadError::Panicked)??;
        let (cpu_after, seconds) = (cpu(), plan.now() as f64 / 1e9);
        let busy =
            |before: Option<f64>, after: Option<f64>| before.zip(after).map(|(b, a)| ((a - b) / seconds).max(0.0));
        let mut measured = Measured {
            plan,
            payers: Vec::new(),
            tally: Tally::new(plan, last_second()),
            in_flight,
            broken: Vec::new(),
            cpu_load: busy(cpu_before.0, cpu_after.0),
            cpu_gateway: busy(cpu_before.1, cpu_after.1).filter(|_| self.scenario.kills == 0),
        };
        for thread in threads {
            let outcome = thread.join().map_err(|_| LoadError::Panicked)??;
            measured.tally.add(&outcome.tally);
            measured.payers.extend(outcome.payers);
            measured.broken.extend(outcome.broken);
        }
        Ok(measured)
    }

    /// Everything that one thread does: its connections, and the load on them.
    fn generate(&self, share: Share, last: &Arc<LastSecond>) -> Result<Outcome, LoadError> {
        let (numbers, plans): (Vec<usize>, Vec<LanePlan>) = share.into_iter().unzip();
        let prepared = fleet::runtime().and_then(|runtime| {
            let links = runtime.block_on(self.subject.connect(&plans))?;
            Ok((runtime, links))
        });
        // Whoever fails must not keep the others waiting.
        self.barrier.wait();
        self.barrier.wait();
        let (runtime, mut links) = prepared?;
        let Some(plan) = self.plan.get().copied() else { return Err(LoadError::Panicked) };
        let tally = Rc::new(RefCell::new(Tally::new(plan, Arc::clone(last))));
        let workers: Vec<LanePlan> = plans.iter().map(LanePlan::without_payers).collect();
        let lane = |(number, lane_plan)| {
            let orders = self.orders(number, &lane_plan);
            Lane::new(lane_plan, orders, self.handles[number].clone(), Rc::clone(&tally))
        };
        let mut lanes: Vec<Lane> = numbers.into_iter().zip(plans).map(lane).collect();
        let mut broken = Vec::new();
        loop {
            let lives = self.crashes.lives();
            let (ended, reasons) = run_lanes(&runtime, links, lanes, || self.crashes.halted(lives))?;
            lanes = ended;
            // A connection breaks when the gateway is killed, and is made anew; without a kill it should have held.
            if !self.crashes.wait_until_back(lives, &plan) {
                broken.extend(reasons.into_iter().map(|error| format!("a connection broke: {error}")));
                break;
            }
            links = runtime.block_on(self.subject.connect(&workers))?;
        }
        let payers = lanes.into_iter().flat_map(Lane::into_payers).collect();
        let tally = Rc::into_inner(tally).ok_or(LoadError::Panicked)?.into_inner();
        Ok(Outcome { payers, tally, broken })
    }

    fn orders(&self, number: usize, lane: &LanePlan) -> Orders {
        let limit = self.subject.in_flight_max();
        let (in_flight_max, per_frame) = match self.scenario.pace {
            ScenarioPace::Climbing { .. } | ScenarioPace::Stepping(_) => (limit, 1),
            ScenarioPace::Closed { outstanding, per_frame } => {
                // Of all that are outstanding, a lane has its share.
                let mine = f64::from(outstanding) * lane.share * f64::from(self.scenario.connections);
                ((mine.round() as u32).clamp(1, limit), per_frame.unwrap_or(1))
            }
        };
        let pace = match &self.schedule {
            None => Pace::Closed,
            Some(schedule) => Pace::Open {
                schedule: Arc::clone(schedule),
                share: lane.share,
                phase: number as f64 / f64::from(self.scenario.connections),
            },
        };
        Orders {
            pace,
            in_flight_max,
            // A frame that can never be filled would never be sent.
            per_frame: per_frame.min(in_flight_max),
            captures: self.scenario.captures,
            capture_batch: self.scenario.capture_batch.unwrap_or(1) as usize,
            captures_only: self.scenario.captures_only,
            amount: self.scenario.amount,
            dealer: Dealer::new(self.scenario.mix, number as u64),
            id_prefix: self.id_prefix | number as u64,
        }
    }
}

/// Runs every lane on its connection until all have ended; says which connections broke.
fn run_lanes<W, R, H>(
    runtime: &Runtime,
    links: Vec<Link<W, R>>,
    lanes: Vec<Lane>,
    halted: impl Fn() -> H,
) -> Result<(Vec<Lane>, Vec<Broken>), LoadError>
where
    H: Future<Output = ()> + 'static,
    W: Writer + 'static,
    R: Reader + 'static,
{
    let tasks = LocalSet::new();
    let running: Vec<_> =
        links.into_iter().zip(lanes).map(|(link, lane)| tasks.spawn_local(lane::run(link, lane, halted()))).collect();
    runtime.block_on(tasks.run_until(async {
        let (mut lanes, mut reasons) = (Vec::new(), Vec::new());
        for task in running {
            let (lane, broken) = task.await.map_err(|_| LoadError::Panicked)?;
            lanes.push(lane);
            reasons.extend(broken);
        }
        Ok((lanes, reasons))
    }))
}

pub(crate) fn random<const N: usize>() -> Result<[u8; N], LoadError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    Ok(bytes)
}
