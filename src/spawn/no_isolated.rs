//! What stands for `isolated.rs` on systems whose threads have no descriptor tables of their own.

use super::prepare::{Defaults, Demands, Prepared, Problem};
use super::{Launched, Order};
use crate::command::Command;
use crate::error::{Error, Failure, Result, Subject};
use crate::process::Handles;
use rustix::io::Errno;
use std::convert::Infallible;

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

    pub(super) fn launch(
        &self,
        _: &mut Command<'_>,
        _: &Defaults,
        _: Order,
    ) -> std::result::Result<(Launched, Handles), Problem> {
        match self.0 {}
    }

    pub(super) fn explain(&self, _: &Command<'_>, _: &Defaults, _: Demands) -> std::result::Result<Prepared, Problem> {
        match self.0 {}
    }
}
