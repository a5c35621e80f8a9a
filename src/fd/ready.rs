//! Whether a descriptor is ready now, asked of `poll(2)`.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use std::os::fd::BorrowedFd;

/// Whether `poll(2)` reports one of these flags now, an error, or that the other end is gone.
pub(crate) fn is_ready_for(fd: BorrowedFd<'_>, flags: PollFlags) -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    retry_on_intr(|| poll(&mut [PollFd::from_borrowed_fd(fd, flags)], Some(&now))) == Ok(1)
}
