//! Processes: working directory, exec, exit, wait, pidfds.

use super::syscall::call;
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
    unsafe { call(libc::SYS_chdir, [path as usize]) }.map(drop)
}

/// Changes the working directory to an open directory.
pub(crate) fn change_directory_to(fd: RawFd) -> Result<(), Errno> {
    // SAFETY: only a number is passed.
    unsafe { call(libc::SYS_fchdir, [fd as usize]) }.map(drop)
}

/// Executes a program (`execve(2)`). Returns only if that fails.
///
/// # Safety
///
/// `path` is a NUL-terminated string. `argv` and `envp` are arrays of such strings, and a null pointer ends each array.
pub(crate) unsafe fn exec(path: *const c_char, argv: *const *const c_char, envp: *const *const c_char) -> Errno {
    // SAFETY: as the caller promises.
    match unsafe { call(libc::SYS_execve, [path as usize, argv as usize, envp as usize]) } {
        Err(errno) => errno,
        Ok(_) => Errno::NOEXEC,
    }
}

/// Whether there is a file at a path, as far as this process may look.
///
/// # Safety
///
/// `path` is a NUL-terminated string.
pub(crate) unsafe fn is_file_at(path: *const c_char) -> bool {
    const AT_EACCESS: usize = 0x200;
    let (here, is_there) = (libc::AT_FDCWD as usize, libc::F_OK as usize);
    // Android's seccomp filter may kill the process for faccessat2(2).
    if !cfg!(target_os = "android") {
        // SAFETY: as the caller promises.
        match unsafe { call(libc::SYS_faccessat2, [here, path as usize, is_there, AT_EACCESS]) } {
            Err(Errno::NOSYS | Errno::PERM) => {} // Linux before 5.8, or a filter.
            result => return result.is_ok(),
        }
    }
    // This call goes by the real user, and exec by the effective one.
    // SAFETY: as above.
    unsafe { call(libc::SYS_faccessat, [here, path as usize, is_there]) }.is_ok()
}

/// Ends the process (`exit_group(2)`). No exit handler and no destructor runs.
pub(crate) fn exit(status: c_int) -> ! {
    loop {
        // SAFETY: the process ends.
        let _ = unsafe { call(libc::SYS_exit_group, [status as usize]) };
    }
}

/// Moves a process to a process group (`setpgid(2)`).
pub(crate) fn set_process_group(pid: i32, group: i32) -> Result<(), Errno> {
    // SAFETY: only numbers are passed.
    unsafe { call(libc::SYS_setpgid, [pid as usize, group as usize]) }.map(drop)
}

/// The session of a process, or of this one if `pid` is 0 (`getsid(2)`). The answer is 0 if the leader of the session is outside this
/// process's PID namespace, which rustix's getsid does not allow for.
pub(crate) fn session_of(pid: i32) -> Result<usize, Errno> {
    // SAFETY: only a number is passed.
    unsafe { call(libc::SYS_getsid, [pid as usize]) }
}

/// Opens a pidfd for a child that has not been reaped. Only the parent calls this.
#[cfg(target_os = "linux")]
pub(crate) fn open_pidfd(pid: i32) -> Result<OwnedFd, Errno> {
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    pidfd_open(Pid::from_raw(pid).ok_or(Errno::INVAL)?, PidfdFlags::empty())
}

/// Fails: a seccomp filter of Android may kill the process for this call.
#[cfg(target_os = "android")]
pub(crate) fn open_pidfd(_: i32) -> Result<OwnedFd, Errno> {
    Err(Errno::NOSYS)
}

/// Whether two threads, given by their ids, have the same descriptor table (`kcmp(2)` with `KCMP_FILES`).
pub(crate) fn is_same_table(first: i32, second: i32) -> Result<bool, Errno> {
    const KCMP_FILES: usize = 2;
    if cfg!(target_os = "android") {
        return Err(Errno::NOSYS); // A seccomp filter may kill the process for this call.
    }
    // SAFETY: only numbers are passed.
    unsafe { call(libc::SYS_kcmp, [first as usize, second as usize, KCMP_FILES, 0, 0]) }.map(|order| order == 0)
}
