//! The command line.

use crate::parts::{GRAPH_SIZE, PARTS, Part, find};
use lexopt::prelude::*;
use std::path::PathBuf;

pub const HELP: &str = "\
Measure spawns with fdspawn, with other crates, and with raw system calls.

usage: fdspawn-benches [OPTION]...

  --only PART  measure only this part; may be given more than once
  --list       list the parts, and measure nothing
  --quick      measure for a tenth of the time; the numbers are less exact
  --size MIB   move so many MiB in each sample of the parts \"line\" and \"tee\", in place of 256
  --from FILE  read the results of an earlier run (results.json), and measure nothing
  --out DIR    write report.md, results.json and a plot of each part to DIR; without this option, a run of all parts
               without --quick writes to docs/benchmarks, and any other run only prints the report
  --check      exit with 1 if a goal is missed
  --help       print this
";

/// What the command line asks for.
#[derive(Debug)]
pub enum Action {
    Run(Options),
    /// Work for the driver, at one point of a part, with the files in a directory. Only the driver passes this option.
    Work {
        part: &'static Part,
        point: usize,
        files: PathBuf,
        graph_size: usize,
    },
    List,
    Help,
}

#[derive(Debug)]
pub struct Options {
    /// The parts to measure; if this is empty, all parts.
    pub only: Vec<&'static Part>,
    pub quick: bool,
    /// How many bytes a line or a tee moves.
    pub graph_size: usize,
    pub from: Option<PathBuf>,
    pub out: Option<PathBuf>,
    pub check: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { only: Vec::new(), quick: false, graph_size: GRAPH_SIZE, from: None, out: None, check: false }
    }
}

impl Options {
    /// The parts to measure, in the order of [`PARTS`].
    pub fn parts(&self) -> Vec<&'static Part> {
        let chosen = |part: &&Part| self.only.is_empty() || self.only.iter().any(|only| only.name == part.name);
        PARTS.iter().filter(chosen).collect()
    }

    /// The directory to write to. Without `--out`, only a full run of all parts replaces the results in
    /// docs/benchmarks.
    pub fn directory(&self) -> Option<PathBuf> {
        let full = self.only.is_empty() && !self.quick && self.graph_size == GRAPH_SIZE && self.from.is_none();
        let default = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/benchmarks"));
        self.out.clone().or_else(|| full.then(default))
    }
}

/// The option with which the driver starts this program as a worker.
pub const WORKER: &str = "--worker";

pub fn parse(mut parser: lexopt::Parser) -> Result<Action, lexopt::Error> {
    let mut options = Options::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("only") => options.only.push(part(&parser.value()?.string()?)?),
            Long("list") => return Ok(Action::List),
            Long("quick") => options.quick = true,
            Long("size") => options.graph_size = size(parser.value()?.parse()?)?,
            Long("from") => options.from = Some(parser.value()?.into()),
            Long("out") => options.out = Some(parser.value()?.into()),
            Long("check") => options.check = true,
            Long("help") | Short('h') => return Ok(Action::Help),
            Long("worker") => {
                let part = part(&parser.value()?.string()?)?;
                let point = parser.value()?.parse()?;
                let files = parser.value()?.into();
                return Ok(Action::Work { part, point, files, graph_size: parser.value()?.parse()? });
            }
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(Action::Run(options))
}

/// A number of MiB in bytes.
fn size(mebibytes: usize) -> Result<usize, lexopt::Error> {
    let size = mebibytes.checked_mul(1 << 20).filter(|size| *size > 0);
    size.ok_or_else(|| format!("{mebibytes} MiB are no size").into())
}

fn part(name: &str) -> Result<&'static Part, lexopt::Error> {
    find(name).ok_or_else(|| format!("there is no part `{name}`; --list names them").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(arguments: &[&str]) -> Options {
        match parse(lexopt::Parser::from_args(arguments)).unwrap() {
            Action::Run(options) => options,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_a_full_run_of_all_parts_writes_to_docs_benchmarks() {
        assert!(run(&[]).directory().unwrap().ends_with("docs/benchmarks"));
        assert!(run(&["--check"]).directory().is_some());
        for arguments in [&["--quick"] as &[_], &["--only", "memory"], &["--size", "4096"], &["--from", "results.json"]]
        {
            assert_eq!(run(arguments).directory(), None, "{arguments:?}");
            let with_out: Vec<_> = arguments.iter().copied().chain(["--out", "here"]).collect();
            assert_eq!(run(&with_out).directory(), Some("here".into()));
        }
    }

    #[test]
    fn chosen_parts_run_once_and_in_the_order_of_the_list() {
        let names: Vec<_> = run(&["--only", "memory", "--only", "status", "--only", "memory"])
            .parts()
            .iter()
            .map(|part| part.name)
            .collect();
        assert_eq!(names, ["status", "memory"]);
        assert_eq!(run(&[]).parts().len(), PARTS.len());
    }

    #[test]
    fn unknown_parts_and_options_are_errors() {
        for arguments in
            [&["--only", "nothing"] as &[_], &["--size", "0"], &["--size", "1G"], &["--onyl", "memory"], &["memory"]]
        {
            parse(lexopt::Parser::from_args(arguments)).unwrap_err();
        }
    }
}
