//! The part "tee": all bytes of one stage to two others.

use super::job::{Job, Spawn};
use super::transfer::Buffer;
use crate::parts::GRAPH_PIECE;
use fdspawn::{Command, Graph, Running, Slot, StageId};
use rustix::pipe::{SpliceFlags, splice, tee};
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::thread;

/// How much one call moves at most.
const MOST: usize = 1 << 20;

/// A graph with the stage that writes and the two that read.
fn stages(job: &Job) -> (Graph<'static>, [StageId; 3]) {
    let mut graph = Graph::new();
    let count = (job.size / GRAPH_PIECE).to_string();
    let mut stage = |work: &str| {
        let mut command = Command::new(&job.path);
        command.args([work, &GRAPH_PIECE.to_string(), &count]);
        graph.stage(command)
    };
    let stages = ["write", "read", "read"].map(&mut stage);
    if job.capacity > 0 {
        graph.pipe_capacity(job.capacity);
    }
    (graph, stages)
}

pub fn graph(job: &Job) -> io::Result<Spawn> {
    let (mut graph, [from, one, other]) = stages(job);
    graph.tee(from.stdout(), [one.stdin(), other.stdin()]);
    Ok(Box::new(move || Ok(graph.status()?.check()?)))
}

/// A thread of the parent with `tee(2)` and `splice(2)` for two readers that both read to the end.
pub fn raw(job: &Job) -> io::Result<Spawn> {
    with_thread(job, |from, one, other| {
        loop {
            let mut left = tee(&from, &one, MOST, SpliceFlags::empty())?;
            if left == 0 {
                return Ok(());
            }
            while left > 0 {
                left -= splice(&from, None, &other, None, left, SpliceFlags::empty())?;
            }
        }
    })
}

/// A thread of the parent that reads all bytes and writes them to both readers.
pub fn copy(job: &Job) -> io::Result<Spawn> {
    with_thread(job, |mut from, mut one, mut other| {
        let mut buffer = Buffer::new();
        loop {
            let length = from.read(&mut buffer.0)?;
            if length == 0 {
                return Ok(());
            }
            one.write_all(&buffer.0[..length])?;
            other.write_all(&buffer.0[..length])?;
        }
    })
}

type Move = fn(PipeReader, PipeWriter, PipeWriter) -> io::Result<()>;

/// The same stages, with a thread of the parent that moves the bytes.
fn with_thread(job: &Job, bytes: Move) -> io::Result<Spawn> {
    let (mut graph, [from, one, other]) = stages(job);
    let from = graph.reader([from.stdout()]);
    let [one, other] = [one, other].map(|stage| graph.writer([stage.stdin()]));
    Ok(Box::new(move || {
        let mut running = graph.spawn()?;
        let (from, one, other) = (take(&mut running, from)?, take(&mut running, one)?, take(&mut running, other)?);
        let thread = thread::spawn(move || bytes(from, one, other));
        let moved = thread.join().map_err(|_| io::Error::other("a thread panicked"))?;
        running.wait()?.check()?;
        moved
    }))
}

fn take<T: fdspawn::Handle>(running: &mut Running, slot: Slot<T>) -> io::Result<T> {
    running.take(slot).ok_or_else(|| io::Error::other("the graph has no such end"))
}
