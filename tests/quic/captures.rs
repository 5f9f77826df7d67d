//! Many captures in one message: each stands for itself, and all are answered together.

use std::time::Duration;

use holdfast::{
    client::{Client, Connector, new_operation_id},
    kernel::{AgentId, AuthorizationId},
    wire::{
        Handle, Reply, Request,
        limits::{CAPTURES_MAX, IN_FLIGHT_MAX},
        reply::CaptureResult,
        request::Capture,
    },
};

use super::{AGENTS, Gateway, approved, cents, payment, refused, run};

#[test]
fn each_capture_of_a_batch_stands_for_itself() {
    let gateway = Gateway::start();
    run(async || {
        let client = Client::connect(gateway.options(&gateway.platform_key())).await.unwrap();
        let mut captures = Vec::new();
        for agent in 1..=AGENTS {
            let handle = client.resolve(AgentId(agent)).await.unwrap();
            let request = payment(cents(50));
            approved(&client, handle, &request).await;
            let capture = Capture { id: request.id, operation: new_operation_id(), amount: cents(40), last: true };
            captures.push((handle, capture.clone()));
            captures.push((handle, Capture { id: AuthorizationId(404), operation: new_operation_id(), ..capture }));
        }
        for time in ["first", "repeated"] {
            let results = client.capture_batch(&captures).await;
            assert_eq!(results.len(), captures.len());
            for pair in results.chunks(2) {
                assert_eq!(pair[0].as_ref().unwrap().captured, cents(40), "{time}");
                assert_eq!(refused(pair[1].clone()), "NOT_FOUND", "{time}");
            }
        }
        assert!(client.capture_batch(&[]).await.is_empty());
        let unknown = Handle { shard: holdfast::kernel::ShardId(999), ..captures[0].0 };
        let results = client.capture_batch(&[(unknown, captures[0].1.clone())]).await;
        assert_eq!(refused(results[0].clone()), "NOT_FOUND");
    });
}

#[test]
fn a_batch_may_be_as_large_as_the_page_says_and_no_larger() {
    let gateway = Gateway::start();
    run(async || {
        let agents = Client::connect(gateway.options(&gateway.platform_key())).await.unwrap();
        let connector = Connector::new(gateway.options(&gateway.platform_key())).unwrap();
        let mut connection = connector.connect(gateway.address()).await.unwrap();
        let (mut writer, mut reader) = connection.stream().await.unwrap();
        let mut handles = Vec::new();
        for agent in 1..=AGENTS {
            handles.push(agents.resolve(AgentId(agent)).await.unwrap());
        }
        let captures = |count: usize| {
            let capture = |place: usize| {
                let id = AuthorizationId(u128::MAX - place as u128);
                let capture = Capture { id, operation: new_operation_id(), amount: cents(1), last: true };
                (handles[place % handles.len()], capture)
            };
            Request::Captures((0..count).map(capture).collect())
        };
        // More than may be in flight at one time, so that the gateway has to wait between frames.
        let messages = (IN_FLIGHT_MAX / CAPTURES_MAX) as u64 + 3;
        writer.push(0, &captures(CAPTURES_MAX + 1)).unwrap();
        writer.flush().await.unwrap();
        for tag in 1..=messages {
            writer.push(tag, &captures(CAPTURES_MAX)).unwrap();
            writer.flush().await.unwrap();
        }
        let mut answered = 0;
        while answered < messages + 1 {
            let arrived = reader.read(|item| match (item.tag, Reply::decode(item).unwrap()) {
                (0, Reply::Error(error)) => assert_eq!(error.code, "BATCH_TOO_LARGE"),
                (_, Reply::CaptureResults(results)) => {
                    assert_eq!(results.len(), CAPTURES_MAX);
                    let of_nothing = |result: &CaptureResult| match result {
                        CaptureResult::Refused(refused) => refused.code == "NOT_FOUND",
                        CaptureResult::Captured(_) => false,
                    };
                    assert!(results.iter().all(of_nothing));
                }
                (tag, other) => panic!("{tag}: {other:?}"),
            });
            answered += tokio::time::timeout(Duration::from_secs(30), arrived).await.unwrap().unwrap() as u64;
        }
    });
}
