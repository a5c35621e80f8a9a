//! The library as a tool: `fdrun` starts a program with the descriptors that its command line names, and no others.
//!
//! ```text
//! fdrun [OPTION]... [--] PROGRAM [ARG]...
//! ```
//!
//! `fdrun --help` lists the options. Three to begin with, from a checkout as `cargo run --example fdrun -- ...`:
//!
//! ```text
//! fdrun --fd 5=data:hush --fd 7=append:audit.log -- sh -c 'read secret <&5; echo "got $secret" >&7'
//! fdrun --fd 1=parent:2 --fd 2=parent:1 --pipe-from 3 -- sh -c 'echo to stderr; echo a line to fdrun >&3'
//! fdrun --explain --keep 3 --fd 4=same:3 -- cat 3</etc/hosts
//! fdrun --table --fd 5=data:hush --fd 0=null
//! ```
//!
//! It exits as the child does, with 128 plus the signal's number where a signal killed the child, with 127 where the
//! program was not found, with 126 where it could not be executed, and with 125 for any other error of its own.

use fdspawn::inspect::DescriptorTable;
use fdspawn::plan::Refusal;
use fdspawn::{Command, Failure, Launcher, Rest, Stdio};
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
use std::thread;

const USAGE: &str = "\
Usage: fdrun [OPTION]... [--] PROGRAM [ARG]...
Run PROGRAM with 0, 1, 2 and the descriptors named here; all others are closed.

  --fd N=SPEC       connect the child's descriptor N. SPEC is one of
                      read:PATH    the file, for reading
                      write:PATH   the file, created or truncated
                      append:PATH  the file, created or appended to
                      rw:PATH      the file, created, for reading and writing
                      parent:M     descriptor M of fdrun
                      same:M       whatever the child has at M
                      data:TEXT    TEXT, then end-of-file
                      null         /dev/null
                      closed       nothing
  --keep N          descriptor N of fdrun, under the same number
  --pipe-from N     read what the child writes at N, and write each line of it
                    to standard error as `N: line`
  --inherit-rest    leave the other descriptors open that are not close-on-exec
  --launcher NAME   auto, clone or fork
  --cwd DIR         start in DIR; PATHs are still those of fdrun's own directory
  --env NAME=VALUE  set a variable
  --clear-env       pass no variables but those of --env
  --arg0 NAME       the program's own name for itself
  --explain         print the plan and its steps; run nothing, open no PATH
  --table           print the table that PROGRAM would start with, as a child
                    finds it that fdrun launches in its place
  --help            print this

Options may come in any order. The status is the child's, or 128 + its signal;
127: PROGRAM was not found; 126: it cannot be executed; 125: any other error.
";

/// What the command line asks for. All of it is read before anything is opened.
#[derive(Default)]
struct Request {
    program: OsString,
    args: Vec<OsString>,
    arg0: Option<OsString>,
    directory: Option<OsString>,
    clear_env: bool,
    env: Vec<(OsString, OsString)>,
    connections: Vec<(RawFd, Source)>,
    pipes: Vec<RawFd>,
    rest: Rest,
    launcher: Launcher,
    explain: bool,
    table: bool,
}

/// What a descriptor of the child is to be connected to.
enum Source {
    File(OpenOptions, PathBuf),
    Ready(Stdio<'static>),
}

fn main() -> ExitCode {
    show_own_table();
    let result = match parse(lexopt::Parser::from_env()) {
        Ok(Some(request)) => run(request),
        Ok(None) => io::stdout().write_all(USAGE.as_bytes()).map(|()| ExitCode::SUCCESS).map_err(Box::from),
        Err(error) => Err(error),
    };
    result.unwrap_or_else(|error| {
        // Where standard error is gone too, the status has to do.
        let _ = io::stderr().write_all(format!("fdrun: {error}\n").as_bytes());
        let spawn = error.downcast_ref::<fdspawn::Error>();
        ExitCode::from(match spawn.map(|error| (error.failure(), error.kind())) {
            Some((Failure::Exec, io::ErrorKind::NotFound)) => 127,
            Some((Failure::Exec, _)) => 126,
            _ => 125,
        })
    })
}

/// Reads the command line; `None` where it asks for help.
fn parse(mut parser: lexopt::Parser) -> Result<Option<Request>, Box<dyn Error>> {
    let mut request = Request::default();
    // Before fdrun opens any, which could get the number that a user means. Rust has opened 0 to 2 where they were closed.
    let open = DescriptorTable::current()?;
    while let Some(argument) = parser.next()? {
        match argument {
            Long("fd") => request.connections.push(connection(&parser.value()?, &open)?),
            Long("keep") => {
                let number = parser.value()?.parse()?;
                parents(number, number, &open)?;
                request.connections.push((number, Source::Ready(Stdio::inherit())));
            }
            Long("pipe-from") => request.pipes.push(parser.value()?.parse()?),
            Long("inherit-rest") => request.rest = Rest::Inherit,
            Long("launcher") => {
                let value = parser.value()?;
                request.launcher = match value.as_bytes() {
                    b"auto" => Launcher::Auto,
                    b"clone" => Launcher::Clone,
                    b"fork" => Launcher::Fork,
                    _ => return Err(wrong("--launcher takes auto, clone or fork", &value)),
                };
            }
            Long("cwd") => request.directory = Some(parser.value()?),
            Long("env") => {
                let value = parser.value()?;
                let (name, value) = split(&value, b'=').ok_or_else(|| wrong("--env takes NAME=VALUE", &value))?;
                request.env.push((name.into(), value.into()));
            }
            Long("clear-env") => request.clear_env = true,
            Long("arg0") => request.arg0 = Some(parser.value()?),
            Long("explain") => request.explain = true,
            Long("table") => request.table = true,
            Long("help") => return Ok(None),
            Value(program) => {
                let args = parser.raw_args()?.collect();
                return Ok(Some(Request { program, args, ..request }));
            }
            _ => return Err(argument.unexpected().into()),
        }
    }
    if request.table {
        return Ok(Some(request));
    }
    Err("no PROGRAM is given; see --help".into())
}

/// The `N=SPEC` of `--fd`.
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
        (b"null", None) => Source::Ready(Stdio::null()),
        (b"closed", None) => Source::Ready(Stdio::closed()),
        _ => return Err(wrong()),
    };
    Ok((target, source))
}

/// The descriptor `source` that fdrun was started with.
fn parents(source: RawFd, target: RawFd, open: &DescriptorTable) -> Result<Stdio<'static>, Refusal> {
    match open.get(source) {
        Some(_) => Ok(Stdio::inherit_from(source)),
        None => Err(Refusal::SourceNotOpen { target, source }),
    }
}

/// The text before and after the first `separator`.
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
    command.args(request.args).arg0(request.arg0.unwrap_or(request.program));
    command.rest(request.rest).launcher(request.launcher);
    if let Some(directory) = request.directory {
        command.current_dir(directory);
    }
    if request.clear_env {
        command.env_clear();
    }
    command.envs(request.env);
    for (target, source) in request.connections {
        let stdio = match source {
            Source::Ready(stdio) => stdio,
            // A stand-in, since to open a file may be to create or truncate it.
            Source::File(..) if request.explain => File::open("/dev/null")?.into(),
            Source::File(options, path) => options
                .open(&path)
                .map_err(|error| format!("cannot open `{}` for descriptor {target}: {error}", path.display()))?
                .into(),
        };
        command.fd(target, stdio);
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
    let mut child = command.spawn()?;
    let status = thread::scope(|scope| -> Result<_, Box<dyn Error>> {
        for (number, slot) in pipes {
            let pipe = child.take(slot).expect("taken once");
            thread::Builder::new().spawn_scoped(scope, move || show_lines(number, pipe))?;
        }
        Ok(child.wait()?)
    })?;
    let code = status.code().or(status.signal().map(|signal| 128 + signal));
    Ok(ExitCode::from(u8::try_from(code.expect("an ended child has one of them"))?))
}

/// The variable that has a child of fdrun's show its table, at the number that is its value.
const SHOW_AT: &str = "FDRUN_SHOW_TABLE_AT";

/// Launches fdrun itself with the plan, and a pipe at a number that nobody uses, through which it tells what it finds.
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
        status => Err(format!("the child that looks at its table failed: {status}").into()),
    }
}

/// In such a child: shows the table, and ends the process.
fn show_own_table() {
    let Some(number) = std::env::var(SHOW_AT).ok().and_then(|number| number.parse().ok()) else { return };
    let shown = DescriptorTable::current().and_then(|mut table| {
        table.retain(|entry| entry.number() != number);
        // By its name: what owned the number would close it, and there is more to come.
        File::options().write(true).open(format!("/dev/fd/{number}"))?.write_all(table.to_string().as_bytes())
    });
    std::process::exit(if shown.is_ok() { 0 } else { 1 });
}

/// Before Rust's runtime, which opens 0 to 2 where they are closed: the table would not be the program's.
#[cfg(target_os = "linux")]
#[used]
#[allow(unsafe_code, reason = "there is no other way to come before the runtime")]
// SAFETY: the section holds functions that are called once, before `main`; this one needs nothing that `main` sets up.
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = {
    extern "C" fn enter() {
        show_own_table();
    }
    enter
};

/// Writes each line of `pipe` to standard error, behind its number. A line is one write: lines never mix.
fn show_lines(number: RawFd, pipe: PipeReader) {
    let mut pipe = BufReader::new(pipe);
    loop {
        let mut line = format!("{number}: ").into_bytes();
        match pipe.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) if line.ends_with(b"\n") => {}
            Ok(_) => line.push(b'\n'),
        }
        // Where nobody reads standard error, the child is still not to notice.
        let _ = io::stderr().write_all(&line);
    }
}
