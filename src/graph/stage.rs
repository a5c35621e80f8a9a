//! `StageId` and `StageFd`: names of a stage and of a descriptor of it.

use std::os::fd::RawFd;

/// A stage of a [`Graph`](crate::Graph): one command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StageId {
    /// The number of the graph.
    pub(super) graph: u32,
    pub(super) index: usize,
}

impl StageId {
    /// The place of the stage: 0 is the one that was added first.
    pub const fn index(self) -> usize {
        self.index
    }

    /// The descriptor of this number in the stage's process.
    pub const fn fd(self, number: RawFd) -> StageFd {
        StageFd { stage: self, fd: number }
    }

    /// The standard input of the stage.
    pub const fn stdin(self) -> StageFd {
        self.fd(0)
    }

    /// The standard output of the stage.
    pub const fn stdout(self) -> StageFd {
        self.fd(1)
    }

    /// The standard error of the stage.
    pub const fn stderr(self) -> StageFd {
        self.fd(2)
    }
}

/// A descriptor of a stage, to which a link can go: [`StageId::fd`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StageFd {
    pub(super) stage: StageId,
    pub(super) fd: RawFd,
}

impl StageFd {
    /// The stage.
    pub const fn stage(self) -> StageId {
        self.stage
    }

    /// The number in the stage's process.
    pub const fn number(self) -> RawFd {
        self.fd
    }
}
