//! A command-line tool: `fdrun` starts a program with exactly the descriptors that the command line names.
//!
//! ```text
//! fdrun [OPTION]... [--] PROGRAM [ARG]... ['|' [OPTION]... PROGRAM [ARG]...]...
//! ```
//!
//! `fdrun --help` lists the options. Ten examples; in a checkout, run them as `cargo run --example fdrun -- ...`:
//!
//! ```text
//! fdrun --fd 5=data:hello --fd 7=append:audit.log -- sh -c 'read word <&5; echo "got $word" >&7'
//! fdrun --fd 1=parent:2 --fd 2=parent:1 --pipe-from 3 -- sh -c 'echo to stderr; echo a line to fdrun >&3'
//! PASSWORD=hush fdrun --exec --fd 5=env:PASSWORD -- sh -c 'read secret <&5'
//! fdrun --uid nobody --no-new-privs --rlimit nofile=64: --nice 5 -- id
//! fdrun --timeout 5s --kill-after 2s --tree group --usage -- sh -c 'sleep 30 & sleep 30'
//! fdrun --limit 1=20 --capture 2=errors.log --lines -- sh -c 'echo error >&2; yes'
//! fdrun --pipefail --timeout 60 seq 9 '|' --nice 5 sort -r '|' --fd 5=data:hello sh -c 'cat <&5; head -n 1'
//! fdrun --explain=dot seq 9 '|' sort -r '|' head -n 1
//! fdrun --explain --keep 3 --fd 4=same:3 -- cat 3</etc/hosts
//! fdrun --table --fd 5=data:hello --fd 0=null
//! ```
//!
//! fdrun ends as its program does: with the program's exit status, or by the signal that has killed the program (a shell
//! shows 128 plus the signal's number). If the program is not found, the exit status is 127; if the program cannot be
//! executed, 126; for any other error of fdrun, 125; if the program has had no time left (`--timeout`), 124, or 137 if
//! SIGKILL has ended it; if the program has written more than a `--limit`, 123. fdrun passes SIGHUP, SIGINT, SIGQUIT and
//! SIGTERM on to the program.
//!
//! An argument `|` (or the WORD of `--separator`) starts the next stage of a pipeline, with options of its own before its program. fdrun starts
//! all stages or none, waits for all of them, and ends as the last one does, or with `--pipefail` as the first one that has failed.
//!
//! All users of a system can read command lines, and so the TEXT of `data:TEXT`. For secrets there are `data-from:FILE` and
//! `env:NAME`.

use fdspawn::Failure;
use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

#[path = "fdrun/attributes/mod.rs"]
mod attributes;
#[path = "fdrun/check.rs"]
mod check;
#[path = "fdrun/child.rs"]
mod child;
#[path = "fdrun/dispositions.rs"]
mod dispositions;
#[path = "fdrun/explain.rs"]
mod explain;
#[path = "fdrun/help.rs"]
mod help;
#[path = "fdrun/job.rs"]
mod job;
#[path = "fdrun/options.rs"]
mod options;
#[path = "fdrun/parse.rs"]
mod parse;
#[path = "fdrun/pipeline.rs"]
mod pipeline;
#[path = "fdrun/readings.rs"]
mod readings;
#[path = "fdrun/relay.rs"]
mod relay;
#[path = "fdrun/request.rs"]
mod request;
#[path = "fdrun/run.rs"]
mod run;
#[path = "fdrun/signals.rs"]
mod signals;
#[path = "fdrun/single.rs"]
mod single;
#[path = "fdrun/sources.rs"]
mod sources;
#[path = "fdrun/stage.rs"]
mod stage;
#[path = "fdrun/stages.rs"]
mod stages;
#[path = "fdrun/stream.rs"]
mod stream;
#[path = "fdrun/table.rs"]
mod table;
#[path = "fdrun/terminal.rs"]
mod terminal;
#[path = "fdrun/timeout.rs"]
mod timeout;
#[path = "fdrun/tree.rs"]
mod tree;
#[path = "fdrun/usage.rs"]
mod usage;
#[path = "fdrun/values.rs"]
mod values;

fn main() -> ExitCode {
    table::show_own();
    let result = match parse::parse(lexopt::Parser::from_env()) {
        Ok(request) if request.help => print(&options::help()),
        Ok(request) => request.check().and_then(|()| run::run(request)),
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

fn print(text: &str) -> Result<ExitCode, Box<dyn Error>> {
    io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
