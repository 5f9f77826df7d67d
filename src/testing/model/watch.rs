//! Which agents are frozen by themselves, from the list of what each paid: the rules of `docs/ALERTS.md` for what freezes. What is
//! only told changes no decision, so it is not here.

use super::{Model, agent::Place};
use crate::kernel::{
    Timestamp,
    anomaly::{Threshold, Watching},
    outcome::{Violation, ViolationKind},
    request::AgentStatus,
};

/// Everything is looked at in steps of ten seconds; the past of a payment is what was before its step.
const STEP_MICROS: u64 = 10_000_000;
/// Steps of the rolling hour, of which the present one and six before it count.
const HOUR_STEP: u64 = 60;
/// Steps of the rolling 30 days.
const MONTH_STEP: u64 = 43_200;
const SLOTS: u64 = 7;
/// Steps of the rolling day, of which the present one and four before it count.
const DAY_STEP: u64 = 2_160;
const DAY_SLOTS: u64 = 5;
const HOUR: u64 = 360;

/// How one agent pays.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    pub(super) watching: Watching,
    /// What counts in the agent's own windows.
    spends: Vec<Spend>,
    /// How many of those were before the agent was last watched anew.
    before_anew: usize,
    first_step: Option<u64>,
    last_step: u64,
    violations: u32,
    failures: u32,
    recipient: Option<String>,
    /// In which step each was paid last.
    recipients: Vec<(String, u64)>,
    /// In which step each payee was trusted how far.
    trust: Vec<(u64, u64)>,
    /// The step in which too much spend was found, which it is once.
    told_in: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Spend {
    step: u64,
    amount: u128,
    /// An increment is none.
    is_transaction: bool,
}

impl Default for Watch {
    fn default() -> Watch {
        Watch {
            watching: Watching::DEFAULT,
            spends: Vec::new(),
            before_anew: 0,
            first_step: None,
            last_step: 0,
            violations: 0,
            failures: 0,
            recipient: None,
            recipients: Vec::new(),
            trust: Vec::new(),
            told_in: None,
        }
    }
}

impl Model {
    /// Money was approved or reported: to a recipient, unless a hold grew; in the agent's own windows, unless a deposit covers it.
    pub(super) fn watch_payment(&mut self, agent: usize, paid: i128, is_own: bool, recipient: Option<&str>) {
        let step = step_of(self.now);
        let is_found = self.agents[agent].watch.pay(step, paid as u128, is_own, recipient);
        self.freeze_if(agent, is_found);
    }

    /// People approved a payment: it is part of the past, and nothing is found in it.
    pub(super) fn watch_approval(&mut self, agent: usize, hold: usize) {
        let step = step_of(self.now);
        let agent = &mut self.agents[agent];
        let hold = &agent.holds[hold];
        agent.watch.pay(step, hold.amount as u128, hold.place != Place::Envelope, Some(&hold.recipient));
    }

    pub(super) fn watch_denial(&mut self, agent: usize, violations: &[Violation]) {
        if let Some(Violation { kind: ViolationKind::AgentNotActive(_), .. }) = violations.first() {
            return;
        }
        let watch = &mut self.agents[agent].watch;
        watch.violations += 1;
        let most = watch.threshold(Threshold::MaxConsecutiveViolations);
        let is_found = most > 0 && u64::from(watch.violations) >= most;
        self.freeze_if(agent, is_found);
    }

    /// An approved payment said how far its payee is trusted.
    pub(super) fn watch_trust(&mut self, agent: usize, score: u32) {
        let step = step_of(self.now);
        let watch = &mut self.agents[agent].watch;
        watch.trust.push((step, u64::from(score)));
        let is_found = watch.is_hardly_trusted(step) || watch.is_trusted_less(step);
        self.freeze_if(agent, is_found);
    }

    pub(super) fn watch_success(&mut self, agent: usize) {
        self.agents[agent].watch.failures = 0;
    }

    /// A charge is over, and nothing came of it.
    pub(super) fn watch_failure(&mut self, agent: usize) {
        if self.agents[agent].status != AgentStatus::Active {
            return;
        }
        let watch = &mut self.agents[agent].watch;
        watch.failures += 1;
        let most = watch.threshold(Threshold::MaxConsecutiveFailures);
        let is_found = most > 0 && u64::from(watch.failures) >= most;
        self.freeze_if(agent, is_found);
    }

    fn freeze_if(&mut self, agent: usize, is_found: bool) {
        let agent = &mut self.agents[agent];
        if is_found && agent.watch.watching.auto_freeze && agent.status == AgentStatus::Active {
            agent.status = AgentStatus::Suspended;
        }
    }
}

impl Watch {
    /// The agent pays again: rows, recipients and the last hour begin at nothing.
    pub(super) fn begin_anew(&mut self) {
        self.before_anew = self.spends.len();
        (self.violations, self.failures) = (0, 0);
        self.recipient = None;
        self.recipients.clear();
        self.trust.clear();
        self.told_in = None;
    }

    /// The agent is watched in another way.
    pub(super) fn changed(&mut self) {
        self.told_in = None;
    }

    fn pay(&mut self, step: u64, amount: u128, is_own: bool, recipient: Option<&str>) -> bool {
        let mut is_found = recipient.is_some_and(|recipient| self.switches(step, recipient));
        self.first_step.get_or_insert(step);
        self.last_step = step;
        self.violations = 0;
        if is_own {
            is_found |= recipient.is_some() && self.is_large(step, amount);
            self.spends.push(Spend { step, amount, is_transaction: recipient.is_some() });
            is_found |= self.is_fast(step);
        }
        is_found
    }

    /// Whether too many recipients were paid in an hour; only another one than before makes them more.
    fn switches(&mut self, step: u64, recipient: &str) -> bool {
        let before = self.recipient.replace(recipient.to_owned());
        let Some(before) = before.filter(|before| before != recipient) else { return false };
        let last_step = self.last_step;
        for (name, step) in [(before.as_str(), last_step), (recipient, step)] {
            self.recipients.retain(|(known, _)| known != name);
            self.recipients.push((name.to_owned(), step));
        }
        let most = self.threshold(Threshold::MaxDistinctRecipientsPerHour);
        let paid = self.recipients.iter().filter(|(_, last)| step - last <= HOUR).count() as u64;
        most > 0 && paid >= most
    }

    /// Sum and number of the scores of the last steps of some length.
    fn scores(&self, step: u64, length: u64, slots: u64) -> (u64, u64) {
        let late = self.trust.iter().filter(|(then, _)| then / length + slots > step / length);
        late.fold((0, 0), |(sum, count), (_, score)| (sum + score, count + 1))
    }

    fn is_hardly_trusted(&self, step: u64) -> bool {
        let (sum, count) = self.scores(step, MONTH_STEP, SLOTS);
        self.knows_trust(count) && sum < self.threshold(Threshold::TrustScoreThreshold) * count
    }

    fn is_trusted_less(&self, step: u64) -> bool {
        let drop = self.threshold(Threshold::TrustScoreDropPercent);
        let (month, day) = (self.scores(step, MONTH_STEP, SLOTS), self.scores(step, DAY_STEP, DAY_SLOTS));
        let before = (month.0 - day.0, month.1 - day.1);
        let is_known = drop > 0 && self.knows_trust(day.1) && self.knows_trust(before.1) && before.0 > 0;
        is_known && day.0 * 100 * before.1 <= before.0 * (100 - drop.min(100)) * day.1
    }

    fn knows_trust(&self, count: u64) -> bool {
        count >= self.threshold(Threshold::TrustScoreMinTransactions).max(1)
    }

    fn is_large(&self, step: u64, amount: u128) -> bool {
        let times = self.threshold(Threshold::LargeTransactionMultiplier);
        let least = self.threshold(Threshold::LargeTransactionMinTransactions).max(1);
        let (sum, count) = self.month(step);
        times > 0 && count >= least && amount > u128::from(times) * sum / (100 * u128::from(count))
    }

    fn is_fast(&mut self, step: u64) -> bool {
        let times = self.threshold(Threshold::SpendVelocityMultiplier);
        let (month, count) = self.month(step);
        let hour: u128 =
            self.anew().filter(|spend| spend.step < step && in_hour(spend.step, step)).map(|s| s.amount).sum();
        let present: u128 = self.anew().filter(|spend| spend.step == step).map(|spend| spend.amount).sum();
        let known_for = (step - self.first_step.unwrap_or(step)) / HOUR;
        let hours = known_for.min(720).saturating_sub(1).max(1);
        let before = month.saturating_sub(hour);
        let is_known = times > 0 && count >= self.threshold(Threshold::SpendVelocityMinTransactions) && before > 0;
        let most = u128::from(times) * before / (100 * u128::from(hours));
        let is_found = is_known && present > most.saturating_sub(hour) && self.told_in != Some(step);
        if is_found {
            self.told_in = Some(step);
        }
        is_found
    }

    /// Spend and transactions of the 30 days before a step. What was before the agent was watched anew is past in any case.
    fn month(&self, step: u64) -> (u128, u64) {
        let is_past = |place: usize, spend: &Spend| place < self.before_anew || spend.step < step;
        let in_month = |spend: &Spend| spend.step / MONTH_STEP + SLOTS > step / MONTH_STEP;
        let past = self.spends.iter().enumerate().filter(|(place, spend)| is_past(*place, spend) && in_month(spend));
        past.fold((0, 0), |(sum, count), (_, spend)| (sum + spend.amount, count + u64::from(spend.is_transaction)))
    }

    fn anew(&self) -> impl Iterator<Item = &Spend> {
        self.spends.iter().skip(self.before_anew)
    }

    fn threshold(&self, threshold: Threshold) -> u64 {
        u64::from(self.watching.thresholds.of(threshold))
    }
}

fn in_hour(past: u64, step: u64) -> bool {
    past / HOUR_STEP + SLOTS > step / HOUR_STEP
}

fn step_of(now: Timestamp) -> u64 {
    now.micros() / STEP_MICROS
}
