//! Signal masks and dispositions in the parent, during a launch.

use crate::plan::SignalName;
use crate::sys;
use rustix::io::Errno;
use std::ffi::c_int;

/// Blocks all signals in this thread until the value is dropped, also the signals that libc reserves for itself.
///
/// The child starts with this mask, so it runs no handler of the parent. A handler in the child could change the parent's memory.
pub(crate) struct BlockedSignals {
    before: sys::SignalSet,
}

impl BlockedSignals {
    pub(crate) fn all() -> Result<Self, Errno> {
        Ok(Self { before: sys::set_signal_mask(&sys::every_signal())? })
    }

    /// The thread's mask before the block.
    pub(super) fn before(&self) -> sys::SignalSet {
        self.before
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        // The kernel has set this thread's mask before, so a refusal should not last. The drop tries three times, and
        // then gives up.
        let _ = (0..3).find(|_| sys::set_signal_mask(&self.before).is_ok());
    }
}

/// The disposition that a signal had.
pub(crate) struct SavedAction {
    signal: c_int,
    action: libc::sigaction,
}

impl SavedAction {
    /// The disposition of a signal as it is now.
    pub(crate) fn of(signal: c_int) -> Result<Self, Errno> {
        // SAFETY: all zeros is a valid value, and one action is written.
        let (result, action) = unsafe {
            let mut action = std::mem::zeroed();
            (libc::sigaction(signal, std::ptr::null(), &raw mut action), action)
        };
        if result == 0 { Ok(Self { signal, action }) } else { Err(sys::last_error()) }
    }

    /// The name of the signal.
    pub(crate) fn signal(&self) -> impl std::fmt::Display {
        SignalName(self.signal)
    }

    /// Puts the disposition back.
    pub(crate) fn restore(&self) -> Result<(), Errno> {
        // SAFETY: the signal had this action before.
        match unsafe { libc::sigaction(self.signal, &raw const self.action, std::ptr::null_mut()) } {
            0 => Ok(()),
            _ => Err(sys::last_error()),
        }
    }
}

extern "C" fn do_nothing(_: c_int) {}

/// Replaces an ignored SIGPIPE by a handler that does nothing. For this process the two are the same, but exec gives a handled
/// signal its default disposition. Returns `None` if SIGPIPE is not ignored.
pub(crate) fn handle_ignored_sigpipe() -> Result<Option<SavedAction>, Errno> {
    let before = SavedAction::of(libc::SIGPIPE)?;
    if before.action.sa_sigaction != libc::SIG_IGN {
        return Ok(None);
    }
    // SAFETY: all zeros is a valid value, and one action is read whose handler does nothing.
    let result = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = do_nothing as *const () as usize;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(libc::SIGPIPE, &raw const action, std::ptr::null_mut())
    };
    if result == 0 { Ok(Some(before)) } else { Err(sys::last_error()) }
}
