//! `CopyThreads` where the kernel does not move bytes between pipes: no graph has a tee or a spool there.

use super::copier::Copier;
use crate::error::Result;
use crate::spawn::Numbering;
use std::os::fd::OwnedFd;

/// No threads.
#[derive(Debug, Default)]
pub(super) struct CopyThreads(());

impl CopyThreads {
    pub(super) fn start(&mut self, _: &[Copier], _: Numbering, _: impl FnMut(usize) -> Option<OwnedFd>) -> Result<()> {
        Ok(())
    }

    pub(super) fn note_start(&self) {}

    pub(super) fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}
