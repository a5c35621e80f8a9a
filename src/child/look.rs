//! Looks at a child, and does not reap it: whether it has ended, stopped, executed its program, or been reaped by other code.

use super::executed::{has_executed, is_known_to_have_executed};
use super::reap::is_child;
#[cfg(not(target_os = "openbsd"))]
use super::reap::{Counted, peek};
#[cfg(any(target_os = "linux", target_os = "android"))]
use super::reap::{is_refusal, is_stopped, peek_by_pidfd};
use super::spawned::Spawned;
use crate::sys;
#[cfg(not(target_os = "openbsd"))]
use rustix::io::Errno;
use std::os::fd::{AsFd, OwnedFd};

impl Spawned {
    /// The process id, in the type of the calls.
    fn number(&self) -> i32 {
        self.id().cast_signed()
    }

    /// Whether another part of this process, or the kernel, has reaped the child, so that its pid may be another process's. The function
    /// cannot tell the child from a later child of this process that has the same pid.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn is_reaped_elsewhere(&self) -> bool {
        match self.pidfd() {
            Some(pidfd) => !is_child(pidfd),
            None => peek(self.number(), Counted::All) == Err(Errno::CHILD),
        }
    }

    /// This system cannot look at a child without reaping it.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(crate) fn is_reaped_elsewhere(&self) -> bool {
        false
    }

    /// Whether the child has ended, without reaping it. `None` if no call tells. The pidfd is asked first, since the process id of a child
    /// that other code has reaped may be that of a later child.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn has_ended(&self) -> Option<bool> {
        let by_pidfd = self.pidfd().map(peek_by_pidfd).filter(|peeked| !peeked.is_err_and(is_refusal));
        match by_pidfd.unwrap_or_else(|| peek(self.number(), Counted::All)) {
            Ok(has_ended) => Some(has_ended),
            Err(Errno::CHILD) => Some(true), // It has been reaped.
            Err(_) => None,
        }
    }

    /// Whether the child has ended, without reaping it. `None` if no call tells. This system has no pidfds.
    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "openbsd")))]
    pub(crate) fn has_ended(&self) -> Option<bool> {
        match peek(self.number(), Counted::All) {
            Ok(has_ended) => Some(has_ended),
            Err(Errno::CHILD) => Some(true), // It has been reaped.
            Err(_) => None,
        }
    }

    /// This system cannot look at a child without reaping it.
    #[cfg(target_os = "openbsd")]
    pub(crate) fn has_ended(&self) -> Option<bool> {
        None
    }

    /// Whether a signal has stopped the child. `None` if no call tells.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn is_stopped(&self) -> Option<bool> {
        match is_stopped(self.number()) {
            Ok(is_stopped) => Some(is_stopped),
            Err(Errno::CHILD) => Some(false), // It has been reaped.
            Err(_) => None,
        }
    }

    /// The library does not look for stops on this system.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(crate) fn is_stopped(&self) -> Option<bool> {
        Some(false)
    }

    /// Whether one system call says that the child has executed a program. If it is false, the answer is open.
    pub(crate) fn is_known_to_have_executed(&self) -> bool {
        is_known_to_have_executed(self.number())
    }

    /// Whether the child has left this process's session, so that `setpgid(2)` cannot tell whether the child has
    /// executed.
    pub(crate) fn is_in_other_session(&self) -> bool {
        sys::session_of(self.number()) != sys::session_of(0)
    }

    /// Whether the child has executed a program. `None` if the system does not tell.
    pub(crate) fn has_executed(&self) -> Option<bool> {
        has_executed(self.number())
    }

    /// Whether a pidfd refers to this child, and the child has not been reaped.
    pub(crate) fn is_referred_to_by(&self, pidfd: &OwnedFd) -> bool {
        is_child(pidfd.as_fd())
    }
}
