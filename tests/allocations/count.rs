//! Counts how many of many requests take memory.

use allocation_counter::measure;

/// At most one request of so many may meet a piece of a table that is new.
const ONE_IN: u64 = 256;

/// How many of the requests took memory, and how often and how much they took in all.
#[derive(Debug, Default)]
pub(crate) struct Count {
    requests: u64,
    allocating: u64,
    allocations: u64,
    bytes: u64,
}

impl Count {
    /// Counts one request.
    pub(crate) fn add(&mut self, request: impl FnOnce()) {
        let taken = measure(request);
        self.requests += 1;
        self.allocating += u64::from(taken.count_total > 0);
        self.allocations += taken.count_total;
        self.bytes += taken.bytes_total;
    }

    /// Nothing beyond new pieces of tables.
    #[track_caller]
    pub(crate) fn assert_none(&self) {
        self.assert_at_most(0);
    }

    /// Each request takes so many pieces of memory, and nothing beyond them but new pieces of tables.
    #[track_caller]
    pub(crate) fn assert_at_most(&self, each: u64) {
        assert!(self.requests >= ONE_IN, "too few to tell: {self:?}");
        assert!(self.allocations * ONE_IN <= (each * ONE_IN + 1) * self.requests, "too much memory: {self:?}");
    }
}
