//! Processes: working directory, exec, exit, wait.

use super::checked::checked;
use crate::sys::errno::last_error;
use crate::sys::usage::RawUsage;
use rustix::io::Errno;
use std::ffi::{c_char, c_int};
use std::os::fd::{OwnedFd, RawFd};

/// Changes the working directory to a path.
///
/// # Safety
///
/// `path` is a NUL-terminated string.
pub(crate) unsafe fn change_directory(path: *const c_char) -> Result<(), Errno> {
    // SAFETY: as the caller promises.
    checked(unsafe { libc::chdir(path) }).map(drop)
}

/// Changes the working directory to an open directory.
pub(crate) fn change_directory_to(fd: RawFd) -> Result<(), Errno> {
    // SAFETY: only a number is passed.
    checked(unsafe { libc::fchdir(fd) }).map(drop)
}

/// Forks this process, to execute a program in the child.
///
/// # Safety
///
/// The child does only what is sound in a copy of this process with one thread.
pub(crate) unsafe fn fork_to_exec() -> Result<i32, Errno> {
    // SAFETY: as the caller promises.
    unsafe { crate::sys::forks::fork() }
}

/// Executes a program (`execve(2)`). Returns only if that fails.
///
/// # Safety
///
/// `path` is a NUL-terminated string. `argv` and `envp` are arrays of such strings, and a null pointer ends each array.
pub(crate) unsafe fn exec(path: *const c_char, argv: *const *const c_char, envp: *const *const c_char) -> Errno {
    // SAFETY: as the caller promises.
    unsafe { libc::execve(path, argv, envp) };
    last_error()
}

/// Whether there is a file at a path, as far as this process may look.
///
/// # Safety
///
/// `path` is a NUL-terminated string.
pub(crate) unsafe fn is_file_at(path: *const c_char) -> bool {
    // SAFETY: as the caller promises.
    unsafe { libc::faccessat(libc::AT_FDCWD, path, libc::F_OK, libc::AT_EACCESS) == 0 }
}

/// Ends the process (`_exit(2)`). No exit handler and no destructor runs.
pub(crate) fn exit(status: c_int) -> ! {
    // SAFETY: the process ends.
    unsafe { libc::_exit(status) }
}

/// Moves a process to a process group (`setpgid(2)`).
pub(crate) fn set_process_group(pid: i32, group: i32) -> Result<(), Errno> {
    // SAFETY: only numbers are passed.
    checked(unsafe { libc::setpgid(pid, group) }).map(drop)
}

/// The session of a process, or of this one if `pid` is 0 (`getsid(2)`).
pub(crate) fn session_of(pid: i32) -> Result<i32, Errno> {
    // SAFETY: only a number is passed.
    checked(unsafe { libc::getsid(pid) })
}

/// The process group of a process, or of this one if `pid` is 0 (`getpgid(2)`).
pub(crate) fn group_of(pid: i32) -> Result<i32, Errno> {
    // SAFETY: only a number is passed.
    checked(unsafe { libc::getpgid(pid) })
}

/// Sends a signal to all processes of a process group (`killpg(2)`).
pub(crate) fn signal_group(group: i32, signal: c_int) -> Result<(), Errno> {
    // SAFETY: only numbers are passed.
    checked(unsafe { libc::killpg(group, signal) }).map(drop)
}

/// Fails: these systems have no pidfds, or none that waitid(2) accepts.
pub(crate) fn open_pidfd(_: i32) -> Result<OwnedFd, Errno> {
    Err(Errno::NOSYS)
}

/// `wait4(2)` for the child that has this process id. Returns its status, or `None` while it runs.
pub(crate) fn wait4(pid: i32, options: c_int) -> Result<Option<(c_int, RawUsage)>, Errno> {
    let mut status = 0;
    // SAFETY: all zeros is a valid value; the system writes one number and one structure.
    let (result, usage) = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        (libc::wait4(pid, &raw mut status, options, &raw mut usage), usage)
    };
    let ended = checked(result)?;
    Ok((ended != 0).then(|| (status, usage.into())))
}
