//! The options: one table of them, and the parser that reads it.

use crate::request::Request;
use crate::values::Parsed;
use crate::{attributes, help, readings, sources, timeout};
use fdspawn::Rest;
use lexopt::prelude::*;
use std::error::Error;
use std::ffi::OsString;

/// An option: its name and the name of its value, its help text, and what it does.
struct Row(&'static str, &'static str, Action);

enum Action {
    /// For an option without a value.
    Flag(fn(&mut Request)),
    /// For an option with a value.
    Takes(fn(&mut Request, OsString) -> Parsed),
    /// For an option that may have a value, after a `=`.
    May(fn(&mut Request, Option<OsString>) -> Parsed),
}

use Action::{Flag, May, Takes};

/// All options, in the order of `--help`. A new option is one more row. Its function is in the file that the comment names.
fn options() -> impl Iterator<Item = &'static Row> {
    [DESCRIPTORS, OUTPUT, STRINGS, ATTRIBUTES, LINUX, END, TASKS].into_iter().flatten()
}

const DESCRIPTORS: &[Row] = &[
    // The child's descriptors: `sources.rs`.
    Row("--fd N=SPEC", help::FD, Takes(sources::connect)),
    Row("--keep N", "descriptor N of fdrun, under the same number", Takes(sources::keep)),
    // Pipes to fdrun: `readings.rs`.
    Row("--pipe-from N", help::PIPE_FROM, Takes(readings::pipe_from)),
    Row("--inherit-rest", help::INHERIT_REST, Flag(|request| request.rest = Rest::Inherit)),
    // How fdrun makes the child: `request.rs`.
    Row("--launcher NAME", "auto, clone or fork", Takes(Request::choose_launcher)),
];

const OUTPUT: &[Row] = &[
    // What the program writes: `readings.rs`.
    Row("--limit N=BYTES", help::LIMIT, Takes(readings::limit)),
    Row("--capture N=FILE", help::CAPTURE, Takes(readings::capture)),
    Row("--lines", help::LINES, Flag(|request| request.readings.lines = true)),
];

const STRINGS: &[Row] = &[
    // The program's directory, environment and arguments: `attributes/mod.rs` and `attributes/places.rs`.
    Row("--cwd DIR", help::CWD, Takes(attributes::directory)),
    Row("--env NAME=VALUE", "set a variable", Takes(attributes::variable)),
    Row("--clear-env", "pass no variables but those of --env", Flag(|request| request.clear_env = true)),
    Row("--arg0 NAME", help::ARG0, Takes(attributes::name)),
];

const ATTRIBUTES: &[Row] = &[
    // Users and groups: `attributes/ids.rs`.
    Row("--uid USER", "run as the user, by name or number", Takes(attributes::user)),
    Row("--gid GROUP", "run with the group, by name or number", Takes(attributes::group)),
    Row("--groups GROUP,...", help::GROUPS, Takes(attributes::groups)),
    // Sessions and terminals: `attributes/sessions.rs`.
    Row("--pgrp GROUP", "join the process group; 0 makes a new one", Takes(attributes::process_group)),
    Row("--setsid", "make a new session", Flag(attributes::session)),
    Row("--ctty N", help::CTTY, Takes(attributes::terminal)),
    Row("--foreground", help::FOREGROUND, Flag(|request| request.foreground = true)),
    // Limits: `attributes/limits.rs`.
    Row("--umask MASK", help::UMASK, Takes(attributes::umask)),
    Row("--rlimit RESOURCE=LIMIT", help::RLIMIT, Takes(attributes::limit)),
    // The processors and the memory: `attributes/scheduling.rs`.
    Row("--nice N", "add N to the nice value", Takes(attributes::nice)),
    // Directories: `attributes/places.rs`.
    Row("--chroot DIR", help::CHROOT, Takes(attributes::root)),
    // Signals: `attributes/signal_lists.rs`.
    Row("--default-signal[=SIGNAL,...]", help::DEFAULT_SIGNAL, May(attributes::default_signals)),
    Row("--ignore-signal[=SIGNAL,...]", "ignore the signals; all without a list", May(attributes::ignored_signals)),
    Row("--block-signal[=SIGNAL,...]", "block the signals; all without a list", May(attributes::blocked_signals)),
];

#[cfg(not(any(target_os = "linux", target_os = "android")))]
const LINUX: &[Row] = &[];

#[cfg(any(target_os = "linux", target_os = "android"))]
const LINUX: &[Row] = &[
    // The processors and the memory: `attributes/scheduling.rs`.
    Row("--affinity CPU,...", "run only on these CPUs, such as 0,2-5", Takes(attributes::affinity)),
    Row("--scheduler POLICY", help::SCHEDULER, Takes(attributes::scheduler)),
    Row("--oom-score-adj N", help::OOM_SCORE_ADJ, Takes(attributes::oom_score_adj)),
    // Directories, and the program by its descriptor: `attributes/places.rs`.
    Row("--cgroup DIR", "start in the cgroup, version 2, of this directory", Takes(attributes::cgroup)),
    Row("--program-fd N", help::PROGRAM_FD, Takes(attributes::program)),
    // Signals: `attributes/signal_lists.rs`.
    Row("--pdeathsig SIGNAL", help::PDEATHSIG, Takes(attributes::parent_death_signal)),
    // Privileges: `attributes/ids.rs`.
    Row("--no-new-privs", help::NO_NEW_PRIVS, Flag(attributes::no_new_privs)),
];

const END: &[Row] = &[
    // How the program is ended: `timeout.rs`.
    Row("--timeout TIME", help::TIMEOUT, Takes(timeout::timeout)),
    Row("--signal SIGNAL", help::SIGNAL, Takes(timeout::first_signal)),
    Row("--kill-after TIME", help::KILL_AFTER, Takes(timeout::kill_after)),
    // Which processes end with it: `attributes/sessions.rs` and `tree.rs`.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    Row("--tree REACH", help::TREE, Takes(attributes::tree)),
    // What it has used: `usage.rs`.
    Row("--usage", help::USAGE, Flag(|request| request.usage = true)),
];

const TASKS: &[Row] = &[
    // What fdrun does: `run.rs`.
    Row("--exec", help::EXEC, Flag(|request| request.exec = true)),
    Row("--explain", help::EXPLAIN, Flag(|request| request.explain = true)),
    Row("--table", help::TABLE, Flag(|request| request.table = true)),
    Row("--help", "print this", Flag(|request| request.help = true)),
];

/// The text of `--help`.
pub fn help() -> String {
    help::text(options().map(|Row(usage, help, _)| (*usage, *help)))
}

/// Reads the command line.
pub fn parse(mut parser: lexopt::Parser) -> Result<Request, Box<dyn Error>> {
    let mut request = Request::new()?;
    while let Some(argument) = parser.next()? {
        let row = match argument {
            Long(name) => options().find(|Row(usage, ..)| usage[2..].split([' ', '[']).next() == Some(name)),
            Value(program) => {
                let args = parser.raw_args()?.collect();
                return Ok(Request { program, args, ..request });
            }
            Short(_) => None,
        };
        match row {
            Some(Row(_, _, Flag(action))) => action(&mut request),
            Some(Row(_, _, Takes(action))) => action(&mut request, parser.value()?)?,
            Some(Row(_, _, May(action))) => action(&mut request, parser.optional_value())?,
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
