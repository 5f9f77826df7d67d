//! Agents as operators write and see them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::kernel::{
    AgentId, Amount, Timestamp,
    anomaly::WatchingChange,
    outcome::AgentView,
    request::{AgentStatus, CreateAgent, UpdateAgent},
};

use super::{
    Money, Object, Refusal, WalletBody,
    watching::{AlertConfig, FreezeConfig, watching},
};

const STATUS_WORDS: [(&str, AgentStatus); 4] = [
    ("ACTIVE", AgentStatus::Active),
    ("PAUSED", AgentStatus::Paused),
    ("SUSPENDED", AgentStatus::Suspended),
    ("REVOKED", AgentStatus::Revoked),
];

/// The most bytes of a name for people.
pub(super) const NAME_BYTES_MAX: usize = 256;

/// The word for a status.
#[must_use]
pub fn agent_status_word(status: AgentStatus) -> &'static str {
    match status {
        AgentStatus::Active => "ACTIVE",
        AgentStatus::Paused => "PAUSED",
        AgentStatus::Suspended => "SUSPENDED",
        AgentStatus::Revoked => "REVOKED",
    }
}

fn status(object: &Object<'_>) -> Result<Option<AgentStatus>, Refusal> {
    let Some(word) = object.text("status")? else { return Ok(None) };
    let known = STATUS_WORDS.iter().find(|(known, _)| *known == word).map(|(_, status)| *status);
    let expected = "`ACTIVE`, `PAUSED`, `SUSPENDED` or `REVOKED`";
    known.map(Some).ok_or_else(|| Refusal::invalid(object.place("status"), "is not known", expected))
}

/// A name for people, where there is one.
pub(super) fn name(object: &Object<'_>) -> Result<Option<String>, Refusal> {
    let name = object.text("name")?;
    match &name {
        Some(text) if text.trim().is_empty() || text.len() > NAME_BYTES_MAX => {
            let expected = format!("a name of 1 to {NAME_BYTES_MAX} bytes");
            Err(Refusal::invalid(object.place("name"), "is empty or too long", expected))
        }
        Some(_) | None => Ok(name),
    }
}

/// An agent to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAgent {
    /// Its id, where whoever creates it chose one.
    pub id: Option<AgentId>,
    name: String,
    agent_type: String,
    status: AgentStatus,
    lease: Option<Amount>,
}

/// An agent to be created.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({"name": "shopper", "agentType": "ANTHROPIC_CLAUDE"}))]
#[expect(dead_code, reason = "describes what `NewAgent::read` accepts")]
pub struct AgentRequest {
    /// Its id, where whoever creates it chooses one. Creating the same agent twice is creating it once.
    id: Option<AgentId>,
    /// For people.
    #[schema(min_length = 1, max_length = 256)]
    name: String,
    /// What kind of agent it is; `CUSTOM` unless said otherwise.
    agent_type: Option<String>,
    /// `ACTIVE` unless said otherwise.
    #[schema(pattern = "^(ACTIVE|PAUSED|SUSPENDED|REVOKED)$", example = "ACTIVE")]
    status: Option<String>,
    /// How much it may be told before that is durable; the gateway's own rule where it is not named.
    lease: Option<Amount>,
    /// As the header `Idempotency-Key`.
    #[schema(min_length = 1, max_length = 256)]
    idempotency_key: Option<String>,
}

impl NewAgent {
    /// Reads `{name, agentType?, status?, lease?, id?}`.
    ///
    /// # Errors
    /// A [`Refusal`] that names the first field that is wrong.
    pub fn read(object: &Object<'_>) -> Result<NewAgent, Refusal> {
        Ok(NewAgent {
            id: object.identifier("id")?,
            name: object.required("name", name(object)?, "a name for people")?,
            agent_type: object.text("agentType")?.unwrap_or_else(|| "CUSTOM".to_owned()),
            status: status(object)?.unwrap_or(AgentStatus::Active),
            lease: object.amount("lease")?,
        })
    }

    /// The request to the engine.
    #[must_use]
    pub fn request(&self, id: AgentId) -> CreateAgent<'_> {
        CreateAgent { id, name: &self.name, agent_type: &self.agent_type, status: self.status, lease: self.lease }
    }
}

/// A change of an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateAgentBody {
    status: Option<AgentStatus>,
    name: Option<String>,
    lease: Option<Amount>,
    watching: Option<Box<WatchingChange>>,
}

/// A change of an agent; what is not named stays as it is.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({"status": "PAUSED"}))]
#[expect(dead_code, reason = "describes what `UpdateAgentBody::read` accepts")]
pub struct AgentUpdateRequest {
    /// `SUSPENDED` freezes it, `REVOKED` is for ever.
    #[schema(pattern = "^(ACTIVE|PAUSED|SUSPENDED|REVOKED)$", example = "PAUSED")]
    status: Option<String>,
    /// For people.
    #[schema(min_length = 1, max_length = 256)]
    name: Option<String>,
    /// How much it may be told before that is durable.
    lease: Option<Amount>,
    /// Whether what is dangerous freezes it.
    auto_freeze_enabled: Option<bool>,
    /// What is dangerous; what is not named stays.
    freeze_config: Option<FreezeConfig>,
    /// What is worth an alert; what is not named stays.
    alert_config: Option<AlertConfig>,
}

impl UpdateAgentBody {
    /// Reads `{status?, name?, lease?, autoFreezeEnabled?, freezeConfig?, alertConfig?}`.
    ///
    /// # Errors
    /// A [`Refusal`] that names the first field that is wrong.
    pub fn read(object: &Object<'_>) -> Result<UpdateAgentBody, Refusal> {
        Ok(UpdateAgentBody {
            status: status(object)?,
            name: name(object)?,
            lease: object.amount("lease")?,
            watching: watching(object)?,
        })
    }

    /// The request to the engine.
    #[must_use]
    pub fn request(&self) -> UpdateAgent<'_> {
        UpdateAgent {
            status: self.status,
            name: self.name.as_deref(),
            lease: self.lease,
            watching: self.watching.clone(),
        }
    }
}

/// An agent, as of now.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentBody {
    #[schema(value_type = AgentId)]
    id: String,
    name: String,
    agent_type: String,
    status: &'static str,
    #[schema(value_type = Timestamp)]
    created_at: String,
    lease: Option<Money>,
    held: Money,
    spent_today: Money,
    spent_this_week: Money,
    spent_this_month: Money,
    auto_freeze_enabled: bool,
    freeze_config: FreezeConfig,
    alert_config: AlertConfig,
    wallets: Vec<WalletBody>,
}

impl AgentBody {
    /// What `view` shows.
    #[must_use]
    pub fn of(view: &AgentView) -> AgentBody {
        let [day, week, month] = view.used;
        AgentBody {
            id: view.id.to_string(),
            name: view.name.clone(),
            agent_type: view.agent_type.clone(),
            status: agent_status_word(view.status),
            created_at: view.created_at.to_string(),
            lease: view.lease.map(Money),
            held: Money(view.held),
            spent_today: Money(day),
            spent_this_week: Money(week),
            spent_this_month: Money(month),
            auto_freeze_enabled: view.watching.auto_freeze,
            freeze_config: FreezeConfig(view.watching.thresholds.clone()),
            alert_config: AlertConfig(view.watching.thresholds.clone()),
            wallets: view.wallets.iter().map(|wallet| WalletBody::of(wallet, view.status)).collect(),
        }
    }
}

/// Some agents, and where the next page begins.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentPage {
    /// The agents.
    pub agents: Vec<AgentBody>,
    /// What to send as `cursor` for the rest; `null` at the end.
    pub next_cursor: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_are_read_with_their_defaults() {
        let read = |body: &str| NewAgent::read(&Object::read(body.as_bytes()).unwrap());
        let agent = read(r#"{"name":"shopper"}"#).unwrap();
        let request = agent.request(AgentId(1));
        assert_eq!((request.name, request.agent_type, request.status), ("shopper", "CUSTOM", AgentStatus::Active));
        for (body, field) in [
            ("{}", "name"),
            (r#"{"name":" "}"#, "name"),
            (r#"{"name":"x","status":"active"}"#, "status"),
            (r#"{"name":"x","lease":-1}"#, "lease"),
            (r#"{"name":"x","id":"agent-1"}"#, "id"),
            (r#"{"name":"x","agentType":1}"#, "agentType"),
        ] {
            assert_eq!(read(body).unwrap_err().field(), Some(field), "{body}");
        }
    }

    #[test]
    fn every_status_has_its_word() {
        for (word, status) in STATUS_WORDS {
            assert_eq!(agent_status_word(status), word);
        }
    }
}
