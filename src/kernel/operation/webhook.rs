//! Describe webhooks, and keep how far each has been told.

use crate::kernel::{
    Event, Failure, Outcome,
    state::State,
    webhook::{
        AGENTS_MAX, BEHIND_MAX, DEAD_LETTERS_MAX, EVENTS_MAX, SigningSecret, URL_BYTES_MAX, Webhook, WebhookChange,
        WebhookProgress, WebhookSource,
    },
};

/// The longest description, kind of event, reason and secret, in bytes.
const TEXT_BYTES_MAX: usize = 256;
/// The most shards that a progress speaks of.
const SHARDS_MAX: usize = 1 << 16;

impl State {
    pub(crate) fn change_webhook(&self, change: &WebhookChange, events: &mut Vec<Event>) -> Result<Outcome, Failure> {
        let changes = match change {
            WebhookChange::Put(source, begin) => self.puts_webhook(source, begin)?,
            WebhookChange::Remove(id) => {
                self.webhooks.get(id).ok_or(Failure::UnknownWebhook)?;
                true
            }
            WebhookChange::Told(id, progress) => {
                check_progress(progress)?;
                self.webhooks.get(id).ok_or(Failure::UnknownWebhook)?.progress != *progress
            }
            WebhookChange::Buried(id, letter) => {
                let webhook = self.webhooks.get(id).ok_or(Failure::UnknownWebhook)?;
                short(&letter.event, "event")?;
                short(&letter.reason, "reason")?;
                !webhook.dead_letters.iter().any(|known| known.place == letter.place)
            }
            WebhookChange::Revived(id, place) => {
                let webhook = self.webhooks.get(id).ok_or(Failure::UnknownWebhook)?;
                webhook.dead_letters.iter().any(|known| known.place == *place)
            }
        };
        if changes {
            events.push(Event::Webhook(Box::new(change.clone())));
        }
        Ok(Outcome::Done)
    }

    fn puts_webhook(&self, source: &WebhookSource, begin: &WebhookProgress) -> Result<bool, Failure> {
        check_source(source)?;
        check_progress(begin)?;
        if let Some(known) = self.webhooks.get(&source.id) {
            return Ok(known.source != *source);
        }
        let maximum = self.options.maxima.webhooks;
        if self.webhooks.len() >= maximum as usize {
            return Err(Failure::Capacity { what: "webhooks", maximum: u64::from(maximum) });
        }
        Ok(true)
    }

    pub(crate) fn webhook_changed(&mut self, change: &WebhookChange) {
        match change {
            WebhookChange::Put(source, begin) => match self.webhooks.get_mut(&source.id) {
                Some(known) => known.source = (**source).clone(),
                None => {
                    let webhook =
                        Webhook { source: (**source).clone(), progress: begin.clone(), dead_letters: Vec::new() };
                    self.webhooks.insert(source.id, webhook);
                }
            },
            WebhookChange::Remove(id) => {
                self.webhooks.remove(id);
            }
            WebhookChange::Told(id, progress) => {
                if let Some(webhook) = self.webhooks.get_mut(id) {
                    webhook.progress = progress.clone();
                }
            }
            WebhookChange::Buried(id, letter) => {
                if let Some(webhook) = self.webhooks.get_mut(id) {
                    if webhook.dead_letters.len() >= DEAD_LETTERS_MAX {
                        webhook.dead_letters.remove(0);
                    }
                    webhook.dead_letters.push((**letter).clone());
                }
            }
            WebhookChange::Revived(id, place) => {
                if let Some(webhook) = self.webhooks.get_mut(id) {
                    webhook.dead_letters.retain(|letter| letter.place != *place);
                }
            }
        }
    }
}

fn check_source(source: &WebhookSource) -> Result<(), Failure> {
    let WebhookSource { id: _, url, secret, description, events, agents, active: _ } = source;
    if url.is_empty() || url.len() > URL_BYTES_MAX {
        return Err(Failure::Invalid { field: "url", expected: "1 to 2048 bytes" });
    }
    check_secret(secret)?;
    short(description, "description")?;
    if events.len() > EVENTS_MAX {
        return Err(Failure::Invalid { field: "events", expected: "at most 64 kinds of events" });
    }
    events.iter().try_for_each(|event| short(event, "events"))?;
    if agents.len() > AGENTS_MAX {
        return Err(Failure::Invalid { field: "agentIds", expected: "at most 10000 agents" });
    }
    Ok(())
}

fn check_secret(secret: &SigningSecret) -> Result<(), Failure> {
    if secret.expose().is_empty() || secret.expose().len() > TEXT_BYTES_MAX {
        return Err(Failure::Invalid { field: "secret", expected: "1 to 256 bytes" });
    }
    Ok(())
}

fn check_progress(progress: &WebhookProgress) -> Result<(), Failure> {
    if progress.told.len() > SHARDS_MAX {
        return Err(Failure::Invalid { field: "told", expected: "at most one place for each shard" });
    }
    if progress.behind.len() > BEHIND_MAX {
        return Err(Failure::Capacity { what: "agents behind of the webhook", maximum: BEHIND_MAX as u64 });
    }
    Ok(())
}

fn short(text: &str, field: &'static str) -> Result<(), Failure> {
    if text.len() > TEXT_BYTES_MAX { Err(Failure::Invalid { field, expected: "at most 256 bytes" }) } else { Ok(()) }
}
