//! Short pauses of the parent between two looks at the child.

use rustix::thread::{NanosleepRelativeResult, Timespec, nanosleep};
use std::time::Duration;

/// Sleeps, or only yields if the system refuses to let the thread sleep. (In that case `std::thread::sleep` panics.)
pub(super) fn pause(duration: Duration) {
    let time = Timespec { tv_sec: 0, tv_nsec: duration.subsec_nanos().into() };
    if let NanosleepRelativeResult::Err(_) = nanosleep(&time) {
        std::thread::yield_now();
    }
}
