//! The library with an `Environment` that the parent captures once and uses for all spawns.

use super::job::{Job, Spawn};
use super::library::{command, spawn_and_wait};
use fdspawn::Environment;
use std::io;

pub fn shared(job: &Job) -> io::Result<Spawn> {
    let environment = Environment::capture();
    let mut command = command(job)?;
    command.environment(&environment);
    Ok(spawn_and_wait(command, job.work))
}
