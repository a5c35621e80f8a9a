//! The library with an `Environment` that the parent captures once and uses for all spawns.

use super::job::{Job, Spawn};
use super::library::{command, spawn_and_wait, succeeded};
use fdspawn::{Command, Environment};
use std::io;

pub fn shared(job: &Job) -> io::Result<Spawn> {
    Ok(spawn_and_wait(shared_command(job)?, job.work))
}

/// Reads the output of the child, too.
pub fn output(job: &Job) -> io::Result<Spawn> {
    let mut command = shared_command(job)?;
    Ok(Box::new(move || succeeded(command.output()?.status)))
}

fn shared_command(job: &Job) -> io::Result<Command<'static>> {
    let environment = Environment::capture();
    let mut command = command(job)?;
    command.environment(&environment);
    Ok(command)
}
