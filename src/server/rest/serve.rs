//! The listener: a bounded number of connections, headers that must come in time, and an end that lets requests finish.

use std::{future::Future, io, sync::Arc, time::Duration};

use axum::{Extension, Router, middleware::AddExtension};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tower::Layer;

use super::{caller::Peer, patient::Patient};

/// The most connections at once; more wait in the listener's queue.
pub const CONNECTIONS_MAX: usize = 4096;
/// The longest that the headers of a request may take to arrive, and that a connection may idle between requests. `axum::serve` has no such
/// limit, so a client that sends a byte a minute would hold a connection for ever.
pub const HEADER_WAIT_MAX: Duration = Duration::from_secs(30);
/// The longest that a client may take none of an answer's bytes. One that reads nothing loses its connection, so that it holds nothing for ever.
pub const WRITE_WAIT_MAX: Duration = Duration::from_secs(30);
/// The most bytes of a request's headers.
const HEADER_BYTES_MAX: usize = 32 * 1024;
/// How long to wait after the listener failed to accept, such as when the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a listener allows.
#[derive(Clone, Copy)]
struct Limits {
    connections_max: usize,
    header_wait_max: Duration,
    write_wait_max: Duration,
    drain: Duration,
}

/// Serves until `stop` completes, then lets requests in progress finish for at most `drain`.
///
/// # Errors
/// Where the listener cannot tell its own address; a connection that fails ends alone.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()>,
    drain: Duration,
) -> io::Result<()> {
    let limits = Limits {
        connections_max: CONNECTIONS_MAX,
        header_wait_max: HEADER_WAIT_MAX,
        write_wait_max: WRITE_WAIT_MAX,
        drain,
    };
    serve_within(listener, router, stop, limits).await
}

async fn serve_within(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()>,
    limits: Limits,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    let connections = GracefulShutdown::new();
    tokio::select! {
        () = accept(&listener, &router, &connections, limits) => {}
        () = stop => {}
    }
    drop(listener);
    if tokio::time::timeout(limits.drain, connections.shutdown()).await.is_err() {
        tracing::warn!(%address, "requests did not finish in time and were cut off");
    }
    Ok(())
}

async fn accept(listener: &TcpListener, router: &Router, connections: &GracefulShutdown, limits: Limits) {
    let slots = Arc::new(Semaphore::new(limits.connections_max));
    loop {
        // The semaphore is never closed, so there is always a slot to come.
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Every request learns where its connection comes from.
                let service = Extension(Peer(peer)).layer(router.clone());
                let watched = connections.watch(connection(stream, service, limits));
                tokio::spawn(async move {
                    if let Err(error) = watched.await {
                        tracing::debug!(%error, "a connection ended early");
                    }
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

type Service = AddExtension<Router, Peer>;
type Connection = http1::Connection<TokioIo<Patient>, TowerToHyperService<Service>>;

fn connection(stream: TcpStream, service: Service, limits: Limits) -> Connection {
    // A failure to switch the delay off costs time, nothing else.
    let _ = stream.set_nodelay(true);
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_wait_max)
        .max_buf_size(HEADER_BYTES_MAX)
        .serve_connection(TokioIo::new(Patient::new(stream, limits.write_wait_max)), TowerToHyperService::new(service))
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpStream as Client,
    };

    use axum::routing::get;
    use tokio::task::spawn_blocking;

    use super::*;

    const PATIENT: Limits = Limits {
        connections_max: 8,
        header_wait_max: Duration::from_secs(30),
        write_wait_max: Duration::from_secs(30),
        drain: Duration::from_secs(30),
    };
    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

    /// Runs `client` on a thread of its own against a listener with these limits, which is never told to stop.
    async fn against<T: Send + 'static>(limits: Limits, client: impl FnOnce(Client) -> T + Send + 'static) -> T {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(async || "hello"));
        let server = tokio::spawn(serve_within(listener, router, std::future::pending(), limits));
        let outcome = spawn_blocking(move || client(Client::connect(address).unwrap())).await.unwrap();
        server.abort();
        outcome
    }

    fn read_to_end(mut client: Client) -> String {
        let mut bytes = Vec::new();
        client.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    #[tokio::test]
    async fn a_client_that_never_ends_its_headers_is_cut_off() {
        let limits = Limits { header_wait_max: Duration::from_millis(20), ..PATIENT };
        let text = against(limits, |mut client| {
            client.write_all(b"GET / HTTP/1.1\r\nhost").unwrap();
            read_to_end(client)
        });
        assert!(!text.await.contains("hello"));
    }

    #[tokio::test]
    async fn headers_over_the_limit_are_refused() {
        let text = against(PATIENT, |mut client| {
            let large = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(2 * HEADER_BYTES_MAX));
            // The server may close before it has read everything.
            let _ = client.write_all(large.as_bytes());
            let mut bytes = [0; 64];
            let count = client.read(&mut bytes).unwrap_or_default();
            String::from_utf8_lossy(&bytes[..count]).into_owned()
        });
        assert!(text.await.starts_with("HTTP/1.1 431"));
    }

    #[tokio::test]
    async fn a_client_that_reads_nothing_loses_its_connection() {
        let limits = Limits { connections_max: 1, write_wait_max: Duration::from_millis(50), ..PATIENT };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // More than the buffers of both ends hold.
        let router =
            Router::new().route("/", get(async || "hello")).route("/large", get(async || vec![b'x'; 64 << 20]));
        let server = tokio::spawn(serve_within(listener, router, std::future::pending(), limits));
        let text = spawn_blocking(move || {
            let mut idle = Client::connect(address).unwrap();
            idle.write_all(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
            // There is room for one connection, so this one is served once the first is gone.
            let mut next = Client::connect(address).unwrap();
            next.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
            let text = read_to_end(next);
            drop(idle);
            text
        });
        assert!(text.await.unwrap().contains("hello"));
        server.abort();
    }

    #[tokio::test]
    async fn a_connection_over_the_limit_waits_for_one_to_end() {
        let limits = Limits { connections_max: 1, ..PATIENT };
        against(limits, |mut first| {
            let mut second = Client::connect(first.peer_addr().unwrap()).unwrap();
            first.write_all(REQUEST).unwrap();
            assert!(first.read(&mut [0; 1024]).unwrap() > 0);
            second.write_all(REQUEST).unwrap();
            second.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
            assert!(second.read(&mut [0; 1024]).is_err(), "nobody serves the second while the first is open");
            drop(first);
            second.set_read_timeout(None).unwrap();
            assert!(second.read(&mut [0; 1024]).unwrap() > 0);
        })
        .await;
    }
}
