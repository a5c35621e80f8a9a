//! Processes: working directory, exec, exit, wait, pidfds.

use super::attributes::decimal;
use super::descriptor::close;
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

/// Executes the program that a descriptor refers to (`execveat(2)` with `AT_EMPTY_PATH`), or, if an emulator or a filter does not know
/// that call, the descriptor's path in `/proc`. Returns only if that fails.
///
/// # Safety
///
/// `argv` and `envp` are arrays of NUL-terminated strings, and a null pointer ends each array.
pub(crate) unsafe fn exec_fd(fd: RawFd, argv: *const *const c_char, envp: *const *const c_char) -> Errno {
    let empty_path = libc::AT_EMPTY_PATH as usize;
    let args = [fd as usize, c"".as_ptr() as usize, argv as usize, envp as usize, empty_path];
    // SAFETY: as the caller promises; the path is an empty string.
    match unsafe { call(libc::SYS_execveat, args) } {
        // SAFETY: as the caller promises.
        Err(Errno::NOSYS) => unsafe { exec_path_of_fd(fd, argv, envp) },
        Err(errno) => errno,
        Ok(_) => Errno::NOEXEC,
    }
}

/// Executes `/proc/self/fd/N`. Returns ENOSYS if there is no such path.
///
/// The kernel gives a script to its interpreter by that path, and the interpreter cannot open the path of a descriptor that closes at
/// exec. `execveat(2)` answers ENOENT to such a script, and so does this function, before the interpreter runs.
///
/// # Safety
///
/// As for [`exec_fd`].
unsafe fn exec_path_of_fd(fd: RawFd, argv: *const *const c_char, envp: *const *const c_char) -> Errno {
    const DIRECTORY: &[u8] = b"/proc/self/fd/";
    let mut digits = [0; 12];
    let digits = decimal(fd, &mut digits);
    let mut path = [0_u8; 32]; // The zeros after the digits end the string.
    path[..DIRECTORY.len()].copy_from_slice(DIRECTORY);
    path[DIRECTORY.len()..DIRECTORY.len() + digits.len()].copy_from_slice(digits);
    let path = path.as_ptr().cast::<c_char>();
    // SAFETY: the string ends in a NUL.
    if closes_at_exec(fd) && unsafe { is_script_at(path) } {
        return Errno::NOENT;
    }
    // SAFETY: the string ends in a NUL, and the rest is as the caller promises.
    match unsafe { exec(path, argv, envp) } {
        // SAFETY: the string ends in a NUL.
        Errno::NOENT if !unsafe { is_file_at(path) } => Errno::NOSYS,
        errno => errno,
    }
}

/// Whether a descriptor closes at exec.
fn closes_at_exec(fd: RawFd) -> bool {
    // SAFETY: only numbers are passed.
    let flags = unsafe { call(libc::SYS_fcntl, [fd as usize, libc::F_GETFD as usize, 0]) };
    flags.is_ok_and(|flags| flags & libc::FD_CLOEXEC as usize != 0)
}

/// Whether the file at a path begins with `#!`. The function opens it at a free number for a moment. If this process cannot read the
/// file, the answer is no: no interpreter could read it either.
///
/// # Safety
///
/// `path` is a NUL-terminated string.
unsafe fn is_script_at(path: *const c_char) -> bool {
    let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY;
    // SAFETY: as the caller promises.
    let opened = unsafe { call(libc::SYS_openat, [libc::AT_FDCWD as usize, path as usize, flags as usize, 0]) };
    let Ok(fd) = opened else { return false };
    let mut start = [0_u8; 2];
    // SAFETY: the kernel writes at most two bytes.
    let read = unsafe { call(libc::SYS_read, [fd, start.as_mut_ptr() as usize, start.len()]) };
    let _ = close(fd as RawFd); // The descriptor was opened only to read, so its close has nothing to report.
    read == Ok(2) && start == *b"#!"
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
    // This call checks the rights of the real user, and exec those of the effective user.
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

/// The process group of a process, or of this one if `pid` is 0 (`getpgid(2)`). It is 0 if its leader is outside this process's PID
/// namespace.
pub(crate) fn group_of(pid: i32) -> Result<i32, Errno> {
    // SAFETY: only a number is passed.
    unsafe { call(libc::SYS_getpgid, [pid as usize]) }.map(|group| group as i32)
}

/// Sends a signal to all processes of a process group (`kill(2)`).
pub(crate) fn signal_group(group: i32, signal: c_int) -> Result<(), Errno> {
    // SAFETY: only numbers are passed. The group is above 1, so its negative number is not one that stands for others.
    unsafe { call(libc::SYS_kill, [group.saturating_neg() as usize, signal as usize]) }.map(drop)
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
