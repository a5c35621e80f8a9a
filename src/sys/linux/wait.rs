//! Waits for children, with their use of resources.

use super::syscall::call;
use crate::sys::usage::RawUsage;
use rustix::io::Errno;
use std::ffi::c_int;
use std::os::fd::{AsRawFd, BorrowedFd};

/// `waitid(2)` for the child that a pidfd refers to. Returns the status in the encoding of `wait(2)`, or `None` while the child runs.
pub(crate) fn wait_by_pidfd(pidfd: BorrowedFd<'_>, options: c_int) -> Result<Option<(c_int, RawUsage)>, Errno> {
    waitid(libc::P_PIDFD as usize, pidfd.as_raw_fd(), options)
}

/// `waitid(2)` for the child that has this process id.
pub(crate) fn wait_by_pid(pid: i32, options: c_int) -> Result<Option<(c_int, RawUsage)>, Errno> {
    waitid(libc::P_PID as usize, pid, options)
}

fn waitid(kind: usize, id: i32, options: c_int) -> Result<Option<(c_int, RawUsage)>, Errno> {
    // SAFETY: all zeros is a valid value of both types.
    let (mut info, mut usage): (libc::siginfo_t, libc::rusage) = unsafe { std::mem::zeroed() };
    let (info_at, usage_at) = ((&raw mut info) as usize, (&raw mut usage) as usize);
    // SAFETY: the kernel writes one structure of each type.
    unsafe { call(libc::SYS_waitid, [kind, id as usize, info_at, options as usize, usage_at]) }?;
    Ok(status_in(&info).map(|status| (status, usage.into())))
}

/// [`wait_by_pid`] without the use of resources, which would take the kernel and the caller time.
pub(crate) fn status_by_pid(pid: i32, options: c_int) -> Result<Option<c_int>, Errno> {
    // SAFETY: all zeros is a valid value.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let args = [libc::P_PID as usize, pid as usize, (&raw mut info) as usize, options as usize];
    // SAFETY: the kernel writes one structure; the address of the second one is null.
    unsafe { call(libc::SYS_waitid, args) }?;
    Ok(status_in(&info))
}

/// The status in what `waitid(2)` has written; `None` if that is about no child.
fn status_in(info: &libc::siginfo_t) -> Option<c_int> {
    // SAFETY: the kernel has written the fields of a child, or has left the zeros.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    (pid != 0).then(|| wait_status(info.si_code, status))
}

/// The status of a child in the encoding of `wait(2)`.
fn wait_status(code: c_int, status: c_int) -> c_int {
    const CORE_DUMPED: c_int = 0x80;
    const STOPPED: c_int = 0x7f;
    const CONTINUED: c_int = 0xffff;
    match code {
        libc::CLD_EXITED => (status & 0xff) << 8,
        libc::CLD_DUMPED => status | CORE_DUMPED,
        libc::CLD_STOPPED | libc::CLD_TRAPPED => (status & 0xff) << 8 | STOPPED,
        libc::CLD_CONTINUED => CONTINUED,
        _ => status,
    }
}

/// `wait4(2)` for the child that has this process id.
pub(crate) fn wait4(pid: i32, options: c_int) -> Result<Option<(c_int, RawUsage)>, Errno> {
    let mut status: c_int = 0;
    // SAFETY: all zeros is a valid value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    let (status_at, usage_at) = ((&raw mut status) as usize, (&raw mut usage) as usize);
    // SAFETY: the kernel writes one number and one structure.
    let ended = unsafe { call(libc::SYS_wait4, [pid as usize, status_at, options as usize, usage_at]) }?;
    Ok((ended != 0).then(|| (status, usage.into())))
}

/// `struct pidfd_info` of Linux 6.13, with the exit code of 6.15.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
struct PidfdInfo {
    mask: u64,
    cgroup: u64,
    pid: u32,
    thread_group: u32,
    parent: u32,
    users_and_groups: [u32; 8],
    exit_code: i32,
}

/// What the kernel tells of a process after `waitid(2)` has not found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterReap {
    /// The process has been reaped, and had this wait status.
    Status(c_int),
    /// The process has not been reaped yet, and has this parent.
    Present { parent: u32 },
    /// The kernel does not tell.
    Unknown,
}

/// Asks for the wait status of a process that has been reaped (`PIDFD_GET_INFO`, Linux 6.15).
pub(crate) fn ask_after_reap(pidfd: BorrowedFd<'_>) -> AfterReap {
    const INFO_PID: u64 = 1;
    const INFO_EXIT: u64 = 1 << 3;
    // `_IOWR(0xFF, 11, struct pidfd_info)`; only powerpc, mips, sparc and alpha have another encoding.
    const GET_INFO: usize = 3 << 30 | size_of::<PidfdInfo>() << 16 | 0xff << 8 | 11;
    if cfg!(not(any(target_arch = "x86_64", target_arch = "x86", target_arch = "aarch64", target_arch = "riscv64"))) {
        return AfterReap::Unknown;
    }
    let mut info = PidfdInfo { mask: INFO_EXIT, ..PidfdInfo::default() };
    // SAFETY: the kernel reads and writes one structure, whose size the number of the call has.
    match unsafe { call(libc::SYS_ioctl, [pidfd.as_raw_fd() as usize, GET_INFO, (&raw mut info) as usize]) } {
        Ok(_) if info.mask & INFO_EXIT != 0 => AfterReap::Status(info.exit_code),
        Ok(_) if info.mask & INFO_PID != 0 => AfterReap::Present { parent: info.parent },
        _ => AfterReap::Unknown,
    }
}

/// Sends a signal to the process that a pidfd refers to (Linux 5.1).
pub(crate) fn signal_by_pidfd(pidfd: BorrowedFd<'_>, signal: c_int) -> Result<(), Errno> {
    let args = [pidfd.as_raw_fd() as usize, signal as usize, 0, 0];
    // SAFETY: only numbers are passed; there is no information about the signal.
    unsafe { call(libc::SYS_pidfd_send_signal, args) }.map(drop)
}

/// Sends a signal to the process group whose leader a pidfd refers to (Linux 6.9), also after the leader has been reaped.
pub(crate) fn signal_group_by_pidfd(pidfd: BorrowedFd<'_>, signal: c_int) -> Result<(), Errno> {
    const PROCESS_GROUP: usize = 1 << 2;
    let args = [pidfd.as_raw_fd() as usize, signal as usize, 0, PROCESS_GROUP];
    // SAFETY: only numbers are passed; the null pointer stands for no information about the signal.
    unsafe { call(libc::SYS_pidfd_send_signal, args) }.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    #[test]
    fn statuses_have_the_encoding_of_wait() {
        let status = |code, status| ExitStatus::from_raw(wait_status(code, status));
        assert_eq!(status(libc::CLD_EXITED, 7).code(), Some(7));
        assert_eq!(status(libc::CLD_EXITED, 0x107).code(), Some(7));
        assert_eq!(status(libc::CLD_KILLED, 9).signal(), Some(9));
        assert!(!status(libc::CLD_KILLED, 9).core_dumped());
        assert_eq!(status(libc::CLD_DUMPED, 11).signal(), Some(11));
        assert!(status(libc::CLD_DUMPED, 11).core_dumped());
        assert_eq!(status(libc::CLD_STOPPED, 19).stopped_signal(), Some(19));
        assert!(status(libc::CLD_CONTINUED, 18).continued());
    }
}
