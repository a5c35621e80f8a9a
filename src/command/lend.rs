//! `Lend`, for the descriptors that a command borrows.

use std::os::fd::{AsFd, BorrowedFd};

/// A descriptor that a command can borrow: a `BorrowedFd`, or a reference to a value that owns a descriptor.
pub trait Lend<'fd> {
    /// The descriptor, borrowed for `'fd`.
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
