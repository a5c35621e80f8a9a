//! Short pauses of the parent between two looks at a child or a cgroup.

use rustix::thread::{NanosleepRelativeResult, Timespec, nanosleep};
use std::time::Duration;

/// Sleeps, or only yields if the system refuses to let the thread sleep. (In that case `std::thread::sleep` panics.)
pub(crate) fn pause(duration: Duration) {
    let time =
        Timespec { tv_sec: duration.as_secs().try_into().unwrap_or(i64::MAX), tv_nsec: duration.subsec_nanos().into() };
    if let NanosleepRelativeResult::Err(_) = nanosleep(&time) {
        std::thread::yield_now();
    }
}

/// The times between two looks, if no event tells when the next look is worth it: from 0.5 ms to 16 ms, each twice the one before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff(Duration);

impl Backoff {
    pub(crate) fn new() -> Self {
        Self(Duration::from_micros(500))
    }

    /// The next time.
    pub(crate) fn next(&mut self) -> Duration {
        let time = self.0;
        self.0 = (time * 2).min(Duration::from_millis(16));
        time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_double_up_to_16_ms() {
        let mut backoff = Backoff::new();
        let times: Vec<u128> = (0..8).map(|_| backoff.next().as_micros()).collect();
        assert_eq!(times, [500, 1000, 2000, 4000, 8000, 16_000, 16_000, 16_000]);
    }
}
