//! The payments of the past under a policy: a long answer of one JSON document a line, the last of which is the report.

use std::{
    convert::Infallible,
    ops::ControlFlow,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::{Body as HttpBody, Bytes},
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use futures_util::stream;
use tokio::sync::mpsc;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    backtest::{Backtest, BacktestError, Progress, run},
    engine::Engine,
    kernel::{Failure, PolicyId, policy::check},
    server::identity::Need,
    wire::{
        ErrorCode,
        json::{BacktestBody, BacktestLine, BacktestRequest, Refusal, print},
    },
};

use super::{RestState, answer::Rejection, body::Body, caller::Caller, policies};

/// How often it says how far it is.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);
/// How long it works without a rest. It rests as long, so that it takes half a core at most.
const STRETCH: Duration = Duration::from_millis(2);
/// Lines that wait for the client.
const LINES_WAITING_MAX: usize = 16;

/// The routes of this file, each with its description.
pub(super) fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new().routes(routes!(backtest))
}

/// Judges the payments of the past by a policy.
///
/// The answer is one JSON document a line: how far it is, several times, and at last the report, or an error. One backtest runs at a time.
#[utoipa::path(
    post,
    path = "/api/policies/backtest",
    tag = "policies",
    security(("key" = ["policies:read"])),
    request_body = BacktestRequest,
    responses((status = 200, description = "A line for each step; the last has the report.", body = BacktestLine<'_>, content_type = "application/jsonl"))
)]
pub(super) async fn backtest(
    State(state): State<RestState>,
    caller: Caller,
    body: Body,
) -> Result<Response, Rejection> {
    caller.allow(Need::BACKTESTS)?;
    let asked = BacktestBody::read(&body.object()?, PolicyId(Uuid::now_v7().as_u128()), state.now())?;
    let draft = policies::tried(&state, &asked.policy).await?;
    check(&draft).map_err(|error| Refusal::from(Failure::from(error)))?;
    let Ok(alone) = Arc::clone(&state.backtest).try_lock_owned() else {
        let message = "another backtest is running; wait for its end, or stop it";
        return Err(Refusal::new(ErrorCode::CapacityExceeded, message).into());
    };
    let (lines, receiver) = mpsc::channel(LINES_WAITING_MAX);
    // The last line has a place that no step takes, so that a client that reads nothing holds up neither history nor a thread.
    let place = lines.clone().try_reserve_owned().expect("a new channel has room");
    let backtest = Backtest { draft, since: asked.since };
    let engine = state.engine.clone();
    tokio::task::spawn_blocking(move || {
        if let Some(last) = judge(&engine, &backtest, &lines) {
            place.send(last);
        }
        drop(alone);
    });
    let lines = stream::unfold(receiver, async |mut receiver: mpsc::Receiver<Bytes>| {
        receiver.recv().await.map(|line| (Ok::<_, Infallible>(line), receiver))
    });
    let headers = [(header::CONTENT_TYPE, "application/jsonl"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, HttpBody::from_stream(lines)).into_response())
}

/// Runs on a thread of its own until the end, and gives the last line; `None` once nobody listens.
fn judge(engine: &Engine, backtest: &Backtest, lines: &mpsc::Sender<Bytes>) -> Option<Bytes> {
    let mut pace = Pace { begun: Instant::now(), told: Instant::now(), lines };
    let _kept = engine.keep_history();
    match run(&**engine.store(), &engine.options().kernel, backtest, &mut |progress| pace.step(progress)) {
        Ok(report) => Some(line(&BacktestLine::report(backtest.draft.id, &report))),
        Err(BacktestError::Stopped) => None,
        Err(error) => {
            tracing::error!(%error, "a backtest failed");
            let refusal = match error {
                BacktestError::Draft(failure) => Refusal::from(failure),
                other => Refusal::new(ErrorCode::InternalError, format!("failed to read the journal: {other}")),
            };
            Some(line(&BacktestLine::Error(refusal.detail())))
        }
    }
}

/// Keeps a backtest from taking the processor from the workers, and says how far it is.
struct Pace<'a> {
    begun: Instant,
    told: Instant,
    lines: &'a mpsc::Sender<Bytes>,
}

impl Pace<'_> {
    fn step(&mut self, progress: Progress) -> ControlFlow<()> {
        if self.told.elapsed() >= PROGRESS_INTERVAL {
            self.told = Instant::now();
            // A client that does not keep up misses steps; the backtest waits for nobody.
            let _ = self.lines.try_send(line(&BacktestLine::progress(progress)));
        }
        let worked = self.begun.elapsed();
        if worked >= STRETCH {
            std::thread::sleep(worked);
            self.begun = Instant::now();
        }
        if self.lines.is_closed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

fn line(line: &BacktestLine<'_>) -> Bytes {
    Bytes::from(print(line) + "\n")
}
