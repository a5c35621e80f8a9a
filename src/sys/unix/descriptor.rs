//! Descriptors: duplicates, close-on-exec, closes, the table.

use super::checked::checked;
use crate::sys::errno::last_error;
use rustix::io::Errno;
#[cfg(target_os = "macos")]
use std::ffi::c_int;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// Makes `target` a duplicate of `source` (`dup2(2)`). The two numbers must differ.
pub(crate) fn duplicate(source: RawFd, target: RawFd, close_on_exec: bool) -> Result<(), Errno> {
    // SAFETY: only numbers are passed. The plan decides which descriptors a step may replace.
    checked(unsafe { libc::dup2(source, target) })?;
    if close_on_exec {
        // SAFETY: only numbers are passed.
        checked(unsafe { libc::fcntl(target, libc::F_SETFD, libc::FD_CLOEXEC) })?;
    }
    Ok(())
}

/// Duplicates `source` to the lowest free number that is not below `first`. The duplicate has close-on-exec set.
pub(crate) fn duplicate_owned(source: RawFd, first: RawFd) -> Result<OwnedFd, Errno> {
    // SAFETY: only numbers are passed; the system has made the descriptor for this caller.
    unsafe { checked(libc::fcntl(source, libc::F_DUPFD_CLOEXEC, first)).map(|fd| OwnedFd::from_raw_fd(fd)) }
}

/// Whether a number is open.
pub(crate) fn is_open(fd: RawFd) -> bool {
    // SAFETY: only numbers are passed.
    checked(unsafe { libc::fcntl(fd, libc::F_GETFD) }) != Err(Errno::BADF)
}

/// Clears close-on-exec of a descriptor.
pub(crate) fn clear_close_on_exec(fd: RawFd) -> Result<(), Errno> {
    // SAFETY: only numbers are passed.
    checked(unsafe { libc::fcntl(fd, libc::F_SETFD, 0) }).map(drop)
}

/// Sets close-on-exec of a descriptor. Returns whether the flag was clear before.
pub(crate) fn set_close_on_exec(fd: RawFd) -> Result<bool, Errno> {
    // SAFETY: only numbers are passed.
    let flags = checked(unsafe { libc::fcntl(fd, libc::F_GETFD) })?;
    if flags & libc::FD_CLOEXEC != 0 {
        return Ok(false);
    }
    // SAFETY: only numbers are passed.
    checked(unsafe { libc::fcntl(fd, libc::F_SETFD, flags | libc::FD_CLOEXEC) }).map(|_| true)
}

/// Closes a descriptor. The caller must not close it again, not even after EINTR: on most systems the number is free
/// then, and another thread may have it already.
pub(crate) fn close(fd: RawFd) -> Result<(), Errno> {
    // SAFETY: only a number is passed. The plan decides which descriptors a step may close.
    checked(unsafe { libc::close(fd) }).map(drop)
}

/// Closes the descriptors from `first` to `last` (`close_range(2)`).
#[cfg(target_os = "freebsd")]
pub(crate) fn close_range(first: RawFd, last: RawFd, flags: u32) -> Result<(), Errno> {
    if flags != 0 {
        return Err(Errno::NOSYS);
    }
    // SAFETY: only numbers are passed. The plan decides which descriptors a step may close.
    checked(unsafe { libc::close_range(first.unsigned_abs(), last.unsigned_abs(), 0) }).map(drop)
}

/// Closes the descriptors from `first` on (`closefrom(2)`). The system has no call that closes up to a `last`.
#[cfg(any(target_os = "openbsd", target_os = "netbsd", target_os = "dragonfly"))]
pub(crate) fn close_range(first: RawFd, last: RawFd, flags: u32) -> Result<(), Errno> {
    if last != RawFd::MAX || flags != 0 {
        return Err(Errno::NOSYS);
    }
    // SAFETY: only a number is passed. The plan decides which descriptors a step may close.
    match unsafe { libc::closefrom(first) } {
        -1 if last_error() != Errno::BADF => Err(last_error()),
        _ => Ok(()), // EBADF: no descriptor from `first` on was open.
    }
}

/// Closes each descriptor from `first` to `last` that the kernel lists (`proc_pidinfo(3)`), until a list has none of
/// them.
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
            // If the list fills the buffer, the kernel may have cut it off.
            return if length < SIZE * COUNT as c_int { Ok(()) } else { Err(Errno::NOSYS) };
        }
    }
}

/// Fails: the system has no such call.
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

/// The flag of [`close_range`] that gives the thread a private table. These systems do not have it.
pub(crate) const CLOSE_RANGE_UNSHARE: u32 = 2;
/// The flag of [`close_range`] that sets close-on-exec instead of closing. The library does not use it on these
/// systems.
pub(crate) const CLOSE_RANGE_CLOEXEC: u32 = 4;

/// Fails: all threads of a process have one descriptor table.
pub(crate) fn unshare_table() -> Result<(), Errno> {
    Err(Errno::NOTSUP)
}

/// Writes the bytes with one `write(2)`. Returns how many were written.
pub(crate) fn write(fd: RawFd, bytes: &[u8]) -> Result<usize, Errno> {
    // SAFETY: the bytes are read.
    let count = unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
    usize::try_from(count).map_err(|_| last_error())
}
