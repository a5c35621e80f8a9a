//! `Ended` and `Reached`: what a teardown has done.

#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::cgroup::CgroupKill;
use rustix::process::Signal;
use std::process::ExitStatus;

/// What a teardown has done, from [`Child::end`](crate::Child::end).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ended {
    /// The status of the child.
    pub status: ExitStatus,
    /// The last signal that the library sent while the child ran. `None` if the child had ended before.
    pub by: Option<Signal>,
    /// Which processes got the signals, and by which mechanism.
    pub reached: Reached,
}

/// Which processes got the signals of a teardown, and by which mechanism. A process of another user may have refused them.
/// [`Reach`](crate::Reach) says which processes each mechanism can miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reached {
    /// The child alone, by its pidfd, or by its process id if there is no pidfd.
    Process,
    /// The process group, by the pidfd of its leader (`PIDFD_SIGNAL_PROCESS_GROUP`, Linux 6.9). It also reaches the group of a leader that
    /// has been reaped, and never another group.
    GroupByPidfd,
    /// The process group, by its number (`killpg(3)`), while its leader had not been reaped. If other code of this process has reaped the
    /// leader, nothing was sent to the rest of the group.
    GroupByNumber,
    /// This many processes of the child's session, found in `/proc`, and the child.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    Session(usize),
    /// This many descendants, found in `/proc`, and the child.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    Descendants(usize),
    /// All processes of the child's cgroup, and how the last ones were killed.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    Cgroup(CgroupKill),
}
