//! Webhooks as operators describe them, and what became of their deliveries.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    kernel::{
        AgentId, Timestamp, WebhookId,
        webhook::{AGENTS_MAX, DeadLetter, EVENTS_MAX, EventPlace, SigningSecret, Webhook, WebhookSource},
    },
    notice::KindSet,
};

use super::{Object, Refusal};

/// The fewest bytes of a secret that is chosen: what is shorter can be guessed.
const SECRET_BYTES_MIN: usize = 16;
/// The most bytes of a secret.
const SECRET_BYTES_MAX: usize = 256;
const EVENT_EXPECTED: &str = "a kind of event such as `payment.approved`, or `payment.*` for all that begin like it";

/// What a body says about a webhook; what is absent stays as it is, or gets its default in a new one.
#[derive(Debug, Default)]
pub struct WebhookPatch {
    url: Option<String>,
    secret: Option<SigningSecret>,
    description: Option<String>,
    events: Option<Vec<String>>,
    agents: Option<Vec<AgentId>>,
    active: Option<bool>,
}

/// A webhook that is written, or what is to be different.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({"url": "https://hooks.example.com/holdfast", "events": ["payment.*", "agent.frozen"], "description": "the finance team"}))]
#[expect(dead_code, reason = "describes what `WebhookPatch::read` accepts")]
pub struct WebhookRequest {
    /// Where deliveries go: `https`, at a public address unless the configuration allows others. Required of a new webhook.
    #[schema(max_length = 2048)]
    url: Option<String>,
    /// Which kinds of events are delivered, such as `payment.approved` or `payment.*`; all where nothing is said.
    #[schema(max_items = 64)]
    events: Option<Vec<String>>,
    /// Whose events are delivered; everybody's, and those of no agent, where nothing is said.
    #[schema(max_items = 10000)]
    agent_ids: Option<Vec<AgentId>>,
    /// For people.
    #[schema(max_length = 256)]
    description: Option<String>,
    /// What signs the deliveries; made up unless it is chosen.
    #[schema(min_length = 16, max_length = 256)]
    secret: Option<String>,
    /// As the header `Idempotency-Key`.
    #[schema(min_length = 1, max_length = 256)]
    idempotency_key: Option<String>,
    /// Whether anything is delivered. What happens meanwhile is delivered afterwards, as far as it is kept. Also `active`.
    is_active: Option<bool>,
}

impl WebhookPatch {
    /// Reads a webhook, or what is to be different.
    ///
    /// # Errors
    /// A [`Refusal`] that names the first field that is wrong. The URL is not looked at.
    pub fn read(object: &Object<'_>) -> Result<WebhookPatch, Refusal> {
        let is_active = object.flag("isActive")?;
        Ok(WebhookPatch {
            url: object.text("url")?,
            secret: secret(object)?,
            description: object.text("description")?,
            events: events(object)?,
            agents: agents(object)?,
            active: if is_active.is_some() { is_active } else { object.flag("active")? },
        })
    }

    /// Whether it chooses a secret.
    #[must_use]
    pub fn has_secret(&self) -> bool {
        self.secret.is_some()
    }

    /// A webhook that has what the patch says; signed with `secret` where it says nothing else.
    ///
    /// # Errors
    /// A [`Refusal`] where it has no URL.
    pub fn create(self, id: WebhookId, secret: SigningSecret) -> Result<WebhookSource, Refusal> {
        if self.url.is_none() {
            return Err(Refusal::invalid("url", "is missing", "where deliveries go"));
        }
        let (url, description) = (String::new(), String::new());
        let blank = WebhookSource { id, url, secret, description, events: vec![], agents: vec![], active: true };
        Ok(self.apply(blank))
    }

    /// `webhook` with what the patch says.
    #[must_use]
    pub fn apply(self, webhook: WebhookSource) -> WebhookSource {
        WebhookSource {
            id: webhook.id,
            url: self.url.unwrap_or(webhook.url),
            secret: self.secret.unwrap_or(webhook.secret),
            description: self.description.unwrap_or(webhook.description),
            events: self.events.unwrap_or(webhook.events),
            agents: self.agents.unwrap_or(webhook.agents),
            active: self.active.unwrap_or(webhook.active),
        }
    }
}

fn secret(object: &Object<'_>) -> Result<Option<SigningSecret>, Refusal> {
    let Some(text) = object.text("secret")? else { return Ok(None) };
    if !(SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&text.len()) {
        let expected = format!("{SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes");
        return Err(Refusal::invalid("secret", "is too short or too long", expected));
    }
    Ok(Some(SigningSecret::new(&text)))
}

fn events(object: &Object<'_>) -> Result<Option<Vec<String>>, Refusal> {
    let Some(words) = object.texts("events")? else { return Ok(None) };
    if words.len() > EVENTS_MAX {
        return Err(Refusal::invalid("events", "has too many items", format!("at most {EVENTS_MAX}")));
    }
    match words.iter().position(|word| KindSet::of_words([word.as_str()]).is_err()) {
        Some(index) => Err(Refusal::invalid(format!("events[{index}]"), "names no kind of event", EVENT_EXPECTED)),
        None => Ok(Some(words)),
    }
}

fn agents(object: &Object<'_>) -> Result<Option<Vec<AgentId>>, Refusal> {
    let Some(texts) = object.texts("agentIds")? else { return Ok(None) };
    if texts.len() > AGENTS_MAX {
        return Err(Refusal::invalid("agentIds", "has too many items", format!("at most {AGENTS_MAX}")));
    }
    let agents = texts.iter().enumerate().map(|(index, text)| {
        let expected = "`agt_` followed by 32 hexadecimal digits";
        text.parse().map_err(|_| Refusal::invalid(format!("agentIds[{index}]"), "is no agent's id", expected))
    });
    agents.collect::<Result<Vec<AgentId>, Refusal>>().map(Some)
}

/// A webhook, without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookBody {
    #[schema(value_type = WebhookId)]
    id: String,
    url: String,
    description: String,
    /// Empty for all.
    events: Vec<String>,
    /// Empty for everybody.
    #[schema(value_type = Vec<AgentId>)]
    agent_ids: Vec<String>,
    is_active: bool,
    /// Agents whose events wait, because a delivery failed or there was no time yet.
    agents_behind: usize,
    /// Deliveries that were given up.
    dead_letters: usize,
}

/// A webhook that was written, with its secret, which is shown here and nowhere else.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IssuedWebhook {
    #[serde(flatten)]
    body: WebhookBody,
    /// What signs the deliveries.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    secret: String,
}

/// All webhooks.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhooksBody {
    webhooks: Vec<WebhookBody>,
}

impl WebhookBody {
    /// What `webhook` shows.
    #[must_use]
    pub fn of(webhook: &Webhook) -> WebhookBody {
        WebhookBody {
            agents_behind: webhook.progress.behind.len(),
            dead_letters: webhook.dead_letters.len(),
            ..WebhookBody::of_source(&webhook.source)
        }
    }

    fn of_source(source: &WebhookSource) -> WebhookBody {
        WebhookBody {
            id: source.id.to_string(),
            url: source.url.clone(),
            description: source.description.clone(),
            events: source.events.clone(),
            agent_ids: source.agents.iter().map(ToString::to_string).collect(),
            is_active: source.active,
            agents_behind: 0,
            dead_letters: 0,
        }
    }
}

impl IssuedWebhook {
    /// A webhook and its secret.
    #[must_use]
    pub fn of(webhook: &Webhook) -> IssuedWebhook {
        IssuedWebhook { body: WebhookBody::of(webhook), secret: webhook.source.secret.expose().to_owned() }
    }

    /// One that was just made.
    #[must_use]
    pub fn of_source(source: &WebhookSource) -> IssuedWebhook {
        IssuedWebhook { body: WebhookBody::of_source(source), secret: source.secret.expose().to_owned() }
    }
}

impl WebhooksBody {
    /// These.
    #[must_use]
    pub fn of(webhooks: &[Webhook]) -> WebhooksBody {
        WebhooksBody { webhooks: webhooks.iter().map(WebhookBody::of).collect() }
    }
}

/// A delivery that was given up.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeadLetterBody {
    /// The event's id.
    #[schema(example = "3-1234-5")]
    event_id: String,
    #[schema(example = "payment.approved")]
    event: String,
    #[schema(value_type = Option<AgentId>)]
    agent_id: Option<String>,
    /// How often it was tried, by the process that gave it up.
    attempts: u32,
    #[schema(value_type = Timestamp)]
    failed_at: String,
    /// What went wrong the last time.
    reason: String,
}

/// The deliveries of a webhook that were given up.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeadLettersBody {
    /// The oldest first; there are at most 1000, of which the oldest makes room for the next.
    dead_letters: Vec<DeadLetterBody>,
}

impl DeadLettersBody {
    /// Those of `webhook`.
    #[must_use]
    pub fn of(webhook: &Webhook) -> DeadLettersBody {
        DeadLettersBody { dead_letters: webhook.dead_letters.iter().map(DeadLetterBody::of).collect() }
    }
}

impl DeadLetterBody {
    fn of(letter: &DeadLetter) -> DeadLetterBody {
        DeadLetterBody {
            event_id: event_id(letter.place),
            event: letter.event.to_string(),
            agent_id: letter.agent.map(|agent| agent.to_string()),
            attempts: letter.attempts,
            failed_at: letter.failed_at.to_string(),
            reason: letter.reason.to_string(),
        }
    }
}

/// Which deliveries are made again.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({"eventIds": ["3-1234-5"]}))]
#[expect(dead_code, reason = "describes what `redelivered` accepts")]
pub struct RedeliverRequest {
    /// The events; all that were given up where nothing is said.
    #[schema(max_items = 1000)]
    event_ids: Option<Vec<String>>,
}

/// Reads `{eventIds?}` and finds those letters of `webhook`.
///
/// # Errors
/// A [`Refusal`] where one is not among what was given up.
pub fn redelivered(object: &Object<'_>, webhook: &Webhook) -> Result<Vec<EventPlace>, Refusal> {
    let places = || webhook.dead_letters.iter().map(|letter| letter.place);
    let Some(ids) = object.texts("eventIds")? else { return Ok(places().collect()) };
    let find = |(index, id): (usize, &String)| {
        let expected = "the `eventId` of a delivery that was given up";
        let found = places().find(|place| event_id(*place) == *id);
        found.ok_or_else(|| Refusal::invalid(format!("eventIds[{index}]"), "is not among them", expected))
    };
    ids.iter().enumerate().map(find).collect()
}

fn event_id(place: EventPlace) -> String {
    crate::engine::FeedPosition::from(place).to_string()
}

/// What is delivered again.
#[derive(Debug, Serialize, ToSchema)]
pub struct RedeliverBody {
    /// How many deliveries are attempted again. One that arrives leaves the list.
    pub queued: usize,
}

/// What became of a delivery that tells nothing.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookTestBody {
    /// What was sent as `webhook-id`.
    pub event_id: String,
    /// Whether it was answered with a status of 200 to 299.
    pub delivered: bool,
    /// What went wrong, otherwise.
    pub reason: Option<String>,
}

/// A webhook that is gone.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookRemovedBody {
    #[schema(value_type = WebhookId)]
    id: String,
    removed: bool,
}

impl WebhookRemovedBody {
    /// This one.
    #[must_use]
    pub fn of(id: WebhookId) -> WebhookRemovedBody {
        WebhookRemovedBody { id: id.to_string(), removed: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch(text: &str) -> Result<WebhookPatch, Refusal> {
        WebhookPatch::read(&Object::read(text.as_bytes()).unwrap())
    }

    fn created(text: &str) -> Result<WebhookSource, Refusal> {
        patch(text)?.create(WebhookId(1), SigningSecret::new("whsec_made-up"))
    }

    #[test]
    fn a_new_webhook_needs_a_url_and_nothing_else() {
        let plain = created(r#"{"url":"https://hooks.example.com"}"#).unwrap();
        assert_eq!((plain.events.len(), plain.agents.len(), plain.active), (0, 0, true));
        assert_eq!(plain.secret.expose(), "whsec_made-up");
        assert_eq!(created("{}").unwrap_err().field(), Some("url"));
    }

    #[test]
    fn what_is_not_named_stays() {
        let full = r#"{"url":"https://a.example","events":["payment.*"],"description":"x","isActive":false,
            "agentIds":["agt_00000000000000000000000000000001"],"secret":"0123456789abcdef"}"#;
        let source = created(full).unwrap();
        assert_eq!((source.agents.as_slice(), source.active), (&[AgentId(1)][..], false));
        let same = patch("{}").unwrap().apply(source.clone());
        assert_eq!(same, source);
        let resumed = patch(r#"{"active":true}"#).unwrap().apply(source.clone());
        assert_eq!(resumed, WebhookSource { active: true, ..source });
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, field) in [
            (r#"{"events":["payment.*","nothing"]}"#, "events[1]"),
            (r#"{"agentIds":["agt_1"]}"#, "agentIds[0]"),
            (r#"{"secret":"short"}"#, "secret"),
            (r#"{"isActive":"yes"}"#, "isActive"),
            (r#"{"url":5}"#, "url"),
        ] {
            assert_eq!(patch(text).unwrap_err().field(), Some(field), "{text}");
        }
    }
}
