//! `Leader`: the child that leads a `Group`, and what the library knows of its end.

use super::send::{GroupError, Sent, send};
use crate::fd::kept::keep;
use crate::fd::standard::{dup_above_stdio, lock_stdio_numbers};
use crate::sys;
use rustix::io::Errno;
use rustix::process::Signal;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The leader of a group.
#[derive(Debug)]
pub(super) struct Leader {
    pub(super) pid: i32,
    pidfd: Option<OwnedFd>,
    pub(super) end: End,
}

/// What this library knows of the end of a leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// No wait has returned its status.
    Unknown,
    /// A wait has returned its status, and left it a zombie, so that the number of the group stays its own.
    Held,
    Reaped,
}

impl Leader {
    /// The leader has a duplicate of the pidfd, since the caller may drop the child's handle before the group.
    pub(super) fn new(pid: i32, pidfd: Option<BorrowedFd<'_>>) -> Self {
        Self { pid, pidfd: pidfd.and_then(duplicate), end: End::Unknown }
    }

    pub(super) fn signal(&self, signal: Signal) -> Result<Sent, GroupError> {
        let is_reaped = self.end == End::Reaped || !self.is_child();
        send(self.pid, self.pidfd.as_ref().map(AsFd::as_fd), is_reaped, signal)
    }

    /// Reaps a leader that has ended.
    pub(super) fn reap(&mut self) {
        self.end = End::Reaped;
        let _ = self.wait(0); // The wait that returned the status has returned the errors, too.
    }

    /// Whether the leader is a child that has not been reaped. Other code of this process may have reaped it.
    pub(super) fn is_child(&self) -> bool {
        self.end != End::Reaped && self.wait(NO_REAP) != Err(Errno::CHILD)
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn wait(&self, options: i32) -> Result<(), Errno> {
        let options = options | libc::WEXITED | libc::WNOHANG | libc::__WALL;
        let by_pidfd = self.pidfd.as_ref().map(|pidfd| sys::wait_by_pidfd(pidfd.as_fd(), options));
        match by_pidfd {
            Some(result @ (Ok(_) | Err(Errno::CHILD))) => result.map(drop),
            _ => sys::wait_by_pid(self.pid, options).map(drop),
        }
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn wait(&self, options: i32) -> Result<(), Errno> {
        // This system cannot look at a child without reaping it.
        if options == NO_REAP { Ok(()) } else { sys::wait4(self.pid, libc::WNOHANG).map(drop) }
    }
}

/// Looks at a child that has ended, and leaves it a zombie.
const NO_REAP: i32 = libc::WNOWAIT;

/// `None` if no number is free. Then the library uses the number of the group.
fn duplicate(pidfd: BorrowedFd<'_>) -> Option<OwnedFd> {
    let _guard = lock_stdio_numbers();
    dup_above_stdio(pidfd.try_clone_to_owned().ok()?).ok().map(keep)
}
