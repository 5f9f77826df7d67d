//! Sums over time: by the hour for a month, by the day for a year, and since ever.

use std::collections::VecDeque;

use super::period::Hour;
use crate::kernel::{Amount, Timestamp};

/// So many hours are kept apart.
pub(super) const HOURS_KEPT: u32 = 31 * Hour::DAY;
/// So many days before them are.
pub(super) const DAYS_KEPT: usize = 366;

/// What happened, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Money.
    pub amount: Amount,
    /// Money that came back.
    pub refunded: Amount,
    /// Calls, or decisions.
    pub calls: u64,
    /// Payments that were reported.
    pub payments: u64,
}

/// Sums over spans of time; see the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Series {
    total: Figures,
    last_at: Timestamp,
    hours: VecDeque<Bucket>,
    days: VecDeque<Bucket>,
}

/// The figures of an hour or a day, in half a line of the cache.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    from: Hour,
    calls: u32,
    payments: u32,
    amount: Amount,
    refunded: Amount,
}

impl Figures {
    /// What was spent and did not come back.
    #[must_use]
    pub fn net(&self) -> Amount {
        self.amount.saturating_sub(self.refunded)
    }

    /// Whether nothing happened.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Figures::default()
    }

    /// Adds others to them.
    pub fn add(&mut self, other: &Figures) {
        self.amount = self.amount.saturating_add(other.amount);
        self.refunded = self.refunded.saturating_add(other.refunded);
        self.calls = self.calls.saturating_add(other.calls);
        self.payments = self.payments.saturating_add(other.payments);
    }
}

impl Series {
    /// What is known of the time before.
    pub(super) fn begin(&mut self, figures: &Figures, last_at: Timestamp) {
        self.total.add(figures);
        self.last_at = self.last_at.max(last_at);
    }

    /// Adds figures of `now`, which is not before those that were added. Gives by how many buckets it grew or shrank; it may grow only
    /// where there is room.
    pub(super) fn add(&mut self, now: Timestamp, figures: &Figures, has_room: bool) -> isize {
        let before = self.buckets();
        self.total.add(figures);
        self.last_at = self.last_at.max(now);
        let hour = Hour::of(now);
        self.age(hour);
        match self.hours.back_mut().filter(|last| last.from >= hour) {
            Some(last) => last.add(figures),
            None => self.push(Bucket::of(hour, figures), has_room),
        }
        self.buckets() as isize - before as isize
    }

    /// The figures since an hour; since ever without one. An hour that is no longer kept apart counts with its day.
    pub(super) fn since(&self, from: Option<Hour>) -> Figures {
        let Some(from) = from else { return self.total };
        let mut sum = Figures::default();
        self.hours.iter().rev().take_while(|bucket| bucket.from >= from).for_each(|bucket| bucket.add_to(&mut sum));
        let days = self.days.iter().rev().take_while(|bucket| bucket.from >= from.day());
        days.for_each(|bucket| bucket.add_to(&mut sum));
        sum
    }

    /// When something was last added.
    pub(super) fn last_at(&self) -> Timestamp {
        self.last_at
    }

    fn buckets(&self) -> usize {
        self.hours.len() + self.days.len()
    }

    /// Without room the oldest detail makes it.
    fn push(&mut self, bucket: Bucket, has_room: bool) {
        if !has_room && self.hours.len() > 1 {
            self.fold_oldest_hour();
        }
        if !has_room && self.days.pop_front().is_none() && self.hours.pop_front().is_none() {
            return;
        }
        self.hours.push_back(bucket);
    }

    fn age(&mut self, now: Hour) {
        while self.hours.front().is_some_and(|oldest| oldest.from.0.saturating_add(HOURS_KEPT) <= now.0) {
            self.fold_oldest_hour();
        }
    }

    fn fold_oldest_hour(&mut self) {
        let Some(hour) = self.hours.pop_front() else { return };
        let day = hour.from.day();
        match self.days.back_mut().filter(|last| last.from == day) {
            Some(last) => last.merge(&hour),
            None => self.days.push_back(Bucket { from: day, ..hour }),
        }
        if self.days.len() > DAYS_KEPT {
            self.days.pop_front();
        }
    }
}

impl Bucket {
    fn of(from: Hour, figures: &Figures) -> Bucket {
        let mut bucket = Bucket { from, calls: 0, payments: 0, amount: Amount::ZERO, refunded: Amount::ZERO };
        bucket.add(figures);
        bucket
    }

    fn add(&mut self, figures: &Figures) {
        let count = |count: u32, more: u64| count.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
        self.calls = count(self.calls, figures.calls);
        self.payments = count(self.payments, figures.payments);
        self.amount = self.amount.saturating_add(figures.amount);
        self.refunded = self.refunded.saturating_add(figures.refunded);
    }

    fn merge(&mut self, other: &Bucket) {
        let mut figures = Figures::default();
        other.add_to(&mut figures);
        self.add(&figures);
    }

    fn add_to(&self, sum: &mut Figures) {
        sum.add(&Figures {
            amount: self.amount,
            refunded: self.refunded,
            calls: u64::from(self.calls),
            payments: u64::from(self.payments),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Duration;

    fn hour(hours: u32) -> Timestamp {
        Timestamp::ZERO.after(Duration::from_secs(u64::from(hours) * 3600 + 1))
    }

    fn figures(units: u32) -> Figures {
        Figures { amount: Amount::from_units(units), refunded: Amount::ZERO, calls: 1, payments: 1 }
    }

    fn calls(series: &Series, from: u32) -> u64 {
        series.since(Some(Hour(from))).calls
    }

    #[test]
    fn hours_count_for_a_month_and_days_for_a_year() {
        let mut series = Series::default();
        let hours = 400 * Hour::DAY;
        let grown: isize = (0..hours).map(|at| series.add(hour(at), &figures(1), true)).sum();
        assert_eq!(series.buckets() as isize, grown);
        assert_eq!((series.hours.len(), series.days.len()), (HOURS_KEPT as usize, DAYS_KEPT));
        for (since, expected) in [(0, 1), (23, 24), (HOURS_KEPT - 1, u64::from(HOURS_KEPT))] {
            assert_eq!(calls(&series, hours - 1 - since), expected, "{since} hours");
        }
        // Beyond the month whole days count.
        let from = hours - HOURS_KEPT - 30;
        assert_eq!(calls(&series, from), u64::from(hours - Hour(from).day().0));
        assert_eq!(calls(&series, 0), u64::from(HOURS_KEPT) + DAYS_KEPT as u64 * 24);
        assert_eq!(series.since(None).calls, u64::from(hours), "nothing is lost of the whole");
    }

    #[test]
    fn without_room_detail_goes_and_sums_stay() {
        let mut series = Series::default();
        assert_eq!(series.add(hour(0), &figures(1), false), 0);
        assert_eq!((calls(&series, 0), series.since(None).calls), (0, 1));
        assert_eq!(series.add(hour(1), &figures(1), true), 1);
        let grown: isize = (2..1000).map(|at| series.add(hour(at), &figures(1), false)).sum();
        assert!(grown <= 0, "{grown}");
        assert_eq!(series.since(None).calls, 1000);
        assert!(calls(&series, 999) >= 1);
    }

    #[test]
    fn what_came_back_is_not_spent() {
        let mut series = Series::default();
        series.begin(&figures(5), hour(1));
        series.add(hour(9), &figures(2), true);
        let back = Figures { refunded: Amount::from_units(3), ..Figures::default() };
        series.add(hour(9), &back, true);
        assert_eq!(series.since(None).net(), Amount::from_units(4));
        assert_eq!(series.since(Some(Hour(9))).net(), Amount::ZERO, "more came back than was spent then");
        assert_eq!(series.last_at(), hour(9));
    }
}
