//! What operators say to payments that wait.

use super::Workload;
use crate::kernel::{AgentIndex, AuthorizationId, KeyId, Request, request::DecideApproval};

/// Those who may decide in some policies.
pub(super) const APPROVERS: [KeyId; 3] = [KeyId(1), KeyId(2), KeyId(3)];

pub(super) fn decide(workload: &mut Workload) -> Request<'static> {
    let random = &mut workload.random;
    let back = random.below(3) as usize;
    let position = workload.waiting.len().saturating_sub(back + 1);
    let nothing = (AgentIndex(0), AuthorizationId(0));
    let (agent, id) = workload.waiting.get(position).copied().unwrap_or(nothing);
    let (approver, approves) = (random.pick(&APPROVERS), random.chance(80));
    Request::DecideApproval(agent, DecideApproval { id, approver, approves, comment: "seen" })
}
