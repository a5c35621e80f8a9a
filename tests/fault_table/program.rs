//! The program that the subjects start. It writes what it has to a file, and then talks to its parent.

use super::attributes;
use super::subject::{Mark, mark_only};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Write};
use std::mem::ManuallyDrop;
use std::os::fd::{FromRawFd, RawFd};
use std::path::Path;

/// The first argument of the program.
pub const MARK: &str = "fdspawn-fault-program";

/// The number at which the program finds data.
pub const DATA: RawFd = 5;
/// The number at which the program writes to a slot's reader.
pub const SLOT: RawFd = 9;

/// What the program does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Talk {
    /// The program ends at once.
    Nothing,
    /// The program writes its report.
    Report,
    /// The program also writes to 1 and 2.
    Print,
    /// The program also reads 0 to its end, and writes to the slot.
    Converse,
    /// The program also starts another process. Both write to the slot, and read 0 to its end.
    Linger,
    /// The program writes to 1, and no report.
    Source,
    /// The program copies 0 to 1, and writes no report.
    Sink,
}

impl Talk {
    const ALL: [Self; 7] =
        [Self::Nothing, Self::Report, Self::Print, Self::Converse, Self::Linger, Self::Source, Self::Sink];

    pub fn name(self) -> String {
        format!("{self:?}")
    }

    pub fn of(name: &str) -> Self {
        Self::ALL.into_iter().find(|talk| talk.name() == name).expect("a name of `Talk`")
    }
}

/// The name under which a search finds the program.
pub const LINK: &str = "fault-program";

/// The file of the program's report.
pub const REPORT: &str = "program";

/// Runs the program; returns its status.
pub fn run(talk: Talk, directory: &Path) -> i32 {
    if talk == Talk::Nothing {
        return 0;
    }
    if talk == Talk::Source {
        write!(at(1), "input").unwrap();
        return 0;
    }
    if talk == Talk::Sink {
        std::io::copy(&mut *at(0), &mut *at(1)).unwrap();
        return 0;
    }
    std::fs::write(directory.join(REPORT), report(directory)).unwrap();
    if talk == Talk::Linger {
        // SAFETY: the process has one thread.
        if unsafe { libc::fork() } == 0 {
            mark_only(Mark::Function);
        }
        write!(at(SLOT), "slot").unwrap();
        at(0).read_to_end(&mut Vec::new()).unwrap();
        return 0;
    }
    if talk == Talk::Converse {
        let mut text = String::new();
        at(0).read_to_string(&mut text).unwrap();
        write!(at(1), "{text} read, ").unwrap();
        write!(at(SLOT), "slot").unwrap();
    }
    if talk != Talk::Report {
        write!(at(1), "output").unwrap();
        write!(at(2), "error").unwrap();
    }
    0
}

/// The file at a number, which is not closed.
fn at(number: RawFd) -> ManuallyDrop<File> {
    // SAFETY: the program owns its numbers, and nothing else uses them.
    ManuallyDrop::new(unsafe { File::from_raw_fd(number) })
}

/// The descriptors, the working directory and the attributes of this process, one a line.
fn report(directory: &Path) -> String {
    let mut text = String::new();
    let mut numbers: Vec<RawFd> = std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap())
        .collect();
    numbers.sort_unstable();
    for number in numbers {
        // The number of the list itself is closed by now.
        let Ok(link) = std::fs::read_link(format!("/proc/self/fd/{number}")) else { continue };
        let kind = if number == DATA { data() } else { kind(&link.to_string_lossy()) };
        // SAFETY: the call only asks about the number.
        let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
        let close_on_exec = if flags & libc::FD_CLOEXEC != 0 { ", closes at exec" } else { "" };
        writeln!(text, "{number} {kind}{close_on_exec}").unwrap();
    }
    writeln!(text, "directory {}", std::env::current_dir().unwrap().display()).unwrap();
    text.push_str(&attributes::report());
    text.replace(directory.to_str().unwrap(), "DIR")
}

/// What a link of `/proc/self/fd` says, without numbers that differ between runs.
fn kind(link: &str) -> String {
    link.split_once(":[").map_or(link, |(kind, _)| kind).to_owned()
}

fn data() -> String {
    let mut text = String::new();
    let result = at(DATA).read_to_string(&mut text);
    format!("reads {text:?} {}", result.map_or_else(|error| error.to_string(), |_| String::new()))
}
