//! The parts "drop-in": the library under std's names, beside its own API and std.

use super::job::{Job, Spawn};
use super::library::succeeded;
use crate::parts::Work;
use fdspawn::Rest;
use std::io;

/// Makes a case from a command: `status()`, `output()`, or `spawn()` and `wait()`.
macro_rules! case {
    ($job:expr, $command:expr) => {{
        let (work, mut command) = ($job.work, $command);
        match work {
            Work::Output => Box::new(move || succeeded(command.output()?.status)),
            Work::Spawn => Box::new(move || succeeded(command.spawn()?.wait()?)),
            _ => Box::new(move || succeeded(command.status()?)),
        }
    }};
}

/// The library's own API, with what std does: the rest is inherited, and a child has no pidfd.
pub fn own(job: &Job) -> io::Result<Spawn> {
    let mut command = fdspawn::Command::new(&job.program);
    command.rest(Rest::Inherit).pidfd(false);
    Ok(case!(job, command))
}

pub fn drop_in(job: &Job) -> io::Result<Spawn> {
    Ok(case!(job, fdspawn::process::Command::new(&job.program)))
}

pub fn std(job: &Job) -> io::Result<Spawn> {
    Ok(case!(job, std::process::Command::new(&job.program)))
}
