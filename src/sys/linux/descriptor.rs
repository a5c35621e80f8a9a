//! Descriptors: duplicates, close-on-exec, closes, the table.

use super::syscall::call;
use rustix::io::Errno;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// Makes `target` a duplicate of `source` (`dup3(2)`). The two numbers must differ.
pub(crate) fn duplicate(source: RawFd, target: RawFd, close_on_exec: bool) -> Result<(), Errno> {
    let flags = if close_on_exec { libc::O_CLOEXEC } else { 0 };
    // SAFETY: only numbers are passed. The plan decides which descriptors a step may replace.
    unsafe { call(libc::SYS_dup3, [source as usize, target as usize, flags as usize]) }.map(drop)
}

/// Duplicates `source` to the lowest free number that is not below `first`. The duplicate has close-on-exec set.
pub(crate) fn duplicate_above(source: RawFd, first: RawFd) -> Result<RawFd, Errno> {
    // SAFETY: only numbers are passed.
    unsafe { call(libc::SYS_fcntl, [source as usize, libc::F_DUPFD_CLOEXEC as usize, first as usize]) }
        .map(|fd| fd as RawFd)
}

/// [`duplicate_above`], for an owner.
pub(crate) fn duplicate_owned(source: RawFd, first: RawFd) -> Result<OwnedFd, Errno> {
    // SAFETY: the kernel has made the descriptor for this caller.
    duplicate_above(source, first).map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Whether a number is open.
pub(crate) fn is_open(fd: RawFd) -> bool {
    // SAFETY: only numbers are passed.
    let result = unsafe { call(libc::SYS_fcntl, [fd as usize, libc::F_GETFD as usize, 0]) };
    result != Err(Errno::BADF)
}

/// Clears close-on-exec of a descriptor.
pub(crate) fn clear_close_on_exec(fd: RawFd) -> Result<(), Errno> {
    // SAFETY: only numbers are passed.
    unsafe { call(libc::SYS_fcntl, [fd as usize, libc::F_SETFD as usize, 0]) }.map(drop)
}

/// Sets close-on-exec of a descriptor. Returns whether the flag was clear before.
pub(crate) fn set_close_on_exec(fd: RawFd) -> Result<bool, Errno> {
    // SAFETY: only numbers are passed.
    let flags = unsafe { call(libc::SYS_fcntl, [fd as usize, libc::F_GETFD as usize, 0]) }?;
    if flags & libc::FD_CLOEXEC as usize != 0 {
        return Ok(false);
    }
    let flags = flags | libc::FD_CLOEXEC as usize;
    // SAFETY: only numbers are passed.
    unsafe { call(libc::SYS_fcntl, [fd as usize, libc::F_SETFD as usize, flags]) }.map(|_| true)
}

/// Closes a descriptor. After any error the number is free, and another thread may have it already. So the caller must
/// not close the number again, not even after EINTR.
pub(crate) fn close(fd: RawFd) -> Result<(), Errno> {
    // SAFETY: only a number is passed. The plan decides which descriptors a step may close.
    unsafe { call(libc::SYS_close, [fd as usize]) }.map(drop)
}

/// Closes the descriptors from `first` to `last`, as `close_range(2)` does with these flags.
pub(crate) fn close_range(first: RawFd, last: RawFd, flags: u32) -> Result<(), Errno> {
    let last = if last == RawFd::MAX { u32::MAX } else { last as u32 };
    // SAFETY: only numbers are passed. The caller decides which descriptors may be closed.
    unsafe { call(libc::SYS_close_range, [first as usize, last as usize, flags as usize]) }.map(drop)
}

/// The flag of [`close_range`] that gives the thread a private table before it closes.
pub(crate) const CLOSE_RANGE_UNSHARE: u32 = 2;
/// The flag of [`close_range`] that sets close-on-exec instead of closing. Since Linux 5.11.
pub(crate) const CLOSE_RANGE_CLOEXEC: u32 = 4;

/// Gives the thread a private copy of its descriptor table (`unshare(2)` with `CLONE_FILES`).
pub(crate) fn unshare_table() -> Result<(), Errno> {
    // SAFETY: only numbers are passed.
    unsafe { call(libc::SYS_unshare, [libc::CLONE_FILES as usize]) }.map(drop)
}

/// Creates an eventfd. The probe needs any new descriptor, and this one needs no path.
pub(crate) fn event() -> Result<RawFd, Errno> {
    // SAFETY: only numbers are passed.
    unsafe { call(libc::SYS_eventfd2, [0, 0]) }.map(|fd| fd as RawFd)
}
