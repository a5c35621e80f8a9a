//! The calls that wait for a child: `waitid(2)`, and `wait4(2)` if the kernel or a filter refuses that.

use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, waitpid};
use std::os::fd::BorrowedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

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

/// Waits for a child once, and reaps it if it has ended.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn wait(
    pid: i32,
    pidfd: Option<BorrowedFd<'_>>,
    counted: Counted,
    block: Block,
) -> Result<Option<ExitStatus>, Errno> {
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    let pid = Pid::from_raw(pid).ok_or(Errno::CHILD)?;
    let mut options = WaitIdOptions::EXITED;
    if counted == Counted::All {
        options |= WaitIdOptions::from_bits_retain(libc::__WALL.cast_unsigned());
    }
    options.set(WaitIdOptions::NOHANG, block == Block::Never);
    #[cfg(target_os = "linux")]
    if let Some(pidfd) = pidfd {
        match waitid(WaitId::PidFd(pidfd), options) {
            Err(errno) if is_refusal(errno) => {} // EINVAL: Linux before 5.4
            result => return result.map(|status| status.map(|status| exit_status(&status))),
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = pidfd;
    match waitid(WaitId::Pid(pid), options) {
        Err(errno) if is_refusal(errno) => {} // EINVAL: Linux before 4.7 has no __WALL here.
        result => return result.map(|status| status.map(|status| exit_status(&status))),
    }
    wait4(pid, counted, block)
}

/// Waits for a child once, and reaps it if it has ended.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn wait(
    pid: i32,
    _: Option<BorrowedFd<'_>>,
    counted: Counted,
    block: Block,
) -> Result<Option<ExitStatus>, Errno> {
    wait4(Pid::from_raw(pid).ok_or(Errno::CHILD)?, counted, block)
}

fn wait4(pid: Pid, counted: Counted, block: Block) -> Result<Option<ExitStatus>, Errno> {
    let mut options = WaitOptions::empty();
    options.set(WaitOptions::NOHANG, block == Block::Never);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if counted == Counted::All {
        options |= WaitOptions::from_bits_retain(libc::__WALL.cast_unsigned());
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = counted;
    waitpid(Some(pid), options).map(|ended| ended.map(|(_, status)| ExitStatus::from_raw(status.as_raw())))
}

/// Whether a child that a wait counts exists, without reaping it. `Some(true)` if it has ended.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn peek(pid: i32, counted: Counted) -> Result<bool, Errno> {
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    let pid = Pid::from_raw(pid).ok_or(Errno::CHILD)?;
    let mut options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    if counted == Counted::All {
        options |= WaitIdOptions::from_bits_retain(libc::__WALL.cast_unsigned());
    }
    loop {
        match waitid(WaitId::Pid(pid), options) {
            Err(Errno::INTR) => {}
            result => return result.map(|status| status.is_some()),
        }
    }
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

/// Whether the call itself was refused. The other two errors are answers.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn is_refusal(errno: Errno) -> bool {
    !matches!(errno, Errno::CHILD | Errno::INTR)
}

/// The status in the encoding of `wait(2)`.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn exit_status(status: &rustix::process::WaitIdStatus) -> ExitStatus {
    const CORE_DUMPED: i32 = 0x80;
    ExitStatus::from_raw(match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => (code & 0xff) << 8,
        (None, Some(signal)) if status.dumped() => signal | CORE_DUMPED,
        (None, Some(signal)) => signal,
        (None, None) => 0,
    })
}
