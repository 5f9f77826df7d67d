//! Reads entries backwards, the newest first, from the journals of all shards.
//!
//! Each shard has a window that grows towards the past. What is newer than where every window begins is complete, and can be told in
//! order; the window that begins latest is the next to grow.

use std::collections::VecDeque;

use super::{
    entry::{Entry, Recorder},
    filter::Filter,
};
use crate::{
    engine::{Feed, FeedCursor, FeedError, FeedPosition, READ_EVENTS_MAX},
    journal::Sequence,
    kernel::Timestamp,
};

/// So many events are looked at for one page; where fewer entries match, the page is short and names where to go on.
pub const SCAN_EVENTS_MAX: usize = 100_000;
/// How many records a window grows by at first; twice as many each time after.
const GROWTH_RECORDS: u64 = 32;
/// The most records of a group, and some more.
const GROUP_RECORDS_MAX: u64 = 128;

/// Entries of the past.
#[derive(Clone, Debug)]
pub struct History {
    feed: Feed,
}

/// Some entries, the newest first.
#[derive(Debug)]
pub struct Page {
    /// The entries.
    pub entries: Vec<Entry>,
    /// Where the older ones end; nothing where there are none.
    pub before: Option<FeedCursor>,
}

impl History {
    /// The past as the feed has it.
    #[must_use]
    pub fn new(feed: Feed) -> History {
        History { feed }
    }

    /// Up to `limit` entries that match and stand before a cursor; the newest without one. Entries of one moment in several shards are
    /// told by shard.
    ///
    /// # Errors
    /// [`FeedError`].
    pub fn page(&self, before: Option<&FeedCursor>, filter: &Filter, limit: usize) -> Result<Page, FeedError> {
        let mut windows = self.windows(before, filter)?;
        let (mut scanned, mut scan_max) = (0, SCAN_EVENTS_MAX);
        loop {
            let horizon = windows.iter().filter(|window| !window.is_whole).map(|window| window.begins_at).max();
            let Some(horizon) = horizon else { break };
            let complete = windows.iter().map(|window| window.count_after(horizon)).sum::<usize>();
            if complete >= limit {
                break;
            }
            if scanned >= scan_max {
                if windows.iter().any(|window| window.consumed(horizon, None) < window.end) {
                    break;
                }
                // Nothing would be gained by asking again, so it goes on.
                scan_max += SCAN_EVENTS_MAX;
            }
            for window in windows.iter_mut().filter(|window| !window.is_whole && window.begins_at == horizon) {
                scanned += self.grow(window, filter)?;
            }
        }
        Ok(finish(windows, limit))
    }

    fn windows(&self, before: Option<&FeedCursor>, filter: &Filter) -> Result<Vec<Window>, FeedError> {
        let newest = self.feed.newest();
        let ends = before.unwrap_or(&newest);
        let oldest: Vec<FeedPosition> = self.feed.oldest().positions().collect();
        if ends.positions().count() != oldest.len() {
            return Err(FeedError::UnknownCursor);
        }
        let window = |(end, oldest): (FeedPosition, FeedPosition)| {
            let end = match filter.to {
                Some(to) => end.min(self.seek(oldest, end, to)?),
                None => end,
            };
            Ok(Window::new(oldest, end.max(oldest)))
        };
        ends.positions().zip(oldest).map(window).collect()
    }

    /// The first group between two places, all of whose events happened at `to` or later; found by halving.
    fn seek(&self, oldest: FeedPosition, end: FeedPosition, to: Timestamp) -> Result<FeedPosition, FeedError> {
        let (mut low, mut high) = (oldest.sequence.0, end.sequence.0);
        while low < high {
            let middle =
                self.group_at(FeedPosition { sequence: Sequence(low + (high - low) / 2), index: 0, ..oldest })?;
            let mut first = None;
            let next = self.feed.read_shard(middle, 1, &mut |fact| first = Some(fact.moment))?;
            match first {
                Some(moment) if moment < to => {
                    low = next.sequence.0.max(middle.sequence.0 + 1).max(low + 1);
                }
                Some(_) | None => high = middle.sequence.0.min(high - 1),
            }
        }
        Ok(FeedPosition { sequence: Sequence(low.min(end.sequence.0)), index: 0, ..end }.max(oldest))
    }

    /// The beginning of the group that a record belongs to.
    fn group_at(&self, place: FeedPosition) -> Result<FeedPosition, FeedError> {
        let mut place = FeedPosition { index: 0, ..place };
        for _ in 0..GROUP_RECORDS_MAX {
            match self.feed.read_shard(place, 1, &mut |_| ()) {
                Err(FeedError::UnknownCursor) if place.sequence.0 > 1 => place.sequence.0 -= 1,
                Err(error) => return Err(error),
                Ok(_) => break,
            }
        }
        Ok(place)
    }

    /// Grows a window towards the past; says how many events were looked at.
    fn grow(&self, window: &mut Window, filter: &Filter) -> Result<usize, FeedError> {
        let target = Sequence(window.begin.sequence.0.saturating_sub(window.growth)).max(window.oldest.sequence);
        window.growth = window.growth.saturating_mul(2);
        let from = self.group_at(FeedPosition { sequence: target, index: 0, ..window.begin })?.max(window.oldest);
        let (mut older, mut recorder, mut scanned) = (Vec::new(), Recorder::default(), 0);
        let (mut groups, mut next) = (Vec::new(), from);
        while next < window.begin {
            let reached = self.feed.read_shard(next, READ_EVENTS_MAX, &mut |fact| {
                if fact.position >= window.begin {
                    return;
                }
                scanned += 1;
                if fact.position.index == 0 {
                    groups.push((fact.position, fact.moment));
                }
                older.extend(recorder.entry(fact).filter(|entry| filter.matches(entry)));
            })?;
            if reached == next {
                break;
            }
            next = reached;
        }
        window.begins_at = groups.first().map_or(Timestamp::ZERO, |(_, moment)| *moment);
        window.is_whole = from <= window.oldest || filter.from.is_some_and(|from| window.begins_at < from);
        window.begin = from;
        older.into_iter().rev().for_each(|entry| window.entries.push_front(entry));
        groups.into_iter().rev().for_each(|group| window.groups.push_front(group));
        Ok(scanned)
    }
}

/// What was read of a shard: everything from `begin` to `end`.
#[derive(Debug)]
struct Window {
    oldest: FeedPosition,
    begin: FeedPosition,
    end: FeedPosition,
    /// The moment of the first event in it; the end of time while it is empty.
    begins_at: Timestamp,
    /// Whether nothing older is wanted.
    is_whole: bool,
    growth: u64,
    /// Those that match, the oldest first.
    entries: VecDeque<Entry>,
    /// The groups and the moments that they begin at.
    groups: VecDeque<(FeedPosition, Timestamp)>,
}

impl Window {
    fn new(oldest: FeedPosition, end: FeedPosition) -> Window {
        Window {
            oldest,
            begin: end,
            end,
            begins_at: Timestamp::MAX,
            is_whole: end <= oldest,
            growth: GROWTH_RECORDS,
            entries: VecDeque::new(),
            groups: VecDeque::new(),
        }
    }

    /// How many entries happened after a moment.
    fn count_after(&self, horizon: Timestamp) -> usize {
        self.entries.iter().rev().take_while(|entry| entry.moment > horizon).count()
    }

    /// From where on everything is done with, when everything after a moment and from `told` on is.
    fn consumed(&self, horizon: Timestamp, told: Option<FeedPosition>) -> FeedPosition {
        let groups = self.groups.iter().rev().take_while(|(_, moment)| *moment > horizon);
        let scanned = groups.last().map_or(self.end, |(place, _)| *place);
        told.map_or(scanned, |told| told.min(scanned))
    }
}

/// The newest entries of the windows that are certain to be in order.
fn finish(windows: Vec<Window>, limit: usize) -> Page {
    let horizon = windows.iter().filter(|window| !window.is_whole).map(|window| window.begins_at).max();
    let is_complete = |entry: &&Entry| horizon.is_none_or(|horizon| entry.moment > horizon);
    let mut found: Vec<&Entry> = windows.iter().flat_map(|window| &window.entries).filter(is_complete).collect();
    found.sort_unstable_by_key(|entry| std::cmp::Reverse((entry.moment, entry.position)));
    let is_more = horizon.is_some() || found.len() > limit;
    found.truncate(limit);
    let entries: Vec<Entry> = found.into_iter().cloned().collect();
    // Up to here everything was told, or up to the horizon where the page is not full.
    let reached = match entries.last() {
        Some(last) if entries.len() == limit => last.moment,
        _ => horizon.unwrap_or(Timestamp::ZERO),
    };
    let before = is_more.then(|| {
        FeedCursor::before(windows.iter().map(|window| {
            let told = entries.iter().filter(|entry| entry.position.shard == window.end.shard);
            window.consumed(reached, told.map(|entry| entry.position).min())
        }))
    });
    Page { entries, before }
}
