//! libc's `fork`, and how many forks have made this process.

use super::errno::last_error;
use rustix::io::Errno;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Forks this process by libc. Returns the child's pid in the parent, and 0 in the child.
///
/// # Safety
///
/// The child does only what is sound in a copy of this process with one thread.
pub(crate) unsafe fn fork() -> Result<i32, Errno> {
    // SAFETY: as the caller promises.
    match unsafe { libc::fork() } {
        -1 => Err(last_error()),
        pid => Ok(pid),
    }
}

static FORKS: AtomicU32 = AtomicU32::new(0);

extern "C" fn count_fork() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// A number that differs in a process and in its forked copies. The process id alone does not tell them apart: each may have the id 1
/// in a PID namespace of its own.
///
/// The count is right from the first call on. It takes no lock, which another thread could hold at a fork: threads that call it at the same
/// time for the first time may all register the handler, which then counts a fork more than once.
pub(crate) fn forks() -> u32 {
    static REGISTERED: AtomicBool = AtomicBool::new(false);
    if !REGISTERED.load(Ordering::Acquire) {
        // SAFETY: the handler only adds to a number. If libc has no memory for it, forks are not counted.
        unsafe { libc::pthread_atfork(None, None, Some(count_fork)) };
        REGISTERED.store(true, Ordering::Release);
    }
    FORKS.load(Ordering::Relaxed)
}

/// One process, other than its forked copies. The pid is for a copy that was made by other means than libc's fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProcessCopy {
    pid: u32,
    forks: u32,
}

impl ProcessCopy {
    /// The process that calls this.
    pub(crate) fn current() -> Self {
        Self { pid: own_pid(), forks: forks() }
    }
}

/// The id of this process. A filter may refuse the question once, and libc then returns a number below 0.
pub(crate) fn own_pid() -> u32 {
    const TRIES: usize = 3;
    let mut pids = std::iter::repeat_with(std::process::id).take(TRIES);
    pids.find(|pid| pid.cast_signed() > 0).unwrap_or_else(std::process::id)
}
