//! Say what has become of an alert, and look at alerts.

use crate::kernel::{
    AgentIndex, Event, Failure, Outcome, Timestamp,
    anomaly::{Alert, AlertNumber, AlertStatus},
    outcome::AlertView,
    request::AlertQuery,
    state::State,
};

/// The most alerts that one query shows.
const ALERTS_SHOWN_MAX: u32 = 1000;

impl State {
    pub(crate) fn change_alert(
        &self,
        number: AlertNumber,
        status: AlertStatus,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Failure> {
        let alert = self.alerts.get(number).ok_or(Failure::UnknownAlert)?;
        match (alert.status, status) {
            (before, after) if before == after => {}
            (AlertStatus::Resolved, _) => {
                return Err(Failure::Invalid { field: "status", expected: "an alert that is not `RESOLVED`" });
            }
            (AlertStatus::Active | AlertStatus::Acknowledged, _) => {
                events.push(Event::AlertChanged(alert.agent, number, status));
            }
        }
        Ok(Outcome::Done)
    }

    pub(crate) fn alert_changed(&mut self, now: Timestamp, number: AlertNumber, status: AlertStatus) {
        self.alerts.change(now, number, status);
    }

    pub(crate) fn alert_view(&self, number: AlertNumber) -> Result<AlertView, Failure> {
        self.alerts.get(number).map(|alert| self.view_of(alert)).ok_or(Failure::UnknownAlert)
    }

    /// The alerts that are asked for, the latest first.
    pub(crate) fn alert_views(&self, query: &AlertQuery) -> Vec<AlertView> {
        let is_before = |alert: &&Alert| (alert.raised_at, alert.number) < query.before;
        let is_asked = |alert: &&Alert| {
            query.status.is_none_or(|status| alert.status == status)
                && query.severity.is_none_or(|severity| alert.severity == severity)
                && query.kind.is_none_or(|kind| alert.finding.kind == kind)
        };
        let shown = query.count.min(ALERTS_SHOWN_MAX) as usize;
        let view = |alert: &Alert| self.view_of(alert);
        match query.agent {
            Some(agent) => {
                self.alerts.of_agent(agent).filter(is_before).filter(is_asked).take(shown).map(view).collect()
            }
            None => self.alerts.latest_first().filter(is_before).filter(is_asked).take(shown).map(view).collect(),
        }
    }

    fn view_of(&self, alert: &Alert) -> AlertView {
        let agent = self.agents.get(alert.agent);
        let wallet = alert.finding.wallet.and_then(|position| agent?.wallets.get(usize::from(position)));
        let name = |id: Option<crate::kernel::NameId>| id.map_or("", |id| self.names.text(id)).to_owned();
        AlertView {
            alert: alert.clone(),
            agent: agent.map(|agent| agent.id).unwrap_or(crate::kernel::AgentId(0)),
            agent_name: agent.map_or("", |agent| agent.name()).to_owned(),
            wallet: wallet.map(|wallet| wallet.id().to_owned()),
            recipient: name(alert.finding.recipient),
            service: name(alert.finding.service),
        }
    }
}

impl AlertQuery {
    /// The latest alerts of a shard, or of one of its agents.
    #[must_use]
    pub fn latest(agent: Option<AgentIndex>, count: u32) -> AlertQuery {
        let before = (Timestamp::MAX, AlertNumber(u32::MAX));
        AlertQuery { agent, status: None, severity: None, kind: None, before, count }
    }
}
