//! HTTP itself: paths, methods, content types, sizes, and a real listener that ends well.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::body::{Body, Bytes, HttpBody};
use holdfast::server::rest::{BODY_BYTES_MAX, REQUESTS_AT_ONCE_MAX, serve};
use tokio::{net::TcpListener, sync::oneshot, task::spawn_blocking};

use crate::gateway::{Gateway, X402_PRE_AUTHORIZE};

#[tokio::test]
async fn what_http_itself_refuses_has_the_same_shape() {
    let gateway = Gateway::new();
    let agent = gateway.agent("shopper").await;
    let path = "/api/sdk/x402/pre-authorize";
    gateway.get("/api/nothing", &agent.key).await.refused(404, "NOT_FOUND", None);
    gateway.post("/api/sdk/stripe/pre-authorize", &agent.key, "{}").await.refused(404, "NOT_FOUND", None);
    gateway.send("GET", "/", &[], "").await.refused(404, "NOT_FOUND", None);
    let method = gateway.ask("PUT", path, &agent.key, "{}").await;
    method.refused(405, "VALIDATION_ERROR", None);
    assert_eq!(method.headers["allow"], "POST");
    let bearer = format!("Bearer {}", agent.key);
    for kind in ["text/plain", "application/x-www-form-urlencoded"] {
        let headers = [("authorization", bearer.as_str()), ("content-type", kind)];
        gateway.send("POST", path, &headers, X402_PRE_AUTHORIZE).await.refused(
            415,
            "VALIDATION_ERROR",
            Some("Content-Type"),
        );
    }
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json; charset=utf-8")];
    gateway.send("POST", path, &headers, X402_PRE_AUTHORIZE).await.expect(200);
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(BODY_BYTES_MAX));
    gateway.post(path, &agent.key, &large).await.refused(413, "FRAME_TOO_LARGE", None);
}

/// A body that is announced and never comes. It counts those who began to wait for one.
struct Never(Arc<AtomicUsize>);

impl HttpBody for Never {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        std::task::Poll::Pending
    }
}

#[tokio::test]
async fn one_request_too_many_is_refused_at_once() {
    let gateway = Arc::new(Gateway::new());
    let reading = Arc::new(AtomicUsize::new(0));
    let agent = gateway.agent("shopper").await;
    let path = "/api/sdk/x402/pre-authorize";
    let bearer = format!("Bearer {}", agent.key);
    let waiting: Vec<_> = (0..REQUESTS_AT_ONCE_MAX)
        .map(|_| {
            let (gateway, bearer, body) = (Arc::clone(&gateway), bearer.clone(), Never(Arc::clone(&reading)));
            tokio::spawn(async move {
                gateway.send("POST", path, &[("authorization", bearer.as_str())], Body::new(body)).await
            })
        })
        .collect();
    while reading.load(Ordering::SeqCst) < REQUESTS_AT_ONCE_MAX {
        tokio::task::yield_now().await;
    }
    gateway.post(path, &agent.key, X402_PRE_AUTHORIZE).await.refused(503, "OVERLOADED", None);
    gateway.send("GET", "/healthz", &[], "").await.expect(200);
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
    for task in waiting {
        assert!(task.await.is_err_and(|error| error.is_cancelled()));
    }
    gateway.post(path, &agent.key, X402_PRE_AUTHORIZE).await.expect(200);
}

#[tokio::test]
async fn a_real_listener_answers_and_ends_when_it_is_told() {
    let gateway = Gateway::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(serve(
        listener,
        gateway.router.clone(),
        async {
            let _ = stopped.await;
        },
        Duration::from_secs(5),
    ));
    let mut connection = spawn_blocking(move || {
        let mut connection = TcpStream::connect(address).unwrap();
        for _ in 0..2 {
            connection.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
            let mut bytes = [0; 1024];
            let count = connection.read(&mut bytes).unwrap();
            let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
            assert!(text.starts_with("HTTP/1.1 200 OK") && text.ends_with(r#"{"status":"ok"}"#), "{text}");
        }
        connection
    })
    .await
    .unwrap();
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
    assert_eq!(spawn_blocking(move || connection.read(&mut [0; 16]).unwrap()).await.unwrap(), 0);
}
