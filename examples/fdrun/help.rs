//! The text of `--help`, and the help texts of options that do not fit into a line of the table of options.

/// The first and the last lines of `--help`. The lines between them come from the table of options.
const START: &str = "\
Usage: fdrun [OPTION]... [--] PROGRAM [ARG]... ['|' [OPTION]... PROGRAM [ARG]...]...
Run PROGRAM with 0, 1, 2 and the descriptors that the options name; close all others.
An argument `|`, which a shell needs in quotes, starts the next stage of a pipeline: its
PROGRAM reads at 0 what the one before writes to 1. fdrun starts all stages or none.
";
const END: &str = "\
Options may come in any order. In a pipeline, an option is for the stage before whose PROGRAM
it stands. These are for all stages, and stand before the first PROGRAM: --limit, --capture,
--lines, --timeout, --signal, --kill-after, --tree process|group, --usage, --separator,
--pipefail and --explain. --exec, --table, --pipe-from and --foreground do not go with a
pipeline. fdrun reads N = 1 of the last stage, and each other N of all stages by one pipe.
fdrun reads the pipes of --pipe-from, --limit, --capture and --lines until no process has
them open for writing, or as --timeout says. fdrun passes SIGHUP, SIGINT, SIGQUIT and SIGTERM
on to PROGRAM, and in a pipeline to all stages. It ends as PROGRAM does, with its status, or
by the signal that killed it. It waits for all stages of a pipeline, and ends as the last one
does, or as --pipefail says.
127: PROGRAM was not found; 126: it cannot be executed; 125: any other error;
123: see --limit; 124 and 137: see --timeout.
";

/// The column in which the help texts of options start.
const COLUMN: usize = 20;

/// The whole text. `options` has each option's usage and its help text.
pub fn text<'a>(options: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = format!("{START}\n");
    let next_line = format!("\n{:COLUMN$}", "");
    for (usage, help) in options {
        let usage = format!("  {usage}");
        // A usage that comes too near to the column has a line of its own.
        let start = if usage.len() + 2 <= COLUMN { format!("{usage:COLUMN$}") } else { usage + &next_line };
        text += &format!("{start}{}\n", help.replace('\n', &next_line));
    }
    text + "\n" + END
}

pub const FD: &str = "\
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
pub const PIPE_FROM: &str = "\
read what the child writes to N, and write each line of it
to standard error as `N: line`";
pub const LIMIT: &str = "\
let PROGRAM write BYTES to its descriptor N, and end it if it
writes more, as --timeout does at its time; fdrun then exits with
123. The byte after BYTES is not passed on. If no other option
says where the bytes go, those of 1 and 2 go to standard output and
standard error of fdrun, and those of another N are dropped";
pub const CAPTURE: &str = "\
write what PROGRAM writes to N to FILE (created or truncated), and
with --lines print it, too. Several N may have the same FILE. For
the order in which PROGRAM writes to 1 and 2, add --fd 2=same:1";
pub const LINES: &str = "\
print each line that PROGRAM writes to 1 and 2, and to the N of
--limit and --capture, to standard output as `N: line`. A line of
more than 64 KiB comes in pieces, each as a line. fdrun does not read
a 1 or 2 that --fd or --keep connects, and prints the lines of
--pipe-from to standard error";
pub const INHERIT_REST: &str = "let PROGRAM inherit the other descriptors without close-on-exec";
pub const CWD: &str = "start in DIR; PATHs are still relative to fdrun's directory";
pub const ARG0: &str = "pass NAME as argv[0] of PROGRAM";
pub const GROUPS: &str = "\
have these supplementary groups; an empty list removes all.
--uid alone removes them too";
pub const CTTY: &str = "\
make the terminal that is descriptor N of fdrun the controlling
terminal; with --setsid";
pub const FOREGROUND: &str = "\
let the process group of PROGRAM be the foreground of the
terminal, until PROGRAM ends. With --pgrp, ^Z stops PROGRAM
and not fdrun";
pub const UMASK: &str = "\
the octal MASK; files that fdrun creates are made with its own";
pub const RLIMIT: &str = "\
set a limit as prlimit(1) does: nofile=64:128 the soft and the
hard one, nofile=64 both, nofile=64: or nofile=:128 only one.
A number or `unlimited`. The resources are as, core, cpu, data,
fsize, locks, memlock, msgqueue, nice, nofile, nproc, rss,
rtprio, rttime, sigpending and stack";
pub const CHROOT: &str = "\
start with DIR as the root directory; PATHs still start at
fdrun's own";
pub const DEFAULT_SIGNAL: &str = "\
reset the signals to their defaults and unblock them; all
without a list. SIGNAL is a name, such as INT or SIGINT, or a
number";
#[cfg(any(target_os = "linux", target_os = "android"))]
pub const SCHEDULER: &str = "\
other, batch, idle, fifo:PRIORITY or rr:PRIORITY";
#[cfg(any(target_os = "linux", target_os = "android"))]
pub const OOM_SCORE_ADJ: &str = "\
from -1000, never kill PROGRAM if memory runs out, to 1000,
kill it first";
#[cfg(any(target_os = "linux", target_os = "android"))]
pub const PROGRAM_FD: &str = "\
execute the file that is descriptor N of fdrun; PROGRAM is only
its name. Not with --table";
#[cfg(any(target_os = "linux", target_os = "android"))]
pub const PDEATHSIG: &str = "\
send PROGRAM the signal when fdrun ends; with --exec, when the
parent of fdrun ends. `keep` takes the one that fdrun has,
`clear` none";
#[cfg(any(target_os = "linux", target_os = "android"))]
pub const NO_NEW_PRIVS: &str = "\
let no file that PROGRAM executes add a privilege";
pub const TIMEOUT: &str = "\
end PROGRAM after this time: a number of seconds, or with a unit
(s, m, h, d), such as 5, 0.5 or 2m; 0 is no limit. fdrun then exits
with 124, or with 137 if SIGKILL has ended PROGRAM. As timeout(1),
it sends SIGTERM, and without --kill-after it then waits until
PROGRAM has ended, however long. It reads pipes no longer, too";
pub const SIGNAL: &str = "\
what --timeout and --limit send in place of TERM: a name or a number";
pub const KILL_AFTER: &str = "\
send SIGKILL if PROGRAM still runs this time after the first signal,
be it that of --timeout or --limit or one that fdrun passes on; 0 is
never";
#[cfg(any(target_os = "linux", target_os = "android"))]
pub const TREE: &str = "\
let all signals go to more than PROGRAM, and kill (SIGKILL) what
is left of it as soon as PROGRAM has ended, with or without a
--timeout. Who is not to be killed has to end before PROGRAM.
REACH is one of
  process         PROGRAM alone; nothing is killed
  group           the new process group that PROGRAM leads, but not
                  what has moved to another one. As a background
                  job, it may not read the terminal: --foreground
  session         the new session that PROGRAM leads, in all groups
  descendants     what PROGRAM has started, in all groups and
                  sessions, but not what has lost its parent before
                  the signal. If PROGRAM ends without a signal of
                  fdrun, nothing is killed. Here, and with session,
                  PROGRAM alone gets all signals after the 16th
  cgroup          a new cgroup, version 2, in that of fdrun or in that
                  of --cgroup: all that PROGRAM has started";
pub const USAGE: &str = "\
at the end, write to standard error what PROGRAM, with the children
that it has waited for, has used: times, peak memory, switches of
the processor and page faults; in a pipeline, a line for each stage";
pub const EXEC: &str = "\
execute PROGRAM in the process of fdrun, so that no process stands
between; not with --pipe-from, --limit, --capture, --lines, --launcher,
--timeout, --kill-after, --tree, --usage or --table";
pub const SEPARATOR: &str = "\
start the next stage of a pipeline at each argument WORD in place of `|`";
pub const PIPEFAIL: &str = "\
end as the first stage does that has failed by itself. A stage that
SIGPIPE has killed has not failed if its reader has not failed";
pub const EXPLAIN: &str = "\
print the plan and the steps of a child, and for a pipeline first its
stages and pipes; run nothing, open no PATH or FILE. With `=dot`,
print stages and pipes in the language of Graphviz";
pub const TABLE: &str = "\
start fdrun again in place of PROGRAM, and print the
descriptor table that it finds";
