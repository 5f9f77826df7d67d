//! Payments that wait for people, across crashes: what anybody was told of a decision holds, and nobody is told before it does.
//!
//! One seed is one history: an agent asks, people decide, the committer commits and the process dies at random moments. The world
//! keeps what it was told; after every crash the gateway must say the same or what time has made of it since.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;

use holdfast::{
    engine::{Answer, EngineOptions, Ticket},
    kernel::{
        AgentId, AgentIndex, Amount, AuthorizationId, Duration, Failure, KeyId, Outcome, PolicyId, Protocol, Request,
        ShardId, Timestamp,
        outcome::{ApprovalStatus, View},
        policy::{ApprovalTerms, PRIORITY_DEFAULT, PolicyScope, PolicySource, RuleSource},
        request::{Authorize, DecideApproval, Intent, Query},
    },
    testing::HandDriven,
};

const SHARD: ShardId = ShardId(0);
const ALICE: AgentIndex = AgentIndex(0);
const PEOPLE: [KeyId; 3] = [KeyId(1), KeyId(2), KeyId(3)];
const START: Timestamp = Timestamp::from_micros(20_777 * 86_400 * 1_000_000);
const SEEDS: u64 = 60;
const STEPS: u32 = 150;

/// Two people must approve whatever costs anything; there is a lease, which must cover none of it.
fn options() -> EngineOptions {
    let rule = RuleSource {
        rule_type: "REQUIRE_APPROVAL_ABOVE".to_owned(),
        operator: "GT".to_owned(),
        value: "1".to_owned(),
        action: "REQUIRE_APPROVAL".to_owned(),
    };
    let terms = ApprovalTerms { required: 2, approvers: Vec::new(), timeout: None };
    let mut options = EngineOptions::new(PolicySource {
        id: PolicyId(1),
        name: "ask".to_owned(),
        description: String::new(),
        policy_type: "APPROVAL_THRESHOLD".to_owned(),
        priority: PRIORITY_DEFAULT,
        active: true,
        scope: PolicyScope::Organization,
        agents: Vec::new(),
        rules: vec![rule],
        approval: Some(terms),
        wallets: Vec::new(),
        timezone: None,
    });
    (options.shards, options.workers) = (1, 1);
    options.kernel.require_wallet = false;
    options
}

fn asking(id: u128) -> Request<'static> {
    Request::Authorize(
        ALICE,
        Authorize {
            id: AuthorizationId(id),
            amount: Amount::from_units(5),
            protocol: Protocol::X402,
            intent: Intent::Charge,
            recipient: "0xaa",
            service: "api.example.com",
            resource: "",
            session: "",
            wallet: "",
            hold_for: None,
            facts: None,
        },
    )
}

fn deciding(id: u128, approver: KeyId, approves: bool) -> Request<'static> {
    Request::DecideApproval(ALICE, DecideApproval { id: AuthorizationId(id), approver, approves, comment: "" })
}

/// Splitmix64: one seed, one history.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}

/// What somebody was told of a payment: how it stands, and how many have approved.
type Told = (ApprovalStatus, u16);

/// A gateway, and what was told of it.
struct World {
    gateway: Option<HandDriven>,
    told: BTreeMap<u128, Told>,
    /// Which payment each request under way is about.
    asked: BTreeMap<u64, u128>,
    tickets: u64,
}

impl World {
    fn new() -> World {
        let mut gateway = HandDriven::new(&options(), START);
        gateway.create_agent(AgentId(1));
        World { gateway: Some(gateway), told: BTreeMap::new(), asked: BTreeMap::new(), tickets: 0 }
    }

    fn gateway(&mut self) -> &mut HandDriven {
        self.gateway.as_mut().unwrap()
    }

    fn ask(&mut self, id: u128, request: &Request<'_>) {
        self.tickets += 1;
        let ticket = self.tickets;
        self.asked.insert(ticket, id);
        if let Some(answer) = self.gateway().ask(SHARD, Ticket(ticket), request) {
            self.hear(Ticket(ticket), answer);
        }
    }

    fn hear(&mut self, ticket: Ticket, answer: Answer) {
        let id = self.asked.remove(&ticket.0).unwrap();
        let told = match answer {
            Ok(Outcome::ApprovalRequired(waiting)) => (ApprovalStatus::Waiting, waiting.given),
            Ok(Outcome::ApprovalRequest(view)) => {
                (view.status, view.answers.iter().filter(|answer| answer.approves).count() as u16)
            }
            Ok(Outcome::Approved(_)) => (ApprovalStatus::Approved, 2),
            _ => return,
        };
        let before = self.told.entry(id).or_insert(told);
        // Answers come in the order of what they tell.
        *before = told;
    }

    fn hear_all(&mut self) {
        for (ticket, answer) in self.gateway().answers() {
            self.hear(ticket, answer);
        }
    }

    fn step(&mut self, random: &mut Random) {
        let id = u128::from(random.below(6)) + 6 * u128::from(self.tickets / 40);
        match random.below(100) {
            0..30 => self.ask(id, &asking(id)),
            30..65 => {
                let approver = PEOPLE[random.below(3) as usize];
                let approves = random.below(5) > 0;
                self.ask(id, &deciding(id, approver, approves));
            }
            65..80 => self.gateway().settle(),
            80..88 => drop(self.gateway().turn()),
            88..95 => {
                let seconds = random.below(120);
                self.gateway().clock().advance(Duration::from_secs(seconds));
            }
            _ => self.crash(),
        }
        self.hear_all();
    }

    /// The process dies: what was told must hold, and what nobody was told may be gone.
    fn crash(&mut self) {
        self.hear_all();
        let gateway = self.gateway.take().unwrap();
        self.gateway = Some(gateway.restart(&options(), None).unwrap());
        self.asked.clear();
        self.gateway().settle();
        for (id, (told, given)) in self.told.clone() {
            let found = self.look(id);
            let holds = match told {
                ApprovalStatus::Waiting => found.is_some_and(|(status, now)| {
                    let may_be = [ApprovalStatus::Waiting, ApprovalStatus::Approved, ApprovalStatus::Rejected];
                    now >= given && (may_be.contains(&status) || status == ApprovalStatus::Expired)
                }),
                decided => found.is_some_and(|(status, _)| status == decided),
            };
            assert!(holds, "payment {id} was told to be {told:?} with {given}, and is {found:?}");
        }
    }

    fn look(&mut self, id: u128) -> Option<Told> {
        let query = Request::Read(Query::LatestApprovalRequests(Some(ALICE), None, 1000));
        let Ok(Outcome::View(View::ApprovalRequests(views))) = self.gateway().ask_durably(SHARD, &query) else {
            panic!("no list")
        };
        let view = views.into_iter().find(|view| view.authorization == AuthorizationId(id))?;
        Some((view.status, view.answers.iter().filter(|answer| answer.approves).count() as u16))
    }
}

#[test]
fn what_was_told_of_a_decision_survives_every_crash() {
    let (mut approved, mut rejected) = (0, 0);
    for seed in 0..SEEDS {
        let (mut world, mut random) = (World::new(), Random(seed));
        (0..STEPS).for_each(|_| world.step(&mut random));
        world.crash();
        approved += world.told.values().filter(|(status, _)| *status == ApprovalStatus::Approved).count();
        rejected += world.told.values().filter(|(status, _)| *status == ApprovalStatus::Rejected).count();
    }
    assert!(approved > 50 && rejected > 50, "{approved} approved, {rejected} rejected");
}

#[test]
fn nothing_is_told_of_a_payment_that_waits_before_it_is_durable() {
    let mut world = World::new();
    // A small payment needs nobody, and arms the lease.
    let Request::Authorize(_, small) = asking(900) else { unreachable!() };
    let small = Authorize { amount: Amount::from_units(1), ..small };
    world.gateway().ask_durably(SHARD, &Request::Authorize(ALICE, small.clone())).unwrap();
    let small = Authorize { id: AuthorizationId(901), ..small };
    assert!(
        world.gateway().ask(SHARD, Ticket(0), &Request::Authorize(ALICE, small)).is_some(),
        "it rides on the lease"
    );
    world.ask(1, &asking(1));
    world.gateway().turn();
    world.hear_all();
    assert_eq!(world.told, BTreeMap::new());
    world.crash();
    assert_eq!(world.look(1), None, "what nobody was told is gone");
    world.ask(1, &asking(1));
    world.gateway().settle();
    world.hear_all();
    assert_eq!(world.told[&1], (ApprovalStatus::Waiting, 0));
    world.crash();
    for (approver, status) in [(PEOPLE[0], ApprovalStatus::Waiting), (PEOPLE[1], ApprovalStatus::Approved)] {
        world.ask(1, &deciding(1, approver, true));
        world.gateway().settle();
        world.hear_all();
        assert_eq!(world.told[&1].0, status);
        world.crash();
    }
}

#[test]
fn an_approval_that_comes_with_the_end_of_its_time_comes_too_late() {
    for (late_micros, expected) in [(0, Err(ApprovalStatus::Expired)), (1, Ok(()))] {
        let mut world = World::new();
        world.gateway().ask_durably(SHARD, &asking(1)).unwrap();
        world.gateway().ask_durably(SHARD, &deciding(1, PEOPLE[0], true)).unwrap();
        world.gateway().clock().advance(Duration::from_micros(300_000_000 - late_micros));
        let answer = world.gateway().ask_durably(SHARD, &deciding(1, PEOPLE[1], true));
        let found = match answer {
            Ok(Outcome::ApprovalRequest(view)) if view.status == ApprovalStatus::Approved => Ok(()),
            Err(holdfast::engine::EngineError::Failure(Failure::ApprovalRequestOver(status))) => Err(status),
            other => panic!("{other:?}"),
        };
        assert_eq!(found, expected);
    }
}
