//! A command-line tool: `fdrun` starts a program with exactly the descriptors that the command line names.
//!
//! ```text
//! fdrun [OPTION]... [--] PROGRAM [ARG]...
//! ```
//!
//! `fdrun --help` lists the options. Five examples; in a checkout, run them as `cargo run --example fdrun -- ...`:
//!
//! ```text
//! fdrun --fd 5=data:hello --fd 7=append:audit.log -- sh -c 'read word <&5; echo "got $word" >&7'
//! fdrun --fd 1=parent:2 --fd 2=parent:1 --pipe-from 3 -- sh -c 'echo to stderr; echo a line to fdrun >&3'
//! PASSWORD=hush fdrun --exec --fd 5=env:PASSWORD -- sh -c 'read secret <&5'
//! fdrun --explain --keep 3 --fd 4=same:3 -- cat 3</etc/hosts
//! fdrun --table --fd 5=data:hello --fd 0=null
//! ```
//!
//! fdrun ends as its program does: with the program's exit status, or by the signal that has killed the program (a shell
//! shows 128 plus the signal's number). If the program is not found, the exit status is 127; if the program cannot be
//! executed, 126; for any other error of fdrun, 125. fdrun passes SIGHUP, SIGINT, SIGQUIT and SIGTERM on to the program.
//!
//! All users of a system can read command lines, and so the TEXT of `data:TEXT`. For secrets there are `data-from:FILE` and
//! `env:NAME`.

use fdspawn::inspect::DescriptorTable;
use fdspawn::plan::Refusal;
use fdspawn::{Command, Failure, Launcher, Rest, Slot, Stdio};
use lexopt::prelude::*;
use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, PipeReader, Read, Write};
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

#[path = "fdrun/signals.rs"]
mod signals;

/// The first and the last lines of `--help`. The lines between them come from [`OPTIONS`].
const HELP_START: &str = "\
Usage: fdrun [OPTION]... [--] PROGRAM [ARG]...
Run PROGRAM with 0, 1, 2 and the descriptors that the options name; close all others.
";
const HELP_END: &str = "\
Options may come in any order. fdrun passes SIGHUP, SIGINT, SIGQUIT and SIGTERM on to
PROGRAM. It ends as PROGRAM does: with its status, or by the signal that killed it.
127: PROGRAM was not found; 126: it cannot be executed; 125: any other error.
";

/// An option: its name and the name of its value, its help text, and what it does.
struct Row(&'static str, &'static str, Action);

enum Action {
    /// For an option without a value.
    Flag(fn(&mut Request)),
    /// For an option with a value.
    Takes(fn(&mut Request, OsString) -> Parsed),
}

use Action::{Flag, Takes};

/// Whether the value of an option is valid.
type Parsed = Result<(), Box<dyn Error>>;

/// All options, in the order of `--help`. A new option is one more row.
const OPTIONS: &[Row] = &[
    Row("--fd N=SPEC", FD_HELP, Takes(Request::connect)),
    Row("--keep N", "descriptor N of fdrun, under the same number", Takes(Request::keep)),
    Row("--pipe-from N", PIPE_FROM_HELP, Takes(Request::pipe_from)),
    Row("--inherit-rest", INHERIT_REST_HELP, Flag(|request| request.rest = Rest::Inherit)),
    Row("--launcher NAME", "auto, clone or fork", Takes(Request::choose_launcher)),
    Row("--cwd DIR", CWD_HELP, Takes(|request, value| request.change(|command| command.current_dir(value)))),
    Row("--env NAME=VALUE", "set a variable", Takes(Request::variable)),
    Row("--clear-env", "pass no variables but those of --env", Flag(|request| request.clear_env = true)),
    Row("--arg0 NAME", ARG0_HELP, Takes(|request, value| request.change(|command| command.arg0(value)))),
    Row("--exec", EXEC_HELP, Flag(|request| request.exec = true)),
    Row("--explain", EXPLAIN_HELP, Flag(|request| request.explain = true)),
    Row("--table", TABLE_HELP, Flag(|request| request.table = true)),
    Row("--help", "print this", Flag(|request| request.help = true)),
];

const FD_HELP: &str = "\
connect the child's descriptor N. SPEC is one of
  read:PATH       the file, for reading
  write:PATH      the file, created or truncated
  append:PATH     the file, created or appended to
  rw:PATH         the file, created, for reading and writing
  parent:M        descriptor M of fdrun
  same:M          a duplicate of the child's descriptor M
  data:TEXT       TEXT, then end-of-file. Not for secrets: all users of
                  the system can read the command line of fdrun
  data-from:FILE  what fdrun reads from FILE, or from standard input if
                  FILE is `-`, then end-of-file
  env:NAME        the value of the variable NAME, then end-of-file;
                  PROGRAM does not get the variable
  null            /dev/null
  closed          nothing: N is closed";
const PIPE_FROM_HELP: &str = "\
read what the child writes to N, and write each line of it
to standard error as `N: line`";
const INHERIT_REST_HELP: &str = "let PROGRAM inherit the other descriptors without close-on-exec";
const CWD_HELP: &str = "start in DIR; PATHs are still relative to fdrun's directory";
const ARG0_HELP: &str = "pass NAME as argv[0] of PROGRAM";
const EXEC_HELP: &str = "\
execute PROGRAM in the process of fdrun, so that no process stands
between; not with --pipe-from, --launcher or --table";
const EXPLAIN_HELP: &str = "\
print the plan and the steps of a child; run nothing, open no PATH or
FILE";
const TABLE_HELP: &str = "\
start fdrun again in place of PROGRAM, and print the
descriptor table that it finds";

/// A change of the command that an option asks for.
type Change = Box<dyn FnOnce(&mut Command<'static>)>;

/// What the command line asks for. `parse` reads the whole command line before fdrun opens any file.
struct Request {
    program: OsString,
    args: Vec<OsString>,
    changes: Vec<Change>,
    clear_env: bool,
    connections: Vec<(RawFd, Source)>,
    pipes: Vec<RawFd>,
    rest: Rest,
    launcher: Option<Launcher>,
    /// The variables whose values go to descriptors.
    moved_variables: Vec<OsString>,
    exec: bool,
    explain: bool,
    table: bool,
    help: bool,
    /// The descriptors that were open when fdrun started.
    open: DescriptorTable,
}

/// What a descriptor of the child is connected to.
enum Source {
    File(OpenOptions, PathBuf),
    /// The content of the file; of standard input for `-`.
    DataFrom(PathBuf),
    /// The value of the variable.
    Variable(OsString),
    Ready(Stdio<'static>),
}

fn main() -> ExitCode {
    show_own_table();
    let result = match parse(lexopt::Parser::from_env()) {
        Ok(request) if request.help => print_help(),
        Ok(request) => request.check().and_then(|()| run(request)),
        Err(error) => Err(error),
    };
    result.unwrap_or_else(|error| {
        // If standard error is closed too, only the exit status tells the caller about the error.
        let _ = io::stderr().write_all(format!("fdrun: {error}\n").as_bytes());
        let spawn = error.downcast_ref::<fdspawn::Error>();
        ExitCode::from(match spawn.map(|error| (error.failure(), error.kind())) {
            Some((Failure::Exec | Failure::Interpreter { .. }, io::ErrorKind::NotFound)) => 127,
            Some((Failure::Exec | Failure::Interpreter { .. }, _)) => 126,
            _ => 125,
        })
    })
}

fn print_help() -> Result<ExitCode, Box<dyn Error>> {
    let mut text = format!("{HELP_START}\n");
    for Row(usage, help, _) in OPTIONS {
        text += &format!("  {usage:<18}{}\n", help.replace('\n', "\n                    "));
    }
    io::stdout().write_all(format!("{text}\n{HELP_END}").as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Reads the command line.
fn parse(mut parser: lexopt::Parser) -> Result<Request, Box<dyn Error>> {
    let mut request = Request::new()?;
    while let Some(argument) = parser.next()? {
        let row = match argument {
            Long(name) => OPTIONS.iter().find(|Row(usage, ..)| usage[2..].split(' ').next() == Some(name)),
            Value(program) => {
                let args = parser.raw_args()?.collect();
                return Ok(Request { program, args, ..request });
            }
            Short(_) => None,
        };
        match row {
            Some(Row(_, _, Flag(action))) => action(&mut request),
            Some(Row(_, _, Takes(action))) => action(&mut request, parser.value()?)?,
            None => return Err(argument.unexpected().into()),
        }
        if request.help {
            return Ok(request);
        }
    }
    if request.table {
        return Ok(request);
    }
    Err("no PROGRAM is given; see --help".into())
}

impl Request {
    fn new() -> io::Result<Self> {
        Ok(Self {
            program: OsString::new(),
            args: Vec::new(),
            changes: Vec::new(),
            clear_env: false,
            connections: Vec::new(),
            pipes: Vec::new(),
            rest: Rest::default(),
            launcher: None,
            moved_variables: Vec::new(),
            exec: false,
            explain: false,
            table: false,
            help: false,
            // fdrun reads this table before it opens a descriptor, which could get a number that the command line
            // names. Rust's runtime has already opened 0, 1 and 2 if they were closed.
            open: DescriptorTable::current()?,
        })
    }

    /// Changes the command later, when `run` builds it. It always succeeds, so that a row of `OPTIONS` can end with it.
    fn change<C>(&mut self, change: C) -> Parsed
    where
        C: for<'a> FnOnce(&'a mut Command<'static>) -> &'a mut Command<'static> + 'static,
    {
        self.changes.push(Box::new(|command| {
            change(command);
        }));
        Ok(())
    }

    /// Refuses options that do not go together.
    fn check(&self) -> Parsed {
        let others = [
            ("--pipe-from", !self.pipes.is_empty(), "fdrun would not be there to read the pipe"),
            ("--launcher", self.launcher.is_some(), "no process is launched"),
            ("--table", self.table, "fdrun would not be there to print the table"),
        ];
        match others.into_iter().find(|(_, is_given, _)| self.exec && *is_given) {
            Some((option, _, reason)) => Err(format!("{option} does not go with --exec: {reason}").into()),
            None => Ok(()),
        }
    }

    fn connect(&mut self, value: OsString) -> Parsed {
        let (target, source) = connection(&value, &self.open)?;
        if let Source::Variable(name) = &source {
            self.moved_variables.push(name.clone());
        }
        self.connections.push((target, source));
        Ok(())
    }

    fn keep(&mut self, value: OsString) -> Parsed {
        let number = value.parse()?;
        self.connections.push((number, Source::Ready(parents(number, number, &self.open)?)));
        Ok(())
    }

    fn pipe_from(&mut self, value: OsString) -> Parsed {
        self.pipes.push(value.parse()?);
        Ok(())
    }

    fn choose_launcher(&mut self, value: OsString) -> Parsed {
        self.launcher = Some(match value.as_bytes() {
            b"auto" => Launcher::Auto,
            b"clone" => Launcher::Clone,
            b"fork" => Launcher::Fork,
            _ => return Err(wrong("--launcher takes auto, clone or fork", &value)),
        });
        Ok(())
    }

    fn variable(&mut self, value: OsString) -> Parsed {
        let (name, value) = split(&value, b'=').ok_or_else(|| wrong("--env takes NAME=VALUE", &value))?;
        let (name, value) = (name.to_owned(), value.to_owned());
        self.change(|command| command.env(name, value))
    }
}

/// Parses the `N=SPEC` of `--fd`.
fn connection(text: &OsStr, open: &DescriptorTable) -> Result<(RawFd, Source), Box<dyn Error>> {
    let wrong = || wrong("--fd takes N=SPEC", text);
    let number = |text: &OsStr| text.to_str().and_then(|text| text.parse().ok()).ok_or_else(wrong);
    let file = |options: &mut OpenOptions, path: &OsStr| Source::File(options.clone(), path.into());
    let (target, spec) = split(text, b'=').ok_or_else(wrong)?;
    let target = number(target)?;
    let (kind, operand) = split(spec, b':').map_or((spec, None), |(kind, operand)| (kind, Some(operand)));
    let source = match (kind.as_bytes(), operand) {
        (b"read", Some(path)) => file(File::options().read(true), path),
        (b"write", Some(path)) => file(File::options().write(true).create(true).truncate(true), path),
        (b"append", Some(path)) => file(File::options().append(true).create(true), path),
        (b"rw", Some(path)) => file(File::options().read(true).write(true).create(true), path),
        (b"parent", Some(source)) => Source::Ready(parents(number(source)?, target, open)?),
        (b"same", Some(other)) => Source::Ready(Stdio::same_as(number(other)?)),
        (b"data", Some(text)) => Source::Ready(Stdio::data(text.as_bytes())),
        (b"data-from", Some(path)) => Source::DataFrom(path.into()),
        (b"env", Some(name)) => Source::Variable(name.to_owned()),
        (b"null", None) => Source::Ready(Stdio::null()),
        (b"closed", None) => Source::Ready(Stdio::closed()),
        _ => return Err(wrong()),
    };
    Ok((target, source))
}

/// The descriptor `source` of fdrun, if it was open when fdrun started.
///
/// This is the only place where fdrun uses a descriptor by its number alone. The number comes from the command line, and the
/// descriptor from the process that started fdrun. No part of fdrun owns it, so it stays open until the spawn or the exec.
fn parents(source: RawFd, target: RawFd, open: &DescriptorTable) -> Result<Stdio<'static>, Refusal> {
    match open.get(source) {
        // SAFETY: the number was open when fdrun started, and fdrun closes no descriptor that it was started with.
        Some(_) => Ok(unsafe { Stdio::inherit_from(source) }),
        None => Err(Refusal::SourceNotOpen { target, source }),
    }
}

/// Splits the text at the first `separator`.
fn split(text: &OsStr, separator: u8) -> Option<(&OsStr, &OsStr)> {
    let bytes = text.as_bytes();
    let index = bytes.iter().position(|&byte| byte == separator)?;
    Some((OsStr::from_bytes(&bytes[..index]), OsStr::from_bytes(&bytes[index + 1..])))
}

fn wrong(rule: &str, value: &OsStr) -> Box<dyn Error> {
    format!("{rule}, not `{}`; see --help", value.display()).into()
}

fn run(request: Request) -> Result<ExitCode, Box<dyn Error>> {
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
    for (target, source) in request.connections {
        command.fd(target, open(source, target, request.explain)?);
    }
    let pipes: Vec<_> = request.pipes.into_iter().map(|number| (number, command.reader(number))).collect();

    if request.explain {
        write!(io::stdout(), "{}", command.explain().into_result()?)?;
        return Ok(ExitCode::SUCCESS);
    }
    if request.table {
        print_table(command)?;
        return Ok(ExitCode::SUCCESS);
    }
    if request.exec {
        return Err(replace(command).into());
    }
    run_child(command, pipes)
}

/// Opens or reads the source of a descriptor.
fn open(source: Source, target: RawFd, explain: bool) -> Result<Stdio<'static>, Box<dyn Error>> {
    let failed = |verb: &str, path: &PathBuf, error: io::Error| {
        format!("cannot {verb} `{}` for descriptor {target}: {error}", path.display())
    };
    Ok(match source {
        Source::Ready(stdio) => stdio,
        // With --explain, /dev/null replaces the file, since opening the file could create or truncate it.
        Source::File(..) if explain => File::open("/dev/null")?.into(),
        Source::File(options, path) => options.open(&path).map_err(|error| failed("open", &path, error))?.into(),
        Source::DataFrom(_) if explain => Stdio::data(""),
        Source::DataFrom(path) => {
            let mut bytes = Vec::new();
            let read = match path.as_os_str().as_bytes() {
                b"-" => io::stdin().read_to_end(&mut bytes),
                _ => File::open(&path).and_then(|mut file| file.read_to_end(&mut bytes)),
            };
            read.map_err(|error| failed("read", &path, error))?;
            Stdio::data(bytes)
        }
        Source::Variable(name) => match std::env::var_os(&name) {
            Some(value) => Stdio::data(value.as_bytes()),
            None => return Err(format!("the variable `{}` for descriptor {target} is not set", name.display()).into()),
        },
    })
}

/// Executes the program in this process. Returns the error if that fails.
///
/// fdrun has no other thread and uses no descriptor afterwards, so the targets may replace any descriptor of fdrun.
fn replace(mut command: Command<'_>) -> fdspawn::Error {
    // SAFETY: fdrun has one thread, and uses no descriptor afterwards.
    unsafe { command.exec_any_target() }
}

/// Starts the program, passes signals on to it, and ends as the program does.
fn run_child(mut command: Command<'_>, pipes: Vec<(RawFd, Slot<PipeReader>)>) -> Result<ExitCode, Box<dyn Error>> {
    // Not earlier: a signal has to end an fdrun that waits for a writer of a FIFO, or for the end of its standard input.
    signals::note_signals();
    let mut child = command.spawn()?;
    drop(command); // The data that it has may be secret.
    let blocked = signals::Blocked::new();
    let pipes = pipes.into_iter().map(|(number, slot)| (number, child.take(slot).expect("taken once")));
    let ends = match start_readers(pipes) {
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
    let signal = ended.status.signal();
    if let Some(signal) = signal {
        signals::end_by(signal);
    }
    let code = ended.status.code().or(signal.map(|signal| 128 + signal));
    Ok(ExitCode::from(u8::try_from(code.expect("a child that has ended has a status or a signal"))?))
}

/// How long fdrun reads the pipes of a program that was asked to end and has ended. What the program itself has written is in
/// the pipes already.
const LONGEST_READ: Duration = Duration::from_secs(1);

/// Starts a thread for each pipe, which shows the lines from it. The result receives an error when all have come to their ends.
fn start_readers(pipes: impl Iterator<Item = (RawFd, PipeReader)>) -> io::Result<Receiver<()>> {
    let (reading, ends) = channel();
    for (number, pipe) in pipes {
        let reading = reading.clone();
        thread::Builder::new().spawn(move || {
            show_lines(number, pipe);
            drop(reading);
        })?;
    }
    Ok(ends)
}

/// If this variable is set, fdrun writes its own descriptor table to the descriptor whose number is the value.
const SHOW_AT: &str = "FDRUN_SHOW_TABLE_AT";

/// Starts fdrun again with the plan, and with a pipe at a number that the plan does not use. The child writes its
/// descriptor table to this pipe.
fn print_table(mut command: Command<'_>) -> Result<(), Box<dyn Error>> {
    let targets = command.explain().into_result()?.targets();
    let open = DescriptorTable::current()?;
    let unused = |number: &RawFd| !targets.contains(number) && open.get(*number).is_none();
    let number = (3..).find(unused).ok_or("no number is left for the table")?;
    let table = command.env_clear().env(SHOW_AT, number.to_string()).reader(number);
    let mut child = command.spawn()?;
    let mut text = Vec::new();
    child.take(table).expect("taken once").read_to_end(&mut text)?;
    match child.wait()? {
        status if status.success() => Ok(io::stdout().write_all(&text)?),
        status => Err(format!("the child that reads its descriptor table failed: {status}").into()),
    }
}

/// In a child of `print_table`: writes the descriptor table to the pipe, and exits.
fn show_own_table() {
    let Some(number) = std::env::var(SHOW_AT).ok().and_then(|number| number.parse().ok()) else { return };
    let shown = DescriptorTable::current().and_then(|mut table| {
        table.retain(|entry| entry.number() != number);
        // This opens the pipe by its path: a `File` that owned the descriptor itself would close it.
        File::options().write(true).open(format!("/dev/fd/{number}"))?.write_all(table.to_string().as_bytes())
    });
    std::process::exit(if shown.is_ok() { 0 } else { 1 });
}

/// Calls `show_own_table` before Rust's runtime starts. The runtime opens 0, 1 and 2 if they are closed, so that the
/// table would differ from the table that the plan describes.
#[cfg(target_os = "linux")]
#[used]
#[allow(unsafe_code, reason = "std has no way to run code before its runtime")]
// SAFETY: the C library calls each function of this section once before `main`. `enter` needs nothing from `main`.
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = {
    extern "C" fn enter() {
        show_own_table();
    }
    enter
};

/// Writes each line of `pipe` to standard error, after the descriptor's number. One write per line keeps lines whole.
fn show_lines(number: RawFd, pipe: PipeReader) {
    let mut pipe = BufReader::new(pipe);
    loop {
        let mut line = format!("{number}: ").into_bytes();
        match pipe.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) if line.ends_with(b"\n") => {}
            Ok(_) => line.push(b'\n'),
        }
        // If this write fails, fdrun still reads the pipe to its end, so that the child's writes succeed.
        let _ = io::stderr().write_all(&line);
    }
}
