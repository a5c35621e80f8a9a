//! Distinguishes a process from its forked copies, which do not have its threads.

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

/// The identity of a process: its id, and the count of forks that led to it. The id is not enough: a process and its forked copy
/// may both have the id 1, each in a PID namespace of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ProcessCopy {
    pid: u32,
    forks: u32,
}

impl ProcessCopy {
    /// The process that calls this.
    pub(super) fn current() -> Self {
        static FORKS: AtomicU32 = AtomicU32::new(0);
        static COUNTED: Once = Once::new();
        extern "C" fn count() {
            FORKS.fetch_add(1, Ordering::Relaxed);
        }
        COUNTED.call_once(|| {
            // SAFETY: the function only adds to a number. If this fails for want of memory, only the id differs.
            let _ = unsafe { libc::pthread_atfork(None, None, Some(count)) };
        });
        Self { pid: std::process::id(), forks: FORKS.load(Ordering::Relaxed) }
    }
}
