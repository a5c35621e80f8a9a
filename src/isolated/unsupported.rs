//! Replaces `spawner.rs` on systems whose threads cannot have descriptor tables of their own.

use crate::error::{Error, Failure, Result, Subject};
use rustix::io::Errno;
use std::convert::Infallible;

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

    /// No value of this type exists.
    pub(crate) fn never(&self) -> ! {
        match self.0 {}
    }
}
