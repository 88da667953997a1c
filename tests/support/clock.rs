//! A clock that tests set, and that shows who read it when.

use std::sync::atomic::{AtomicI64, Ordering};

use flowgate::clock::{Clock, Timestamp};

/// Moves on by a millisecond each time it is read, so that no two readings are equal, and by more when told to.
pub struct TestClock(AtomicI64);

impl TestClock {
    /// A clock whose first reading is this instant.
    pub fn starting_at(instant: Timestamp) -> Self {
        Self(AtomicI64::new(instant.millis()))
    }

    /// Moves on at once.
    pub fn advance_seconds(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1000, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.fetch_add(1, Ordering::SeqCst))
    }
}
