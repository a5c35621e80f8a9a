//! The run itself: fdrun builds the command, and explains, executes or starts it.

use crate::request::Request;
use crate::timeout::{Clock, Times};
use crate::tree::{self, Tree};
use crate::{lines, signals, sources, table, terminal, usage};
use fdspawn::{Child, Command, Launcher, OnDrop, Reach, Slot, Teardown, Usage};
use std::error::Error;
use std::io::{self, PipeReader, Write};
use std::os::fd::RawFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};
use std::time::{Duration, Instant};

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
    let start = Instant::now();
    let make_tree = |child: &mut Child| {
        let tree = Tree::new(child, reach)?;
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let tree = tree.in_cgroup(own_cgroup);
        Ok(tree)
    };
    let ended = run_child(command, pipes, make_tree, &request.times, terminal)?;
    if request.usage {
        usage::print(ended.usage, start.elapsed());
    }
    match ended.code {
        Some(code) => Ok(ExitCode::from(code)),
        None => end(ended.status),
    }
}

/// How the program has ended.
struct Ended {
    status: ExitStatus,
    usage: Option<Usage>,
    /// The exit status of fdrun, if it is not the program's.
    code: Option<u8>,
}

/// Executes the program in this process. Returns the error if that fails.
///
/// fdrun has no other thread and uses no descriptor afterwards, so the targets may replace any descriptor of fdrun.
fn replace(mut command: Command<'_>) -> fdspawn::Error {
    // SAFETY: fdrun has one thread, and uses no descriptor afterwards.
    unsafe { command.exec_any_target() }
}

/// Starts the program, passes signals on to it, and reads its pipes until it has ended. The terminal comes back as soon as the program has
/// ended, since a signal may end fdrun while it still reads the pipes; it also comes back after an error.
fn run_child(
    mut command: Command<'_>,
    pipes: Vec<(RawFd, Slot<PipeReader>)>,
    make_tree: impl FnOnce(&mut Child) -> fdspawn::Result<Tree>,
    times: &Times,
    terminal: Option<terminal::Foreground>,
) -> Result<Ended, Box<dyn Error>> {
    // Not earlier: a signal has to end an fdrun that waits for a writer of a FIFO, or for the end of its standard input.
    signals::note_signals();
    // After an error of fdrun, the program does not go on alone.
    let mut child = command.on_drop(OnDrop::End(Teardown::kill())).spawn()?;
    let mut clock = Clock::start(times);
    let mut tree = make_tree(&mut child)?;
    drop(command); // The data that it has may be secret.
    let blocked = signals::Blocked::new();
    let pipes = pipes.into_iter().map(|(number, slot)| (number, child.take(slot).expect("taken once")));
    let ends = lines::start_readers(pipes)?;
    let asked_to_end = blocked.wait(&child, &mut tree, &mut clock)?;
    drop(terminal);
    // A process that the program has started may have the pipes, too.
    if asked_to_end {
        let _ = ends.recv_timeout(LONGEST_READ);
    } else {
        blocked.end_by_signals();
        match clock.timeout() {
            Some(time) => _ = ends.recv_timeout(time.saturating_duration_since(Instant::now()).max(LONGEST_READ)),
            None => _ = ends.recv(),
        }
    }
    let (status, usage) = child.wait_usage()?;
    Ok(Ended { status, usage, code: clock.code(status) })
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
