//! The errpipe: a pipe whose end-of-file says that a forked child has executed or ended. Linux has a futex instead.

use std::os::fd::OwnedFd;

/// A pipe whose ends both close at exec. No data goes through it but the one byte of a child that runs a function.
pub(crate) struct Errpipe {
    pub(crate) reader: OwnedFd,
    /// The child's end.
    pub(crate) writer: OwnedFd,
}
