//! The alerts of a shard: joined while they repeat, and forgotten when there are too many.

use std::collections::{BTreeMap, BTreeSet};

use bincode::{
    Decode, Encode,
    de::Decoder,
    enc::Encoder,
    error::{DecodeError, EncodeError},
};

use super::alert::{Alert, AlertNumber, AlertStatus, Finding};
use crate::kernel::{AgentIndex, Timestamp};

/// Alerts that are kept of an agent.
pub const ALERTS_PER_AGENT_MAX: usize = 32;
/// Alerts that are kept of a shard.
pub const ALERTS_MAX: usize = 1 << 16;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Alerts {
    /// The number of the latest.
    latest: u32,
    kept: BTreeMap<AlertNumber, Alert>,
    /// Of each agent, the oldest first; none is empty.
    of_agents: BTreeMap<AgentIndex, Vec<AlertNumber>>,
    resolved: BTreeSet<AlertNumber>,
    /// How many are active.
    active: u64,
}

impl Alerts {
    /// Whether what was found joins an alert that there is: then it is counted there.
    pub(crate) fn join(&mut self, now: Timestamp, agent: AgentIndex, finding: &Finding) -> bool {
        let Some(numbers) = self.of_agents.get(&agent) else { return false };
        for number in numbers.iter().rev() {
            let Some(alert) = self.kept.get_mut(number) else { continue };
            let goes_on = alert.status != AlertStatus::Resolved
                && alert.finding.is_like(finding)
                && now.since(alert.last_at) <= finding.kind.joined_for();
            if goes_on {
                alert.last_at = now;
                alert.finding.count = alert.finding.count.saturating_add(finding.count);
                return true;
            }
        }
        false
    }

    /// Keeps an alert that is new. Where there are too many, of the agent or of the shard, the oldest that is resolved is forgotten,
    /// or the oldest where none is.
    pub(crate) fn insert(&mut self, alert: Alert) {
        let (number, agent) = (alert.number, alert.agent);
        assert!(number.0 > self.latest, "INVARIANT: alerts are numbered upwards");
        if self.kept.len() >= ALERTS_MAX {
            let oldest = self.resolved.first().or(self.kept.keys().next()).copied();
            oldest.into_iter().for_each(|oldest| self.forget(oldest));
        }
        let of_agent = self.of_agents.get(&agent).map_or(&[][..], Vec::as_slice);
        if of_agent.len() >= ALERTS_PER_AGENT_MAX {
            let oldest = of_agent.iter().find(|number| self.resolved.contains(number)).or(of_agent.first()).copied();
            oldest.into_iter().for_each(|oldest| self.forget(oldest));
        }
        self.latest = number.0;
        self.place(alert);
    }

    /// People have made something else of an alert.
    pub(crate) fn change(&mut self, now: Timestamp, number: AlertNumber, status: AlertStatus) {
        if let Some(alert) = self.kept.get_mut(&number) {
            self.active -= u64::from(alert.status == AlertStatus::Active);
            self.active += u64::from(status == AlertStatus::Active);
            (alert.status, alert.changed_at) = (status, now);
            match status {
                AlertStatus::Resolved => self.resolved.insert(number),
                AlertStatus::Active | AlertStatus::Acknowledged => self.resolved.remove(&number),
            };
        }
    }

    /// The number of the next.
    pub(crate) fn next_number(&self) -> AlertNumber {
        AlertNumber(self.latest + 1)
    }

    /// An alert that is kept.
    #[must_use]
    pub fn get(&self, number: AlertNumber) -> Option<&Alert> {
        self.kept.get(&number)
    }

    /// All that are kept, the latest first.
    pub fn latest_first(&self) -> impl Iterator<Item = &Alert> {
        self.kept.values().rev()
    }

    /// How many nobody has looked at yet, of one agent or of all.
    #[must_use]
    pub fn active(&self, agent: Option<AgentIndex>) -> u64 {
        let of = |agent| self.of_agent(agent).filter(|alert| alert.status == AlertStatus::Active).count() as u64;
        agent.map_or(self.active, of)
    }

    /// Those of an agent, the latest first.
    pub fn of_agent(&self, agent: AgentIndex) -> impl Iterator<Item = &Alert> {
        let numbers = self.of_agents.get(&agent).map_or(&[][..], Vec::as_slice);
        numbers.iter().rev().filter_map(|number| self.kept.get(number))
    }

    fn place(&mut self, alert: Alert) {
        self.active += u64::from(alert.status == AlertStatus::Active);
        self.of_agents.entry(alert.agent).or_default().push(alert.number);
        if alert.status == AlertStatus::Resolved {
            self.resolved.insert(alert.number);
        }
        self.kept.insert(alert.number, alert);
    }

    fn forget(&mut self, number: AlertNumber) {
        let Some(alert) = self.kept.remove(&number) else { return };
        self.active -= u64::from(alert.status == AlertStatus::Active);
        self.resolved.remove(&number);
        if let Some(numbers) = self.of_agents.get_mut(&alert.agent) {
            numbers.retain(|kept| *kept != number);
            if numbers.is_empty() {
                self.of_agents.remove(&alert.agent);
            }
        }
    }
}

impl Encode for Alerts {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.latest.encode(encoder)?;
        (self.kept.len() as u64).encode(encoder)?;
        self.kept.values().try_for_each(|alert| alert.encode(encoder))
    }
}

impl<C> Decode<C> for Alerts {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let mut alerts = Alerts { latest: u32::decode(decoder)?, ..Alerts::default() };
        for _ in 0..u64::decode(decoder)? {
            alerts.place(Alert::decode(decoder)?);
        }
        Ok(alerts)
    }
}

bincode::impl_borrow_decode!(Alerts);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{
        anomaly::{AlertKind, Severity},
        outcome::Measure,
    };

    fn alert(number: u32, agent: u32) -> Alert {
        Alert {
            number: AlertNumber(number),
            agent: AgentIndex(agent),
            finding: Finding::new(AlertKind::Overage, Measure::None, Measure::None),
            severity: Severity::Warning,
            status: AlertStatus::Active,
            froze: false,
            reason: "".into(),
            raised_at: Timestamp::ZERO,
            last_at: Timestamp::ZERO,
            changed_at: Timestamp::ZERO,
        }
    }

    fn numbers<'a>(alerts: impl Iterator<Item = &'a Alert>) -> Vec<u32> {
        alerts.map(|alert| alert.number.0).collect()
    }

    #[test]
    fn those_that_are_active_are_counted_through_every_change() {
        let mut alerts = Alerts::default();
        (1..=3 * ALERTS_PER_AGENT_MAX as u32).for_each(|number| {
            alerts.insert(alert(number, number % 2));
            let status = [AlertStatus::Active, AlertStatus::Acknowledged, AlertStatus::Resolved][number as usize % 3];
            alerts.change(Timestamp::ZERO, AlertNumber(number), status);
            alerts.change(Timestamp::ZERO, AlertNumber(number), status);
        });
        let active =
            |alerts: &Alerts| alerts.latest_first().filter(|alert| alert.status == AlertStatus::Active).count() as u64;
        assert!(active(&alerts) > 0);
        assert_eq!(alerts.active(None), active(&alerts));
        assert_eq!(alerts.active(None), alerts.active(Some(AgentIndex(0))) + alerts.active(Some(AgentIndex(1))));
        let bytes = bincode::encode_to_vec(&alerts, bincode::config::standard()).unwrap();
        let (restored, _): (Alerts, usize) = bincode::decode_from_slice(&bytes, bincode::config::standard()).unwrap();
        assert_eq!(restored.active(None), active(&alerts));
    }

    #[test]
    fn of_an_agent_the_oldest_that_is_resolved_goes_first() {
        let mut alerts = Alerts::default();
        (1..=ALERTS_PER_AGENT_MAX as u32).for_each(|number| alerts.insert(alert(number, 7)));
        alerts.change(Timestamp::ZERO, AlertNumber(5), AlertStatus::Resolved);
        alerts.insert(alert(100, 8));
        alerts.insert(alert(101, 7));
        alerts.insert(alert(102, 7));
        let left = numbers(alerts.of_agent(AgentIndex(7)));
        assert_eq!(left.len(), ALERTS_PER_AGENT_MAX);
        assert!(!left.contains(&5) && !left.contains(&1) && left.contains(&2));
        assert_eq!(left[..2], [102, 101]);
        assert_eq!(numbers(alerts.of_agent(AgentIndex(8))), [100]);
    }

    #[test]
    fn a_shard_keeps_no_more_than_its_maximum() {
        let mut alerts = Alerts::default();
        (1..=ALERTS_MAX as u32).for_each(|number| alerts.insert(alert(number, number)));
        alerts.change(Timestamp::ZERO, AlertNumber(3), AlertStatus::Resolved);
        alerts.insert(alert(ALERTS_MAX as u32 + 1, 0));
        assert!(alerts.get(AlertNumber(3)).is_none());
        alerts.insert(alert(ALERTS_MAX as u32 + 2, 0));
        assert!(alerts.get(AlertNumber(1)).is_none());
        assert_eq!(alerts.kept.len(), ALERTS_MAX);
        assert_eq!(alerts.of_agents.len(), ALERTS_MAX - 1);
    }

    #[test]
    fn they_are_stored_with_everything_that_counts() {
        let mut alerts = Alerts::default();
        (1..=3).for_each(|number| alerts.insert(alert(number, 1)));
        alerts.change(Timestamp::from_micros(4), AlertNumber(2), AlertStatus::Resolved);
        let stored = bincode::encode_to_vec(&alerts, bincode::config::standard()).unwrap();
        let (back, _): (Alerts, usize) = bincode::decode_from_slice(&stored, bincode::config::standard()).unwrap();
        assert_eq!(bincode::encode_to_vec(&back, bincode::config::standard()).unwrap(), stored);
        assert_eq!(back.resolved, alerts.resolved);
        assert_eq!(back.of_agents, alerts.of_agents);
        assert_eq!(back.next_number(), AlertNumber(4));
    }
}
