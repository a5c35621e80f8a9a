//! The flags of a descriptor.
#![allow(unsafe_code, reason = "flags are asked for by number, of whatever is open there")]

use rustix::io::{Errno, FdFlags};
use std::os::fd::{BorrowedFd, RawFd};

/// Whether the descriptor `number` closes at exec. `None` where it is not open.
pub(crate) fn close_on_exec(number: RawFd) -> Option<bool> {
    if number < 0 {
        return None;
    }
    // SAFETY: the number may be closed or another's; only its flags are asked for.
    let fd = unsafe { BorrowedFd::borrow_raw(number) };
    rustix::io::fcntl_getfd(fd).ok().map(|flags| flags.contains(FdFlags::CLOEXEC))
}

/// Sets or clears close-on-exec of the descriptor `number`, which is not negative.
pub(crate) fn set_close_on_exec(number: RawFd, set: bool) -> Result<(), Errno> {
    // SAFETY: the number may be closed or another's; only its flag is set.
    let fd = unsafe { BorrowedFd::borrow_raw(number) };
    rustix::io::fcntl_setfd(fd, if set { FdFlags::CLOEXEC } else { FdFlags::empty() })
}
