//! Client and gateway over real sockets: what a client of the binary protocol relies on.
#![cfg(all(feature = "server", feature = "client"))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod approvals;
mod captures;
mod crowds;
mod frames;
mod gateway;

use std::time::{Duration, Instant};

use gateway::{AGENTS, Gateway};
use holdfast::{
    client::{
        Client, ClientError, ConnectError, Connector, Decision, Fingerprint, Trust, new_authorization_id,
        new_operation_id,
    },
    kernel::{
        AgentId, Amount, AuthorizationId, Facts, OperationId, Protocol,
        facts::{SPLITS_MAX, Split},
        outcome::{Booking, HoldStatus},
        request::Principal,
    },
    wire::{
        Handle, Identified, Operation, Reply, Request,
        limits::IN_FLIGHT_MAX,
        request::{Authorize, Budget, Capture, Extend, Increment, Record, Refund},
    },
};
use rustls_pki_types::CertificateDer;

fn run(test: impl AsyncFnOnce()) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(test());
}

fn cents(cents: u64) -> Amount {
    Amount::from_micros(cents * 10_000)
}

fn payment(amount: Amount) -> Authorize<'static> {
    Authorize { service: "api.example.com", ..Authorize::payment(new_authorization_id(), amount, "0xabc") }
}

async fn approved(client: &Client, agent: Handle, request: &Authorize<'_>) -> holdfast::wire::reply::Approved {
    match client.authorize(agent, request).await.unwrap() {
        Decision::Approved(approved) => approved,
        other => panic!("{other:?}"),
    }
}

fn refused<T: std::fmt::Debug>(result: Result<T, ClientError>) -> String {
    match result {
        Err(ClientError::Refused(error)) => error.code,
        other => panic!("expected a refusal, not {other:?}"),
    }
}

#[test]
fn facts_are_bounded_over_quic_too() {
    let gateway = Gateway::start();
    run(async || {
        let client = Client::connect(gateway.options(&gateway.agent_key(1))).await.unwrap();
        let handle = client.agent().expect("an agent's key");
        let ask = |facts: Facts<'static>| Authorize { facts: Some(Box::new(facts)), ..payment(cents(50)) };
        let split = Split { recipient: "0xdef", amount: cents(1) };
        let good = Facts { country: "DE", splits: vec![split; SPLITS_MAX], ..Facts::default() };
        approved(&client, handle, &ask(good)).await;
        for bad in [
            Facts { splits: vec![split; SPLITS_MAX + 1], ..Facts::default() },
            Facts { splits: vec![Split { amount: cents(51), ..split }], ..Facts::default() },
            Facts { country: "Germany", ..Facts::default() },
        ] {
            assert_eq!(refused(client.authorize(handle, &ask(bad)).await), "VALIDATION_ERROR");
        }
    });
}

#[test]
fn a_hold_lives_from_its_approval_to_its_refund() {
    let gateway = Gateway::start();
    run(async || {
        // Some of these agents live on the worker that is connected to first, some on the other.
        for agent in 1..=AGENTS {
            let client = Client::connect(gateway.options(&gateway.agent_key(agent))).await.unwrap();
            let handle = client.agent().expect("an agent's key");
            assert_eq!(client.resolve(AgentId(agent)).await.unwrap(), handle);
            let request = payment(cents(50));
            let first = approved(&client, handle, &request).await;
            assert_eq!((first.remaining, first.repeated), (Some(cents(950)), false));
            let again = approved(&client, handle, &request).await;
            assert_eq!((again.expires_at, again.repeated), (first.expires_at, true));

            let (id, by) = (request.id, holdfast::kernel::Duration::from_secs(600));
            let extend = Extend { id, operation: new_operation_id(), by };
            assert!(client.extend(handle, &extend).await.unwrap() > first.expires_at);
            let increment = Increment { id, operation: new_operation_id(), amount: cents(10) };
            let Decision::Approved(increased) = client.increment(handle, &increment).await.unwrap() else { panic!() };
            assert_eq!(increased.amount, cents(60));
            let capture = Capture { id, operation: new_operation_id(), amount: cents(40), last: true };
            let captured = client.capture(handle, &capture).await.unwrap();
            assert_eq!((captured.captured, captured.held), (cents(40), Amount::ZERO));
            assert_eq!(client.capture(handle, &capture).await.unwrap(), captured, "a retry gets the first answer");
            let refund = Refund { id, operation: new_operation_id(), amount: cents(15) };
            assert_eq!(client.refund(handle, &refund).await.unwrap(), cents(15));

            let view = client.authorization(handle, id).await.unwrap();
            assert_eq!((view.status, view.captured, view.refunded), (HoldStatus::Captured, cents(40), cents(15)));
            let budget = client.budget(handle, &Budget { protocol: Protocol::Payment, session: "" }).await.unwrap();
            assert_eq!(budget.remaining, Some(cents(1000 - 25)));
            let services = client.services(handle, Protocol::Payment).await.unwrap();
            assert!(services.len() <= 1, "{services:?}");
        }
    });
}

#[test]
fn a_void_gives_the_hold_back_and_a_record_is_counted_once() {
    let gateway = Gateway::start();
    run(async || {
        let client = Client::connect(gateway.options(&gateway.agent_key(1))).await.unwrap();
        let handle = client.agent().unwrap();
        let request = payment(cents(50));
        approved(&client, handle, &request).await;
        assert_eq!(client.void(handle, request.id).await.unwrap(), cents(50));
        assert_eq!(client.void(handle, request.id).await.unwrap(), cents(50));
        let by = holdfast::kernel::Duration::from_secs(1);
        let extend = Extend { id: request.id, operation: new_operation_id(), by };
        assert_eq!(refused(client.extend(handle, &extend).await), "INVALID_STATUS");
        let record = Record {
            authorization: None,
            amount: cents(20),
            protocol: Protocol::X402,
            recipient: "0xabc",
            service: "api.example.com",
            resource: "",
            session: "",
            wallet: "",
            payment_id: "payment-0000000001",
            transaction: "",
            calls: 1,
        };
        assert_eq!(client.record(handle, &record).await.unwrap().booking, Booking::Unauthorized);
        assert_eq!(client.record(handle, &record).await.unwrap().booking, Booking::Duplicate);
        assert!(client.ping().await.is_ok());
    });
}

#[test]
fn a_denial_is_a_value_and_names_every_violation() {
    let gateway = Gateway::start();
    run(async || {
        let client = Client::connect(gateway.options(&gateway.agent_key(1))).await.unwrap();
        let handle = client.agent().unwrap();
        let Decision::Denied(denied) = client.authorize(handle, &payment(cents(2000))).await.unwrap() else { panic!() };
        let codes: Vec<&str> = denied.violations.iter().map(|violation| violation.code.as_str()).collect();
        assert_eq!(codes, ["PER_TX_LIMIT", "DAILY_LIMIT"]);
        let request = payment(cents(50));
        approved(&client, handle, &request).await;
        let other = Authorize { amount: cents(51), ..request.clone() };
        assert_eq!(refused(client.authorize(handle, &other).await), "IDEMPOTENCY_CONFLICT");
        assert_eq!(refused(client.authorize(handle, &payment(Amount::ZERO)).await), "INVALID_AMOUNT");
        assert_eq!(
            refused(client.authorize(handle, &Authorize { recipient: "", ..request }).await),
            "VALIDATION_ERROR"
        );
        assert_eq!(refused(client.void(handle, AuthorizationId(404)).await), "NOT_FOUND");
    });
}

#[test]
fn an_agents_key_acts_for_that_agent_only() {
    let gateway = Gateway::start();
    run(async || {
        let first = Client::connect(gateway.options(&gateway.agent_key(1))).await.unwrap();
        let second = Client::connect(gateway.options(&gateway.agent_key(2))).await.unwrap();
        let stranger = second.agent().unwrap();
        assert_eq!(refused(first.authorize(stranger, &payment(cents(1))).await), "INSUFFICIENT_SCOPE");
        assert_eq!(refused(first.resolve(AgentId(2)).await), "INSUFFICIENT_SCOPE");
        let budget = second.budget(stranger, &Budget { protocol: Protocol::Payment, session: "" }).await.unwrap();
        assert_eq!(budget.held, Amount::ZERO, "nothing was changed");
    });
}

#[test]
fn a_platforms_key_acts_for_its_agents() {
    let gateway = Gateway::start();
    run(async || {
        let all = Client::connect(gateway.options(&gateway.platform_key())).await.unwrap();
        assert_eq!(all.agent(), None);
        let listed = gateway.issue(Principal::Platform(vec![AgentId(1), AgentId(2), AgentId(99)])).0;
        let listed = Client::connect(gateway.options(&listed)).await.unwrap();
        assert_eq!(listed.welcome().principal, Identified::Platform);
        let own = listed.resolve(AgentId(2)).await.unwrap();
        approved(&listed, own, &payment(cents(1))).await;
        let other = all.resolve(AgentId(3)).await.unwrap();
        approved(&all, other, &payment(cents(1))).await;
        assert_eq!(refused(listed.authorize(other, &payment(cents(1))).await), "INSUFFICIENT_SCOPE");
        assert_eq!(refused(listed.resolve(AgentId(99)).await), "NOT_FOUND");
        gateway.create(AgentId(99));
        let new = listed.resolve(AgentId(99)).await.unwrap();
        approved(&listed, new, &payment(cents(1))).await;
    });
}

#[test]
fn a_batch_is_answered_in_its_order_and_never_overspends() {
    let gateway = Gateway::start();
    run(async || {
        let client = Client::connect(gateway.options(&gateway.platform_key())).await.unwrap();
        let mut requests = Vec::new();
        for agent in 1..=AGENTS {
            let handle = client.resolve(AgentId(agent)).await.unwrap();
            requests.extend((0..15).map(|_| (handle, payment(cents(100)))));
        }
        let decisions = client.authorize_batch(&requests).await;
        assert_eq!(decisions.len(), requests.len());
        for of_one_agent in decisions.chunks(15) {
            let approved = of_one_agent.iter().filter(|decision| matches!(decision, Ok(Decision::Approved(_)))).count();
            let denied = of_one_agent.iter().filter(|decision| matches!(decision, Ok(Decision::Denied(_)))).count();
            assert_eq!((approved, denied), (10, 5), "the day has room for ten");
        }
    });
}

#[test]
fn who_is_not_known_is_refused() {
    let gateway = Gateway::start();
    run(async || {
        let good = gateway.agent_key(1);
        let mut unknown = gateway.options(&good);
        unknown.credential = "holdfast_agent_nobody".to_owned();
        match Client::connect(unknown).await {
            Err(ConnectError::Refused(error)) => {
                assert_eq!((error.code.as_str(), error.retry_after_ms), ("AUTH_FAILED", None))
            }
            other => panic!("{other:?}"),
        }
        let mut pinned = gateway.options(&good);
        pinned.trust = Trust::Fingerprint(Fingerprint::of(&CertificateDer::from(vec![1, 2, 3])));
        assert!(matches!(Client::connect(pinned).await, Err(ConnectError::Connection(_))));
        let mut rooted = gateway.options(&good);
        rooted.trust = Trust::Roots(vec![gateway.certificate.clone()]);
        assert!(Client::connect(rooted.clone()).await.is_ok());
        rooted.server_name = "example.com".to_owned();
        assert!(matches!(Client::connect(rooted).await, Err(ConnectError::Connection(_))));
    });
}

#[test]
fn a_revoked_key_stops_within_a_second_even_where_nothing_is_asked() {
    let gateway = Gateway::start();
    run(async || {
        let (secret, key) = gateway.issue(Principal::Agent(AgentId(1)));
        let connector = Connector::new(gateway.options(&secret)).unwrap();
        let connection = connector.connect(gateway.address()).await.unwrap();
        gateway.revoke(key);
        let revoked_at = Instant::now();
        let closed = tokio::time::timeout(Duration::from_secs(5), connection.quic().closed()).await.unwrap();
        assert!(revoked_at.elapsed() < Duration::from_secs(1), "{:?}", revoked_at.elapsed());
        assert!(closed.to_string().contains("AUTH_FAILED"), "{closed}");
        assert!(matches!(connector.connect(gateway.address()).await, Err(ConnectError::Refused(_))));
    });
}

#[test]
fn a_client_outlives_its_gateway_and_repeats_with_the_same_id() {
    let mut gateway = Gateway::start();
    run(async || {
        let client = Client::connect(gateway.options(&gateway.agent_key(1))).await.unwrap();
        let handle = client.agent().unwrap();
        let request = payment(cents(50));
        let first = approved(&client, handle, &request).await;
        tokio::task::block_in_place(|| gateway.restart());
        let again = approved(&client, handle, &request).await;
        assert_eq!((again.expires_at, again.repeated), (first.expires_at, true));
        tokio::task::block_in_place(|| gateway.stop());
        assert!(client.ping().await.is_err());
    });
}

#[test]
fn more_than_may_be_in_flight_is_read_when_there_is_room() {
    let gateway = Gateway::start();
    run(async || {
        // Each capture waits for the disk, so that the requests pile up; half of the agents live on the other worker.
        let requests = IN_FLIGHT_MAX as u64 + 10_000;
        let connector = Connector::new(gateway.options(&gateway.platform_key())).unwrap();
        let mut connection = connector.connect(gateway.address()).await.unwrap();
        let handles: Vec<Handle> = (1..=AGENTS)
            .map(|agent| gateway.engine.agent(AgentId(agent)).unwrap())
            .map(|found| Handle { shard: found.shard, index: found.index })
            .collect();
        let (mut writer, mut reader) = connection.stream().await.unwrap();
        let id = AuthorizationId(7);
        let writing = tokio::spawn(async move {
            for (tag, handle) in (0..handles.len() as u64).zip(&handles) {
                let authorize = Authorize::payment(id, cents(1), "0xabc");
                writer.push(tag, &Request::Agent(*handle, Operation::Authorize(authorize))).unwrap();
            }
            for tag in handles.len() as u64..requests {
                let handle = handles[tag as usize % handles.len()];
                let capture =
                    Capture { id, operation: OperationId(u128::from(tag)), amount: Amount::ZERO, last: false };
                writer.push(tag, &Request::Agent(handle, Operation::Capture(capture))).unwrap();
                if writer.queued() == 1000 {
                    writer.flush().await.unwrap();
                }
            }
            writer.flush().await.unwrap();
            writer.finish();
        });
        let mut seen = vec![false; requests as usize];
        let mut count = 0;
        while count < requests {
            let arrived = reader.read(|item| {
                assert!(!std::mem::replace(&mut seen[item.tag as usize], true), "tag {} twice", item.tag);
                let reply = Reply::decode(item).unwrap();
                let known = match &reply {
                    Reply::Approved(_) | Reply::Captured(_) => true,
                    Reply::Error(error) => error.code == "OVERLOADED",
                    _ => false,
                };
                assert!(known, "{reply:?}");
            });
            count += tokio::time::timeout(Duration::from_secs(30), arrived).await.unwrap().unwrap() as u64;
        }
        writing.await.unwrap();
    });
}
