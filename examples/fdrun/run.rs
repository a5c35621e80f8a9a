//! The run itself: fdrun builds the command, and explains, executes or starts it.

use crate::request::Request;
use crate::{lines, signals, sources, table, terminal};
use fdspawn::{Command, Launcher, Slot};
use std::error::Error;
use std::io::{self, PipeReader, Write};
use std::os::fd::RawFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

/// Builds the command, and does with it what the command line asks for.
pub fn run(request: Request) -> Result<ExitCode, Box<dyn Error>> {
    let mut command =
        if request.table { Command::new(std::env::current_exe()?) } else { Command::new(&request.program) };
    command.args(request.args).arg0(request.program).rest(request.rest);
    command.launcher(request.launcher.unwrap_or(Launcher::Auto));
    // --clear-env may come after --env, and does not remove its variables.
    if request.clear_env {
        command.env_clear();
    }
    for name in request.moved_variables {
        command.env_remove(name);
    }
    for change in request.changes {
        change(&mut command);
    }
    command.foreground(request.foreground);
    if let Some(blocked) = &request.blocked {
        command.signal_mask(blocked);
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        match request.parent_death {
            Some(Some(signal)) => {
                command.parent_death_signal(signal);
            }
            // A new process starts without one. With --exec, it is this process that has one.
            Some(None) if request.exec && !request.explain => signals::clear_parent_death_signal(),
            _ => {}
        }
        if let Some(path) = request.cgroup {
            command.cgroup(sources::cgroup(path)?);
        }
    }
    for (target, source) in request.connections {
        command.fd(target, sources::open(source, target, request.explain)?);
    }
    let pipes: Vec<_> = request.pipes.into_iter().map(|number| (number, command.reader(number))).collect();

    if request.explain {
        write!(io::stdout(), "{}", command.explain().into_result()?)?;
        return Ok(ExitCode::SUCCESS);
    }
    if request.table {
        table::print(command)?;
        return Ok(ExitCode::SUCCESS);
    }
    if request.exec {
        return Err(replace(command).into());
    }
    let terminal = request.foreground.then(terminal::Foreground::now).flatten();
    let ended = run_child(command, pipes);
    if let Some(terminal) = terminal {
        terminal.restore();
    }
    end(ended?)
}

/// Executes the program in this process. Returns the error if that fails.
///
/// fdrun has no other thread and uses no descriptor afterwards, so the targets may replace any descriptor of fdrun.
fn replace(mut command: Command<'_>) -> fdspawn::Error {
    // SAFETY: fdrun has one thread, and uses no descriptor afterwards.
    unsafe { command.exec_any_target() }
}

/// Starts the program, passes signals on to it, and reads its pipes until it has ended.
fn run_child(mut command: Command<'_>, pipes: Vec<(RawFd, Slot<PipeReader>)>) -> Result<ExitStatus, Box<dyn Error>> {
    // Not earlier: a signal has to end an fdrun that waits for a writer of a FIFO, or for the end of its standard input.
    signals::note_signals();
    let mut child = command.spawn()?;
    drop(command); // The data that it has may be secret.
    let blocked = signals::Blocked::new();
    let pipes = pipes.into_iter().map(|(number, slot)| (number, child.take(slot).expect("taken once")));
    let ends = match lines::start_readers(pipes) {
        Ok(ends) => ends,
        Err(error) => {
            let _ = child.kill();
            let _ = child.wait();
            return Err(error.into());
        }
    };
    let ended = blocked.wait(&child)?;
    // A process that the program has started may have the pipes, too.
    if ended.asked_to_end {
        let _ = ends.recv_timeout(LONGEST_READ);
    } else {
        blocked.end_by_signals();
        let _ = ends.recv();
    }
    Ok(ended.status)
}

/// Ends as the program has ended.
fn end(status: ExitStatus) -> Result<ExitCode, Box<dyn Error>> {
    let signal = status.signal();
    if let Some(signal) = signal {
        signals::end_by(signal);
    }
    let code = status.code().or(signal.map(|signal| 128 + signal));
    Ok(ExitCode::from(u8::try_from(code.expect("a child that has ended has a status or a signal"))?))
}

/// How long fdrun reads the pipes of a program that was asked to end and has ended. What the program itself has written is in
/// the pipes already.
const LONGEST_READ: Duration = Duration::from_secs(1);
