//! The text of `--help`, and the help texts of options that do not fit into a line of the table of options.

/// The first and the last lines of `--help`. The lines between them come from the table of options.
const START: &str = "\
Usage: fdrun [OPTION]... [--] PROGRAM [ARG]...
Run PROGRAM with 0, 1, 2 and the descriptors that the options name; close all others.
";
const END: &str = "\
Options may come in any order. fdrun passes SIGHUP, SIGINT, SIGQUIT and SIGTERM on to
PROGRAM. It ends as PROGRAM does: with its status, or by the signal that killed it.
127: PROGRAM was not found; 126: it cannot be executed; 125: any other error.
";

/// The column in which the help texts of options start.
const COLUMN: usize = 20;

/// The whole text. `options` has each option's usage and its help text.
pub fn text<'a>(options: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = format!("{START}\n");
    let next_line = format!("\n{:COLUMN$}", "");
    for (usage, help) in options {
        let usage = format!("  {usage}");
        // A usage that reaches the column has a line of its own.
        let start = if usage.len() < COLUMN { format!("{usage:COLUMN$}") } else { usage + &next_line };
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
pub const INHERIT_REST: &str = "let PROGRAM inherit the other descriptors without close-on-exec";
pub const CWD: &str = "start in DIR; PATHs are still relative to fdrun's directory";
pub const ARG0: &str = "pass NAME as argv[0] of PROGRAM";
pub const EXEC: &str = "\
execute PROGRAM in the process of fdrun, so that no process stands
between; not with --pipe-from, --launcher or --table";
pub const EXPLAIN: &str = "\
print the plan and the steps of a child; run nothing, open no PATH or
FILE";
pub const TABLE: &str = "\
start fdrun again in place of PROGRAM, and print the
descriptor table that it finds";
