//! The part "wait": the same spawn with several kinds of waits, and with a process group.

use super::job::{Job, Spawn};
use super::library::{command, succeeded};
use fdspawn::Command;
use std::io;
use std::time::Duration;

/// The limit of each timed wait, which no wait reaches.
const LIMIT: Duration = Duration::from_secs(60);

pub fn wait(job: &Job) -> io::Result<Spawn> {
    with(command(job)?)
}

pub fn wait_timeout(job: &Job) -> io::Result<Spawn> {
    let mut command = command(job)?;
    Ok(Box::new(move || in_time(command.spawn()?.wait_timeout(LIMIT)?).and_then(succeeded)))
}

pub fn process_group(job: &Job) -> io::Result<Spawn> {
    let mut command = command(job)?;
    command.process_group(0);
    with(command)
}

fn with(mut command: Command<'static>) -> io::Result<Spawn> {
    Ok(Box::new(move || succeeded(command.spawn()?.wait()?)))
}

pub fn std(job: &Job) -> io::Result<Spawn> {
    let mut command = std::process::Command::new(&job.program);
    Ok(Box::new(move || succeeded(command.spawn()?.wait()?)))
}

pub fn subprocess(job: &Job) -> io::Result<Spawn> {
    let program = job.program.clone();
    Ok(Box::new(move || {
        let status = in_time(subprocess::Exec::cmd(&program).start()?.wait_timeout(LIMIT)?)?;
        if status.success() { Ok(()) } else { Err(io::Error::other(status.to_string())) }
    }))
}

/// What a timed wait has found; an error if its time was over before.
fn in_time<T>(found: Option<T>) -> io::Result<T> {
    found.ok_or_else(|| io::ErrorKind::TimedOut.into())
}
