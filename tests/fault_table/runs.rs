//! Runs an entrance in a subject, and tells its result as text.

use super::attributes;
use super::entrances::{Entrance, Way, What};
use super::program::{self, SLOT, Talk};
use super::subject::{
    LEAKS, LEFT, MOVED, MOVED_TOO, Mark, RIGHT, Surroundings, between_marks, mark, mark_group, mark_only, moved, owned,
    program_arguments,
};
use fdspawn::{
    Capture, Captured, Child, Children, Command, Ended, Exchange, FdMap, Finished, Graph, Isolated, Keep, Launcher,
    Reach, Reached, Running, Slot, Statuses, Stdio, Stop, Teardown, block_on,
};
use std::fs::File;
use std::io::{PipeReader, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::OnceLock;
use std::time::Duration;
/// Runs the entrance in a subject; returns its result as text.
pub fn run(entrance: &Entrance, surroundings: &'static Surroundings) -> String {
    let result = match entrance.what {
        What::Exec | What::ExecMissing => return exec(entrance, surroundings),
        What::ForkRun => fork_run(entrance, surroundings),
        What::IsolatedNew => between_marks(|| Isolated::new().map(drop)).map(said),
        What::Close => between_marks(|| fdspawn::fd::close(moved(MOVED))).map(said),
        What::CloseAll => between_marks(|| fdspawn::fd::close_all([moved(MOVED), moved(MOVED_TOO)])).map(said),
        What::SyncAndClose => between_marks(|| fdspawn::fd::sync_and_close(moved(MOVED))).map(said),
        // SAFETY: the subject does not use what has these numbers.
        What::CloseFrom => between_marks(|| unsafe { fdspawn::fd::close_from(LEAKS[0]) }).map(said),
        _ => launch(entrance, surroundings),
    };
    mark(Mark::Settled);
    result.unwrap_or_else(|panic| panic)
}

/// A result that has no value.
fn said<E: std::fmt::Display>(result: Result<(), E>) -> String {
    result.map_or_else(error, |()| "ok".to_owned())
}

fn error(error: impl std::fmt::Display) -> String {
    format!("error: {error}")
}

/// The plan: a moved, a mapped and a kept file, a cycle, data, `/dev/null`, pipes at 0 to 2 and at a slot.
fn map(entrance: &Entrance, surroundings: &'static Surroundings) -> (FdMap<'static>, Option<Slot<PipeReader>>) {
    let mut map = FdMap::new();
    map.fd(6, &surroundings.mapped)
        .fd(LEFT, &surroundings.right)
        .fd(RIGHT, &surroundings.left)
        .keep(&surroundings.kept)
        .fd(5, Stdio::data("data"))
        .fd(8, Stdio::null())
        .rest(entrance.rest)
        .missing(entrance.missing);
    let has_pipes = !matches!(entrance.what, What::Exec | What::ExecMissing);
    if matches!(entrance.what, What::Line | What::Tee) {
        map.stderr(Stdio::piped());
    } else if has_pipes && entrance.what != What::Status {
        map.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    }
    let slot = has_pipes.then(|| map.reader(SLOT));
    (map, slot)
}

/// A command with the plan, and its slot.
fn command(
    entrance: &Entrance,
    surroundings: &'static Surroundings,
    talk: Talk,
) -> (Command<'static>, Option<Slot<PipeReader>>) {
    let program = match entrance.what {
        What::SpawnMissing | What::ExecMissing if talk != Talk::Nothing => surroundings.directory.join("missing"),
        // By a search of PATH.
        What::Status => program::LINK.into(),
        _ => std::env::current_exe().unwrap(),
    };
    let mut command = if entrance.what == What::Function {
        // SAFETY: the process has one thread, and the function uses the descriptors of the plan only.
        unsafe { Command::function("function", move || in_child(talk, surroundings)) }
    } else {
        let mut command = Command::new(program);
        command.args(program_arguments(talk, &surroundings.directory));
        command
    };
    let (map, slot) = map(entrance, surroundings);
    command.fd_map(map);
    command.launcher(if entrance.way == Way::Fork { Launcher::Fork } else { Launcher::Auto });
    if entrance.what == What::EndGroup {
        command.process_group(0);
    }
    if entrance.directory_fd {
        command.current_dir_fd(&surroundings.directory_fd);
    } else {
        command.current_dir(&surroundings.directory);
    }
    if let Some(special) = &surroundings.special {
        attributes::set(&mut command, special);
    }
    if entrance.way == Way::Hook {
        // SAFETY: the hook does nothing.
        unsafe { command.pre_exec(|| Ok(())) };
    }
    if entrance.way == Way::Isolated {
        static ISOLATED: OnceLock<Isolated> = OnceLock::new();
        command.isolated(ISOLATED.get_or_init(|| Isolated::new().unwrap()));
    }
    (command, slot)
}

fn launch(entrance: &Entrance, surroundings: &'static Surroundings) -> Result<String, String> {
    if entrance.what != What::FirstSpawn {
        // The process has launched before, so what a launch keeps for the next one is there.
        let (mut command, _) = command(entrance, surroundings, Talk::Nothing);
        command.status().unwrap();
    }
    let (mut command, slot) = command(entrance, surroundings, entrance.talk());
    command.fd(7, moved(MOVED));
    match entrance.what {
        What::Status => {
            between_marks(|| command.status()).map(|result| result.map_or_else(error, |status| format!("ok: {status}")))
        }
        What::Output => between_marks(|| command.output()).map(|result| {
            let text = |output: std::process::Output| {
                let [out, err] =
                    [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
                format!("ok: {}, {out}, {err}", output.status)
            };
            result.map_or_else(error, text)
        }),
        What::Capture => {
            let how = Capture::new().input("input").keep(Keep::AtMost(1000)).timeout(LONG);
            let result = between_marks(|| command.capture(&how));
            result.map(|result| result.map_or_else(error, |captured| captured_text(&captured, slot.unwrap())))
        }
        What::EndGroup | What::EndDescendants => end_all(entrance, &mut command, slot.unwrap()),
        What::Exchange | What::DrivenExchange => exchange(entrance, &mut command, slot.unwrap()),
        What::Set => {
            let how = Capture::new().input("input").keep(Keep::AtMost(1000)).timeout(LONG);
            let result = between_marks(|| {
                let mut children = Children::new();
                children.capture(&mut command, &how, ())?;
                children.next()
            });
            result.map(|result| result.map_or_else(error, |finished| finished_text(finished, slot.unwrap())))
        }
        What::Line | What::Tee => graph(entrance, surroundings, command, slot.unwrap()),
        What::Wait => {
            let mut child = command.spawn().unwrap();
            let text = converse(&mut child, slot.unwrap());
            let result = between_marks(|| child.wait());
            // The caller tries it again.
            child.wait().unwrap();
            result.map(|result| result.map_or_else(error, |status| format!("ok: {text}, {status}")))
        }
        _ => between_marks(|| command.spawn()).map(|result| result.map_or_else(error, |child| end(child, slot))),
    }
}

/// Starts a graph whose middle stage is the command with the plan, and waits for it.
fn graph(
    entrance: &Entrance,
    surroundings: &'static Surroundings,
    command: Command<'static>,
    slot: Slot<PipeReader>,
) -> Result<String, String> {
    let mut graph = Graph::new();
    let other = |talk| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(program_arguments(talk, &surroundings.directory));
        command.launcher(if entrance.way == Way::Fork { Launcher::Fork } else { Launcher::Auto });
        command
    };
    let source = graph.stage(other(Talk::Source));
    let middle = graph.stage(command);
    let last = graph.stage(other(Talk::Sink));
    let mut slots = vec![slot, graph.reader([last.stdout()])];
    if entrance.what == What::Line {
        graph.pipe([source.stdout()], [middle.stdin()]).pipe([middle.stdout()], [last.stdin()]);
    } else {
        let copy = graph.stage(other(Talk::Sink));
        graph.tee(source.stdout(), [middle.stdin(), copy.stdin()]).spool(middle.stdout(), last.stdin());
        slots.push(graph.reader([copy.stdout()]));
    }
    let mut running = None;
    let result = between_marks(|| running.insert(graph.spawn()?).wait());
    let texts = |statuses: Statuses| {
        let running: &mut Running = running.as_mut().unwrap();
        let stderr = running.take_stderr(middle);
        let ends = slots.iter().map(|&slot| running.take(slot)).chain([stderr]).flatten();
        let mut text = String::new();
        for mut end in ends {
            end.read_to_string(&mut text).unwrap();
            text.push_str("; ");
        }
        let statuses: Vec<_> = statuses.iter().map(|stage| stage.status.to_string()).collect();
        format!("ok: {text}{statuses:?}")
    };
    let result = result.map(|result: fdspawn::Result<_>| result.map_or_else(error, texts));
    if let Some(mut running) = running {
        // The caller tries it again.
        let _ = running.wait();
    }
    result
}

/// A time that is never over.
const LONG: Duration = Duration::from_secs(60);

/// What has come of the only member of a set.
fn finished_text(finished: Option<Finished<'_, ()>>, slot: Slot<PipeReader>) -> String {
    let Finished { status, captured, .. } = finished.expect("the set has a child");
    status.map_or_else(error, |_| captured_text(&captured.expect("a capture"), slot))
}

fn captured_text(captured: &Captured, slot: Slot<PipeReader>) -> String {
    let Captured { status, stop, ended, unsent, .. } = captured;
    let texts = [&captured.stdout, &captured.stderr, captured.bytes(slot)].map(String::from_utf8_lossy);
    format!("ok: {status:?}, {texts:?}, {stop:?}, {ended:?}, {unsent} left")
}

/// Ends the program and the process that it has started.
fn end_all(entrance: &Entrance, command: &mut Command<'static>, slot: Slot<PipeReader>) -> Result<String, String> {
    let mut child = command.spawn().unwrap();
    let how = if entrance.what == What::EndGroup {
        mark_group(child.id());
        Teardown::term(LONG).reach(Reach::Group)
    } else {
        Teardown::kill().reach(Reach::Descendants)
    };
    let ends: [OwnedFd; 3] =
        [child.stdin.take().unwrap().into(), child.stdout.take().unwrap().into(), child.stderr.take().unwrap().into()];
    let mut slot = child.take(slot).unwrap();
    // Each of the two is there when it has written this.
    slot.read_exact(&mut [0; "slotslot".len()]).unwrap();
    let result = between_marks(|| child.end(&how));
    let result = result.map(|result| {
        let text = |ended: Ended| {
            let Ended { status, by, reached, .. } = ended;
            let count = if let Reached::Descendants(count) = reached { count } else { 0 };
            let left = if has_ended(&slot) { "no process" } else { "a process" };
            format!("ok: {status}, by {by:?}, {count} descendants, {left} is left")
        };
        result.map_or_else(error, text)
    });
    // The caller tries it again.
    child.end(&how).unwrap();
    // The numbers are not the entrance's to close.
    std::mem::forget((ends, slot));
    result
}

/// Whether no process holds the other end of a pipe any more. One that has been killed may take a moment.
fn has_ended(pipe: &PipeReader) -> bool {
    let mut poll = libc::pollfd { fd: pipe.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one structure is written.
    unsafe { libc::poll(&raw mut poll, 1, 2000) == 1 && poll.revents & libc::POLLHUP != 0 }
}

/// Exchanges bytes with the program.
fn exchange(entrance: &Entrance, command: &mut Command<'static>, slot: Slot<PipeReader>) -> Result<String, String> {
    let mut child = command.spawn().unwrap();
    // The plan has closed what had these numbers, or the caller does.
    let stdin = owned(&File::from(OwnedFd::from(child.stdin.take().unwrap())), MOVED, true);
    let stdout = owned(&File::from(OwnedFd::from(child.stdout.take().unwrap())), MOVED_TOO, true);
    let result = between_marks(|| {
        let mut exchange = Exchange::new();
        exchange.feed(stdin, "input");
        let output = exchange.drain(stdout, Keep::AtMost(1000));
        // Whether the run notices the end of a watched child depends on time. `Command::capture` watches its child, and waits for it.
        exchange.timeout(LONG);
        let stop = if entrance.what == What::Exchange { exchange.run()? } else { block_on(&mut exchange)? };
        Ok((stop, exchange.bytes(output)))
    });
    let (mut error_end, mut slot) = (child.stderr.take().unwrap(), child.take(slot).unwrap());
    let status = child.wait().unwrap();
    let mut rest = String::new();
    error_end.read_to_string(&mut rest).unwrap();
    slot.read_to_string(&mut rest).unwrap();
    std::mem::forget((error_end, slot));
    let text = |(stop, output): (Stop, Vec<u8>)| {
        format!("ok: {stop:?}, {}, {rest}, {status}", String::from_utf8_lossy(&output))
    };
    result.map(|result: fdspawn::Result<_>| result.map_or_else(error, text))
}

/// Talks with the program, and waits for it.
fn end(mut child: Child, slot: Option<Slot<PipeReader>>) -> String {
    let text = converse(&mut child, slot.unwrap());
    child.wait().map_or_else(error, |status| format!("ok: {text}, {status}"))
}

fn converse(child: &mut Child, slot: Slot<PipeReader>) -> String {
    let mut text = String::new();
    if let Some(mut input) = child.stdin.take() {
        let _ = input.write_all(b"input");
    }
    let outputs = [child.stdout.take(), child.stderr.take(), child.take(slot)];
    for mut output in outputs.into_iter().flatten() {
        let result = output.read_to_string(&mut text);
        text.push_str(if result.is_ok() { "; " } else { "unreadable; " });
    }
    text
}

/// The subject is a forked process, so that the kernel knows whether it has executed a program.
fn exec(entrance: &Entrance, surroundings: &'static Surroundings) -> String {
    let (mut command, _) = command(entrance, surroundings, entrance.talk());
    command.fd(7, moved(MOVED));
    // SAFETY: the process has one thread.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // The plan swaps two files of the process, which only this one may do.
        // SAFETY: the process has one thread.
        let text = between_marks(|| unsafe { command.exec_any_target() }).map_or_else(|panic| panic, error);
        drop(command);
        mark(Mark::Settled);
        std::fs::write(surroundings.directory.join("exec"), text).unwrap();
        // SAFETY: the process ends.
        unsafe { libc::_exit(0) }
    }
    let mut status = 0;
    // SAFETY: one number is written.
    unsafe { libc::waitpid(pid, &raw mut status, 0) };
    match std::fs::read_to_string(surroundings.directory.join("exec")) {
        Ok(text) => text,
        Err(_) if status == libc::SIGKILL => "killed".to_owned(),
        Err(_) => format!("ok: {status}"),
    }
}

fn fork_run(entrance: &Entrance, surroundings: &'static Surroundings) -> Result<String, String> {
    let (mut warm, _) = map(entrance, surroundings);
    // SAFETY: the process has one thread, and the function uses nothing.
    unsafe { fdspawn::fork_run(&mut warm, || 0) }.unwrap().wait().unwrap();
    let (mut map, slot) = map(entrance, surroundings);
    map.fd(7, moved(MOVED));
    let function = || in_child(entrance.talk(), surroundings);
    // SAFETY: the process has one thread, and the function uses the descriptors of the plan only.
    let result = between_marks(|| unsafe { fdspawn::fork_run(&mut map, function) });
    result.map(|result| result.map_or_else(error, |child| end(child, slot)))
}

/// The function of a forked child.
fn in_child(talk: Talk, surroundings: &Surroundings) -> i32 {
    mark_only(Mark::Function);
    program::run(talk, &surroundings.directory)
}
