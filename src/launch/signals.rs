//! Signal masks and dispositions in the parent, during a launch.

use crate::sys;
use rustix::io::Errno;
use std::ffi::c_int;

/// Blocks all signals in this thread until a drop, also those that libc reserves for itself.
///
/// The child starts with this mask, so it runs no handler of the parent. A handler in the child could change the parent's memory.
pub(super) struct BlockedSignals {
    before: sys::SignalSet,
}

impl BlockedSignals {
    pub(super) fn all() -> Result<Self, Errno> {
        Ok(Self { before: sys::set_signal_mask(&sys::every_signal())? })
    }

    /// The thread's mask before the block.
    pub(super) fn before(&self) -> sys::SignalSet {
        self.before
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        // The kernel has set a mask before, so a refusal is a passing one. After three, there is nothing more to try.
        let _ = (0..3).find(|_| sys::set_signal_mask(&self.before).is_ok());
    }
}

/// The old disposition of SIGPIPE.
pub(crate) struct Sigpipe(libc::sigaction);

impl Sigpipe {
    /// Puts the disposition back.
    pub(crate) fn restore(&self) -> Result<(), Errno> {
        // SAFETY: the signal had this action before.
        match unsafe { libc::sigaction(libc::SIGPIPE, &raw const self.0, std::ptr::null_mut()) } {
            0 => Ok(()),
            _ => Err(sys::last_error()),
        }
    }
}

extern "C" fn do_nothing(_: c_int) {}

/// Replaces an ignored SIGPIPE by a handler that does nothing. For this process the two are the same, but exec gives a handled
/// signal its default disposition. Returns `None` if SIGPIPE is not ignored.
pub(crate) fn handle_ignored_sigpipe() -> Result<Option<Sigpipe>, Errno> {
    // SAFETY: all zeros is a valid value; one action is written, and one is read whose handler does nothing.
    unsafe {
        let mut before: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(libc::SIGPIPE, std::ptr::null(), &raw mut before) != 0 {
            return Err(sys::last_error());
        }
        if before.sa_sigaction != libc::SIG_IGN {
            return Ok(None);
        }
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = do_nothing as *const () as usize;
        action.sa_flags = libc::SA_RESTART;
        if libc::sigaction(libc::SIGPIPE, &raw const action, std::ptr::null_mut()) != 0 {
            return Err(sys::last_error());
        }
        Ok(Some(Sigpipe(before)))
    }
}
