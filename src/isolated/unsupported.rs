//! What stands for `spawner.rs` on systems whose threads have no descriptor tables of their own.

use crate::error::{Error, Failure, Problem, Result, Subject};
use rustix::io::Errno;
use std::convert::Infallible;
use std::os::fd::{OwnedFd, RawFd};

/// A spawner for processes with a crowded descriptor table. There is none on this system: [`Isolated::new`] fails.
#[derive(Debug)]
pub struct Isolated(Infallible);

impl Isolated {
    /// Fails.
    ///
    /// # Errors
    ///
    /// Threads have no descriptor tables of their own here ([`std::io::ErrorKind::Unsupported`]).
    pub fn new() -> Result<Self> {
        Err(Error::new(Subject::Isolate, Failure::PrivateTable, Some(Errno::NOSYS)))
    }

    pub(crate) fn turn(&self) -> std::result::Result<Turn, Problem> {
        match self.0 {}
    }
}

/// The time in which the thread works for one caller: there is no thread.
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
