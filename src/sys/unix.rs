//! Unix systems other than Linux, through libc. There the launcher is fork, so that `errno` is the child's own.

use super::RangeState;
use rustix::io::Errno;
use std::ffi::{CStr, c_char, c_int};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

pub(crate) type SignalSet = libc::sigset_t;

/// The error of the last call to libc that failed in this thread.
pub(crate) fn last_error() -> Errno {
    let code = std::io::Error::last_os_error().raw_os_error();
    code.map_or(Errno::INVAL, Errno::from_raw_os_error)
}

fn checked(result: c_int) -> Result<c_int, Errno> {
    if result == -1 { Err(last_error()) } else { Ok(result) }
}

/// Makes `target` a duplicate of `source`, which has another number.
pub(crate) fn duplicate(source: RawFd, target: RawFd, close_on_exec: bool) -> Result<(), Errno> {
    // SAFETY: only numbers are passed. Which descriptors a step may replace is the plan's business.
    checked(unsafe { libc::dup2(source, target) })?;
    if close_on_exec {
        // SAFETY: only numbers are passed.
        checked(unsafe { libc::fcntl(target, libc::F_SETFD, libc::FD_CLOEXEC) })?;
    }
    Ok(())
}

/// The lowest free number from `first` on, as a duplicate of `source` that closes at exec.
pub(crate) fn duplicate_owned(source: RawFd, first: RawFd) -> Result<OwnedFd, Errno> {
    // SAFETY: only numbers are passed; the system makes the descriptor for this caller.
    unsafe { checked(libc::fcntl(source, libc::F_DUPFD_CLOEXEC, first)).map(|fd| OwnedFd::from_raw_fd(fd)) }
}

pub(crate) fn clear_close_on_exec(fd: RawFd) -> Result<(), Errno> {
    // SAFETY: only numbers are passed.
    checked(unsafe { libc::fcntl(fd, libc::F_SETFD, 0) }).map(drop)
}

/// Sets close-on-exec. Returns whether that changes anything.
pub(crate) fn set_close_on_exec(fd: RawFd) -> Result<bool, Errno> {
    // SAFETY: only numbers are passed.
    let flags = checked(unsafe { libc::fcntl(fd, libc::F_GETFD) })?;
    if flags & libc::FD_CLOEXEC != 0 {
        return Ok(false);
    }
    // SAFETY: only numbers are passed.
    checked(unsafe { libc::fcntl(fd, libc::F_SETFD, flags | libc::FD_CLOEXEC) }).map(|_| true)
}

/// Locks, converts or unlocks bytes for the description: `length` of them from `start`, or all from there where it is 0.
#[cfg(any(target_vendor = "apple", target_os = "illumos"))]
pub(crate) fn lock_range(fd: RawFd, state: RangeState, start: i64, length: i64, wait: bool) -> Result<(), Errno> {
    // SAFETY: all zeros is a valid value.
    let mut record: libc::flock = unsafe { std::mem::zeroed() };
    record.l_type = match state {
        RangeState::Shared => libc::F_RDLCK,
        RangeState::Exclusive => libc::F_WRLCK,
        RangeState::Unlocked => libc::F_UNLCK,
    };
    record.l_whence = libc::SEEK_SET as std::ffi::c_short;
    record.l_start = start;
    record.l_len = length;
    let command = if wait { libc::F_OFD_SETLKW } else { libc::F_OFD_SETLK };
    // SAFETY: the kernel reads one record.
    checked(unsafe { libc::fcntl(fd, command, &raw mut record) }).map(drop)
}

/// There are only record locks here, which belong to the process.
#[cfg(not(any(target_vendor = "apple", target_os = "illumos")))]
pub(crate) fn lock_range(_: RawFd, _: RangeState, _: i64, _: i64, _: bool) -> Result<(), Errno> {
    Err(Errno::NOSYS)
}

/// Closes one number. An interrupted close is not tried again: on most systems the number is free by then.
pub(crate) fn close(fd: RawFd) -> Result<(), Errno> {
    // SAFETY: only a number is passed. Which descriptors a step may close is the plan's business.
    checked(unsafe { libc::close(fd) }).map(drop)
}

/// Closes a range of numbers, where the system can.
#[cfg(target_os = "freebsd")]
pub(crate) fn close_range(first: RawFd, last: RawFd, flags: u32) -> Result<(), Errno> {
    if flags != 0 {
        return Err(Errno::NOSYS);
    }
    // SAFETY: only numbers are passed. Which descriptors a step may close is the plan's business.
    checked(unsafe { libc::close_range(first.unsigned_abs(), last.unsigned_abs(), 0) }).map(drop)
}

/// Closes a range of numbers, where the system can.
#[cfg(any(target_os = "openbsd", target_os = "netbsd", target_os = "dragonfly"))]
pub(crate) fn close_range(first: RawFd, last: RawFd, flags: u32) -> Result<(), Errno> {
    if last != RawFd::MAX || flags != 0 {
        return Err(Errno::NOSYS);
    }
    // SAFETY: only a number is passed. Which descriptors a step may close is the plan's business.
    match unsafe { libc::closefrom(first) } {
        -1 if last_error() != Errno::BADF => Err(last_error()),
        _ => Ok(()), // EBADF: there was nothing to close.
    }
}

/// Closes a range of numbers: what the kernel lists of this process, until nothing in the range is listed.
#[cfg(target_os = "macos")]
pub(crate) fn close_range(first: RawFd, last: RawFd, flags: u32) -> Result<(), Errno> {
    if flags != 0 {
        return Err(Errno::NOSYS);
    }
    const COUNT: usize = 256;
    const SIZE: c_int = size_of::<libc::proc_fdinfo>() as c_int;
    loop {
        // SAFETY: all zeros is a valid value.
        let mut list: [libc::proc_fdinfo; COUNT] = unsafe { std::mem::zeroed() };
        // SAFETY: the kernel writes at most the list's size.
        let length = unsafe {
            libc::proc_pidinfo(
                libc::getpid(),
                libc::PROC_PIDLISTFDS,
                0,
                list.as_mut_ptr().cast(),
                SIZE * COUNT as c_int,
            )
        };
        if length <= 0 {
            return Err(last_error());
        }
        let mut closed = false;
        for open in list.iter().take((length / SIZE) as usize) {
            if (first..=last).contains(&open.proc_fd) {
                let _ = close(open.proc_fd);
                closed = true;
            }
        }
        if !closed {
            // A full list may not be the whole one.
            return if length < SIZE * COUNT as c_int { Ok(()) } else { Err(Errno::NOSYS) };
        }
    }
}

/// Closes a range of numbers, where the system can.
#[cfg(not(any(
    target_os = "freebsd",
    target_os = "openbsd",
    target_os = "netbsd",
    target_os = "dragonfly",
    target_os = "macos"
)))]
pub(crate) fn close_range(_: RawFd, _: RawFd, _: u32) -> Result<(), Errno> {
    Err(Errno::NOSYS)
}

/// The flag of [`close_range`] that takes a private table first: there is none here.
pub(crate) const CLOSE_RANGE_UNSHARE: u32 = 2;
/// The flag of [`close_range`] that sets close-on-exec instead: it is not used here.
pub(crate) const CLOSE_RANGE_CLOEXEC: u32 = 4;

/// Threads have no tables of their own here.
pub(crate) fn unshare_table() -> Result<(), Errno> {
    Err(Errno::NOTSUP)
}

/// No list of descriptors is read here.
pub(crate) fn open_directory(_: &CStr) -> Result<RawFd, Errno> {
    Err(Errno::NOSYS)
}

/// No list of descriptors is read here.
pub(crate) fn is_in_proc(_: RawFd) -> bool {
    false
}

/// No list of descriptors is read here.
pub(crate) fn read_directory(_: RawFd, _: &mut [u8]) -> Result<usize, Errno> {
    Err(Errno::NOSYS)
}

/// The hard limit of descriptor numbers; `None` where it is unknown or infinite.
pub(crate) fn hard_limit() -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes one rlimit.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    #[allow(clippy::unnecessary_cast, reason = "signed on FreeBSD")]
    match result {
        0 if limit.rlim_max != libc::RLIM_INFINITY => Some(limit.rlim_max as u64),
        _ => system_limit(),
    }
}

/// The hard limit of a process that has none of its own.
#[cfg(target_vendor = "apple")]
fn system_limit() -> Option<u64> {
    let mut name = [libc::CTL_KERN, libc::KERN_MAXFILESPERPROC];
    let mut limit: c_int = 0;
    let mut size = size_of::<c_int>();
    // SAFETY: the kernel reads the name, and writes one integer and its size.
    let result = unsafe {
        libc::sysctl(
            name.as_mut_ptr(),
            name.len() as libc::c_uint,
            (&raw mut limit).cast(),
            &raw mut size,
            std::ptr::null_mut(),
            0,
        )
    };
    if result == 0 { u64::try_from(limit).ok() } else { None }
}

/// The hard limit of a process that has none of its own.
#[cfg(not(target_vendor = "apple"))]
fn system_limit() -> Option<u64> {
    None
}

/// Sets the thread's signal mask, and returns what it was.
pub(crate) fn set_signal_mask(mask: &SignalSet) -> Result<SignalSet, Errno> {
    let mut old = every_signal();
    // SAFETY: one set is read and one written.
    match unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, mask, &raw mut old) } {
        0 => Ok(old),
        code => Err(Errno::from_raw_os_error(code)),
    }
}

pub(crate) fn every_signal() -> SignalSet {
    // SAFETY: all zeros is a valid value, and the call fills it.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigfillset(&raw mut set);
        set
    }
}

/// Gives a signal its default disposition.
pub(crate) fn default_signal(signal: c_int) -> Result<(), Errno> {
    // SAFETY: all zeros is a valid value; the handler is set to the default.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = libc::SIG_DFL;
    // SAFETY: one action is read.
    checked(unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) }).map(drop)
}

/// Gives each signal that has a handler its default disposition; those ignored stay ignored.
pub(crate) fn default_handlers() -> Result<(), Errno> {
    /// No system has more; those that are not there are passed over.
    const LAST_SIGNAL: c_int = 128;
    for signal in 1..=LAST_SIGNAL {
        // SAFETY: all zeros is a valid value, and one action is written.
        let (result, action) = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            (libc::sigaction(signal, std::ptr::null(), &raw mut action), action)
        };
        if result == 0 && ![libc::SIG_DFL, libc::SIG_IGN].contains(&action.sa_sigaction) {
            default_signal(signal)?;
        }
    }
    Ok(())
}

/// # Safety
///
/// `path` is a NUL-terminated string.
pub(crate) unsafe fn change_directory(path: *const c_char) -> Result<(), Errno> {
    // SAFETY: as the caller promises.
    checked(unsafe { libc::chdir(path) }).map(drop)
}

pub(crate) fn change_directory_to(fd: RawFd) -> Result<(), Errno> {
    // SAFETY: only a number is passed.
    checked(unsafe { libc::fchdir(fd) }).map(drop)
}

/// Becomes another program; returns only if that fails.
///
/// # Safety
///
/// `path` is a NUL-terminated string; `argv` and `envp` are arrays of such, ended by a null pointer.
pub(crate) unsafe fn exec(path: *const c_char, argv: *const *const c_char, envp: *const *const c_char) -> Errno {
    // SAFETY: as the caller promises.
    unsafe { libc::execve(path, argv, envp) };
    last_error()
}

/// Writes the bytes, in one call.
pub(crate) fn write(fd: RawFd, bytes: &[u8]) -> Result<usize, Errno> {
    // SAFETY: the bytes are read.
    let count = unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
    usize::try_from(count).map_err(|_| last_error())
}

/// PipeHolders the process, and runs nothing of it.
pub(crate) fn exit(status: c_int) -> ! {
    // SAFETY: the process ends.
    unsafe { libc::_exit(status) }
}

/// Waits for a child to end, and forgets how it ended.
pub(crate) fn reap(pid: i32) {
    // SAFETY: only numbers and a null pointer are passed.
    while unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) } == -1 && last_error() == Errno::INTR {}
}

/// There are none on this system, or none that a wait takes.
pub(crate) fn open_pidfd(_: i32) -> Result<OwnedFd, Errno> {
    Err(Errno::NOSYS)
}
