//! The run itself: fdrun builds the command, and explains, executes or starts it.

use crate::child::{self, Output};
use crate::request::{Picture, Request};
use crate::single::Single;
use crate::tree::{self, Tree};
use crate::{pipeline, readings, signals, table, terminal, usage};
use fdspawn::{Command, OnDrop, Reach, Teardown};
use std::error::Error;
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};
use std::time::Instant;

/// Does what the command line asks for.
pub fn run(request: Request) -> Result<ExitCode, Box<dyn Error>> {
    if request.is_pipeline() || request.explain == Some(Picture::Dot) {
        return pipeline::run(request);
    }
    run_single(request)
}

/// Builds the command, and does with it what the command line asks for.
fn run_single(mut request: Request) -> Result<ExitCode, Box<dyn Error>> {
    let stage = request.stages.pop().expect("the parser has found a program");
    let explain = request.explain.is_some();
    let (reach, foreground) = (request.tree.unwrap_or(Reach::Process), stage.foreground);
    let makes_session = stage.makes_session;
    let connected: Vec<_> = stage.connections.iter().map(|(target, _)| *target).collect();
    // The explanation of a command makes no cgroup.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let (mut stage, makes_cgroup) = (stage, reach == Reach::Cgroup && !explain);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let parent_of_cgroup = stage.cgroup.take_if(|_| makes_cgroup);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if stage.parent_death == Some(None) && request.exec && !explain {
        // A new process starts without one. With --exec, it is this process that has one.
        signals::clear_parent_death_signal();
    }
    let path = if request.table { std::env::current_exe()?.into() } else { stage.program.clone() };
    let removed = stage.moved_variables.clone();
    let mut command = stage.build(&path, &removed, explain)?;
    tree::prepare(&mut command, reach, makes_session);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let own_cgroup = makes_cgroup.then(|| tree::prepare_cgroup(&mut command, parent_of_cgroup)).transpose()?;
    let all_lines = request.readings.lines;
    let readings = request.readings.into_list(&connected);
    let slots: Vec<_> = readings.iter().map(|reading| command.reader(reading.number)).collect();

    if explain {
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
    let terminal = foreground.then(terminal::Foreground::now).flatten();
    let begin = Instant::now();
    // The command is dropped after the start: the data that it has may be secret.
    let start = move || {
        // After an error of fdrun, the program does not go on alone.
        let mut child = command.on_drop(OnDrop::End(Teardown::kill())).spawn()?;
        let tree = Tree::new(&mut child, reach)?;
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let tree = tree.in_cgroup(own_cgroup);
        Ok(Single { child, tree })
    };
    let (job, code) = child::run(start, output, &request.times, terminal)?;
    let Single { mut child, tree } = job;
    let (status, used) = child.wait_usage()?;
    drop(tree);
    if request.usage {
        usage::print(used, begin.elapsed());
    }
    code.map_or_else(|| end(status), |code| Ok(ExitCode::from(code)))
}

/// Executes the program in this process. Returns the error if that fails.
///
/// fdrun has no other thread and uses no descriptor afterwards, so the targets may replace any descriptor of fdrun.
fn replace(mut command: Command<'_>) -> fdspawn::Error {
    // SAFETY: fdrun has one thread, and uses no descriptor afterwards.
    unsafe { command.exec_any_target() }
}

/// Ends as the program has ended.
pub fn end(status: ExitStatus) -> Result<ExitCode, Box<dyn Error>> {
    let signal = status.signal();
    if let Some(signal) = signal {
        signals::end_by(signal);
    }
    let code = status.code().or(signal.map(|signal| 128 + signal));
    Ok(ExitCode::from(u8::try_from(code.expect("a child that has ended has a status or a signal"))?))
}
