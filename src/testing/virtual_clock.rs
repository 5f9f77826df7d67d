//! A clock that stands still until it is set.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::{
    engine::Clock,
    kernel::{Duration, Timestamp},
};

/// Time as a test says it is. It may be set back, as no real clock may.
#[derive(Debug)]
pub struct VirtualClock {
    micros: AtomicU64,
}

impl VirtualClock {
    /// A clock that shows `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> VirtualClock {
        VirtualClock { micros: AtomicU64::new(now.micros()) }
    }

    /// Shows `now` from now on.
    pub fn set(&self, now: Timestamp) {
        self.micros.store(now.micros(), Ordering::SeqCst);
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        self.micros.fetch_add(by.micros(), Ordering::SeqCst);
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.micros.load(Ordering::SeqCst))
    }
}
