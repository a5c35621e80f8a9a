//! Whether the process is still the one that started a thread, or a forked copy, which does not have the thread.

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

/// One process: its id, and how many forks made it. The id alone does not tell: a process and its copy may both have the
/// id 1, each in a PID namespace of its own.
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
            // SAFETY: the function only adds to a number. If libc has no memory for it, the process id has to do.
            let _ = unsafe { libc::pthread_atfork(None, None, Some(count)) };
        });
        Self { pid: std::process::id(), forks: FORKS.load(Ordering::Relaxed) }
    }
}
