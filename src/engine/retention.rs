//! Cuts what is older or more than is to be kept, and keeps it in files first where that is wanted.
//!
//! The state after what goes becomes the *base* that the journal begins with, so everything that a shard knows survives: holds, answers
//! that are remembered, counters. Only then are records removed, a few at a time. Whatever is interrupted is done again.

use std::{
    collections::VecDeque,
    io::{self, BufWriter},
    ops::ControlFlow,
    sync::{PoisonError, atomic::Ordering},
};

use super::{
    archive::Archive,
    options::RetentionOptions,
    snapshot::{SnapshotError, Snapshotter, WRITE_BYTES, first_state},
};
use crate::{
    journal::{
        Position, Sequence,
        codec::{first_moment, visit_events},
        read_groups, replay_until, write_base,
    },
    kernel::{ShardId, State, Timestamp},
};

/// So many records are removed at a time.
const CUT_RECORDS: usize = 64;
/// So many places are known at which a shard's journal may be cut.
const MARKS_MAX: usize = 4096;
/// What a record has beside its payload, in bytes.
const RECORD_FRAME_BYTES: u64 = 38;
/// An age may be exceeded by this part of it, so that a base is not written for every little that becomes too old.
const AGE_SLACK: u64 = 16;
/// Of the bytes that may be kept, this part is left free by a cut, for the same reason.
const BYTES_SLACK: u64 = 8;

/// How much history a shard has, and where it may be cut.
#[derive(Debug, Default)]
pub(super) struct Extent {
    /// The end of what was looked at.
    scanned: Option<Sequence>,
    /// All of it that is kept, in bytes.
    bytes: u64,
    /// Oldest first.
    marks: VecDeque<Mark>,
    /// At least so many bytes lie between two marks.
    mark_bytes: u64,
}

/// The end of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    last: Sequence,
    /// What there is up to here.
    bytes: u64,
    /// Nothing up to here happened later.
    until: Timestamp,
}

impl Extent {
    /// The end of what is looked at, for a journal that begins after `base`.
    fn scanned(&self, base: Sequence) -> Sequence {
        self.scanned.unwrap_or(base).max(base)
    }

    /// Another group, which began at `moment`: what was before it may be cut.
    fn add(&mut self, first: Sequence, last: Sequence, bytes: u64, moment: Timestamp) {
        let before = Mark { last: Sequence(first.0.saturating_sub(1)), bytes: self.bytes, until: moment };
        let apart = before.bytes.saturating_sub(self.marks.back().map_or(0, |mark| mark.bytes));
        if before.bytes > 0 && apart >= self.mark_bytes {
            self.marks.push_back(before);
        }
        if self.marks.len() > MARKS_MAX {
            let mut is_kept = false;
            self.marks.retain(|_| {
                is_kept = !is_kept;
                is_kept
            });
            self.mark_bytes = self.bytes / (MARKS_MAX as u64 / 2);
        }
        self.bytes = self.bytes.saturating_add(bytes);
        self.scanned = Some(last);
    }

    /// What is up to `base` is gone.
    fn forget(&mut self, base: Sequence) {
        let mut gone = 0;
        while let Some(mark) = self.marks.front().filter(|mark| mark.last <= base) {
            gone = mark.bytes;
            self.marks.pop_front();
        }
        self.bytes = self.bytes.saturating_sub(gone);
        self.marks.iter_mut().for_each(|mark| mark.bytes = mark.bytes.saturating_sub(gone));
    }

    /// Where to cut at `now`, at most at `limit`; `share` is what may be kept of this shard.
    fn due(&self, options: &RetentionOptions, share: Option<u64>, now: Timestamp, limit: Sequence) -> Option<Sequence> {
        let by_age = options.age_max.and_then(|age| {
            let slack = crate::kernel::Duration::from_micros(age.micros() / AGE_SLACK);
            let is_old = |mark: &&Mark| mark.until.after(age) <= now;
            let oldest = self.marks.front()?;
            let is_due = oldest.until.after(age).after(slack) <= now;
            self.marks.iter().take_while(is_old).last().filter(|_| is_due)
        });
        let by_bytes = share.filter(|share| self.bytes > *share).and_then(|share| {
            let target = self.bytes.saturating_sub(share - share / BYTES_SLACK);
            self.marks.iter().find(|mark| mark.bytes >= target).or(self.marks.back())
        });
        let last = [by_age, by_bytes].into_iter().flatten().map(|mark| mark.last).max()?;
        self.marks.iter().rev().map(|mark| mark.last).find(|mark| *mark <= last.min(limit))
    }
}

impl Snapshotter {
    /// Cuts what a shard has too much of, at leisure. What cannot be cut now is cut later.
    pub(super) fn retain(&self, shard: ShardId, rest: &mut dyn FnMut()) {
        if let Err(error) = self.try_retain(shard, rest) {
            self.shared.commits.count_failed_cut(error.to_string());
        }
    }

    fn try_retain(&self, shard: ShardId, rest: &mut dyn FnMut()) -> Result<(), SnapshotError> {
        let options = &self.shared.options.retention;
        if !options.is_limited() {
            return Ok(());
        }
        self.remove_cut(shard, rest)?;
        self.scan(shard, rest)?;
        let handed_out = Sequence(self.shared.gauges(shard).handed_out.load(Ordering::Acquire));
        let share = options.bytes_max.map(|bytes| bytes / self.shared.shards.len().max(1) as u64);
        let due = self.with_extent(shard, |extent| extent.due(options, share, self.shared.clock.now(), handed_out));
        let Some(end) = due else { return Ok(()) };
        if self.covered(shard)? < end {
            self.snapshot_of_all(shard, rest)?;
        }
        if self.put_base(shard, end, rest)? {
            self.shared.commits.cuts.fetch_add(1, Ordering::Relaxed);
            self.with_extent(shard, |extent| extent.forget(end));
            self.remove_cut(shard, rest)?;
        }
        Ok(())
    }

    /// Looks at the groups that were written since the last time.
    fn scan(&self, shard: ShardId, rest: &mut dyn FnMut()) -> Result<(), SnapshotError> {
        let base = self.store.begins_after(shard)?.sequence;
        let from = self.with_extent(shard, |extent| extent.scanned(base)).next();
        let mut failure = None;
        let read = read_groups(&*self.store, shard, from, self.shared.durable(shard), &mut |span, payload| {
            rest();
            let records = span.last.0.saturating_sub(span.first.0) + 1;
            let bytes = payload.len() as u64 + records * RECORD_FRAME_BYTES;
            match first_moment(payload) {
                Ok(moment) => {
                    self.with_extent(shard, |extent| extent.add(span.first, span.last, bytes, moment));
                    ControlFlow::Continue(())
                }
                Err(error) => {
                    failure = Some(error);
                    ControlFlow::Break(())
                }
            }
        });
        match (failure, read) {
            (Some(error), _) => Err(SnapshotError::History(error.to_string())),
            (None, Ok(_)) => Ok(()),
            (None, Err(error)) => Err(SnapshotError::History(error.to_string())),
        }
    }

    /// Writes the state after `end` as what the journal begins with, and what goes to a file before; says whether it did. It does not
    /// while somebody reads history.
    fn put_base(&self, shard: ShardId, end: Sequence, rest: &mut dyn FnMut()) -> Result<bool, SnapshotError> {
        let (position, state) = self.fold_history(shard, end, rest)?;
        let writer = super::snapshot::Resting { writer: write_base(&*self.store, shard, position)?, rest };
        let mut writer = BufWriter::with_capacity(WRITE_BYTES, writer);
        state.write_image(&mut writer)?;
        let writer = writer.into_inner().map_err(io::IntoInnerError::into_error)?.writer;
        // Whoever begins to read meanwhile begins after the new base, or keeps it from being published.
        let history = self.shared.history.lock().unwrap_or_else(PoisonError::into_inner);
        let handed_out = self.shared.gauges(shard).handed_out.load(Ordering::Acquire);
        if history.readers > 0 || handed_out < end.0 {
            return Ok(false);
        }
        writer.finish()?;
        Ok(true)
    }

    /// The state after `end`, from the base before; everything between goes to a file, durably, where one is wanted.
    fn fold_history(
        &self,
        shard: ShardId,
        end: Sequence,
        rest: &mut dyn FnMut(),
    ) -> Result<(Position, State), SnapshotError> {
        let options = &self.shared.options;
        let (base, mut state) = first_state(&*self.store, shard, &options.kernel)?;
        let directory = options.retention.export_dir.as_deref();
        let mut archive = directory.map(|directory| Archive::begin(directory, shard, base, end)).transpose()?;
        let replayed = replay_until(&*self.store, shard, base, end, &mut |_, payload| {
            visit_events(payload, &mut |moment, event| state.apply(moment, &event))?;
            if let Some(archive) = &mut archive {
                archive.group(payload)?;
            }
            rest();
            Ok(())
        })
        .map_err(super::snapshot::RebuildError::from)?;
        if replayed.end.sequence != end {
            return Err(SnapshotError::Short { shard, durable: end, read: replayed.end.sequence });
        }
        if let Some(archive) = archive {
            archive.finish(replayed.end)?;
        }
        Ok((replayed.end, state))
    }

    /// Removes what stands before the base: what a crash interrupted as well.
    fn remove_cut(&self, shard: ShardId, rest: &mut dyn FnMut()) -> Result<(), SnapshotError> {
        while self.store.cut(shard, CUT_RECORDS)? > 0 {
            rest();
        }
        let base = self.store.begins_after(shard)?.sequence;
        self.shared.gauges(shard).base.store(base.0, Ordering::Relaxed);
        Ok(())
    }

    fn with_extent<T>(&self, shard: ShardId, work: impl FnOnce(&mut Extent) -> T) -> T {
        let mut extents = self.extents.lock().unwrap_or_else(PoisonError::into_inner);
        work(extents.entry(shard).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Duration;

    fn second(second: u64) -> Timestamp {
        Timestamp::ZERO.after(Duration::from_secs(second))
    }

    /// A group of 10 bytes every second.
    fn extent(groups: u64) -> Extent {
        let mut extent = Extent::default();
        for group in 1..=groups {
            extent.add(Sequence(group), Sequence(group), 10, second(group));
        }
        extent
    }

    fn due(extent: &Extent, age: Option<u64>, bytes: Option<u64>, now: u64, limit: u64) -> Option<u64> {
        let age_max = age.map(Duration::from_secs);
        let options = RetentionOptions { age_max, bytes_max: bytes, export_dir: None };
        extent.due(&options, bytes, second(now), Sequence(limit)).map(|sequence| sequence.0)
    }

    #[test]
    fn what_is_too_old_or_too_much_is_due() {
        let extent = extent(100);
        for (age, bytes, now, limit, expected) in [
            (None, None, 1000, 1000, None),
            // The group of second 100 began when all before it was at most that old.
            (Some(32), None, 100, 1000, Some(67)),
            (Some(32), None, 34, 1000, None),
            (Some(32), None, 36, 1000, Some(3)),
            (Some(32), None, 100, 40, Some(40)),
            (Some(1), None, 10_000, 1000, Some(99)),
            (None, Some(1000), 100, 1000, None),
            (None, Some(800), 100, 1000, Some(30)),
            (None, Some(0), 100, 1000, Some(99)),
            (Some(32), Some(800), 100, 1000, Some(67)),
            (None, Some(800), 100, 0, None),
        ] {
            assert_eq!(due(&extent, age, bytes, now, limit), expected, "{age:?} {bytes:?} at {now} up to {limit}");
        }
    }

    #[test]
    fn what_is_cut_is_forgotten_and_marks_are_bounded() {
        let mut extent = extent(3 * MARKS_MAX as u64);
        assert!(extent.marks.len() <= MARKS_MAX, "{}", extent.marks.len());
        let bytes = extent.bytes;
        let mark = extent.marks[10];
        extent.forget(mark.last);
        assert_eq!(extent.bytes, bytes - mark.bytes);
        assert!(extent.marks.front().is_some_and(|first| first.last > mark.last));
        let due = due(&extent, None, Some(extent.bytes - 1), 1, u64::MAX);
        assert!(due.is_some_and(|due| due > mark.last.0));
    }
}
