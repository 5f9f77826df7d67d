//! REST on a runtime of its own, so that it never shares a worker's thread with QUIC.

use std::{io, net::TcpListener, thread, time::Duration};

use axum::Router;
use tokio::sync::oneshot;

use super::rest;

/// Threads that serve HTTP. They parse and print; what they ask is decided by the workers.
const HTTP_THREADS: usize = 2;

/// The thread that serves REST until it is told to stop.
pub(super) struct RestThread {
    stop: oneshot::Sender<()>,
    thread: thread::JoinHandle<()>,
}

impl RestThread {
    /// Serves on a listener that does not block.
    pub(super) fn start(listener: TcpListener, router: Router, drain: Duration) -> io::Result<RestThread> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(HTTP_THREADS)
            .thread_name("holdfast-http")
            .enable_all()
            .build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().name("holdfast-rest".to_owned()).spawn(move || {
            let serve = async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                // A sender that is gone means stop as well.
                rest::serve(listener, router, async { _ = stopped.await }, drain).await
            };
            if let Err(error) = runtime.block_on(serve) {
                tracing::error!(%error, "REST is not served");
            }
        })?;
        Ok(RestThread { stop, thread })
    }

    /// Lets requests in progress finish within the time given at the start.
    pub(super) fn stop(self) {
        // A thread that is over needs no order, and one that panicked has said so.
        let _ = self.stop.send(());
        let _ = self.thread.join();
    }
}
