//! Whether a process is the one that started a thread, or a forked copy of it, which does not have the thread.

use crate::sys;

/// One process, other than its forked copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ProcessCopy {
    pid: u32,
    forks: u32,
}

impl ProcessCopy {
    /// The process that calls this. The id is for a copy that was made by other means than libc's fork.
    pub(super) fn current() -> Self {
        Self { pid: std::process::id(), forks: sys::forks() }
    }
}
