//! Waits for a child by its only handle, and reads the output of a child.

use super::drain::drain;
use super::pipes::ParentEnds;
use super::process::wait_error;
use super::reap::Reaped;
use super::spawned::{Spawned, WaitError};
use crate::error::{Error, Failure, Result, Subject};
use std::io::PipeReader;
use std::process::{ExitStatus, Output};

/// Waits for the end of a child whose handle the library keeps, as `Child::wait` does.
pub(crate) fn status_of(mut spawned: Spawned, mut ends: ParentEnds) -> Result<ExitStatus> {
    drop(ends.stdin.take());
    end_of(&mut spawned).map(|reaped| reaped.status)
}

/// Reads the output of a child whose handle the library keeps, and waits for its end, as `Child::wait_with_output`
/// does.
pub(crate) fn output_of(mut spawned: Spawned, mut ends: ParentEnds) -> Result<Output> {
    drop(ends.stdin.take());
    ends.slots.clear();
    let pipes = [ends.stdout.take(), ends.stderr.take()];
    drain_and_wait(spawned.id(), pipes, || end_of(&mut spawned).map(|reaped| reaped.status))
}

/// Reads standard output and standard error to end-of-file, then waits for the child, even if a read has failed.
pub(super) fn drain_and_wait(
    pid: u32,
    pipes: [Option<PipeReader>; 2],
    wait: impl FnOnce() -> Result<ExitStatus>,
) -> Result<Output> {
    let drained = drain(pipes);
    let status = wait()?;
    let [stdout, stderr] = drained.map_err(|errno| Error::new(Subject::Read(pid), Failure::Read, Some(errno)))?;
    Ok(Output { status, stdout, stderr })
}

/// Waits for the end of a child by its only handle.
pub(super) fn end_of(spawned: &mut Spawned) -> Result<Reaped> {
    spawned.wait().map_err(|error| match error {
        WaitError::System(errno) => wait_error(spawned, errno),
        WaitError::KilledBeforeExec(status) => Error::new(Subject::Wait(spawned.id()), Failure::Killed(status), None),
    })
}
