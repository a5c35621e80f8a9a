//! The signal mask of the spawning thread.

use crate::sys;

/// All signals are blocked in this thread for as long as it lives, those included that libc keeps for itself.
///
/// A child that shares the parent's memory must not run the parent's handlers; nor must a forked one.
pub(super) struct Blocked {
    before: sys::SignalSet,
}

impl Blocked {
    pub(super) fn all() -> Self {
        // The call fails only for a set of the wrong size.
        let before = sys::set_signal_mask(&sys::every_signal()).unwrap_or(sys::every_signal());
        Self { before }
    }

    /// The caller's mask.
    pub(super) fn before(&self) -> sys::SignalSet {
        self.before
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        let _ = sys::set_signal_mask(&self.before);
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
/// Blocks the signals that programs use, for as long as this thread runs. Those that libc keeps for itself stay: a `setuid` in
/// another thread sends one to each thread, and waits for its handler.
pub(super) fn block_programs() {
    // SAFETY: all zeros is a valid set; libc fills in its own idea of all signals, and only this thread's mask changes.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut set);
        // Those of a thread's own doing: a filter may have calls answered by a handler (SIGSYS).
        for signal in [libc::SIGSYS, libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP] {
            libc::sigdelset(&raw mut set, signal);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut());
    }
}
