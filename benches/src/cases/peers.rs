//! The standard library and other crates.

use super::job::{FIRST_TARGET, Job, Spawn};
use super::library::succeeded;
use crate::parts::Work;
use command_fds::{CommandFdExt, FdMapping};
use std::io;
use std::process::{Command, Stdio};

pub fn std(job: &Job) -> io::Result<Spawn> {
    let mut command = Command::new(&job.program);
    Ok(Box::new(move || succeeded(command.status()?)))
}

/// The command keeps its mappings for all spawns. Without mappings it is not changed, so that it has no hook.
pub fn command_fds(job: &Job) -> io::Result<Spawn> {
    let mut command = Command::new(&job.program);
    let mappings = job.sources()?.into_iter().zip(FIRST_TARGET..);
    let mappings: Vec<_> = mappings.map(|(parent_fd, child_fd)| FdMapping { parent_fd, child_fd }).collect();
    if !mappings.is_empty() {
        command.fd_mappings(mappings).map_err(io::Error::other)?;
    }
    if job.work == Work::Pipes {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        return Ok(Box::new(move || succeeded(command.spawn()?.wait()?)));
    }
    Ok(Box::new(move || succeeded(command.status()?)))
}

/// A spawn consumes its `Exec`, so each spawn makes a new one.
pub fn subprocess(job: &Job) -> io::Result<Spawn> {
    let program = job.program.clone();
    Ok(Box::new(move || {
        let status = subprocess::Exec::cmd(&program).join()?;
        if status.success() { Ok(()) } else { Err(io::Error::other(status.to_string())) }
    }))
}

/// `run` returns an error if the status is not 0.
pub fn duct(job: &Job) -> io::Result<Spawn> {
    let expression = duct::cmd(&job.program, None::<&str>);
    Ok(Box::new(move || expression.run().map(drop)))
}
