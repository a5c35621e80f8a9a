//! Waits for a child by its only handle, and reads the output of a child.

use super::pipes::ParentEnds;
use super::process::wait_error;
use super::reap::Reaped;
use super::spawned::{Spawned, WaitError};
use super::watched::WatchedChild;
use crate::error::{Error, Failure, Result, Subject};
use crate::flow::{Flow, FlowError, Flows, Keep, KeptBytes, NoChildren, Sink};
use std::io::PipeReader;
use std::os::fd::OwnedFd;
use std::process::{ExitStatus, Output};

/// Waits for the end of a child whose handle the library keeps, as `Child::wait` does. Meanwhile it reads the pipes of standard output and
/// error and the ends of slots, and drops those bytes.
pub(crate) fn status_of(spawned: &mut Spawned, ends: &mut ParentEnds) -> Result<ExitStatus> {
    drop(ends.stdin.take());
    let has_ends = ends.stdout.is_some() || ends.stderr.is_some() || !ends.slots.is_empty();
    let read = if has_ends { discard_until_end(spawned, std::mem::take(ends)) } else { Ok(()) };
    // After an error of a read the child is reaped, too.
    let status = status_of_end(spawned)?;
    read.map(|()| status)
}

#[cold]
fn discard_until_end(spawned: &Spawned, mut ends: ParentEnds) -> Result<()> {
    let mut flows = Flows::new();
    let outputs = [ends.stdout.take(), ends.stderr.take()];
    outputs.into_iter().flatten().for_each(|pipe| flows.discard(pipe.into()));
    discard_slots(&mut flows, ends);
    flows.run_until_ended(&mut WatchedChild::new(spawned)).map_err(|error| flow_error(spawned.id(), error))
}

/// Reads the output of a child whose handle the library keeps, and waits for its end, as `Child::wait_with_output`
/// does.
pub(crate) fn output_of(spawned: &mut Spawned, ends: &mut ParentEnds) -> Result<Output> {
    drop(ends.stdin.take());
    let read = read_output(spawned, std::mem::take(ends), Flows::drain_pipe);
    let status = status_of_end(spawned)?;
    read.map(|[stdout, stderr]| Output { status, stdout, stderr })
}

/// Reads standard output and standard error to end-of-file. Meanwhile it reads the ends of slots, so that the child does not wait for a
/// reader, and drops those bytes. `drain` is [`Flows::drain_pipe`] only if the caller of the library cannot have replaced an end.
pub(super) fn read_output<'a>(
    spawned: &Spawned,
    mut ends: ParentEnds,
    drain: impl Fn(&mut Flows<'a>, OwnedFd, Sink<'a>) -> Flow,
) -> Result<[Vec<u8>; 2]> {
    let mut flows = Flows::new();
    let mut keep = |pipe: PipeReader| drain(&mut flows, pipe.into(), Sink::Keep(KeptBytes::new(Keep::All)));
    let kept = [ends.stdout.take().map(&mut keep), ends.stderr.take().map(&mut keep)];
    let has_slots = discard_slots(&mut flows, ends);
    let mut read = flows.run(&mut NoChildren, None).map(drop);
    if has_slots {
        read = read.and(flows.run_until_ended(&mut WatchedChild::new(spawned)));
    }
    read.map_err(|error| flow_error(spawned.id(), error))?;
    Ok(kept.map(|flow| flow.and_then(|flow| flows.kept(flow)).map(KeptBytes::take).unwrap_or_default()))
}

/// Reads the ends of slots from now on, and drops the bytes. Returns whether there is anything to read.
fn discard_slots(flows: &mut Flows<'_>, ends: ParentEnds) -> bool {
    let mut has_slots = false;
    for fd in ends.slots.into_iter().filter_map(|(_, end)| end.into_discarded()) {
        flows.discard(fd);
        has_slots = true;
    }
    has_slots
}

/// The error of a stream of a child.
pub(super) fn flow_error(pid: u32, error: FlowError) -> Error {
    Error::new(Subject::Read(pid), Failure::Read, Some(error.errno))
}

fn status_of_end(spawned: &mut Spawned) -> Result<ExitStatus> {
    spawned.wait_for_status().map_err(|error| wait_failure(spawned, error))
}

/// Waits for the end of a child by its only handle.
pub(super) fn end_of(spawned: &mut Spawned) -> Result<Reaped> {
    spawned.wait().map_err(|error| wait_failure(spawned, error))
}

#[cold]
fn wait_failure(spawned: &Spawned, error: WaitError) -> Error {
    match error {
        WaitError::System(errno) => wait_error(spawned, errno),
        WaitError::KilledBeforeExec(status) => Error::new(Subject::Wait(spawned.id()), Failure::Killed(status), None),
    }
}
