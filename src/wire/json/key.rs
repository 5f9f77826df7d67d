//! Credentials as operators issue and list them. The secret is printed once, in the answer that issues it.

use serde::Serialize;
use utoipa::ToSchema;

use crate::kernel::{
    AgentId, KeyId, Timestamp,
    request::{KeySource, Principal},
};

use super::{Object, Refusal, agent::name};

/// A key to be issued. The words of its scopes are checked where scopes are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// For people.
    pub name: String,
    /// How long it works, in days.
    pub expires_in_days: u64,
    /// Whether it gets every scope unless `scopes` says otherwise.
    pub admin: bool,
    /// What it may do, where that is said.
    pub scopes: Option<Vec<String>>,
}

/// A key of an agent to be issued.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({"name": "runtime", "expiresInDays": 365}))]
#[expect(dead_code, reason = "describes what `NewKey::read` accepts")]
pub struct KeyRequest {
    /// For people.
    #[schema(min_length = 1, max_length = 256)]
    name: String,
    /// How long it works, in days; a year unless said otherwise.
    #[schema(minimum = 1, maximum = 730)]
    expires_in_days: Option<u64>,
    /// What it may do; what is usual for its kind unless said otherwise.
    #[schema(min_items = 1, example = json!(["payments:request", "transactions:write"]))]
    scopes: Option<Vec<String>>,
    /// `admin` for every scope.
    #[schema(pattern = "^(standard|admin)$", example = "standard")]
    key_type: Option<String>,
}

/// A key of a platform or an operator to be issued.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({"name": "marketplace", "type": "platform", "agentIds": []}))]
#[expect(dead_code, reason = "describes what `NewGatewayKey::read` accepts")]
pub struct GatewayKeyRequest {
    /// `operator`, or `platform` for a key that acts for agents. Required unless it is called `principal`.
    #[schema(example = "platform")]
    r#type: Option<String>,
    /// The same as `type`.
    principal: Option<String>,
    /// The agents that a platform key acts for; all of them where it is empty.
    agent_ids: Option<Vec<AgentId>>,
    /// For people.
    #[schema(min_length = 1, max_length = 256)]
    name: String,
    /// How long it works, in days; a year unless said otherwise.
    #[schema(minimum = 1, maximum = 730)]
    expires_in_days: Option<u64>,
    /// What it may do; what is usual for its kind unless said otherwise.
    #[schema(min_items = 1, example = json!(["payments:request", "transactions:write"]))]
    scopes: Option<Vec<String>>,
    /// `admin` for every scope.
    #[schema(pattern = "^(standard|admin)$", example = "standard")]
    key_type: Option<String>,
}

/// How long a key works where nothing is said, in days.
const DAYS_DEFAULT: u64 = 365;
/// The longest that a key may work, in days.
const DAYS_MAX: u64 = 730;

impl NewKey {
    /// Reads `{name, expiresInDays?, keyType?, scopes?}`.
    ///
    /// # Errors
    /// A [`Refusal`] that names the first field that is wrong.
    pub fn read(object: &Object<'_>) -> Result<NewKey, Refusal> {
        let admin = match object.text("keyType")?.as_deref() {
            None | Some("standard") => false,
            Some("admin") => true,
            Some(_) => return Err(Refusal::invalid("keyType", "is not known", "`standard` or `admin`")),
        };
        Ok(NewKey {
            name: object.required("name", name(object)?, "a name for people")?,
            expires_in_days: days(object)?,
            admin,
            scopes: scopes(object)?,
        })
    }
}

fn days(object: &Object<'_>) -> Result<u64, Refusal> {
    let expected = format!("a whole number of days, 1 to {DAYS_MAX}");
    let days = object.whole("expiresInDays", &expected)?.unwrap_or(DAYS_DEFAULT);
    if (1..=DAYS_MAX).contains(&days) {
        Ok(days)
    } else {
        Err(Refusal::invalid("expiresInDays", "is out of range", expected))
    }
}

/// No scopes at all would read as the default; a key that may do nothing is a mistake.
fn scopes(object: &Object<'_>) -> Result<Option<Vec<String>>, Refusal> {
    let scopes = object.texts("scopes")?;
    if scopes.as_ref().is_some_and(Vec::is_empty) {
        return Err(Refusal::invalid("scopes", "is empty", "at least one scope, such as `payments:request`"));
    }
    Ok(scopes)
}

/// A key of a platform or an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewGatewayKey {
    /// Whom it speaks for.
    pub principal: Principal,
    /// The rest.
    pub key: NewKey,
}

impl NewGatewayKey {
    /// Reads `{name, type, agentIds?, expiresInDays?, scopes?}`; `type` may be called `principal`.
    ///
    /// # Errors
    /// A [`Refusal`] that names the first field that is wrong.
    pub fn read(object: &Object<'_>) -> Result<NewGatewayKey, Refusal> {
        let agents = agent_ids(object)?;
        let kind = object.text_of(&["type", "principal"])?;
        let principal = match (kind.as_deref(), agents) {
            (Some("platform"), agents) => Principal::Platform(agents.unwrap_or_default()),
            (Some("operator"), None) => Principal::Operator,
            (Some("operator"), Some(_)) => {
                return Err(Refusal::invalid(
                    "agentIds",
                    "does not fit an operator key",
                    "no agents, or `type` `platform`",
                ));
            }
            (Some(_) | None, _) => {
                return Err(Refusal::invalid("type", "is missing or not known", "`platform` or `operator`"));
            }
        };
        Ok(NewGatewayKey { principal, key: NewKey::read(object)? })
    }
}

/// The agents that `agentIds` lists.
pub(super) fn agent_ids(object: &Object<'_>) -> Result<Option<Vec<AgentId>>, Refusal> {
    let Some(texts) = object.texts("agentIds")? else { return Ok(None) };
    let parse = |(index, text): (usize, &String)| {
        let expected = "the ids of agents, such as `agt_` and 32 hexadecimal digits";
        text.parse()
            .map_err(|_| Refusal::invalid(object.place(&format!("agentIds[{index}]")), "is no agent's id", expected))
    };
    texts.iter().enumerate().map(parse).collect::<Result<_, _>>().map(Some)
}

/// A credential, without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyBody {
    #[schema(value_type = KeyId)]
    id: String,
    key_prefix: String,
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<AgentId>>)]
    agent_ids: Option<Vec<String>>,
    scopes: Vec<String>,
    #[schema(value_type = Timestamp)]
    expires_at: String,
}

impl KeyBody {
    /// What is kept of a credential; `admin` where an agent's key has every scope.
    #[must_use]
    pub fn of(source: &KeySource, admin: bool) -> KeyBody {
        let (kind, agents, key_type) = match &source.principal {
            Principal::Agent(_) => ("agent", None, Some(if admin { "admin" } else { "standard" })),
            Principal::Operator => ("operator", None, None),
            Principal::Platform(agents) => ("platform", Some(agents.iter().map(AgentId::to_string).collect()), None),
        };
        KeyBody {
            id: source.id.to_string(),
            key_prefix: source.prefix.clone(),
            name: source.name.clone(),
            kind,
            key_type,
            agent_ids: agents,
            scopes: source.scopes.clone(),
            expires_at: source.expires_at.to_string(),
        }
    }
}

/// A credential that was just made, with its secret.
#[derive(Serialize, ToSchema)]
pub struct IssuedKey<'a> {
    /// The secret text, for the last time.
    pub key: &'a str,
    /// The rest.
    #[serde(flatten)]
    pub body: KeyBody,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_with_their_defaults() {
        let read = |body: &str| NewKey::read(&Object::read(body.as_bytes()).unwrap());
        let key = read(r#"{"name":"prod"}"#).unwrap();
        assert_eq!((key.expires_in_days, key.admin, key.scopes), (365, false, None));
        assert_eq!(read(r#"{"name":"x","expiresInDays":730,"keyType":"admin"}"#).unwrap().expires_in_days, 730);
        for (body, field) in [
            ("{}", "name"),
            (r#"{"name":"x","expiresInDays":0}"#, "expiresInDays"),
            (r#"{"name":"x","expiresInDays":731}"#, "expiresInDays"),
            (r#"{"name":"x","expiresInDays":"30"}"#, "expiresInDays"),
            (r#"{"name":"x","keyType":"root"}"#, "keyType"),
            (r#"{"name":"x","scopes":"payments:request"}"#, "scopes"),
            (r#"{"name":"x","scopes":[]}"#, "scopes"),
        ] {
            assert_eq!(read(body).unwrap_err().field(), Some(field), "{body}");
        }
    }

    #[test]
    fn gateway_keys_say_whom_they_speak_for() {
        let read = |body: &str| NewGatewayKey::read(&Object::read(body.as_bytes()).unwrap());
        let agent = AgentId(1);
        let listed = format!(r#"{{"name":"x","type":"platform","agentIds":["{agent}"]}}"#);
        assert_eq!(read(&listed).unwrap().principal, Principal::Platform(vec![agent]));
        assert_eq!(read(r#"{"name":"x","type":"operator"}"#).unwrap().principal, Principal::Operator);
        for (body, field) in [
            (r#"{"name":"x"}"#, "type"),
            (r#"{"name":"x","type":"agent"}"#, "type"),
            (r#"{"name":"x","type":"platform","agentIds":["a"]}"#, "agentIds[0]"),
            (r#"{"name":"x","type":"operator","agentIds":[]}"#, "agentIds"),
        ] {
            assert_eq!(read(body).unwrap_err().field(), Some(field), "{body}");
        }
    }
}
