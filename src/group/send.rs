//! Sends a signal to the process group that a child leads.

use crate::error::Failure;
use crate::sys;
use rustix::io::Errno;
use rustix::process::Signal;
use std::os::fd::BorrowedFd;

/// Why a group gets no signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GroupError {
    System(Errno),
    /// The child leads no group.
    NoLeader,
    /// This process is in the group.
    OwnGroup,
    /// This process is a forked copy of the one that has started the leader.
    Copy,
    /// The calling thread is launching the first child of the group.
    IsLaunching,
}

impl From<Errno> for GroupError {
    fn from(errno: Errno) -> Self {
        Self::System(errno)
    }
}

impl GroupError {
    /// The failure that the caller gets.
    pub(crate) fn failure(self) -> Failure {
        match self {
            Self::System(_) => Failure::Signal,
            Self::NoLeader => Failure::NoGroup,
            Self::OwnGroup => Failure::OwnGroup,
            Self::Copy => Failure::NotAChild,
            Self::IsLaunching => Failure::GroupIsLaunching,
        }
    }

    /// The error number of the call that failed.
    pub(crate) fn errno(self) -> Option<Errno> {
        if let Self::System(errno) = self { Some(errno) } else { None }
    }
}

/// By which mechanism a group got a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// The group has no process any more, or the system has no safe way to name it.
    No,
    /// By the pidfd of the leader.
    ByPidfd,
    /// By the number of the group, which the leader reserves until it has been reaped.
    ByNumber,
}

/// Sends a signal to the group that a child leads. `is_reaped` says that the child may have been reaped, so that the number of its group
/// may be another's: then only a pidfd names the group.
pub(crate) fn send(
    leader: i32,
    pidfd: Option<BorrowedFd<'_>>,
    is_reaped: bool,
    signal: Signal,
) -> Result<Sent, GroupError> {
    if sys::group_of(0)? == leader {
        return Err(GroupError::OwnGroup);
    }
    let (way, result) = match pidfd.and_then(|pidfd| by_pidfd(pidfd, signal)) {
        Some(result) => (Sent::ByPidfd, result),
        None if is_reaped => return Ok(Sent::No),
        None => (Sent::ByNumber, sys::signal_group(leader, signal.as_raw())),
    };
    match result {
        Ok(()) => Ok(way),
        Err(Errno::SRCH) => Ok(Sent::No),
        Err(errno) => Err(errno.into()),
    }
}

/// Signals the group by the pidfd of its leader. `None` if the kernel cannot do that (before 6.9), or a filter refuses the call, with any
/// error number.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn by_pidfd(pidfd: BorrowedFd<'_>, signal: Signal) -> Option<Result<(), Errno>> {
    match sys::signal_group_by_pidfd(pidfd, signal.as_raw()) {
        result @ (Ok(()) | Err(Errno::SRCH)) => Some(result),
        Err(_) => None,
    }
}

/// This system has no pidfds.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn by_pidfd(_: BorrowedFd<'_>, _: Signal) -> Option<Result<(), Errno>> {
    None
}
