//! Named maxima: what is over one is refused as capacity, names it, and changes nothing.

use crate::shard::*;
use holdfast::kernel::{
    AgentId, Failure, KeyId, Options, PolicyId, Request, Timestamp,
    options::Maxima,
    policy::PolicySource,
    request::{AgentStatus, Authorize, CreateAgent, KeySource, Principal},
};

#[track_caller]
fn check(maximum: impl Fn(&mut Maxima), most: u64, requests: &[Request<'_>]) {
    let mut options: Options = options(&[]);
    maximum(&mut options.maxima);
    let mut shard = Shard::with(options);
    let (last, before) = requests.split_last().expect("one request at least");
    for request in before {
        let answer = shard.ask(request);
        assert!(answer.is_ok(), "{request:?}: {answer:?}");
    }
    let digest = shard.state.digest();
    match shard.ask(last) {
        Err(Failure::Capacity { maximum, .. }) => assert_eq!(maximum, most),
        other => panic!("{other:?}"),
    }
    assert_eq!(shard.state.digest(), digest);
}

fn authorize(authorize: Authorize<'static>) -> Request<'static> {
    Request::Authorize(AGENT, authorize)
}

#[test]
fn of_what_a_payment_needs() {
    let elsewhere = |hold, service| authorize(Authorize { service, ..x402(hold, 5) });
    check(|maxima| maxima.open_holds = 1, 1, &[authorize(plain(1, 5)), authorize(plain(2, 5))]);
    check(|maxima| maxima.open_holds_per_agent = 1, 1, &[authorize(plain(1, 5)), authorize(plain(2, 5))]);
    check(|maxima| maxima.names = 2, 2, &[authorize(x402(1, 5)), elsewhere(2, "odd.example.com")]);
    check(|maxima| maxima.services_per_agent = 1, 1, &[authorize(x402(1, 5)), elsewhere(2, "odd.example.com")]);
    check(|maxima| maxima.sessions_per_agent = 1, 1, &[authorize(x402(1, 5)), authorize(mpp(2, 5, "s"))]);
    check(|maxima| maxima.sessions_per_agent = 1, 1, &[authorize(deposit(1, 5, "")), authorize(deposit(2, 5, ""))]);
}

#[test]
fn a_hold_that_is_over_makes_room() {
    let mut options = options(&[]);
    options.maxima.open_holds = 1;
    let mut shard = Shard::with(options);
    shard.hold(x402(1, 5));
    shard.void(1).unwrap();
    shard.hold(x402(2, 5));
    shard.wait(400);
    shard.hold(x402(3, 5));
}

#[test]
fn of_what_operators_make() {
    let wallets = ["a", "b"].map(|id| Request::PutWallet(AGENT, wallet(id)));
    check(|maxima| maxima.wallets_per_agent = 1, 1, &wallets);
    let policies = [8, 9].map(|id| Request::PutPolicy(PolicySource { id: PolicyId(id), ..policy(&[]) }, None));
    check(|maxima| maxima.policies = 1, 1, &policies);
    let payees = ["0xaa", "0xbb"].map(crate::counterparty::put);
    check(|maxima| maxima.counterparties = 1, 1, &payees);
    let agent = CreateAgent { id: AgentId(2), name: "", agent_type: "", status: AgentStatus::Active, lease: None };
    check(|maxima| maxima.agents = 1, 1, &[Request::CreateAgent(agent)]);
    let key = |id| {
        Request::IssueKey(KeySource {
            id: KeyId(id),
            hash: [id as u8; 32],
            principal: Principal::Operator,
            name: "key".to_owned(),
            prefix: "holdfast".to_owned(),
            scopes: Vec::new(),
            expires_at: Timestamp::MAX,
        })
    };
    check(|maxima| maxima.keys = 1, 1, &[key(1), key(2)]);
}

#[test]
fn a_report_is_never_refused_for_want_of_room() {
    let mut options = options(&[]);
    let maxima = &mut options.maxima;
    (maxima.open_holds, maxima.services_per_agent, maxima.sessions_per_agent, maxima.names) = (0, 0, 0, 0);
    let mut shard = Shard::with(options);
    shard.record(paid(5)).unwrap();
    assert_eq!(shard.balance()[1], 5);
}

#[test]
fn the_oldest_history_makes_room_for_the_newest() {
    let mut options = options(&[]);
    options.maxima.finished_holds = 2;
    let mut shard = Shard::with(options);
    for hold in 1..=3 {
        shard.hold(x402(hold, 5));
        shard.void(hold).unwrap();
    }
    shard.wait(1);
    assert_eq!(shard.void(1), Err(Failure::UnknownAuthorization));
    assert!(shard.void(2).is_ok());
    assert!(shard.void(3).is_ok());
}
