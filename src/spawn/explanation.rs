//! `Explanation`, and how it is printed.

use super::rows::{RowMeaning, TableRow};
use crate::error::Error;
use crate::plan::{Mapping, Origin, Rest, Step};
use crate::platform::Launcher;
use std::fmt;
use std::os::fd::RawFd;

/// The descriptors and the steps of a child, from [`Command::explain`]. `Display` prints them.
///
/// [`Command::explain`]: crate::Command::explain
#[derive(Debug)]
pub struct Explanation {
    pub(super) program: String,
    pub(super) outcome: Result<Explained, Error>,
}

/// The explanation of a map that the library accepts.
#[derive(Debug)]
pub(super) struct Explained {
    pub(super) launcher: Launcher,
    /// The descriptor of the cgroup in which the kernel makes the child. The child has no step for that.
    pub(super) cgroup: Option<RawFd>,
    pub(super) rest: Rest,
    pub(super) rows: Vec<TableRow>,
    /// If an isolated thread launches the child: each target, and the number of its source in the thread's table. Rows without a
    /// target then have numbers of the thread's table.
    pub(super) thread_mappings: Option<Vec<Mapping>>,
    pub(super) steps: Vec<Step>,
    /// The text of each step, with its operands.
    pub(super) texts: Vec<String>,
}

impl Explanation {
    /// The child's steps in their order. It is empty if there is an error.
    pub fn steps(&self) -> &[Step] {
        self.outcome.as_ref().map_or(&[], |explained| &explained.steps)
    }

    /// The numbers that are open when the program starts, in order, without those that [`Rest::Inherit`] adds.
    pub fn targets(&self) -> Vec<RawFd> {
        let rows = self.outcome.as_ref().map_or(&[][..], |explained| &explained.rows);
        rows.iter()
            .filter(|row| row.meaning != RowMeaning::Target(Origin::Closed))
            .filter_map(|row| row.target)
            .collect()
    }

    /// The explanation, if no step before the launch would fail.
    ///
    /// # Errors
    ///
    /// The error that the spawn would return before it starts a child.
    pub fn into_result(self) -> crate::error::Result<Self> {
        match self.outcome {
            Ok(_) => Ok(self),
            Err(error) => Err(error),
        }
    }

    /// The error that the spawn would return before it starts a child, if there is one.
    pub fn error(&self) -> Option<&Error> {
        self.outcome.as_ref().err()
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Explained { launcher, cgroup, rest, rows, thread_mappings, texts, .. } = match &self.outcome {
            Ok(explained) => explained,
            Err(error) => return write!(f, "{error}"),
        };
        let rest = match rest {
            Rest::Close => "closed",
            Rest::Inherit => "inherited unless close-on-exec is set",
        };
        let launcher = match launcher {
            Launcher::Auto => "clone or fork",
            Launcher::Clone => "clone",
            Launcher::Fork => "fork",
        };
        let cgroup = cgroup.map_or(String::new(), |fd| format!(" into the cgroup of descriptor {fd}"));
        writeln!(f, "descriptors of `{}`; all others are {rest}", self.program)?;
        let number = |number: Option<RawFd>| number.map_or("-".to_owned(), |number| number.to_string());
        match thread_mappings {
            None => {
                writeln!(f, "  {:>6}  {:>6}  what it is", "target", "source")?;
                for TableRow { target, source, meaning } in rows {
                    writeln!(f, "  {:>6}  {:>6}  {meaning}", number(*target), number(*source))?;
                }
                writeln!(f, "steps in the child, launched by {launcher}{cgroup}")?;
            }
            Some(thread_mappings) => {
                writeln!(f, "  {:>6}  {:>6}  {:>6}  what it is", "target", "source", "thread")?;
                for TableRow { target, source, meaning } in rows {
                    let (source, in_thread) = match target {
                        Some(target) => (
                            *source,
                            thread_mappings.iter().find(|each| each.target == *target).map(|each| each.source),
                        ),
                        None => (None, *source),
                    };
                    let (target, source, in_thread) = (number(*target), number(source), number(in_thread));
                    writeln!(f, "  {target:>6}  {source:>6}  {in_thread:>6}  {meaning}")?;
                }
                writeln!(
                    f,
                    "steps in the child, launched by {launcher}{cgroup} from an isolated thread, with the numbers of its table"
                )?;
            }
        }
        for (index, text) in texts.iter().enumerate() {
            writeln!(f, "  {:>6}  {text}", index + 1)?;
        }
        Ok(())
    }
}
