//! Slows down whoever keeps failing, without locking anybody out.
//!
//! 1. Each failure under a name makes the next refusal under it come later: not at all at first, then twice as late each
//!    time, at most [`LONGEST`].
//! 2. One failure is forgotten every [`FORGET_SECONDS`].
//! 3. Only refusals wait. A right signature is answered at once, so nobody can lock an owner out.
//! 4. Names share a fixed number of counters, chosen by a hash nobody outside knows. Two names on one counter cost a
//!    stranger's wrong signature some time, and memory stays the same whatever is sent.
//! 5. At most [`WAITING`] refusals wait at a time; the others come at once, so that waiting cannot fill the memory either.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::clock::{Clock, Timestamp};

const COUNTERS: usize = 1024;
const FREE_FAILURES: u32 = 3;
const SHORTEST: Duration = Duration::from_millis(25);
const LONGEST: Duration = Duration::from_millis(1000);
const MOST_FAILURES: u32 = FREE_FAILURES + 8;
const FORGET_SECONDS: i64 = 10;
const WAITING: usize = 64;

/// The failures under every name.
pub(super) struct Slowing {
    clock: Arc<dyn Clock>,
    hasher: RandomState,
    counters: Mutex<Box<[Counter]>>,
    waiting: Semaphore,
}

#[derive(Clone, Copy)]
struct Counter {
    failures: u32,
    since: Timestamp,
}

impl Slowing {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let counters = vec![Counter { failures: 0, since: Timestamp::MIN }; COUNTERS].into_boxed_slice();
        Self { clock, hasher: RandomState::new(), counters: Mutex::new(counters), waiting: Semaphore::new(WAITING) }
    }

    /// Counts a failure and waits as long as the failures before it ask for.
    pub(super) async fn wait(&self, name: &str) {
        let delay = self.count(name);
        if delay.is_zero() {
            return;
        }
        if let Ok(_place) = self.waiting.try_acquire() {
            tokio::time::sleep(delay).await;
        }
    }

    /// Counts a failure and says how long its refusal has to wait.
    fn count(&self, name: &str) -> Duration {
        let now = self.clock.now();
        let position = (self.hasher.hash_one(name) % COUNTERS as u64) as usize;
        // A counter is always in order, whatever happened to another thread that held the lock.
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let counter = &mut counters[position];
        let forgotten = (now.seconds() - counter.since.seconds()).max(0) / FORGET_SECONDS;
        let failures = i64::from(counter.failures).saturating_sub(forgotten).max(0) as u32;
        let since = counter.since.plus_seconds(forgotten * FORGET_SECONDS);
        let delay = match failures.checked_sub(FREE_FAILURES) {
            None => Duration::ZERO,
            Some(doublings) => LONGEST.min(SHORTEST * 2u32.pow(doublings.min(8))),
        };
        let since = if failures == 0 { now } else { since };
        *counter = Counter { failures: (failures + 1).min(MOST_FAILURES), since };
        delay
    }
}
