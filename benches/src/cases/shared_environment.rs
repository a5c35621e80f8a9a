//! The library with an environment that is captured once and shared by all spawns.

use super::job::{Job, Run};
use super::library::{command, runner};
use fdspawn::Environment;
use std::io;

pub fn shared(job: &Job) -> io::Result<Run> {
    let environment = Environment::capture();
    let mut command = command(job)?;
    command.environment(&environment);
    Ok(runner(command, job.work))
}
