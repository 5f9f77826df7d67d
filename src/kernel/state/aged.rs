//! Values in the order in which they came, each with the moment at which it did.

use std::collections::VecDeque;

use crate::kernel::{Duration, Timestamp};

/// See the module. What came at one moment, as all that a turn brings, shares it.
#[derive(Debug)]
pub(super) struct Aged<T> {
    values: VecDeque<T>,
    moments: VecDeque<Moment>,
}

#[derive(Clone, Copy, Debug)]
struct Moment {
    at: Timestamp,
    /// How many values came at it; never zero.
    count: u32,
}

impl<T> Default for Aged<T> {
    fn default() -> Self {
        Aged { values: VecDeque::new(), moments: VecDeque::new() }
    }
}

impl<T: Copy> Aged<T> {
    /// Adds a value, the newest.
    pub(super) fn push(&mut self, at: Timestamp, value: T) {
        self.values.push_back(value);
        match self.moments.back_mut() {
            Some(moment) if moment.at == at && moment.count < u32::MAX => moment.count += 1,
            Some(_) | None => self.moments.push_back(Moment { at, count: 1 }),
        }
    }

    /// Takes the oldest value out.
    pub(super) fn pop(&mut self) -> Option<T> {
        let value = self.values.pop_front()?;
        if let Some(oldest) = self.moments.front_mut() {
            oldest.count -= 1;
            if oldest.count == 0 {
                self.moments.pop_front();
            }
        }
        Some(value)
    }

    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// When the oldest came.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        self.moments.front().map(|moment| moment.at)
    }

    /// How many are `age` old or older at `now`.
    pub(super) fn older(&self, now: Timestamp, age: Duration) -> u32 {
        let old = self.moments.iter().take_while(|moment| moment.at.after(age) <= now);
        old.fold(0, |sum, moment| sum.saturating_add(moment.count))
    }

    /// All of them, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Timestamp, T)> {
        let moments = self.moments.iter().flat_map(|moment| std::iter::repeat_n(moment.at, moment.count as usize));
        moments.zip(self.values.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_moments() {
        let (mut aged, at) = (Aged::default(), Timestamp::from_micros);
        for (moment, value) in [(5, 'a'), (5, 'b'), (7, 'c')] {
            aged.push(at(moment), value);
        }
        assert_eq!(aged.iter().collect::<Vec<_>>(), [(at(5), 'a'), (at(5), 'b'), (at(7), 'c')]);
        let older = |aged: &Aged<char>, now| aged.older(at(now), Duration::from_micros(10));
        assert_eq!([14, 15, 16, 17].map(|now| older(&aged, now)), [0, 2, 2, 3]);
        assert_eq!((aged.pop(), aged.oldest(), aged.len()), (Some('a'), Some(at(5)), 2));
        assert_eq!((aged.pop(), aged.oldest(), aged.len()), (Some('b'), Some(at(7)), 1));
        assert_eq!((aged.pop(), aged.oldest(), aged.pop()), (Some('c'), None, None));
    }
}
