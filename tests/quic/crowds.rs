//! Clients that do not read, and many clients at one time.

use std::time::Duration;

use holdfast::{
    client::{Client, Connector},
    kernel::{AgentId, Protocol},
    wire::{Handle, Operation, Reply, Request, limits::FRAME_BYTES_MAX, request::Budget},
};

use super::{Gateway, approved, cents, payment, run};

/// More than the windows of gateway and client, and what the gateway keeps of one stream, hold together.
const UNREAD_BYTES_MAX: usize = 64 * FRAME_BYTES_MAX;
const CONNECTIONS: usize = 200;

#[test]
fn a_client_that_reads_nothing_is_read_no_more_and_harms_nobody() {
    let gateway = Gateway::start();
    run(async || {
        let key = gateway.platform_key();
        let connector = Connector::new(gateway.options(&key)).unwrap();
        let mut stalled = connector.connect(gateway.address()).await.unwrap();
        let (mut writer, mut reader) = stalled.stream().await.unwrap();
        let other = Client::connect(gateway.options(&key)).await.unwrap();
        let handle = other.resolve(AgentId(1)).await.unwrap();
        // A look at the budget has a reply several times its size.
        let look = Operation::Budget(Budget { protocol: Protocol::Payment, session: "" });
        let look = Request::Agent(handle, look);
        let asking = async {
            let (mut asked, mut bytes) = (0, 0);
            while bytes < UNREAD_BYTES_MAX {
                for _ in 0..1000 {
                    writer.push(asked, &look).unwrap();
                    asked += 1;
                    bytes += 16;
                }
                writer.flush().await.unwrap();
            }
        };
        // The pause is long enough for the windows to fill on most machines; where it is not, less is tried and nothing fails.
        let is_stalled = tokio::time::timeout(Duration::from_secs(2), asking).await.is_err();
        assert!(is_stalled, "the gateway took {UNREAD_BYTES_MAX} bytes from a client that reads nothing");
        approved(&other, handle, &payment(cents(1))).await;
        // Whoever reads again gets every reply that was held back.
        let arrived = tokio::time::timeout(Duration::from_secs(10), reader.read(|_| {})).await.unwrap().unwrap();
        assert!(arrived > 0);
        stalled.close();
        approved(&other, handle, &payment(cents(1))).await;
    });
}

#[test]
fn many_connections_are_served_at_one_time() {
    let gateway = Gateway::start();
    run(async || {
        let key = gateway.platform_key();
        let connector = Connector::new(gateway.options(&key)).unwrap();
        let found = gateway.engine.agent(AgentId(1)).unwrap();
        let handle = Handle { shard: found.shard, index: found.index };
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            let mut connection = connector.connect(gateway.address()).await.unwrap();
            let stream = connection.stream().await.unwrap();
            connections.push((connection, stream));
        }
        for (tag, (_, (writer, _))) in connections.iter_mut().enumerate() {
            let ask = Operation::Authorize(payment(cents(1)));
            writer.push(tag as u64, &Request::Agent(handle, ask)).unwrap();
            writer.flush().await.unwrap();
        }
        for (tag, (_, (_, reader))) in connections.iter_mut().enumerate() {
            let arrived = reader.read(|item| {
                assert_eq!(item.tag, tag as u64);
                assert!(matches!(Reply::decode(item), Ok(Reply::Approved(_))));
            });
            assert_eq!(tokio::time::timeout(Duration::from_secs(10), arrived).await.unwrap().unwrap(), 1);
        }
    });
}
