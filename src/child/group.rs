//! Signals to the process group that a child leads.

use super::spawned::Spawned;
use crate::sys;
use rustix::io::Errno;
use rustix::process::Signal;

/// Why a group is not signalled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GroupError {
    System(Errno),
    /// The child is not the leader of its group.
    NoLeader,
    /// This process is in the group.
    OwnGroup,
}

impl From<Errno> for GroupError {
    fn from(errno: Errno) -> Self {
        Self::System(errno)
    }
}

impl Spawned {
    /// Sends a signal to all processes of the group that the child leads. False if there is no process in it any more, or if the child has
    /// been reaped and the system has no safe way to name its group.
    ///
    /// While the child has not been reaped, no other group can have its number. After the reap, only the child's pidfd
    /// names the group.
    pub(crate) fn signal_group(&self, signal: Signal) -> Result<bool, GroupError> {
        if self.is_in_copy() {
            return Err(Errno::CHILD.into());
        }
        let number = self.id().cast_signed();
        if sys::group_of(0)? == number {
            return Err(GroupError::OwnGroup);
        }
        self.with_pid(|pid| match sys::group_of(pid) {
            _ if self.is_reaped_elsewhere() => self.by_pidfd(signal).unwrap_or(Ok(false)),
            Ok(group) if group == pid => {
                self.by_pidfd(signal).unwrap_or_else(|| sent(sys::signal_group(pid, signal.as_raw())))
            }
            Ok(_) => Err(GroupError::NoLeader),
            // Another part of this process has just reaped the child.
            Err(Errno::SRCH) => self.by_pidfd(signal).unwrap_or(Ok(false)),
            Err(errno) => Err(errno.into()),
        })
        .unwrap_or_else(|| self.by_pidfd(signal).unwrap_or(Ok(false)))
    }

    /// Signals the group by the pidfd of its leader. `None` if there is no pidfd, or if the kernel cannot do that (before 6.9).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn by_pidfd(&self, signal: Signal) -> Option<Result<bool, GroupError>> {
        match sys::signal_group_by_pidfd(self.pidfd()?, signal.as_raw()) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::PERM) => None,
            result => Some(sent(result)),
        }
    }

    /// This system has no pidfds.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn by_pidfd(&self, _: Signal) -> Option<Result<bool, GroupError>> {
        None
    }
}

/// Whether a signal has reached a process.
fn sent(result: Result<(), Errno>) -> Result<bool, GroupError> {
    match result {
        Ok(()) => Ok(true),
        Err(Errno::SRCH) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}
