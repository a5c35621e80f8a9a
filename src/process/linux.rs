//! The traits of `std::os::linux::process`, which std has only in nightly Rust.

use super::child::Child;
use super::command::Command;
use super::unix::Sealed;
use crate::child::PidFd;
use std::io;

/// What Linux adds to a [`Command`]: `std::os::linux::process::CommandExt`.
pub trait CommandExt: Sealed {
    /// Says whether the [`Child`] has a pidfd. As with std, the default is no.
    fn create_pidfd(&mut self, val: bool) -> &mut Command;
}

impl CommandExt for Command {
    fn create_pidfd(&mut self, val: bool) -> &mut Command {
        self.inner.pidfd(val);
        self
    }
}

/// What Linux adds to a [`Child`]: `std::os::linux::process::ChildExt`.
pub trait ChildExt: Sealed {
    /// The child's pidfd.
    ///
    /// # Errors
    ///
    /// There is none: the command did not ask for it ([`CommandExt::create_pidfd`]), or the kernel has no pidfds.
    fn pidfd(&self) -> io::Result<&PidFd>;

    /// Takes the pidfd. It closes the pipes, and drops the child without reaping it: [`PidFd::wait`] does.
    ///
    /// # Errors
    ///
    /// The child, if it has no pidfd.
    fn into_pidfd(self) -> Result<PidFd, Self>
    where
        Self: Sized;
}

impl ChildExt for Child {
    fn pidfd(&self) -> io::Result<&PidFd> {
        self.inner.pid_fd().ok_or_else(|| io::Error::other("no pidfd was created."))
    }

    fn into_pidfd(mut self) -> Result<PidFd, Self> {
        self.inner.take_pid_fd().ok_or(self)
    }
}
