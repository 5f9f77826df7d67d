//! The series of a shard, by agent and by whatever they are kept apart by.

use hashbrown::HashMap;

use super::{
    period::Hour,
    series::{Figures, Series},
};
use crate::kernel::{AgentIndex, Timestamp};

/// So many series a shard are kept apart; what has none is counted together.
pub(super) const SERIES_MAX: usize = 1 << 18;
/// So many spans of time a shard, of 32 bytes each.
pub(super) const BUCKETS_MAX: usize = 1 << 19;

/// See the module.
#[derive(Debug)]
pub(super) struct Book<K> {
    agents: HashMap<AgentIndex, Vec<(K, Series)>>,
    /// What has no series of its own.
    rest: Series,
    series: usize,
    buckets: usize,
    series_max: usize,
    buckets_max: usize,
}

impl<K> Default for Book<K> {
    fn default() -> Self {
        Book::with_maxima(SERIES_MAX, BUCKETS_MAX)
    }
}

impl<K> Book<K> {
    fn with_maxima(series_max: usize, buckets_max: usize) -> Book<K> {
        let (agents, rest) = (HashMap::new(), Series::default());
        Book { agents, rest, series: 0, buckets: 0, series_max, buckets_max }
    }

    /// What has no series of its own.
    pub(super) fn rest(&self) -> &Series {
        &self.rest
    }
}

impl<K: Copy + PartialEq> Book<K> {
    pub(super) fn begin(&mut self, agent: AgentIndex, key: K, figures: &Figures, last_at: Timestamp) {
        self.series(agent, key).begin(figures, last_at);
    }

    pub(super) fn add(&mut self, agent: AgentIndex, key: K, now: Timestamp, figures: &Figures) {
        let has_room = self.buckets < self.buckets_max;
        let grown = self.series(agent, key).add(now, figures, has_room);
        self.buckets = self.buckets.saturating_add_signed(grown);
    }

    pub(super) fn of_agent(&self, agent: AgentIndex, from: Option<Hour>) -> Vec<(K, Figures, Timestamp)> {
        let series = self.agents.get(&agent).into_iter().flatten();
        series.map(|(key, series)| (*key, series.since(from), series.last_at())).collect()
    }

    /// Every agent's, agent by agent.
    pub(super) fn each(&self, from: Option<Hour>, mut visit: impl FnMut(AgentIndex, K, Figures, Timestamp)) {
        for (agent, series) in &self.agents {
            series.iter().for_each(|(key, series)| visit(*agent, *key, series.since(from), series.last_at()));
        }
    }

    fn series(&mut self, agent: AgentIndex, key: K) -> &mut Series {
        let known = self.agents.get(&agent).and_then(|series| series.iter().position(|(of, _)| *of == key));
        if known.is_none() && self.series >= self.series_max {
            return &mut self.rest;
        }
        let of_agent = self.agents.entry(agent).or_default();
        let place = known.unwrap_or_else(|| {
            self.series += 1;
            of_agent.push((key, Series::default()));
            of_agent.len() - 1
        });
        &mut of_agent[place].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{Amount, Duration};

    const ONE: Figures = Figures { amount: Amount::from_units(1), refunded: Amount::ZERO, calls: 1, payments: 1 };

    #[test]
    fn what_has_no_room_is_counted_with_the_rest() {
        let mut book = Book::with_maxima(3, 100);
        for agent in 0..5 {
            book.add(AgentIndex(agent), 'a', Timestamp::ZERO, &ONE);
            book.add(AgentIndex(agent), 'a', Timestamp::ZERO, &ONE);
        }
        let mut listed = 0;
        book.each(None, |_, _, figures, _| listed += figures.calls);
        assert_eq!((listed, book.rest().since(None).calls), (6, 4));
        assert_eq!(book.of_agent(AgentIndex(0), None)[0].1.calls, 2);
        assert!(book.of_agent(AgentIndex(4), None).is_empty());
    }

    #[test]
    fn there_are_never_more_spans_than_the_maximum() {
        let mut book = Book::with_maxima(8, 20);
        for hour in 0..100 {
            let now = Timestamp::ZERO.after(Duration::from_secs(hour * 3600));
            (0..8).for_each(|agent| book.add(AgentIndex(agent), 'a', now, &ONE));
            assert!(book.buckets <= 20, "{}", book.buckets);
        }
        let mut listed = 0;
        book.each(None, |_, _, figures, _| listed += figures.calls);
        assert_eq!(listed, 800);
    }
}
