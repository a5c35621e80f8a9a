//! The threads of this process.

use std::time::{Duration, Instant};

/// How many threads this process has. The kernel lists a thread that was joined for a moment.
pub fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

/// Waits until this process has as many threads as before.
pub fn wait_for_threads(count: usize) {
    let start = Instant::now();
    while threads() != count {
        assert!(start.elapsed() < Duration::from_secs(60), "{} threads in place of {count}", threads());
        std::thread::yield_now();
    }
}
