//! The table of options.

use crate::request::Request;
use crate::stage::Stage;
use crate::values::Parsed;
use crate::{attributes, help, readings, sources, timeout};
use fdspawn::Rest;
use std::ffi::OsString;

/// An option: its name and the name of its value, its help text, and what it does.
pub struct Row(pub &'static str, pub &'static str, pub Action);

/// What an option does. `ForAll` says that it is for all stages of a pipeline.
pub enum Action {
    /// For an option without a value.
    Flag(fn(&mut Stage)),
    FlagForAll(fn(&mut Request)),
    /// For an option with a value.
    Takes(fn(&mut Stage, OsString) -> Parsed),
    TakesForAll(fn(&mut Request, OsString) -> Parsed),
    /// For an option that may have a value, after a `=`.
    May(fn(&mut Stage, Option<OsString>) -> Parsed),
    MayForAll(fn(&mut Request, Option<OsString>) -> Parsed),
}

use Action::{Flag, FlagForAll, May, MayForAll, Takes, TakesForAll};

impl Action {
    pub fn is_for_all(&self) -> bool {
        matches!(self, FlagForAll(_) | TakesForAll(_) | MayForAll(_))
    }
}

/// All options, in the order of `--help`. A new option is one more row. Its function is in the file that the comment names.
fn options() -> impl Iterator<Item = &'static Row> {
    [DESCRIPTORS, OUTPUT, STRINGS, ATTRIBUTES, LINUX, END, PIPELINES, TASKS].into_iter().flatten()
}

const DESCRIPTORS: &[Row] = &[
    // The child's descriptors: `sources.rs`.
    Row("--fd N=SPEC", help::FD, Takes(sources::connect)),
    Row("--keep N", "descriptor N of fdrun, under the same number", Takes(sources::keep)),
    // Pipes to fdrun: `readings.rs`.
    Row("--pipe-from N", help::PIPE_FROM, TakesForAll(readings::pipe_from)),
    Row("--inherit-rest", help::INHERIT_REST, Flag(|stage| stage.rest = Rest::Inherit)),
    // How fdrun makes the child: `stage.rs`.
    Row("--launcher NAME", "auto, clone or fork", Takes(Stage::choose_launcher)),
];

const OUTPUT: &[Row] = &[
    // What the program writes: `readings.rs`.
    Row("--limit N=BYTES", help::LIMIT, TakesForAll(readings::limit)),
    Row("--capture N=FILE", help::CAPTURE, TakesForAll(readings::capture)),
    Row("--lines", help::LINES, FlagForAll(|request| request.readings.lines = true)),
];

const STRINGS: &[Row] = &[
    // The program's directory, environment and arguments: `attributes/mod.rs` and `attributes/places.rs`.
    Row("--cwd DIR", help::CWD, Takes(attributes::directory)),
    Row("--env NAME=VALUE", "set a variable", Takes(attributes::variable)),
    Row("--clear-env", "pass no variables but those of --env", Flag(|stage| stage.clear_env = true)),
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
    Row("--foreground", help::FOREGROUND, Flag(|stage| stage.foreground = true)),
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
    Row("--timeout TIME", help::TIMEOUT, TakesForAll(timeout::timeout)),
    Row("--signal SIGNAL", help::SIGNAL, TakesForAll(timeout::first_signal)),
    Row("--kill-after TIME", help::KILL_AFTER, TakesForAll(timeout::kill_after)),
    // Which processes end with it: `attributes/sessions.rs` and `tree.rs`.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    Row("--tree REACH", help::TREE, TakesForAll(attributes::tree)),
    // What it has used: `usage.rs`.
    Row("--usage", help::USAGE, FlagForAll(|request| request.usage = true)),
];

const PIPELINES: &[Row] = &[
    // Several programs: `parse.rs` and `pipeline.rs`.
    Row("--separator WORD", help::SEPARATOR, TakesForAll(Request::separate)),
    Row("--pipefail", help::PIPEFAIL, FlagForAll(|request| request.pipefail = true)),
];

const TASKS: &[Row] = &[
    // What fdrun does: `run.rs` and `explain.rs`.
    Row("--exec", help::EXEC, FlagForAll(|request| request.exec = true)),
    Row("--explain[=dot]", help::EXPLAIN, MayForAll(Request::explain)),
    Row("--table", help::TABLE, FlagForAll(|request| request.table = true)),
    Row("--help", "print this", FlagForAll(|request| request.help = true)),
];

/// The text of `--help`.
pub fn help() -> String {
    help::text(options().map(|Row(usage, help, _)| (*usage, *help)))
}

/// The row of an option.
pub fn row_of(name: &str) -> Option<&'static Row> {
    options().find(|Row(usage, ..)| usage[2..].split([' ', '[']).next() == Some(name))
}
