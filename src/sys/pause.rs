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
