//! `Capturing`: a capture that is driven.

use super::capture_flows::CaptureFlows;
use super::captured::Captured;
use super::child_run::ChildRun;
use crate::child::Process;
use crate::driven::{Driven, Events};
use crate::error::{Error, Failure, Result, Subject};
use std::fmt;
use std::os::fd::BorrowedFd;
use std::task::Poll;

/// A capture that the caller drives ([`Driven`]), from [`Command::start_capture`](crate::Command::start_capture).
///
/// If it is dropped before its result, the drop ends the child as the capture's teardown says, and may block for the graces of the teardown:
/// [`OnDrop::End`](crate::OnDrop::End). What the child has written is lost then.
pub struct Capturing<'a> {
    /// `None` after the result.
    run: Option<(ChildRun<'a>, CaptureFlows)>,
    process: Process,
    events: Events,
}

impl<'a> Capturing<'a> {
    pub(super) fn new(run: ChildRun<'a>, flows: CaptureFlows) -> Self {
        Self { process: run.process().clone(), run: Some((run, flows)), events: Events::default() }
    }

    /// A handle of the child, by which the caller sends it signals.
    pub fn process(&self) -> &Process {
        &self.process
    }
}

impl Driven for Capturing<'_> {
    type Output = Captured;

    fn descriptor(&mut self) -> Result<BorrowedFd<'_>> {
        match &mut self.run {
            Some((run, _)) => self.events.descriptor(run),
            None => Err(is_over()),
        }
    }

    /// After the result, a step is an error ([`Failure::Wait`]).
    fn step(&mut self) -> Result<Poll<Captured>> {
        let Some((run, _)) = &mut self.run else { return Err(is_over()) };
        match run.step() {
            Ok(None) => {
                self.events.update(run)?;
                Ok(Poll::Pending)
            }
            Ok(Some(end)) => match self.run.take() {
                Some((run, flows)) => Ok(Poll::Ready(flows.captured(run, end))),
                None => Err(is_over()),
            },
            Err(error) => {
                self.run = None;
                Err(error)
            }
        }
    }
}

#[cold]
fn is_over() -> Error {
    Error::new(Subject::Driven, Failure::Wait, Some(rustix::io::Errno::CHILD))
}

impl fmt::Debug for Capturing<'_> {
    /// Does not print the bytes, which may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capturing").field("process", &self.process).finish_non_exhaustive()
    }
}
