//! What the threads of tees and spools have: pipes, and a place for what they take out of their inputs.

use super::copier::CopierKind;
use super::progress::GraphProgress;
use super::spool::{SpoolMemory, SpoolTask};
use super::tee::TeeTask;
use crate::fd::standard::dup_above_stdio;
use crate::spawn::Numbering;
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

/// The pipes of a thread.
#[derive(Debug)]
pub(super) struct CopyPipes {
    pub(super) input: OwnedFd,
    pub(super) outputs: Vec<OwnedFd>,
}

/// Where a thread puts what it takes out of its input.
#[derive(Debug)]
pub(super) enum CopyStore {
    /// `/dev/null`, to which a tee moves what all outputs have.
    Null(OwnedFd),
    /// The memory of a spool.
    Memory(SpoolMemory),
}

impl CopyStore {
    /// Opens the store, with numbers above 2: no stage takes them for a standard stream.
    pub(super) fn open(kind: CopierKind) -> io::Result<Self> {
        match kind {
            CopierKind::Tee { .. } => {
                let null = File::options().write(true).open("/dev/null")?;
                dup_above_stdio(null.into()).map(Self::Null)
            }
            CopierKind::Spool => SpoolMemory::new().map(Self::Memory),
        }
    }

    /// The same store, at the number that the graph's descriptors get.
    pub(super) fn raised(self, numbering: Numbering) -> Self {
        match self {
            Self::Null(null) => Self::Null(numbering.raise_link(null)),
            Self::Memory(memory) => Self::Memory(memory.raised(numbering)),
        }
    }
}

/// The work of one thread. All waits are in `poll(2)`, together with [`GraphProgress`].
#[derive(Debug)]
pub(super) enum CopyTask {
    Tee(TeeTask),
    Spool(SpoolTask),
}

impl CopyTask {
    /// Also asks the kernel whether it makes the calls of the thread. No stage has been started, so the pipes are empty.
    pub(super) fn new(
        kind: CopierKind,
        CopyPipes { input, mut outputs }: CopyPipes,
        store: CopyStore,
    ) -> Result<Self, Errno> {
        match (kind, store) {
            (CopierKind::Tee { stops_early }, CopyStore::Null(null)) => {
                TeeTask::new(input, outputs, null, stops_early).map(Self::Tee)
            }
            (_, CopyStore::Memory(memory)) => {
                let output = outputs.pop().ok_or(Errno::INVAL)?; // A spool has one output.
                SpoolTask::new(input, output, memory).map(Self::Spool)
            }
            (CopierKind::Spool, CopyStore::Null(_)) => Err(Errno::INVAL), // `CopyStore::open` does not make this.
        }
    }

    /// Moves bytes until the input is at its end, or until no process has a read end of an output.
    pub(super) fn run(self, progress: &mut GraphProgress) -> Result<(), Errno> {
        match self {
            Self::Tee(tee) => tee.run(progress),
            Self::Spool(spool) => spool.run(progress),
        }
    }
}
