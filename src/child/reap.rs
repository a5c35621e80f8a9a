//! The calls that wait for a child: `waitid(2)`, or `wait4(2)` if the kernel or a filter refuses `waitid`.

use super::usage::Usage;
use crate::group::ReapMode;
use crate::sys;
#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::sys::AfterReap;
#[cfg(any(target_os = "linux", target_os = "android"))]
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
#[cfg(not(target_os = "openbsd"))]
use rustix::process::Pid;
use std::os::fd::BorrowedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::time::{Duration, Instant};

/// `__WALL`, which Linux alone has.
#[cfg(not(target_os = "openbsd"))]
const WALL: u32 = 0x4000_0000;

/// Which children a wait counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    /// Children whose end sends SIGCHLD. A child of the clone launcher is one after it has executed its program.
    Executed,
    /// All children.
    All,
}

/// Whether a wait blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Block {
    UntilEnd,
    Never,
}

/// Waits until a child has ended, reaps it, and returns its status. `None` if the call fails: [`wait`] then finds out why.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn wait_for_status(pid: i32, counted: Counted) -> Option<ExitStatus> {
    let counted = if counted == Counted::All { libc::__WALL } else { 0 };
    sys::status_by_pid(pid, libc::WEXITED | counted).ok()?.map(ExitStatus::from_raw)
}

/// The call of this system tells the use of resources, too.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn wait_for_status(_: i32, _: Counted) -> Option<ExitStatus> {
    None
}

/// What the kernel tells of a child that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reaped {
    pub(crate) status: ExitStatus,
    /// `None` if another part of the process has reaped the child, or if the library needed only the status.
    pub(crate) usage: Option<Usage>,
}

/// Waits for a child once, and reaps it if it has ended and is not to be held.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn wait(
    pid: i32,
    pidfd: Option<BorrowedFd<'_>>,
    counted: Counted,
    block: Block,
    mode: ReapMode,
) -> Result<Option<Reaped>, Errno> {
    let mut options = libc::WEXITED;
    if mode == ReapMode::Hold {
        options |= libc::WNOWAIT;
    }
    if counted == Counted::All {
        options |= libc::__WALL;
    }
    if block == Block::Never {
        options |= libc::WNOHANG;
    }
    let reaped = |ended: Option<(i32, sys::RawUsage)>| {
        ended.map(|(status, usage)| Reaped { status: ExitStatus::from_raw(status), usage: Some(usage.into()) })
    };
    if let Some(pidfd) = pidfd {
        match sys::wait_by_pidfd(pidfd, options) {
            Err(errno) if is_refusal(errno) => {} // EINVAL: Linux before 5.4
            result => return result.map(reaped),
        }
    }
    match sys::wait_by_pid(pid, options) {
        // EINVAL: Linux before 4.7 has no __WALL here. The next call could not hold the child.
        Err(errno) if is_refusal(errno) && mode == ReapMode::Reap => {}
        result => return result.map(reaped),
    }
    // `wait4` counts children that have ended without a flag for them.
    sys::wait4(pid, options & !libc::WEXITED).map(reaped)
}

/// Waits for a child once, and reaps it if it has ended. The library does not hold children on this system.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn wait(
    pid: i32,
    _: Option<BorrowedFd<'_>>,
    _: Counted,
    block: Block,
    _: ReapMode,
) -> Result<Option<Reaped>, Errno> {
    let options = if block == Block::Never { libc::WNOHANG } else { 0 };
    let ended = sys::wait4(pid, options)?;
    Ok(ended.map(|(status, usage)| Reaped { status: ExitStatus::from_raw(status), usage: Some(usage.into()) }))
}

/// Sleeps until a child has ended, and does not reap it. Returns at once if the call fails. No other thread may reap the child meanwhile.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn sleep_until_end(pid: i32) {
    while sys::status_by_pid(pid, libc::WEXITED | libc::WNOWAIT | libc::__WALL) == Err(Errno::INTR) {}
}

/// This system cannot look at a child without reaping it.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn sleep_until_end(_: i32) {}

/// Looks at a child that a wait counts, and does not reap it. Returns whether the child has ended.
#[cfg(not(target_os = "openbsd"))]
pub(super) fn peek(pid: i32, counted: Counted) -> Result<bool, Errno> {
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    let pid = Pid::from_raw(pid).ok_or(Errno::CHILD)?;
    let mut options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    // Other systems have one kind of children.
    if cfg!(any(target_os = "linux", target_os = "android")) && counted == Counted::All {
        options |= WaitIdOptions::from_bits_retain(WALL);
    }
    loop {
        match waitid(WaitId::Pid(pid), options) {
            Err(Errno::INTR) => {}
            result => return result.map(|status| status.is_some()),
        }
    }
}

/// Whether the child that a pidfd refers to has ended, without reaping it.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn peek_by_pidfd(pidfd: BorrowedFd<'_>) -> Result<bool, Errno> {
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL;
    sys::wait_by_pidfd(pidfd, options).map(|ended| ended.is_some())
}

/// Whether a signal has stopped a child. The report of the stop stays for other waits.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn is_stopped(pid: i32) -> Result<bool, Errno> {
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    let pid = Pid::from_raw(pid).ok_or(Errno::CHILD)?;
    let options = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    loop {
        match waitid(WaitId::Pid(pid), options) {
            Err(Errno::INTR) => {}
            result => return result.map(|status| status.is_some()),
        }
    }
}

/// Whether a pidfd refers to a child that has not been reaped.
#[cfg(target_os = "linux")]
pub(super) fn is_child(pidfd: BorrowedFd<'_>) -> bool {
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    let all = WaitIdOptions::from_bits_retain(libc::__WALL.cast_unsigned());
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT | all;
    // Linux before 5.4 cannot wait for a pidfd, and fails with another error. The answer is then yes.
    !matches!(waitid(WaitId::PidFd(pidfd), options), Err(Errno::CHILD))
}

/// This system has no pidfds.
#[cfg(not(target_os = "linux"))]
pub(super) fn is_child(_: BorrowedFd<'_>) -> bool {
    true
}

/// Whether the error says that the kernel or a filter refuses the call. The other two errors are answers about the
/// child.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn is_refusal(errno: Errno) -> bool {
    !matches!(errno, Errno::CHILD | Errno::INTR)
}

/// The status of a child that has been reaped elsewhere, if the kernel still knows it.
///
/// `waitid(2)` no longer finds a child when the kernel begins to reap it, and the kernel tells the status a moment later. The function
/// waits for that moment.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn status_after_reap(pidfd: BorrowedFd<'_>) -> Option<ExitStatus> {
    let asks_again = match sys::ask_after_reap(pidfd) {
        AfterReap::Status(status) => return Some(ExitStatus::from_raw(status)),
        // The kernel looks for the status first and for the process then, and may have reaped the process between the two.
        AfterReap::Unknown => true,
        // A zombie of another process (the caller may be a forked copy of the parent) may stay one. So may one that only a wait for all
        // children finds.
        AfterReap::Present { parent } => {
            parent == sys::own_pid() && peek_by_pidfd(pidfd) == Err(Errno::CHILD) && wait_for_reaped(pidfd)
        }
    };
    match asks_again.then(|| sys::ask_after_reap(pidfd)) {
        Some(AfterReap::Status(status)) => Some(ExitStatus::from_raw(status)),
        _ => None,
    }
}

/// Waits until the kernel has reaped a child that has ended. Returns false if the child has not ended, or if the call fails.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn wait_for_reaped(pidfd: BorrowedFd<'_>) -> bool {
    // The kernel is about to reap the child. The limit is for a filter that makes `waitid` tell that there is no such child.
    let end = Instant::now() + Duration::from_secs(1);
    // The kernel reports the reap from Linux 6.9 on, which is older than the call that tells the status.
    let mut events = PollFlags::IN;
    loop {
        let mut polls = [PollFd::from_borrowed_fd(pidfd, events)];
        let left = if events.is_empty() { end.saturating_duration_since(Instant::now()) } else { Duration::ZERO };
        match poll(&mut polls, Timespec::try_from(left).ok().as_ref()) {
            Err(Errno::INTR) => {}
            Ok(1) if polls[0].revents().contains(PollFlags::HUP) => return true,
            Ok(1) if polls[0].revents() == PollFlags::IN => events = PollFlags::empty(),
            _ => return false,
        }
    }
}

/// This system forgets a child that has been reaped.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn status_after_reap(_: BorrowedFd<'_>) -> Option<ExitStatus> {
    None
}
