//! `loadtest run`: set-up, load, and check.

use std::{
    sync::{Arc, Barrier, OnceLock},
    thread::{self, ScopedJoinHandle},
};

use serde_json::Value;
use tokio::{sync::Notify, task::LocalSet};

use crate::{
    arguments::{LoadArguments, RunArguments},
    check::Verdict,
    error::LoadError,
    fleet::{self, Fleet, LanePlan},
    gateway::Gateway,
    lane::{self, Live, Orders, Outcome, Payer},
    machine,
    operator::Operator,
    pace::{self, Pace},
    plan::Plan,
    progress,
    report::{Report, ServerCounts},
    setup,
    tally::Tally,
    transport::{QuicGateway, Subject},
};

/// Runs everything, prints the report, and says whether all was right.
pub(crate) fn command(arguments: &RunArguments) -> Result<bool, LoadError> {
    let gateway =
        if arguments.start_gateway { Gateway::start(arguments)? } else { Gateway::running(&arguments.gateway)? };
    let is_set_up = arguments.start_gateway || arguments.setup;
    let operator = if is_set_up { Some(gateway.operator()?) } else { None };
    let key = match (&operator, &arguments.key) {
        (Some(operator), _) => setup::set_up(operator, arguments.agents.agents)?,
        (None, key) => key.clone().unwrap_or_default(),
    };
    let fleet = Fleet::muster(&gateway, &key, arguments.agents.agents)?;
    let load_average = machine::load_average();
    let server_before = server_counts(operator.as_ref())?;
    let subject = QuicGateway { gateway: &gateway, key: &key, fleet: &fleet };
    let run = Run { subject: &subject, load: &arguments.load };
    let measured = run.load()?;
    let server = server_counts(operator.as_ref())?.zip(server_before).map(|(after, before)| after.since(&before));
    let after = fleet.budgets_now(&gateway, &key)?;
    let mut verdict = Verdict::of(&measured.payers, &fleet.budgets, &after, arguments.load.amount);
    measured.broken.iter().for_each(|broken| verdict.add_problem(broken.clone()));
    if let (true, Some(server)) = (arguments.start_gateway, &server) {
        server.compare(&measured.tally, &mut verdict);
    }
    let report = Report {
        arguments,
        workers: fleet.workers(),
        load_average,
        seconds: measured.plan.measured_seconds(),
        tally: &measured.tally,
        cpu_client: measured.cpu_client,
        cpu_gateway: measured.cpu_gateway,
        server,
        verdict: &verdict,
    };
    if let Some(path) = &arguments.hgrm {
        report.write_hgrm(path)?;
    }
    println!("{}", if arguments.json { report.json() } else { report.text() });
    Ok(verdict.is_right())
}

fn server_counts(operator: Option<&Operator>) -> Result<Option<ServerCounts>, LoadError> {
    let status: Option<Value> = operator.map(|operator| operator.get("/api/status")).transpose()?;
    Ok(status.map(|status| ServerCounts::of(&status)))
}

/// One load on one subject.
struct Run<'a, S> {
    subject: &'a S,
    load: &'a LoadArguments,
}

/// What a load has shown.
struct Measured {
    plan: Plan,
    payers: Vec<Payer>,
    tally: Tally,
    /// Connections that broke, and why.
    broken: Vec<String>,
    /// Processors that were busy on average with generating the load, and with serving it where the gateway is ours.
    cpu_client: Option<f64>,
    cpu_gateway: Option<f64>,
}

/// What the threads that generate the load wait for.
struct Go {
    /// Everybody is connected; and again: the plan is made.
    barrier: Barrier,
    plan: OnceLock<Plan>,
}

/// What threads outside share with a lane.
#[derive(Clone, Default)]
struct LaneHandles {
    live: Arc<Live>,
    wake: Arc<Notify>,
}

impl<S: Subject> Run<'_, S> {
    fn load(&self) -> Result<Measured, LoadError> {
        let threads = usize::from(self.load.threads.min(self.load.connections));
        let handles = vec![(); self.load.connections.into()];
        let handles: Vec<LaneHandles> = handles.iter().map(|()| LaneHandles::default()).collect();
        let mut shares: Vec<Vec<(usize, LanePlan)>> = (0..threads).map(|_| Vec::new()).collect();
        for (number, lane) in self.subject.lanes(self.load.connections).into_iter().enumerate() {
            shares[number % threads].push((number, lane));
        }
        let go = Go { barrier: Barrier::new(threads + 1), plan: OnceLock::new() };
        let id_prefix = u64::from_le_bytes(random()?) << 16;
        thread::scope(|scope| {
            let threads: Vec<_> = shares
                .into_iter()
                .map(|share| scope.spawn(|| self.generate(share, &handles, &go, id_prefix)))
                .collect();
            self.conduct(threads, &handles, &go)
        })
    }

    /// Gives the start, shows how it goes, and gathers the results.
    fn conduct(
        &self,
        threads: Vec<ScopedJoinHandle<'_, Result<Vec<Outcome>, LoadError>>>,
        handles: &[LaneHandles],
        go: &Go,
    ) -> Result<Measured, LoadError> {
        go.barrier.wait();
        let plan = *go.plan.get_or_init(|| Plan::new(self.load));
        let cpu = || (machine::cpu_seconds(None), self.subject.process().and_then(|id| machine::cpu_seconds(Some(id))));
        let cpu_before = cpu();
        go.barrier.wait();
        let live: Vec<_> = handles.iter().map(|handles| Arc::clone(&handles.live)).collect();
        let wake: Vec<_> = handles.iter().map(|handles| Arc::clone(&handles.wake)).collect();
        thread::scope(|scope| {
            if self.load.rate.is_some() {
                scope.spawn(|| pace::beat(plan, &wake));
            }
            progress::show(&plan, &live);
        });
        let (cpu_after, seconds) = (cpu(), plan.now() as f64 / 1e9);
        let busy = |before: Option<f64>, after: Option<f64>| before.zip(after).map(|(b, a)| (a - b) / seconds);
        let mut measured = Measured {
            plan,
            payers: Vec::new(),
            tally: Tally::new(),
            broken: Vec::new(),
            cpu_client: busy(cpu_before.0, cpu_after.0),
            cpu_gateway: busy(cpu_before.1, cpu_after.1),
        };
        for thread in threads {
            for outcome in thread.join().map_err(|_| LoadError::Panicked)?? {
                measured.tally.add(&outcome.tally);
                measured.payers.extend(outcome.payers);
                measured.broken.extend(outcome.broken.map(|error| format!("a connection broke: {error}")));
            }
        }
        Ok(measured)
    }

    /// Everything that one thread does: its connections, and the load on them.
    fn generate(
        &self,
        share: Vec<(usize, LanePlan)>,
        handles: &[LaneHandles],
        go: &Go,
        id_prefix: u64,
    ) -> Result<Vec<Outcome>, LoadError> {
        let (numbers, plans): (Vec<usize>, Vec<LanePlan>) = share.into_iter().unzip();
        let prepared = fleet::runtime().and_then(|runtime| {
            let links = runtime.block_on(self.subject.connect(&plans))?;
            Ok((runtime, links))
        });
        // Whoever fails must not keep the others waiting.
        go.barrier.wait();
        go.barrier.wait();
        let (runtime, links) = prepared?;
        let Some(plan) = go.plan.get().copied() else { return Err(LoadError::Panicked) };
        let lanes = LocalSet::new();
        let mut tasks = Vec::with_capacity(links.len());
        for ((link, number), lane_plan) in links.into_iter().zip(numbers).zip(plans) {
            let orders = self.orders(plan, number, id_prefix);
            let LaneHandles { live, wake } = handles[number].clone();
            tasks.push(lanes.spawn_local(lane::run(link, lane_plan.payers, orders, wake, live)));
        }
        runtime.block_on(lanes.run_until(async {
            let mut outcomes = Vec::new();
            for task in tasks {
                outcomes.push(task.await.map_err(|_| LoadError::Panicked)?);
            }
            Ok(outcomes)
        }))
    }

    fn orders(&self, plan: Plan, lane: usize, id_prefix: u64) -> Orders {
        let limit = self.subject.in_flight_max();
        let (pace, in_flight_max) = match self.load.rate {
            Some(rate) => (Pace::open(rate, lane, self.load.connections.into()), limit),
            None => (Pace::Closed, self.load.outstanding.min(limit)),
        };
        Orders {
            plan,
            pace,
            in_flight_max,
            // A frame that can never be filled would never be sent.
            per_frame: self.load.per_frame.unwrap_or(1).min(in_flight_max),
            captures: self.load.captures,
            amount: self.load.amount,
            id_prefix: id_prefix | lane as u64,
        }
    }
}

fn random<const N: usize>() -> Result<[u8; N], LoadError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    Ok(bytes)
}
