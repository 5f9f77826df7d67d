//! What the gateway does with bytes that are not what they should be.

use std::{sync::Arc, time::Duration};

use holdfast::{
    kernel::AgentId,
    server::identity::Secret,
    wire::{
        Batch, BatchWriter, FrameBuffer, FrameKind, Hello, Item, Reply, Request, codec,
        limits::{ALPN, FRAME_BYTES_MAX, HELLO_TIMEOUT, close},
        reply::ErrorReply,
    },
};
use quinn::{ClientConfig, ConnectionError, Endpoint, RecvStream, SendStream, crypto::rustls::QuicClientConfig};

use super::{Gateway, run};

/// A client that can say anything.
struct Raw {
    connection: quinn::Connection,
    send: SendStream,
    recv: RecvStream,
    buffer: FrameBuffer,
}

impl Raw {
    async fn connect(gateway: &Gateway) -> Raw {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(gateway.certificate.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![ALPN.to_vec()];
        let endpoint = Endpoint::client(([127, 0, 0, 1], 0).into()).unwrap();
        let config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
        let connection = endpoint.connect_with(config, gateway.address(), "localhost").unwrap().await.unwrap();
        let (send, recv) = connection.open_bi().await.unwrap();
        Raw { connection, send, recv, buffer: FrameBuffer::new() }
    }

    async fn greeted(gateway: &Gateway, secret: &Secret) -> Raw {
        let mut raw = Raw::connect(gateway).await;
        let mut bytes = Vec::new();
        Hello { version_min: 1, version_max: 1, credential: secret.text(), client: "raw" }.write(&mut bytes);
        raw.say(&bytes).await;
        assert_eq!(raw.hear().await.0, FrameKind::Welcome);
        raw
    }

    async fn say(&mut self, bytes: &[u8]) {
        self.send.write_all(bytes).await.unwrap();
    }

    async fn hear(&mut self) -> (FrameKind, Vec<u8>) {
        loop {
            if let Some(frame) = self.buffer.take(FRAME_BYTES_MAX).unwrap() {
                return (frame.kind, frame.content.to_vec());
            }
            let chunk = self.recv.read_chunk(1 << 16, true);
            let chunk = tokio::time::timeout(Duration::from_secs(10), chunk).await.unwrap().unwrap().expect("more");
            self.buffer.extend([&chunk.bytes[..]]);
        }
    }

    async fn replies(&mut self) -> Vec<(u64, Reply)> {
        let (kind, content) = self.hear().await;
        assert_eq!(kind, FrameKind::Replies);
        Batch::parse(&content).unwrap().map(|item| (item.tag, Reply::decode(item).unwrap())).collect()
    }

    /// Expects an error frame with this code, and then the end of the connection.
    async fn expect_end(mut self, code: &str, close: u32) {
        let (kind, content) = self.hear().await;
        assert_eq!(kind, FrameKind::Error);
        assert_eq!(codec::decode::<ErrorReply>(&content).unwrap().code, code);
        self.send.finish().unwrap();
        let closed = tokio::time::timeout(Duration::from_secs(10), self.connection.closed()).await.unwrap();
        match closed {
            ConnectionError::ApplicationClosed(closed) => assert_eq!(closed.error_code.into_inner(), u64::from(close)),
            other => panic!("{other}"),
        }
    }
}

fn batch(items: &[Item<'_>]) -> Vec<u8> {
    let mut writer = BatchWriter::new(FrameKind::Requests);
    for item in items {
        writer.push(item.tag, item.kind, |bytes| bytes.extend_from_slice(item.body)).unwrap();
    }
    writer.take(Vec::new())
}

#[test]
fn what_is_wrong_with_one_request_is_said_to_that_request() {
    let gateway = Gateway::start();
    run(async || {
        let mut raw = Raw::greeted(&gateway, &gateway.agent_key(1)).await;
        let ping = Item { tag: 3, kind: 1, body: &[] };
        raw.say(&batch(&[Item { tag: 1, kind: 99, body: b"?" }, Item { tag: 2, kind: 3, body: b"??" }, ping])).await;
        let replies = raw.replies().await;
        let codes: Vec<(u64, &str)> = replies
            .iter()
            .map(|(tag, reply)| match reply {
                Reply::Error(error) => (*tag, error.code.as_str()),
                Reply::Pong(_) => (*tag, "pong"),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(codes, [(1, "UNKNOWN_MESSAGE"), (2, "PROTOCOL_ERROR"), (3, "pong")]);
        raw.say(&batch(&[ping])).await;
        assert_eq!(raw.replies().await.len(), 1, "the connection goes on");
    });
}

#[test]
fn what_is_wrong_with_a_frame_ends_the_connection() {
    let gateway = Gateway::start();
    run(async || {
        let secret = gateway.agent_key(1);
        let ping = batch(&[Item { tag: 3, kind: 1, body: &[] }]);
        let mut truncated = ping.clone();
        truncated[5] = 2;
        let mut hello = Vec::new();
        Hello { version_min: 1, version_max: 1, credential: secret.text(), client: "again" }.write(&mut hello);
        for (bytes, code) in [
            (&[0, 0, 0, 0][..], "PROTOCOL_ERROR"),
            (&[0, 0, 0, 0x7f, 3], "FRAME_TOO_LARGE"),
            (&[1, 0, 16, 0], "FRAME_TOO_LARGE"),
            (&[1, 0, 0, 0, 77], "UNKNOWN_MESSAGE"),
            (&[3, 0, 0, 0, 3, 1, 16], "BATCH_TOO_LARGE"),
            (&truncated, "PROTOCOL_ERROR"),
            (&hello, "PROTOCOL_ERROR"),
        ] {
            let mut raw = Raw::greeted(&gateway, &secret).await;
            raw.say(bytes).await;
            raw.expect_end(code, close::PROTOCOL).await;
        }
    });
}

#[test]
fn the_first_frame_is_a_hello_that_is_accepted() {
    let gateway = Gateway::start();
    run(async || {
        let mut future = Vec::new();
        Hello { version_min: 2, version_max: 3, credential: "", client: "" }.write(&mut future);
        let mut nobody = Vec::new();
        Hello { version_min: 1, version_max: 1, credential: "nobody", client: "" }.write(&mut nobody);
        let long = "x".repeat(5000);
        let mut too_long = Vec::new();
        Hello { version_min: 1, version_max: 1, credential: &long, client: "" }.write(&mut too_long);
        for (bytes, code, closed) in [
            (batch(&[Item { tag: 0, kind: 1, body: &[] }]), "PROTOCOL_ERROR", close::PROTOCOL),
            (future, "PROTOCOL_ERROR", close::PROTOCOL),
            (vec![2, 0, 0, 0, 1, 9], "PROTOCOL_ERROR", close::PROTOCOL),
            (too_long, "FRAME_TOO_LARGE", close::PROTOCOL),
            (nobody, "AUTH_FAILED", close::AUTHENTICATION),
        ] {
            let mut raw = Raw::connect(&gateway).await;
            raw.say(&bytes).await;
            raw.expect_end(code, closed).await;
        }
    });
}

#[test]
fn who_says_no_hello_is_sent_away() {
    let gateway = Gateway::start();
    run(async || {
        let mut raw = Raw::connect(&gateway).await;
        raw.say(&[9, 0]).await;
        let closed = tokio::time::timeout(2 * HELLO_TIMEOUT, raw.connection.closed()).await.unwrap();
        match closed {
            ConnectionError::ApplicationClosed(closed) => {
                assert_eq!(closed.error_code.into_inner(), u64::from(close::HELLO_TIMEOUT));
            }
            other => panic!("{other}"),
        }
    });
}

#[test]
fn streams_are_served_side_by_side_and_end_when_the_client_ends_them() {
    let gateway = Gateway::start();
    run(async || {
        let raw = Raw::greeted(&gateway, &gateway.platform_key()).await;
        for agent in 1..=30 {
            let (mut send, mut recv) = raw.connection.open_bi().await.unwrap();
            let mut body = Vec::new();
            let request = Request::Resolve(AgentId(agent));
            request.encode(&mut body);
            send.write_all(&batch(&[Item { tag: 5, kind: request.kind(), body: &body }])).await.unwrap();
            send.finish().unwrap();
            let bytes = recv.read_to_end(1000).await.unwrap();
            let mut buffer = FrameBuffer::new();
            buffer.extend([&bytes[..]]);
            let frame = buffer.take(FRAME_BYTES_MAX).unwrap().unwrap();
            let replies: Vec<Item<'_>> = Batch::parse(frame.expect(FrameKind::Replies).unwrap()).unwrap().collect();
            assert_eq!((replies.len(), replies[0].tag), (1, 5));
        }
    });
}
