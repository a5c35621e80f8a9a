//! What can be lent to a command.

use std::os::fd::{AsFd, BorrowedFd};

/// What can be lent to a command: a `BorrowedFd`, or a reference to anything that owns a descriptor.
pub trait Lend<'fd> {
    /// The descriptor, for as long as it is lent.
    fn lend(self) -> BorrowedFd<'fd>;
}

impl<'fd> Lend<'fd> for BorrowedFd<'fd> {
    fn lend(self) -> BorrowedFd<'fd> {
        self
    }
}

impl<'fd, T: AsFd> Lend<'fd> for &'fd T {
    fn lend(self) -> BorrowedFd<'fd> {
        self.as_fd()
    }
}
