//! The run itself: fdrun builds the command, and explains, executes or starts it.

use crate::child::{self, Output};
use crate::request::Request;
use crate::tree::{self, Tree};
use crate::{readings, signals, sources, table, terminal, usage};
use fdspawn::{Child, Command, Launcher, Reach};
use std::error::Error;
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};
use std::time::Instant;

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
    let reach = request.tree.unwrap_or(Reach::Process);
    tree::prepare(&mut command, reach, request.makes_session);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let mut own_cgroup = None;
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
        // The explanation of a command makes no cgroup.
        if reach == Reach::Cgroup && !request.explain {
            own_cgroup = Some(tree::prepare_cgroup(&mut command, request.cgroup)?);
        } else if let Some(path) = request.cgroup {
            command.cgroup(sources::cgroup(path)?);
        }
    }
    let all_lines = request.readings.lines;
    let connected: Vec<_> = request.connections.iter().map(|(target, _)| *target).collect();
    for (target, source) in request.connections {
        command.fd(target, sources::open(source, target, request.explain)?);
    }
    let readings = request.readings.into_list(&connected);
    let slots: Vec<_> = readings.iter().map(|reading| command.reader(reading.number)).collect();

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
    let output = Output { files: readings::open(&readings)?, readings, slots, all_lines };
    let terminal = request.foreground.then(terminal::Foreground::now).flatten();
    let start = Instant::now();
    let make_tree = |child: &mut Child| {
        let tree = Tree::new(child, reach)?;
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let tree = tree.in_cgroup(own_cgroup);
        Ok(tree)
    };
    let ended = child::run(command, output, make_tree, &request.times, terminal)?;
    if request.usage {
        usage::print(ended.usage, start.elapsed());
    }
    match ended.code {
        Some(code) => Ok(ExitCode::from(code)),
        None => end(ended.status),
    }
}

/// Executes the program in this process. Returns the error if that fails.
///
/// fdrun has no other thread and uses no descriptor afterwards, so the targets may replace any descriptor of fdrun.
fn replace(mut command: Command<'_>) -> fdspawn::Error {
    // SAFETY: fdrun has one thread, and uses no descriptor afterwards.
    unsafe { command.exec_any_target() }
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
