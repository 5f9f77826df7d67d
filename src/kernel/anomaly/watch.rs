//! What is remembered of how one agent pays, and what is expected of its next payment.

use bincode::{Decode, Encode};

use super::{
    alert::Finding,
    consecutive_failures, consecutive_violations, duplicate_payment,
    duplicate_payment::Repeats,
    failed_streak, high_frequency,
    high_frequency::Minute,
    large_transaction, new_service, price_spike, recipients,
    recipients::Recipients,
    rolling::Rolling,
    spend_velocity,
    threshold::{Threshold, Watching, WatchingChange},
    trust,
    trust::Trust,
};
use crate::kernel::{Amount, NameId, Protocol, Timestamp};

/// The length of a step, in microseconds.
const STEP_US: u64 = 10_000_000;
/// Steps in a step of the rolling hour: ten minutes.
const STEPS_IN_HOUR_STEP: u32 = 60;
/// Steps in an hour.
pub(super) const STEPS_IN_HOUR: u32 = 360;
/// Steps in a step of the rolling 30 days: five days.
const STEPS_IN_MONTH_STEP: u32 = 5 * 24 * STEPS_IN_HOUR;

static DEFAULT: Watching = Watching::DEFAULT;

/// A payment as the detectors see it: an approval, or a report of what was never approved.
#[derive(Clone, Copy, Debug)]
pub struct Paid {
    /// Over which rail.
    pub protocol: Protocol,
    /// How much.
    pub amount: Amount,
    /// To whom.
    pub recipient: NameId,
    /// For which service.
    pub service: Option<NameId>,
    /// From which wallet.
    pub wallet: Option<u8>,
    /// How many calls it is.
    pub calls: u32,
    /// Whether it counts in the agent's own windows; a charge inside an envelope was counted with the deposit.
    pub is_own: bool,
    /// Whether it has a price: a deposit has none.
    pub is_priced: bool,
    /// What the calls of its service before it were to cost, and how many those were.
    pub asked_before: Amount,
    /// See `asked_before`.
    pub calls_before: u64,
    /// How many services the agent has paid, this one included, where it is the first payment of this one.
    pub new_service: Option<u32>,
}

/// What is remembered of how one agent pays. What every payment looks at comes first and fills one line of the cache.
#[derive(Clone, Debug, Encode, Decode)]
#[repr(C, align(64))]
pub struct Watch {
    /// The ten seconds of the last payment.
    pub(super) step: u32,
    /// Calls in them.
    pub(super) calls: u32,
    /// Payments of its own in them.
    pub(super) transactions: u32,
    /// Denials in a row.
    pub(super) violations: u16,
    /// Payments in a row of which nothing came.
    pub(super) failures: u16,
    /// Whom the last payment went to.
    pub(super) recipient: NameId,
    /// A price may be so many hundredths of the mean, once there were so many calls. 0 where nobody asks.
    pub(super) spike_times: u16,
    pub(super) spike_calls: u16,
    /// So many calls may be in the ten seconds.
    pub(super) calls_max: u32,
    /// Smaller amounts may repeat, in hundredths of a unit.
    pub(super) repeats_from: u32,
    /// Spent in the ten seconds, and what may be.
    pub(super) spent: u64,
    pub(super) spent_max: u64,
    /// The largest usual amount.
    pub(super) amount_max: u64,
    /// So much may be spent before the limits are looked at again.
    pub(super) quiet: u64,
    /// Calls in the ten seconds of the minute before.
    pub(super) minute: Minute,
    /// Spend and calls.
    pub(super) hour: Rolling<7>,
    /// Spend and transactions.
    pub(super) month: Rolling<7>,
    /// The ten seconds of the first payment; 0 where there is none.
    pub(super) first_step: u32,
    /// Whom it paid lately, once that is more than one.
    pub(super) recipients: Option<Box<Recipients>>,
    /// What it paid lately, as far as that should not repeat.
    pub(super) repeats: Option<Box<Repeats>>,
    /// How far its payees are trusted, where anybody says.
    pub(super) trust: Option<Box<Trust>>,
    /// The agent's own settings.
    watching: Option<Box<Watching>>,
    /// When its open holds go on being voided.
    pub(crate) voids_at: Option<Timestamp>,
}

const _: () =
    assert!(std::mem::offset_of!(Watch, minute) == 64, "what every payment looks at is one line of the cache");
const _: () = assert!(size_of::<Watch>() <= 320, "there is one for each agent that ever paid");

/// What a payment can ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alarm {
    Price,
    Frequency,
    Service,
    /// A limit may be nearly used: only the agent's policies know.
    Limits,
    Repeat,
    Velocity,
    Large,
    Recipients,
}

impl Alarm {
    pub(crate) const ALL: [Alarm; 8] = [
        Alarm::Price,
        Alarm::Frequency,
        Alarm::Service,
        Alarm::Limits,
        Alarm::Repeat,
        Alarm::Velocity,
        Alarm::Large,
        Alarm::Recipients,
    ];
}

/// What a payment rang, as a set of bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Alarms(u16);

impl Alarms {
    #[inline]
    fn ring(&mut self, alarm: Alarm, rings: bool) {
        self.0 |= u16::from(rings) << alarm as u16;
    }

    #[inline]
    pub(crate) fn any(self) -> bool {
        self.0 != 0
    }

    pub(crate) fn has(self, alarm: Alarm) -> bool {
        self.0 >> alarm as u16 & 1 != 0
    }
}

impl Default for Watch {
    fn default() -> Watch {
        let mut watch = Watch {
            step: 0,
            calls: 0,
            transactions: 0,
            violations: 0,
            failures: 0,
            recipient: NameId::UNKNOWN,
            spike_times: 0,
            spike_calls: 0,
            calls_max: 0,
            repeats_from: 0,
            spent: 0,
            spent_max: 0,
            amount_max: 0,
            quiet: 0,
            minute: Minute::default(),
            hour: Rolling::EMPTY,
            month: Rolling::EMPTY,
            first_step: 0,
            recipients: None,
            repeats: None,
            trust: None,
            watching: None,
            voids_at: None,
        };
        watch.expect();
        watch
    }
}

impl Watch {
    /// Remembers a payment, and says what is unusual about it.
    ///
    /// Requires that `now` is not before any earlier payment.
    #[inline]
    pub(crate) fn pay(&mut self, now: Timestamp, paid: &Paid) -> Alarms {
        let step = step_of(now);
        let mut alarms = Alarms::default();
        if paid.recipient != self.recipient {
            alarms.ring(Alarm::Recipients, recipients::switch(self, step, paid.recipient));
        }
        if step != self.step {
            self.go_on_to(step);
        }
        self.violations = 0;
        self.calls = self.calls.saturating_add(paid.calls);
        alarms.ring(Alarm::Frequency, high_frequency::is_found(self));
        alarms.ring(Alarm::Price, price_spike::is_found(self, paid));
        alarms.ring(Alarm::Service, new_service::is_found(self, paid));
        if paid.is_own {
            self.transactions = self.transactions.saturating_add(1);
            self.spend(paid.amount, &mut alarms);
            alarms.ring(Alarm::Large, large_transaction::is_found(self, paid));
        }
        if paid.amount.micros() >= u64::from(self.repeats_from) * duplicate_payment::CENT {
            alarms.ring(Alarm::Repeat, duplicate_payment::is_found(self, now, paid));
        }
        alarms
    }

    /// A hold was enlarged.
    pub(crate) fn enlarge(&mut self, now: Timestamp, by: Amount) -> Alarms {
        let mut alarms = Alarms::default();
        let step = step_of(now);
        if step != self.step {
            self.go_on_to(step);
        }
        self.violations = 0;
        self.spend(by, &mut alarms);
        alarms
    }

    #[inline]
    fn spend(&mut self, amount: Amount, alarms: &mut Alarms) {
        self.spent = self.spent.saturating_add(amount.micros());
        alarms.ring(Alarm::Velocity, spend_velocity::is_found(self));
        match self.quiet.checked_sub(amount.micros()) {
            Some(quiet) => self.quiet = quiet,
            None => alarms.ring(Alarm::Limits, true),
        }
    }

    /// What an alarm of a payment found; nothing for an alarm about the limits, which the agent's policies know.
    pub(crate) fn finding(&self, alarm: Alarm, paid: &Paid) -> Option<Finding> {
        let finding = match alarm {
            Alarm::Price => price_spike::finding(self, paid),
            Alarm::Frequency => high_frequency::finding(self, paid),
            Alarm::Service => new_service::finding(self, paid),
            Alarm::Repeat => duplicate_payment::finding(self, paid),
            Alarm::Velocity => spend_velocity::finding(self, paid),
            Alarm::Large => large_transaction::finding(self, paid),
            Alarm::Recipients => recipients::finding(self, paid),
            Alarm::Limits => return None,
        };
        let Paid { recipient, service, wallet, .. } = *paid;
        Some(Finding { recipient: Some(recipient), service, wallet, ..finding })
    }

    /// So many payments were denied.
    pub(crate) fn deny(&mut self, count: u32) -> Option<Finding> {
        let before = u32::from(self.violations);
        self.violations = self.violations.saturating_add(u16::try_from(count).unwrap_or(u16::MAX));
        consecutive_violations::found(self, before)
    }

    /// A payment is over, and nothing came of it.
    pub(crate) fn fail(&mut self) -> [Option<Finding>; 2] {
        let before = u32::from(self.failures);
        self.failures = self.failures.saturating_add(1);
        [failed_streak::found(self, before), consecutive_failures::found(self, before)]
    }

    /// Whether a row that had `before` payments and has `now` is found to be too long. Where that freezes the agent it is found with every
    /// payment, since one is enough.
    pub(super) fn is_row_found(&self, before: u32, now: u32, most: u32) -> bool {
        if self.watching().auto_freeze { most > 0 && now >= most } else { is_told(before, now, most) }
    }

    /// Something was paid.
    #[inline]
    pub(crate) fn succeed(&mut self) {
        self.failures = 0;
    }

    /// How far the payee of a payment is trusted, in ten-thousandths.
    pub(crate) fn see_trust(&mut self, now: Timestamp, score: u32) -> [Option<Finding>; 2] {
        trust::see(self, step_of(now), score);
        [trust::found_low(self), trust::found_drop(self)]
    }

    /// The limits are to be looked at with the next payment: they may be other ones now.
    pub(crate) fn look_soon(&mut self) {
        self.quiet = 0;
    }

    /// The limits need not be looked at before so much is spent.
    pub(crate) fn be_quiet_for(&mut self, amount: Amount) {
        self.quiet = amount.micros();
    }

    /// Begins to look anew: what happened before counts in the mean of 30 days alone.
    pub(crate) fn begin_anew(&mut self) {
        self.month.add(self.step / STEPS_IN_MONTH_STEP, self.spent, self.transactions);
        (self.calls, self.spent, self.transactions) = (0, 0, 0);
        (self.violations, self.failures) = (0, 0);
        self.recipient = NameId::UNKNOWN;
        self.minute = Minute::default();
        self.hour.clear();
        (self.recipients, self.repeats, self.trust) = (None, None, None);
        self.voids_at = None;
        self.expect();
    }

    /// Watches in another way.
    pub(crate) fn change(&mut self, change: &WatchingChange) {
        let watching = self.watching().with(change);
        self.watching = (watching != DEFAULT).then(|| Box::new(watching));
        self.expect();
        self.look_soon();
    }

    /// How the agent is watched.
    #[must_use]
    pub fn watching(&self) -> &Watching {
        self.watching.as_deref().unwrap_or(&DEFAULT)
    }

    pub(super) fn threshold(&self, threshold: Threshold) -> u32 {
        self.watching().thresholds.of(threshold)
    }

    /// What happened in the ten seconds before becomes the past.
    #[cold]
    fn go_on_to(&mut self, step: u32) {
        let last = self.step;
        self.minute.go_on(last, self.calls, step);
        self.hour.add(last / STEPS_IN_HOUR_STEP, self.spent, self.calls);
        self.hour.go_on_to(step / STEPS_IN_HOUR_STEP);
        self.month.add(last / STEPS_IN_MONTH_STEP, self.spent, self.transactions);
        self.month.go_on_to(step / STEPS_IN_MONTH_STEP);
        if self.first_step == 0 {
            self.first_step = step;
        }
        if last / STEPS_IN_HOUR != step / STEPS_IN_HOUR {
            // A window may have ended, and a limit that was nearly used may be free again.
            self.look_soon();
        }
        self.step = step;
        (self.calls, self.spent, self.transactions) = (0, 0, 0);
        self.expect();
    }

    /// Works out from the past what is expected of the present ten seconds.
    fn expect(&mut self) {
        price_spike::expect(self);
        high_frequency::expect(self);
        duplicate_payment::expect(self);
        spend_velocity::expect(self);
        large_transaction::expect(self);
    }
}

/// `times` hundredths of `amount / count`.
pub(super) fn times_mean(times: u32, amount: u64, count: u64) -> u64 {
    let product = u128::from(times) * u128::from(amount) / (100 * u128::from(count.max(1)));
    u64::try_from(product).unwrap_or(u64::MAX)
}

fn step_of(now: Timestamp) -> u32 {
    u32::try_from(now.micros() / STEP_US).unwrap_or(u32::MAX)
}
/// Whether a row that had `before` payments and has `now` is told: once it has `most`, and each time that it is twice as long. A row that
/// goes on for ever costs next to nothing.
pub(super) fn is_told(before: u32, now: u32, most: u32) -> bool {
    let lengths = now.checked_div(most).and_then(u32::checked_ilog2);
    lengths.is_some_and(|doublings| before < most << doublings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_told_when_it_is_long_enough_and_whenever_it_has_doubled() {
        let told = |most: u32| -> Vec<u32> { (1..=40).filter(|now| is_told(now - 1, *now, most)).collect() };
        assert_eq!(told(0), [0; 0]);
        assert_eq!(told(1), [1, 2, 4, 8, 16, 32]);
        assert_eq!(told(5), [5, 10, 20, 40]);
        assert_eq!(told(41), [0; 0]);
        for (before, now, expected) in
            [(0, 4, false), (4, 9, true), (5, 9, false), (9, 41, true), (65_535, 65_535, false)]
        {
            assert_eq!(is_told(before, now, 5), expected, "{before} {now}");
        }
    }
}
