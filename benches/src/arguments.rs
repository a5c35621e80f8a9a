//! The command line.

use crate::parts::{PARTS, Part, find};
use lexopt::prelude::*;
use std::path::PathBuf;

pub const HELP: &str = "\
What a spawn costs with fdspawn, with its peers, and at the kernel's limit.

usage: fdspawn-benches [OPTION]...

  --only PART  measure this part; may be given more than once
  --list       list the parts, and measure nothing
  --quick      measure for a tenth of the time: the numbers are rough
  --from FILE  take the results of an earlier run (results.json) and measure nothing
  --out DIR    write report.md, results.json and a plot of each part to DIR; a whole run writes to docs/benchmarks
               unless told otherwise, other runs only print the report
  --check      exit with 1 if a goal is missed
  --help       print this
";

/// What to do.
#[derive(Debug)]
pub enum Action {
    Run(Run),
    /// Be a worker for the part, at the point of this number, with the files in a directory. For the driver only.
    Work {
        part: &'static Part,
        point: usize,
        files: PathBuf,
    },
    List,
    Help,
}

#[derive(Debug, Default)]
pub struct Run {
    /// None means all of them.
    pub only: Vec<&'static Part>,
    pub quick: bool,
    pub from: Option<PathBuf>,
    pub out: Option<PathBuf>,
    pub check: bool,
}

impl Run {
    /// The parts to measure, in their own order.
    pub fn parts(&self) -> Vec<&'static Part> {
        let chosen = |part: &&Part| self.only.is_empty() || self.only.iter().any(|only| only.name == part.name);
        PARTS.iter().filter(chosen).collect()
    }

    /// Where to write. Rough or partial results do not replace whole ones unless somebody says so.
    pub fn directory(&self) -> Option<PathBuf> {
        let whole = self.only.is_empty() && !self.quick && self.from.is_none();
        let usual = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/benchmarks"));
        self.out.clone().or_else(|| whole.then(usual))
    }
}

/// The name by which the driver makes a worker of this program.
pub const WORKER: &str = "--worker";

pub fn parse(mut parser: lexopt::Parser) -> Result<Action, lexopt::Error> {
    let mut run = Run::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("only") => run.only.push(part(&parser.value()?.string()?)?),
            Long("list") => return Ok(Action::List),
            Long("quick") => run.quick = true,
            Long("from") => run.from = Some(parser.value()?.into()),
            Long("out") => run.out = Some(parser.value()?.into()),
            Long("check") => run.check = true,
            Long("help") | Short('h') => return Ok(Action::Help),
            Long("worker") => {
                let part = part(&parser.value()?.string()?)?;
                let point = parser.value()?.parse()?;
                return Ok(Action::Work { part, point, files: parser.value()?.into() });
            }
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(Action::Run(run))
}

fn part(name: &str) -> Result<&'static Part, lexopt::Error> {
    find(name).ok_or_else(|| format!("there is no part `{name}`; --list names them").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(arguments: &[&str]) -> Run {
        match parse(lexopt::Parser::from_args(arguments)).unwrap() {
            Action::Run(run) => run,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_a_whole_run_writes_to_the_usual_place() {
        assert!(run(&[]).directory().unwrap().ends_with("docs/benchmarks"));
        assert!(run(&["--check"]).directory().is_some());
        for arguments in [&["--quick"] as &[_], &["--only", "memory"], &["--from", "results.json"]] {
            assert_eq!(run(arguments).directory(), None, "{arguments:?}");
            let told: Vec<_> = arguments.iter().copied().chain(["--out", "here"]).collect();
            assert_eq!(run(&told).directory(), Some("here".into()));
        }
    }

    #[test]
    fn chosen_parts_run_once_and_in_their_own_order() {
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
        for arguments in [&["--only", "nothing"] as &[_], &["--onyl", "memory"], &["memory"]] {
            parse(lexopt::Parser::from_args(arguments)).unwrap_err();
        }
    }
}
