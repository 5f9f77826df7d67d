//! The policy that somebody tries before it is in force.

use crate::kernel::{PolicyId, policy::PolicySource};

use super::{Object, Refusal, read_policy};

/// Which policy is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TriedPolicy {
    /// The stored one of this id, as if it were active.
    Stored(PolicyId),
    /// One that is in the body.
    Draft(Box<PolicySource>),
}

impl TriedPolicy {
    /// Reads `{policy | policyId}`; `None` where neither is there. `draft` is the id of a draft that has none.
    ///
    /// # Errors
    /// A [`Refusal`] that names the first field that is wrong.
    pub(super) fn read(object: &Object<'_>, draft: PolicyId) -> Result<Option<TriedPolicy>, Refusal> {
        match (object.object("policy")?, object.identifier("policyId")?) {
            (Some(_), Some(_)) => {
                Err(Refusal::invalid(object.place("policyId"), "stands beside `policy`", "one of the two"))
            }
            (Some(policy), None) => {
                let id = policy.identifier("id")?.unwrap_or(draft);
                Ok(Some(TriedPolicy::Draft(Box::new(read_policy(&policy, id)?))))
            }
            (None, Some(id)) => Ok(Some(TriedPolicy::Stored(id))),
            (None, None) => Ok(None),
        }
    }
}
