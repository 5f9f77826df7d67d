//! How much memory does an agent cost that does nothing? A gateway is to keep a million of them in a gibibyte.
//!
//! What is counted is what the kernel asks the allocator for, spare room in its tables included. `-- --nocapture` prints the breakdown;
//! `HOLDFAST_AGENTS=1000000` measures that many, and what the whole process takes.

#[path = "../benches/fixture/mod.rs"]
mod fixture;

use allocation_counter::measure;
use fixture::{AMOUNT, Course, End, Shard, authorize, create_agent, machine_payments, wallet};
use holdfast::kernel::{
    AgentIndex, AuthorizationId, Duration, Event, Outcome, Request,
    request::WalletSource,
    state::{activity::Service, agent::Agent, hold::Hold, session::Session, wallet::Wallet},
};

/// Where tables that double are just full.
const AGENTS: u32 = 1 << 14;
/// An agent with a wallet that never paid, names excluded.
const IDLE_BYTES_MAX: i64 = 200;
/// What the first payment leaves with the agent for good: the counters of its service, room for a session, what the detectors
/// compare its payments with (320 bytes of it), and two pointers to what only some rules count.
const RETIRED_BYTES_MAX: i64 = 928;

/// Payments that end by a void, and of which nothing is remembered a second later.
const COURSE: Course = Course { step: 1, steps_open: 1_000_000, end: End::Voided };

/// What the steps of an agent's life add, in bytes an agent.
#[derive(Debug)]
struct Breakdown {
    created: i64,
    linked: i64,
    texts: i64,
    tables: i64,
    paid: i64,
    retired: i64,
}

/// A shard in which all agents do the same, one after the other.
struct Crowd {
    shard: Shard,
    agents: u32,
    payments: u128,
}

impl Crowd {
    fn new(agents: u32) -> Crowd {
        Crowd { shard: Shard::empty(machine_payments(), COURSE), agents, payments: 0 }
    }

    /// What is taken and not given back while each agent's turn comes, in bytes an agent.
    fn each(&mut self, mut turn: impl FnMut(&mut Crowd, AgentIndex)) -> i64 {
        let taken = measure(|| (0..self.agents).for_each(|agent| turn(self, AgentIndex(agent))));
        taken.bytes_current / i64::from(self.agents)
    }

    fn create(&mut self) -> i64 {
        self.each(|crowd, agent| _ = crowd.shard.ask(&create_agent(agent.0.into())))
    }

    fn link(&mut self, wallet: &WalletSource) -> i64 {
        self.each(|crowd, agent| _ = crowd.shard.ask(&Request::PutWallet(agent, wallet.clone())))
    }

    /// As many payments as there are agents, all of one agent or one of each.
    fn pay(&mut self, payer: Option<AgentIndex>) -> i64 {
        self.each(|crowd, agent| {
            crowd.payments += 1;
            let request = authorize(payer.unwrap_or(agent), AuthorizationId(crowd.payments), AMOUNT);
            crowd.shard.ask(&request);
        })
    }

    /// Ends those payments, and forgets them.
    fn retire(&mut self, payer: Option<AgentIndex>) -> i64 {
        self.payments -= u128::from(self.agents);
        let mut given_back = self.each(|crowd, agent| {
            crowd.payments += 1;
            crowd.shard.ask(&Request::Void(payer.unwrap_or(agent), AuthorizationId(crowd.payments)));
        });
        let forgotten = measure(|| self.shard.pass(Duration::from_secs(3600)));
        given_back += forgotten.bytes_current / i64::from(self.agents);
        given_back
    }
}

impl Breakdown {
    fn of(agents: u32) -> Breakdown {
        let named = {
            let mut crowd = Crowd::new(agents);
            crowd.create();
            crowd.link(&wallet())
        };
        let mut crowd = Crowd::new(agents);
        let created = crowd.create();
        let linked = crowd.link(&nameless());
        // Brings the tables of holds to the size that they need next, which is a shard's and no agent's.
        let one = Some(AgentIndex(0));
        let tables = crowd.pay(one) + crowd.retire(one);
        let paid = crowd.pay(None);
        let retired = paid + crowd.retire(None);
        Breakdown { created, linked, texts: named - linked, tables, paid, retired }
    }

    fn idle(&self) -> i64 {
        self.created + self.linked
    }

    fn print(&self, agents: u32) {
        let Breakdown { created, linked, texts, tables, paid, retired } = self;
        println!("bytes an agent, with {agents} of them:");
        println!("{created:>6}  when it is created");
        println!("{linked:>6}  for its wallet, and {texts} for the wallet's texts");
        println!("{tables:>6}  for a hold, its history and its deadlines in the shard's tables");
        println!("{paid:>6}  for what its first open payment needs beyond those");
        println!("{retired:>6}  of that when the payment is over and forgotten");
        if let Some(resident) = resident_bytes() {
            println!("{resident:>6}  bytes is the whole process");
        }
    }
}

/// A wallet whose texts take next to no memory.
fn nameless() -> WalletSource {
    let nothing = String::new;
    WalletSource { id: "w".to_owned(), address: nothing(), chain_id: nothing(), custody: nothing(), ..wallet() }
}

#[test]
fn an_idle_agent_is_small() {
    let agents = std::env::var("HOLDFAST_AGENTS").map_or(AGENTS, |count| count.parse().unwrap());
    let breakdown = Breakdown::of(agents);
    breakdown.print(agents);
    assert!(breakdown.idle() <= IDLE_BYTES_MAX, "{breakdown:?}");
    assert!(breakdown.retired <= RETIRED_BYTES_MAX, "{breakdown:?}");
}

/// What the system says that this process has in memory; nothing where the system does not say it in Linux's way.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// What every decision reads, and what every payment leaves, in bytes. Padding grows where nobody looks.
#[test]
fn what_there_are_millions_of_is_small() {
    println!("{:>6}  an agent", size_of::<Agent>());
    println!("{:>6}  a wallet", size_of::<Wallet>());
    println!("{:>6}  a service", size_of::<Service>());
    println!("{:>6}  a session", size_of::<Session>());
    println!("{:>6}  a hold", size_of::<Hold>());
    println!("{:>6}  an event", size_of::<Event>());
    println!("{:>6}  an outcome", size_of::<Outcome>());
    assert!(size_of::<Agent>() <= 192);
    assert!(size_of::<Wallet>() <= 64);
    assert!(size_of::<Service>() <= 88);
    assert!(size_of::<Session>() <= 96);
    assert!(size_of::<Hold>() <= 128);
    assert!(size_of::<Event>() <= 96);
}
