//! Open file description locks.

#[cfg(any(target_vendor = "apple", target_os = "illumos"))]
use super::checked::checked;
use crate::sys::range_state::RangeState;
use rustix::io::Errno;
use std::os::fd::RawFd;

/// Locks, converts or unlocks `length` bytes from `start` for the description. A `length` of 0 means all bytes from
/// `start` on.
#[cfg(any(target_vendor = "apple", target_os = "illumos"))]
pub(crate) fn lock_range(fd: RawFd, state: RangeState, start: i64, length: i64, wait: bool) -> Result<(), Errno> {
    // SAFETY: all zeros is a valid value.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = match state {
        RangeState::Shared => libc::F_RDLCK,
        RangeState::Exclusive => libc::F_WRLCK,
        RangeState::Unlocked => libc::F_UNLCK,
    };
    lock.l_whence = libc::SEEK_SET as std::ffi::c_short;
    lock.l_start = start;
    lock.l_len = length;
    let command = if wait { libc::F_OFD_SETLKW } else { libc::F_OFD_SETLK };
    // SAFETY: the kernel reads one structure.
    checked(unsafe { libc::fcntl(fd, command, &raw mut lock) }).map(drop)
}

/// Fails: these systems have only record locks, which belong to the process.
#[cfg(not(any(target_vendor = "apple", target_os = "illumos")))]
pub(crate) fn lock_range(_: RawFd, _: RangeState, _: i64, _: i64, _: bool) -> Result<(), Errno> {
    Err(Errno::NOSYS)
}
