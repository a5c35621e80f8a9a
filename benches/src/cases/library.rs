//! The library.

use super::job::{FIRST_TARGET, Job, Run};
use crate::parts::Work;
use fdspawn::{Command, Isolated, Launcher, Stdio};
use std::io;
use std::process::ExitStatus;
use std::sync::{Arc, OnceLock};

/// As a user gets it.
pub fn auto(job: &Job) -> io::Result<Run> {
    by(job, Launcher::Auto)
}

/// The launcher for hooks and for systems without clone.
pub fn fork(job: &Job) -> io::Result<Run> {
    by(job, Launcher::Fork)
}

/// From a thread with a descriptor table of its own: one for the process, as a program would have it.
pub fn isolated(job: &Job) -> io::Result<Run> {
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
    Ok(runner(command, job.work))
}

fn by(job: &Job, launcher: Launcher) -> io::Result<Run> {
    let mut command = command(job)?;
    command.launcher(launcher);
    Ok(runner(command, job.work))
}

/// The command, which is built once and spawned again and again. The rest is closed, as it always is.
pub fn command(job: &Job) -> io::Result<Command<'static>> {
    let mut command = Command::new(&job.program);
    if job.work == Work::Pipes {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    }
    for (target, source) in (FIRST_TARGET..).zip(job.sources()?) {
        command.fd(target, Arc::new(source));
    }
    Ok(command)
}

pub fn runner(mut command: Command<'static>, work: Work) -> Run {
    match work {
        Work::Status | Work::Mapped => Box::new(move || succeeded(command.status()?)),
        Work::Pipes => Box::new(move || succeeded(command.spawn()?.wait()?)),
    }
}

/// Only a program that has run counts.
pub fn succeeded(status: ExitStatus) -> io::Result<()> {
    if status.success() { Ok(()) } else { Err(io::Error::other(status.to_string())) }
}
