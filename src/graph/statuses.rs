//! `Statuses`: how the stages of a graph have ended.

use super::stage::StageId;
use super::verdict::{StageEnd, failed, to_blame};
use crate::child::Usage;
use crate::error::{Error, Failure, Result, Subject};
use std::ffi::OsString;
use std::process::ExitStatus;

/// How the stages of a graph have ended.
#[derive(Clone, Debug)]
pub struct Statuses {
    pub(super) graph: u32,
    pub(super) stages: Vec<StageStatus>,
    pub(super) ends: Vec<StageEnd>,
}

/// How one stage has ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StageStatus {
    /// The stage.
    pub stage: StageId,
    /// The program, or the name of the function.
    pub program: OsString,
    /// The status.
    pub status: ExitStatus,
    /// What the stage has used; `None` if other code has reaped it.
    pub usage: Option<Usage>,
}

impl Statuses {
    /// The status of a stage.
    ///
    /// # Panics
    ///
    /// If it is a stage of another graph.
    pub fn of(&self, stage: StageId) -> ExitStatus {
        assert_eq!(stage.graph, self.graph, "the stage is of another graph");
        self.stages[stage.index].status
    }

    /// All stages, in the order in which they were added.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &StageStatus> {
        self.stages.iter()
    }

    /// The status of the stage that was added last: what a shell returns for a pipeline.
    pub fn last(&self) -> ExitStatus {
        self.stages.last().map(|stage| stage.status).unwrap_or_default()
    }

    /// The stages that have failed. The rules:
    ///
    /// 1. A stage that exits with 0, or with a code that [`Graph::allow`](crate::Graph::allow) allows for it, has not failed.
    /// 2. A stage that SIGPIPE has killed has not failed if this process reads one of its links, or if a stage that reads one of them
    ///    has not failed: that reader had enough.
    /// 3. Every other stage has failed.
    pub fn failed(&self) -> impl Iterator<Item = &StageStatus> {
        self.stages.iter().zip(failed(&self.ends)).filter(|(_, failed)| *failed).map(|(stage, _)| stage)
    }

    /// Makes an error of the first stage that has failed by itself: not one that SIGPIPE has killed because its reader failed.
    ///
    /// # Errors
    ///
    /// [`Failure::Status`]. The text names the stage and its program.
    pub fn check(&self) -> Result<()> {
        self.check_with(|_| String::new())
    }

    pub(super) fn check_with(&self, stderr: impl Fn(usize) -> String) -> Result<()> {
        let Some(stage) = to_blame(&self.ends) else { return Ok(()) };
        let StageStatus { program, status, .. } = &self.stages[stage];
        let failure = Failure::Status { status: *status, stderr: stderr(stage) };
        Err(Error::new(Subject::Stage(stage, program.clone()), failure, None))
    }
}
