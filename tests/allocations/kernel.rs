//! The kernel: decide, and apply what was decided.

use holdfast::kernel::{
    AgentIndex, CounterpartyId, Request,
    anomaly::{Threshold, WatchingChange},
    counterparty::{Counterparty, CounterpartyTexts, Standing},
    request::UpdateAgent,
};

use crate::{
    count::Count,
    fixture::{Course, End, RECIPIENT, Shard, machine_payments},
};

const AGENTS: u32 = 256;
const STEPS: u64 = 64;
const COURSE: Course = Course { step: 256, steps_open: 16, end: End::Captured };

fn shard(end: End) -> Shard {
    let mut shard = Shard::empty(machine_payments(), Course { end, ..COURSE }).with_agents(AGENTS);
    // The clock hardly moves here, so there are far more calls a minute than anybody expects: the alert that says so is no part of
    // a payment.
    (0..AGENTS).for_each(|agent| _ = shard.ask(&expect_many_calls(AgentIndex(agent))));
    shard.in_steady_state()
}

/// The agent's operators expect any number of calls.
fn expect_many_calls(agent: AgentIndex) -> Request<'static> {
    let thresholds = vec![(Threshold::HighFrequencyCallsPerMinute, 0)];
    let watching = Some(Box::new(WatchingChange { auto_freeze: None, thresholds }));
    Request::UpdateAgent(agent, UpdateAgent { watching, ..UpdateAgent::default() })
}

/// Counts placing holds and ending them apart.
fn count(end: End) -> (Count, Count) {
    let mut shard = shard(end);
    let (mut placing, mut ending) = (Count::default(), Count::default());
    for _ in 0..STEPS {
        (0..COURSE.step).for_each(|_| placing.add(|| shard.place()));
        (0..COURSE.step).for_each(|_| ending.add(|| shard.end()));
        ending.add(|| shard.pass_step());
    }
    (placing, ending)
}

#[test]
fn an_approval_takes_no_memory() {
    let (placing, _) = count(End::Captured);
    placing.assert_none();
}

/// Of every payee it is known that nothing is known, and somebody else is blocked.
#[test]
fn a_directory_takes_no_memory_of_an_approval() {
    let mut shard = shard(End::Captured);
    for (address, standing) in [(RECIPIENT, Standing::Unknown), ("0xBlocked", Standing::Blocked)] {
        let texts = CounterpartyTexts { name: "a payee", address, ..CounterpartyTexts::default() };
        let id = CounterpartyId(standing as u128);
        let mut entry = Counterparty::new(id, &texts).expect("an address");
        entry.standing = Some(standing);
        shard.ask(&Request::PutCounterparty(Box::new(entry), None));
    }
    let mut placing = Count::default();
    for _ in 0..STEPS {
        (0..COURSE.step).for_each(|_| placing.add(|| shard.place()));
        (0..COURSE.step).for_each(|_| shard.end());
        shard.pass_step();
    }
    placing.assert_none();
}

#[test]
fn a_capture_takes_no_memory() {
    let (_, ending) = count(End::Captured);
    ending.assert_none();
}

#[test]
fn a_void_takes_no_memory() {
    let (_, ending) = count(End::Voided);
    ending.assert_none();
}

#[test]
fn an_expiry_takes_no_memory() {
    let (_, ending) = count(End::Expired);
    ending.assert_none();
}

#[test]
fn a_denial_takes_the_list_of_its_violations() {
    let mut shard = shard(End::Captured);
    let mut denying = Count::default();
    (0..STEPS * COURSE.step).for_each(|_| denying.add(|| shard.deny()));
    denying.assert_at_most(1);
}
