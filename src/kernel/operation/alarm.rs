//! What the detectors make of what happened. What they find is kept until [`State::advance`] says it as an event, which it does before
//! anything else: an agent that is frozen for it is frozen before anything more is decided.

use bincode::{Decode, Encode};

use super::read::Limits;
use crate::kernel::{
    AgentIndex, Amount, Event, NameId, Protocol, SessionNumber, Timestamp,
    anomaly::{
        Alarm, Alarms, Alert, Finding, Look, Paid, Severity, Watch, another_recipient, beyond_hold, denied_for,
        exceeded_by_denial, without_hold,
    },
    event::{AlertRaised, Approved, CaptureBooked, Denied, Frozen, Increased, RecordBooked},
    outcome::{Booking, Captured, LimitView, Recorded, ViolationKind},
    request::AgentStatus,
    state::{State, agent::Agent, slots::Slot},
};

/// Something that was found and is no event yet. They are few: what one event can make detectors find.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Found {
    agent: AgentIndex,
    finding: Finding,
    freezes: bool,
}

/// How a payment was booked at its service.
#[derive(Clone, Copy)]
struct Booked {
    /// Whether it counts in the agent's own windows.
    is_own: bool,
    /// As how many calls it was counted; a deposit as none.
    calls: u32,
}

impl State {
    /// Whether something was found that [`State::advance`] is to say before anything else is decided.
    #[must_use]
    pub fn has_findings(&self) -> bool {
        !self.found.is_empty()
    }

    /// The events of what was found first.
    pub(crate) fn say_finding(&self, events: &mut Vec<Event>) {
        let Some(found) = self.found.first() else { return };
        let Found { agent, finding, freezes } = found;
        let number = self.alerts.next_number();
        let severity = if *freezes { Severity::Critical } else { finding.kind.severity() };
        let (finding, froze, reason) = (finding.clone(), *freezes, "".into());
        events.push(Event::Alerted(Box::new(AlertRaised { number, agent: *agent, finding, severity, froze, reason })));
        if *freezes {
            let frozen = Frozen { agent: *agent, alert: number, trigger: found.finding.kind, voids: false };
            events.push(Event::AgentFrozen(Box::new(frozen)));
        }
    }

    pub(crate) fn alerted(&mut self, now: Timestamp, event: &AlertRaised) {
        self.found.retain(|found| found.agent != event.agent || !found.finding.is_like(&event.finding));
        self.alerts.insert(Alert::raised(now, event));
    }

    /// A hold was placed.
    pub(crate) fn watch_approved(&mut self, now: Timestamp, event: &Approved) {
        let booked = Booked { is_own: !event.from_deposit, calls: u32::from(!event.deposit) };
        let Some(paid) = self.paid(event.agent, event.amount, (event.protocol, event.service), booked) else { return };
        let paid = Paid { recipient: event.recipient, wallet: event.wallet, calls: 1, ..paid };
        self.watch_paid(now, event.agent, event.session, &paid);
    }

    /// People approved a payment that waited for them: it is part of the past, and nothing is found in it.
    pub(crate) fn watch_approved_by_people(&mut self, now: Timestamp, slot: Slot) {
        let hold = self.holds.at(slot);
        let (agent, amount, key) = (hold.agent, hold.amount(), (hold.protocol, hold.service()));
        let (recipient, wallet) = (hold.recipient, hold.wallet);
        let booked = Booked { is_own: !hold.from_deposit, calls: u32::from(!hold.deposit) };
        let Some(paid) = self.paid(agent, amount, key, booked) else { return };
        if let Some(watch) = self.watch_mut(agent) {
            watch.pay(now, &Paid { recipient, wallet, calls: 1, ..paid });
            watch.look_soon();
        }
    }

    /// A hold was enlarged.
    pub(crate) fn watch_increased(&mut self, now: Timestamp, slot: Slot, event: &Increased) {
        let hold = self.holds.at(slot);
        if hold.from_deposit {
            return;
        }
        let (session, recipient, wallet) = (hold.session, hold.recipient, hold.wallet);
        let key = (hold.protocol, hold.service());
        let booked = Booked { is_own: true, calls: 0 };
        let Some(paid) = self.paid(event.agent, event.by, key, booked) else { return };
        let paid = Paid { recipient, wallet, ..paid };
        if let Some(watch) = self.watch_mut(event.agent) {
            let alarms = watch.enlarge(now, event.by);
            if alarms.any() {
                self.alarm(now, event.agent, session, &paid, alarms);
            }
        }
    }

    /// Payments were denied. What an agent asks for that may not pay at all is no violation of a limit.
    pub(crate) fn watch_denied(&mut self, now: Timestamp, event: &Denied) {
        if let ViolationKind::AgentNotActive(_) = event.kind {
            return;
        }
        let Some(watch) = self.watch_mut(event.agent) else { return };
        let found = watch.deny(event.count);
        self.find(now, event.agent, found);
        if !event.kind.is_of_total() {
            return;
        }
        if self.alerts.join(now, event.agent, &denied_for(event.kind, event.count)) {
            return;
        }
        let mut exceeded = None;
        self.each_limit_of(now, event.agent, event.session, &Protocol::ALL, &mut |limit| {
            if limit.kind == event.kind {
                exceeded = exceeded.take().or(exceeded_by_denial(&limit, event.count));
            }
        });
        self.find(now, event.agent, exceeded);
    }

    /// A capture was booked, of a hold or of nothing that is known any more.
    pub(crate) fn watch_captured(&mut self, now: Timestamp, event: &CaptureBooked, answer: Captured) {
        let hold = self.holds.find(event.agent, event.id).map(|slot| self.holds.at(slot));
        let (held, is_charge) = hold.map_or((Amount::ZERO, false), |hold| (hold.amount(), !hold.deposit));
        if !event.amount.is_zero() {
            self.watch_success(event.agent);
        } else if is_charge && event.last && !answer.late && answer.captured.is_zero() {
            self.watch_failure(now, event.agent);
        }
        if !answer.overage.is_zero() {
            self.find_by_watch(now, event.agent, || beyond_hold(answer.overage, held));
        }
    }

    /// A payment was reported by its facts.
    pub(crate) fn watch_recorded(&mut self, now: Timestamp, event: &RecordBooked, answer: Recorded) {
        let is_booked = event.booking != Booking::Misdirected;
        let matched = event.authorization.filter(|_| is_booked).and_then(|id| self.holds.find(event.agent, id));
        let Some(slot) = matched else { return self.watch_unmatched(now, event) };
        let hold = self.holds.at(slot);
        let (held, is_other, is_deposit) = (hold.amount(), hold.recipient != event.recipient, hold.deposit);
        self.watch_success(event.agent);
        if is_other {
            self.find_by_watch(now, event.agent, || another_recipient(event, held));
        }
        if !answer.overage.is_zero() {
            self.find_by_watch(now, event.agent, || beyond_hold(answer.overage, held));
        }
        if is_deposit {
            self.watch_report(now, event, false);
        }
    }

    fn watch_unmatched(&mut self, now: Timestamp, event: &RecordBooked) {
        if matches!(event.booking, Booking::Unauthorized | Booking::Misdirected) {
            self.find_by_watch(now, event.agent, || without_hold(event));
        }
        self.watch_success(event.agent);
        self.watch_report(now, event, true);
    }

    fn watch_report(&mut self, now: Timestamp, event: &RecordBooked, is_own: bool) {
        let booked = Booked { is_own, calls: event.calls };
        let Some(paid) = self.paid(event.agent, event.amount, (event.protocol, event.service), booked) else { return };
        let paid = Paid { recipient: event.recipient, wallet: event.wallet, ..paid };
        self.watch_paid(now, event.agent, event.session, &paid);
    }

    /// A hold of which nothing was captured is over, by its caller's wish or by time.
    pub(crate) fn watch_released(&mut self, now: Timestamp, slot: Slot) {
        let hold = self.holds.at(slot);
        let (agent, is_failure) = (hold.agent, !hold.deposit && !hold.is_waiting() && hold.captured().is_zero());
        if is_failure {
            self.watch_failure(now, agent);
        }
    }

    /// Somebody says how far the payee of a payment is trusted.
    pub(crate) fn watch_trust(&mut self, now: Timestamp, index: AgentIndex, score: u32) {
        if let Some(watch) = self.watch_mut(index) {
            let found = watch.see_trust(now, score);
            self.find(now, index, found.into_iter().flatten());
        }
    }

    fn watch_success(&mut self, index: AgentIndex) {
        if let Some(watch) = self.watch_mut(index) {
            watch.succeed();
        }
    }

    /// A payment failed. What ends while its agent may not pay is no failure.
    fn watch_failure(&mut self, now: Timestamp, index: AgentIndex) {
        if self.agents.get(index).is_none_or(|agent| agent.status != AgentStatus::Active) {
            return;
        }
        if let Some(watch) = self.watch_mut(index) {
            let found = watch.fail();
            self.find(now, index, found.into_iter().flatten());
        }
    }

    #[inline]
    fn watch_paid(&mut self, now: Timestamp, index: AgentIndex, session: SessionNumber, paid: &Paid) {
        let Some(watch) = self.watch_mut(index) else { return };
        let alarms = watch.pay(now, paid);
        if alarms.any() {
            self.alarm(now, index, session, paid, alarms);
        }
    }

    /// What is known of a payment that was booked just now; nothing where nobody watches.
    #[inline]
    fn paid(
        &self,
        index: AgentIndex,
        amount: Amount,
        (protocol, service): (Protocol, Option<NameId>),
        booked: Booked,
    ) -> Option<Paid> {
        if !self.options.detectors {
            return None;
        }
        let agent = self.agents.get(index)?;
        let (used, asked, calls) = agent
            .service(protocol, service)
            .map_or_else(Default::default, |counters| (counters.windows.total().used, counters.asked, counters.calls));
        let is_priced = booked.calls > 0;
        let calls_before = calls.saturating_sub(u64::from(booked.calls));
        let is_new = booked.is_own && calls_before == 0 && used <= amount;
        Some(Paid {
            protocol,
            amount,
            recipient: NameId::UNKNOWN,
            service,
            wallet: None,
            calls: booked.calls,
            is_own: booked.is_own,
            is_priced,
            asked_before: if is_priced { asked.saturating_sub(amount) } else { asked },
            calls_before,
            new_service: service.filter(|_| is_new).map(|_| agent.activity().services.len() as u32),
        })
    }

    #[cold]
    fn alarm(&mut self, now: Timestamp, index: AgentIndex, session: SessionNumber, paid: &Paid, alarms: Alarms) {
        for alarm in Alarm::ALL.into_iter().filter(|alarm| alarms.has(*alarm)) {
            let found = self.watch(index).and_then(|watch| watch.finding(alarm, paid));
            self.find(now, index, found);
        }
        if alarms.has(Alarm::Limits) {
            self.look_at_limits(now, index, session, paid);
        }
    }

    /// Looks at all limits of an agent, and notes when they are worth another look.
    fn look_at_limits(&mut self, now: Timestamp, index: AgentIndex, session: SessionNumber, paid: &Paid) {
        let Some(mut look) = self.watch(index).map(Look::new) else { return };
        self.each_limit_of(now, index, session, &[paid.protocol], &mut |limit| look.at(&limit));
        let (quiet, found) = look.end();
        if let Some(watch) = self.watch_mut(index) {
            watch.be_quiet_for(quiet);
        }
        self.find(now, index, found);
    }

    /// The limits of an agent on some rails, with those of the session that a payment is made in.
    fn each_limit_of(
        &self,
        now: Timestamp,
        index: AgentIndex,
        session: SessionNumber,
        protocols: &[Protocol],
        see: &mut dyn FnMut(LimitView),
    ) {
        let Some(agent) = self.agents.get(index) else { return };
        let used = agent.session(session).map(|session| self.used_in(index, session));
        for &protocol in protocols {
            self.each_limit(now, agent, protocol, used, &mut Limits(&mut *see));
        }
    }

    fn find_by_watch(&mut self, now: Timestamp, index: AgentIndex, finding: impl FnOnce() -> Finding) {
        if self.options.detectors {
            self.find(now, index, Some(finding()));
        }
    }

    /// Takes what was found: it joins an alert that there is, or is to become one. What freezes an agent always becomes one.
    fn find(&mut self, now: Timestamp, index: AgentIndex, findings: impl IntoIterator<Item = Finding>) {
        for finding in findings {
            let freezes = finding.kind.freezes() && self.may_freeze(index);
            let is_noted = |found: &Found| found.agent == index && found.finding.is_like(&finding);
            if let Some(noted) = self.found.iter_mut().find(|found| is_noted(found)) {
                noted.finding.count = noted.finding.count.saturating_add(finding.count);
            } else if freezes || !self.alerts.join(now, index, &finding) {
                self.found.push(Found { agent: index, finding, freezes });
            }
        }
    }

    /// Whether what is found freezes the agent. One thing that freezes it is enough.
    fn may_freeze(&self, index: AgentIndex) -> bool {
        let is_due = self.found.iter().any(|found| found.agent == index && found.freezes);
        let wanted = |agent: &Agent| agent.status == AgentStatus::Active && agent.watching().auto_freeze;
        !is_due && self.agents.get(index).is_some_and(wanted)
    }

    fn watch(&self, index: AgentIndex) -> Option<&Watch> {
        self.agents.get(index)?.activity().watch.as_deref()
    }

    /// What is remembered of how an agent pays, made if need be; nothing where nobody watches.
    #[inline]
    fn watch_mut(&mut self, index: AgentIndex) -> Option<&mut Watch> {
        if !self.options.detectors {
            return None;
        }
        Some(self.agents.get_mut(index)?.activity_mut().watch_mut())
    }
}
