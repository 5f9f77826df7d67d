//! What an agent needs to know of itself to begin: who it is, what it may, what it pays from, and under which policies.

use serde::Serialize;
use utoipa::ToSchema;

use crate::kernel::{outcome::AgentView, policy::PolicySource};

use super::{AgentBody, PolicyBody};

/// The answer to `setup`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SetupBody<'a> {
    /// With its wallets.
    agent: AgentBody,
    /// The policies that its payments must pass, besides the gateway's default.
    policies: Vec<PolicyBody<'a>>,
    /// What the key may do.
    scopes: Vec<String>,
    currency: &'static str,
    /// Where to ask over HTTP.
    endpoints: EndpointsBody,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct EndpointsBody {
    x402_pre_authorize: &'static str,
    x402_record: &'static str,
    mpp_pre_authorize: &'static str,
    mpp_record: &'static str,
    openapi: &'static str,
}

impl<'a> SetupBody<'a> {
    /// What `agent` is, and what is in force for it.
    #[must_use]
    pub fn of(agent: &AgentView, policies: &'a [(PolicySource, u32)], scopes: Vec<String>) -> SetupBody<'a> {
        SetupBody {
            agent: AgentBody::of(agent),
            policies: policies.iter().map(|(source, revision)| PolicyBody::of(source, *revision)).collect(),
            scopes,
            currency: "USDC",
            endpoints: EndpointsBody {
                x402_pre_authorize: "/api/sdk/x402/pre-authorize",
                x402_record: "/api/sdk/x402/record",
                mpp_pre_authorize: "/api/sdk/mpp/pre-authorize",
                mpp_record: "/api/sdk/mpp/record",
                openapi: "/api/openapi.json",
            },
        }
    }
}
