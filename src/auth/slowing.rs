//! Slows down whoever keeps failing, without locking anybody out.
//!
//! 1. Each failure under a name makes the next refusal under it come later: not at all at first, then twice as late each
//!    time, at most [`LONGEST`].
//! 2. One failure is forgotten every [`FORGET_SECONDS`].
//! 3. Only refusals wait. A right signature is answered at once, so nobody can lock an owner out.
//! 4. Names share a fixed number of counters, chosen by a hash nobody outside knows. Two names on one counter cost a
//!    stranger's wrong signature some time, and memory stays the same whatever is sent.
//! 5. At most [`WAITING`] refusals wait at a time; the others come at once, so that waiting cannot fill the memory either.
//!
//! Each instance of the service counts for itself.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::clock::{Clock, Timestamp};

const COUNTERS: usize = 1024;
const FREE_FAILURES: u32 = 3;
const SHORTEST: Duration = Duration::from_millis(25);
/// A waiting refusal occupies a place in the function, which its owner pays for; more would be a stranger's lever.
const LONGEST: Duration = Duration::from_millis(200);
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use futures_util::FutureExt;

    use super::*;

    struct Turned(AtomicI64);

    impl Clock for Turned {
        fn now(&self) -> Timestamp {
            Timestamp::from_seconds(self.0.load(Ordering::Relaxed))
        }
    }

    fn slowing() -> (Arc<Turned>, Slowing) {
        let clock = Arc::new(Turned(AtomicI64::new(1_000_000)));
        (Arc::clone(&clock), Slowing::new(clock))
    }

    fn delays(slowing: &Slowing, name: &str, count: usize) -> Vec<u128> {
        (0..count).map(|_| slowing.count(name).as_millis()).collect()
    }

    #[test]
    fn each_failure_makes_the_next_refusal_come_later_up_to_a_fifth_of_a_second() {
        let (_, slowing) = slowing();
        let expected = [0, 0, 0, 25, 50, 100, 200, 200, 200, 200, 200, 200];
        assert_eq!(delays(&slowing, "AK", expected.len()), expected);
    }

    #[test]
    fn failures_are_forgotten_with_time() {
        let (clock, slowing) = slowing();
        delays(&slowing, "AK", 5);
        clock.0.fetch_add(9, Ordering::Relaxed);
        assert_eq!(delays(&slowing, "AK", 1), [100]);
        clock.0.fetch_add(1, Ordering::Relaxed);
        assert_eq!(delays(&slowing, "AK", 1), [100], "one is forgotten every ten seconds");
        clock.0.fetch_add(1_000_000, Ordering::Relaxed);
        assert_eq!(delays(&slowing, "AK", 4), [0, 0, 0, 25]);
        clock.0.fetch_sub(2_000_000, Ordering::Relaxed);
        assert_eq!(delays(&slowing, "AK", 1), [50], "a clock that is set back forgets nothing");
    }

    #[test]
    fn any_number_of_names_shares_the_counters() {
        let (_, slowing) = slowing();
        let slowed = (0..10_000).filter(|name| !slowing.count(&name.to_string()).is_zero()).count();
        assert!(slowed > 0);
        assert_eq!(slowing.counters.lock().expect("the lock").len(), COUNTERS);
    }

    #[tokio::test]
    async fn beyond_the_places_to_wait_refusals_come_at_once() {
        let (_, slowing) = slowing();
        delays(&slowing, "AK", 10);
        let mut refusals: Vec<_> = (0..WAITING + 10).map(|_| Box::pin(slowing.wait("AK"))).collect();
        let at_once = refusals.iter_mut().filter_map(|refusal| refusal.now_or_never()).count();
        assert_eq!(at_once, 10);
    }
}
