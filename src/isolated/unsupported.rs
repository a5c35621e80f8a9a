//! Replaces `spawner.rs` on systems whose threads cannot have descriptor tables of their own.

use crate::error::{Error, Failure, Problem, Result, Subject};
use rustix::io::Errno;
use std::convert::Infallible;
use std::os::fd::{OwnedFd, RawFd};

/// Launches children at the same cost however many descriptors the process has. Not on this system: [`Isolated::new`] fails.
#[derive(Debug)]
pub struct Isolated(Infallible);

impl Isolated {
    /// Always fails on this system.
    ///
    /// # Errors
    ///
    /// [`Failure::PrivateTable`]: threads cannot have descriptor tables of their own ([`std::io::ErrorKind::Unsupported`]).
    pub fn new() -> Result<Self> {
        Err(Error::new(Subject::Isolate, Failure::PrivateTable, Some(Errno::NOSYS)))
    }

    pub(crate) fn turn(&self) -> std::result::Result<Turn, Problem> {
        match self.0 {}
    }
}

/// Exclusive use of the thread. There is no thread on this system.
pub(crate) struct Turn(Infallible);

impl Turn {
    pub(crate) fn run(
        &mut self,
        _: &[RawFd],
        _: &mut dyn FnMut(&[OwnedFd]) -> Option<OwnedFd>,
    ) -> std::result::Result<Option<OwnedFd>, Problem> {
        match self.0 {}
    }
}
