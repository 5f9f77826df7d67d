//! How the gateway does, for its operators.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    engine::{CommitStatus, EngineStatus, ShardStatus, WorkerStatus},
    kernel::{
        Outcome, Request, ShardId,
        outcome::{ShardView, View},
        request::Query,
    },
    server::{identity::Need, submit},
    wire::json::SanctionsBody,
};

use super::{
    RestState,
    answer::{Printed, Rejection},
    body::Parameters,
    caller::Caller,
    health::reasons_against,
};

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct StatusBody {
    version: &'static str,
    ready: bool,
    reasons: Vec<String>,
    clock_steps: u64,
    shards: Vec<ShardBody>,
    workers: Vec<WorkerBody>,
    commits: CommitBody,
    /// The list of sanctions that payments are checked against; `checked` is `false` where there is none, `null` where it cannot be told.
    sanctions: Option<SanctionsBody>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ShardBody {
    shard: u16,
    worker: u16,
    durable_sequence: u64,
    snapshot_sequence: u64,
    /// The last record that was cut from its journal; zero where nothing was.
    cut_sequence: u64,
    agents: u64,
    poisoned: bool,
    open_holds: Option<u64>,
    policies: Option<u64>,
    policy_revision: Option<u32>,
    incarnation: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
}

impl ShardBody {
    fn of(status: &ShardStatus, view: Option<ShardView>) -> ShardBody {
        ShardBody {
            shard: status.shard.0,
            worker: status.worker.0,
            durable_sequence: status.durable.0,
            snapshot_sequence: status.snapshot.0,
            cut_sequence: status.base.0,
            agents: status.agents,
            poisoned: status.poisoned,
            open_holds: view.map(|view| view.holds),
            policies: view.map(|view| view.policies),
            policy_revision: view.map(|view| view.policy_revision),
            incarnation: view.map(|view| view.incarnation),
            digest: view.and_then(|view| view.digest).map(|digest| blake3::Hash::from(digest).to_hex().to_string()),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct WorkerBody {
    worker: u16,
    decisions: u64,
    approvals: u64,
    leased: u64,
    denials: u64,
    failures: u64,
    waited: u64,
    overloaded: u64,
    unavailable: u64,
    alerts: u64,
    freezes: u64,
    mailbox_batches: usize,
}

impl WorkerBody {
    fn of(status: &WorkerStatus) -> WorkerBody {
        let counters = status.counters;
        WorkerBody {
            worker: status.worker.0,
            decisions: counters.decisions,
            approvals: counters.approvals,
            leased: counters.leased,
            denials: counters.denials,
            failures: counters.failures,
            waited: counters.waited,
            overloaded: counters.overloaded,
            unavailable: counters.unavailable,
            alerts: counters.alerts,
            freezes: counters.freezes,
            mailbox_batches: status.mailbox_batches,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CommitBody {
    commits: u64,
    bytes: u64,
    backlog_bytes: u64,
    snapshots: u64,
    snapshots_failed: u64,
    /// How often history was cut.
    history_cuts: u64,
    history_cuts_failed: u64,
}

impl CommitBody {
    fn of(status: &CommitStatus) -> CommitBody {
        CommitBody {
            commits: status.commits,
            bytes: status.bytes,
            backlog_bytes: status.backlog_bytes,
            snapshots: status.snapshots,
            snapshots_failed: status.snapshots_failed,
            history_cuts: status.cuts,
            history_cuts_failed: status.cuts_failed,
        }
    }
}

/// The routes of this file, each with its description.
pub(super) fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new().routes(routes!(show))
}

/// How the gateway does.
#[utoipa::path(
    get,
    path = "/api/status",
    tag = "gateway",
    security(("key" = ["audit:read"])),
    params(("digest" = Option<bool>, Query, description = "Whether to compute a digest of the state of each shard, which takes a while.")),
    responses((status = 200, description = "Shards, workers and commits.", body = StatusBody))
)]
pub(super) async fn show(
    State(state): State<RestState>,
    caller: Caller,
    parameters: Parameters,
) -> Result<Printed, Rejection> {
    caller.allow(Need::GATEWAY_STATUS)?;
    let digest = parameters.text("digest") == Some("true");
    let status = state.engine.status();
    let views = shard_views(&state, &status, digest).await;
    let sanctions = super::sanctions::in_force(&state).await.ok();
    let reasons = reasons_against(&status);
    Ok(Printed::ok(&StatusBody {
        version: env!("CARGO_PKG_VERSION"),
        ready: reasons.is_empty(),
        reasons,
        clock_steps: status.clock_steps,
        shards: status.shards.iter().zip(views).map(|(shard, view)| ShardBody::of(shard, view)).collect(),
        workers: status.workers.iter().map(WorkerBody::of).collect(),
        commits: CommitBody::of(&status.commits),
        sanctions: sanctions.map(|list| SanctionsBody::of(list.as_deref())),
    }))
}

/// What each shard says of itself; nothing where it does not answer, which is part of the status.
async fn shard_views(state: &RestState, status: &EngineStatus, digest: bool) -> Vec<Option<ShardView>> {
    let request = Request::Read(Query::Shard { digest });
    let requests: Vec<(ShardId, &Request<'_>)> = status.shards.iter().map(|shard| (shard.shard, &request)).collect();
    let answers = submit::ask_all(&state.engine, &requests).await.into_iter();
    answers
        .map(|answer| match answer {
            Ok(Outcome::View(View::Shard(view))) => Some(view),
            Ok(_) | Err(_) => None,
        })
        .collect()
}
