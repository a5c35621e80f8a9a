//! The library, with each of its launchers.

use super::attributes;
use super::job::{FIRST_TARGET, Job, Spawn};
use crate::parts::Work;
use fdspawn::{Command, Isolated, Launcher, Stdio};
use std::io;
use std::process::ExitStatus;
use std::sync::{Arc, OnceLock};

/// The library with its default launcher.
pub fn auto(job: &Job) -> io::Result<Spawn> {
    with_launcher(job, Launcher::Auto)
}

/// The library with the fork launcher, which it uses for hooks and on systems without clone.
pub fn fork(job: &Job) -> io::Result<Spawn> {
    with_launcher(job, Launcher::Fork)
}

/// The library with `Isolated`. The process has one `Isolated` for all spawns, as a program would have.
pub fn isolated(job: &Job) -> io::Result<Spawn> {
    static ISOLATED: OnceLock<Isolated> = OnceLock::new();
    let isolated = match ISOLATED.get() {
        Some(isolated) => isolated,
        None => {
            let started = Isolated::new()?;
            ISOLATED.get_or_init(|| started)
        }
    };
    let mut command = command(job)?;
    command.isolated(isolated);
    Ok(spawn_and_wait(command, job.work))
}

fn with_launcher(job: &Job, launcher: Launcher) -> io::Result<Spawn> {
    let mut command = command(job)?;
    command.launcher(launcher);
    Ok(spawn_and_wait(command, job.work))
}

/// The command. Each case builds it once and spawns it repeatedly. It closes all other descriptors, which is the
/// default.
pub fn command(job: &Job) -> io::Result<Command<'static>> {
    let mut command = Command::new(&job.program);
    command.args(&job.arguments);
    if job.work == Work::Pipes {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    }
    if job.work == Work::Attributes {
        attributes::set(&mut command);
    }
    for (target, source) in (FIRST_TARGET..).zip(job.sources()?) {
        command.fd(target, Arc::new(source));
    }
    Ok(command)
}

pub fn spawn_and_wait(mut command: Command<'static>, work: Work) -> Spawn {
    match work {
        Work::Pipes => Box::new(move || succeeded(command.spawn()?.wait()?)),
        _ => Box::new(move || succeeded(command.status()?)),
    }
}

/// An error unless the program has exited with 0.
pub fn succeeded(status: ExitStatus) -> io::Result<()> {
    if status.success() { Ok(()) } else { Err(io::Error::other(status.to_string())) }
}
