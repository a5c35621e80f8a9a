//! What the parts that move bytes have in common.

use super::job::Job;
use crate::parts::SIZE;
use std::io;
use std::process::Command;
use tokio::runtime::{Builder, Runtime};

/// How many bytes the raw limit reads or writes at a time.
pub const PIECE: usize = 64 << 10;

/// What a raw case reads into. The kernel copies slowly to some places in a page, and not to the beginning of one.
#[repr(align(4096))]
pub struct Buffer(pub [u8; PIECE]);

impl Buffer {
    pub fn new() -> Box<Self> {
        Box::new(Self([0; PIECE]))
    }
}

pub fn std_command(job: &Job) -> Command {
    let mut command = Command::new(&job.program);
    command.args(&job.arguments);
    command
}

pub fn tokio_command(job: &Job) -> tokio::process::Command {
    let mut command = tokio::process::Command::new(&job.program);
    command.args(&job.arguments);
    command
}

pub fn duct_command(job: &Job) -> duct::Expression {
    duct::cmd(&job.program, &job.arguments)
}

/// A spawn consumes its `Exec`, so each spawn makes a new one.
pub fn subprocess_command(job: &Job) -> subprocess::Exec {
    subprocess::Exec::cmd(&job.program).args(&job.arguments)
}

pub fn processkit_command(job: &Job) -> processkit::Command {
    processkit::Command::new(&job.program).args(&job.arguments)
}

/// A runtime of tokio in the thread that calls it. The time of a case does not include the making of the runtime.
pub fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// The end that `std` has made for a pipe.
pub fn end<T>(end: &mut Option<T>) -> io::Result<T> {
    end.take().ok_or_else(|| io::Error::other("the child has no such pipe"))
}

/// An error unless a child has moved the whole size.
pub fn moved(length: usize) -> io::Result<()> {
    if length == SIZE { Ok(()) } else { Err(io::Error::other(format!("the child moved only {length} bytes"))) }
}
