//! The policy that a test begins with.

use crate::kernel::{
    PolicyId,
    policy::{PRIORITY_DEFAULT, PolicyScope, PolicySource, RuleSource},
};

/// A policy for every agent that says these rules and nothing else.
#[must_use]
pub fn policy_for_everybody(rules: Vec<RuleSource>) -> PolicySource {
    PolicySource {
        id: PolicyId(1),
        name: "test".to_owned(),
        description: String::new(),
        policy_type: "SPEND_LIMIT".to_owned(),
        priority: PRIORITY_DEFAULT,
        active: true,
        scope: PolicyScope::Organization,
        agents: Vec::new(),
        rules,
        approval: None,
        wallets: Vec::new(),
        timezone: None,
    }
}
