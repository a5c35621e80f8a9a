//! What a child is besides its descriptors: session, groups, user, limits. Here each call is libc's, in a forked child or in the
//! process that executes a program itself.

use super::checked::checked;
use rustix::io::Errno;
use std::ffi::{c_char, c_int};
use std::os::fd::RawFd;

/// Makes a new session, and a process group that the caller leads (`setsid(2)`).
pub(crate) fn new_session() -> Result<(), Errno> {
    // SAFETY: the call has no arguments.
    checked(unsafe { libc::setsid() }).map(drop)
}

/// Makes a terminal the controlling terminal of the session that the caller leads.
pub(crate) fn set_controlling_terminal(fd: RawFd) -> Result<(), Errno> {
    #[cfg(not(any(target_os = "solaris", target_os = "illumos")))]
    #[allow(clippy::unnecessary_cast, reason = "the type differs between systems")]
    // SAFETY: only numbers are passed.
    return checked(unsafe { libc::ioctl(fd, libc::TIOCSCTTY as _, 0) }).map(drop);
    // On these systems a session leader gets its controlling terminal when it opens one.
    #[cfg(any(target_os = "solaris", target_os = "illumos"))]
    return Err(if fd < 0 { Errno::BADF } else { Errno::NOSYS });
}

/// Makes the caller's process group the foreground group of a terminal. SIGTTOU, which the terminal sends to a process of another
/// group, has to be blocked.
pub(crate) fn set_foreground(fd: RawFd) -> Result<(), Errno> {
    // SAFETY: only numbers are passed.
    checked(unsafe { libc::tcsetpgrp(fd, libc::getpgrp()) }).map(drop)
}

/// Makes a process group the foreground group of a terminal. SIGTTOU has to be blocked, as for [`set_foreground`].
pub(crate) fn set_foreground_group(fd: RawFd, group: c_int) -> Result<(), Errno> {
    // SAFETY: only numbers are passed.
    checked(unsafe { libc::tcsetpgrp(fd, group) }).map(drop)
}

/// The foreground process group of the caller's terminal.
pub(crate) fn foreground_group(fd: RawFd) -> Result<c_int, Errno> {
    // SAFETY: only a number is passed.
    checked(unsafe { libc::tcgetpgrp(fd) })
}

/// Adds to the nice value of the process.
pub(crate) fn add_nice(increment: i32) -> Result<(), Errno> {
    rustix::process::nice(increment).map(drop)
}

/// Sets the mask of permissions that new files do not get. Returns the mask before.
pub(crate) fn set_umask(mask: u32) -> Result<u32, Errno> {
    #[allow(clippy::unnecessary_cast, reason = "the type differs between systems")]
    // SAFETY: only a number is passed.
    Ok(unsafe { libc::umask(mask as _) } as u32)
}

/// Sets a limit of the calling process (`setrlimit(2)`). `None` is no limit.
pub(crate) fn set_limit(resource: u32, soft: Option<u64>, hard: Option<u64>) -> Result<(), Errno> {
    let [rlim_cur, rlim_max] = [soft, hard].map(|value| value.map_or(libc::RLIM_INFINITY, |value| value as _));
    let limit = libc::rlimit { rlim_cur, rlim_max };
    // SAFETY: the system reads one rlimit.
    checked(unsafe { libc::setrlimit(resource as _, &raw const limit) }).map(drop)
}

/// Whose ids a call sets. These systems have ids of processes only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    Threads,
    Processes,
}

/// Sets the supplementary groups.
pub(crate) fn set_groups(groups: &[u32], _: Whose) -> Result<(), Errno> {
    // SAFETY: the system reads as many ids as the slice has.
    checked(unsafe { libc::setgroups(groups.len() as _, groups.as_ptr()) }).map(drop)
}

/// How many supplementary groups the process has.
pub(crate) fn count_groups() -> Result<usize, Errno> {
    // SAFETY: the system writes nothing if it may write no group.
    checked(unsafe { libc::getgroups(0, std::ptr::null_mut()) }).map(|count| count.unsigned_abs() as usize)
}

/// Sets the group id: all of them if the process is root.
pub(crate) fn set_gid(gid: u32, _: Whose) -> Result<(), Errno> {
    // SAFETY: only a number is passed.
    checked(unsafe { libc::setgid(gid) }).map(drop)
}

/// Sets the user id: all of them if the process is root.
pub(crate) fn set_uid(uid: u32, _: Whose) -> Result<(), Errno> {
    // SAFETY: only a number is passed.
    checked(unsafe { libc::setuid(uid) }).map(drop)
}

/// The real and the effective user id. These systems do not all tell the saved one.
pub(crate) fn user_ids() -> Result<[u32; 4], Errno> {
    // SAFETY: the calls have no arguments.
    let (real, effective) = unsafe { (libc::getuid(), libc::geteuid()) };
    Ok([real, effective, effective, effective])
}

/// The real and the effective group id.
pub(crate) fn group_ids() -> Result<[u32; 4], Errno> {
    // SAFETY: the calls have no arguments.
    let (real, effective) = unsafe { (libc::getgid(), libc::getegid()) };
    Ok([real, effective, effective, effective])
}

/// Changes the root directory of the calling process.
///
/// # Safety
///
/// `path` is a NUL-terminated string.
pub(crate) unsafe fn change_root(path: *const c_char) -> Result<(), Errno> {
    // SAFETY: as the caller promises.
    checked(unsafe { libc::chroot(path) }).map(drop)
}

/// The parent's process id.
pub(crate) fn parent() -> Result<u32, Errno> {
    // SAFETY: the call has no arguments.
    Ok(unsafe { libc::getppid() }.unsigned_abs())
}

/// Ignores a signal.
pub(crate) fn ignore_signal(signal: c_int) -> Result<(), Errno> {
    // SAFETY: all zeros is a valid value; the handler is SIG_IGN.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = libc::SIG_IGN;
    // SAFETY: one action is read.
    checked(unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) }).map(drop)
}

/// Fails: only Linux has cgroups.
pub(crate) fn join_cgroup(_: RawFd) -> Result<(), Errno> {
    Err(Errno::NOSYS)
}

/// Fails: only Linux has this value.
pub(crate) fn set_oom_score_adj(_: i32) -> Result<(), Errno> {
    Err(Errno::NOSYS)
}

/// Fails: the library sets the scheduling policy on Linux only.
pub(crate) fn set_scheduler(_: c_int, _: c_int) -> Result<(), Errno> {
    Err(Errno::NOSYS)
}

/// Fails: the library sets the CPUs on Linux only.
pub(crate) fn set_affinity(_: &[u32]) -> Result<(), Errno> {
    Err(Errno::NOSYS)
}

/// Fails: the library sets this signal on Linux only.
pub(crate) fn set_parent_death_signal(_: c_int) -> Result<(), Errno> {
    Err(Errno::NOSYS)
}

/// Fails: only Linux has this flag.
pub(crate) fn set_no_new_privs() -> Result<(), Errno> {
    Err(Errno::NOSYS)
}

/// Fails: the library executes descriptors on Linux only.
///
/// # Safety
///
/// The function does nothing that could be unsound.
pub(crate) unsafe fn exec_fd(_: RawFd, _: *const *const c_char, _: *const *const c_char) -> Errno {
    Errno::NOSYS
}
