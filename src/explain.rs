//! The printed picture of a plan.

use crate::error::Error;
use crate::plan::{Mapping, Rest, Step};
use crate::platform::Launcher;
use std::fmt;
use std::os::fd::RawFd;

/// What a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Inherited,
    ClosedInParent,
    Null,
    ReadByParent,
    WrittenByParent,
    Socket,
    Data { bytes: usize },
    Lent,
    Moved,
    Shared,
    Kept,
    SameAs(RawFd),
    Closed,
    Report,
    WorkingDirectory,
    Scratch,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Inherited => f.write_str("inherited"),
            Self::ClosedInParent => f.write_str("/dev/null, since it is closed in the parent"),
            Self::Null => f.write_str("/dev/null"),
            Self::ReadByParent => f.write_str("pipe: the child writes, the parent reads"),
            Self::WrittenByParent => f.write_str("pipe: the parent writes, the child reads"),
            Self::Socket => f.write_str("socket: both read and write"),
            Self::Data { bytes: 1 } => f.write_str("1 byte of data to read"),
            Self::Data { bytes } => write!(f, "{bytes} bytes of data to read"),
            Self::Lent => f.write_str("lent: stays open in the parent"),
            Self::Moved => f.write_str("moved: the parent closes it after the spawn"),
            Self::Shared => f.write_str("shared: the parent closes it with its last owner"),
            Self::Kept => f.write_str("kept"),
            Self::SameAs(target) => write!(f, "the same as {target}"),
            Self::Closed => f.write_str("closed"),
            Self::Report => f.write_str("the library's report of errors, until exec"),
            Self::WorkingDirectory => f.write_str("the working directory, until exec"),
            Self::Scratch => f.write_str("the scratch number of a cycle, until exec"),
        }
    }
}

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// `None` for what closes at exec.
    pub(crate) target: Option<RawFd>,
    /// `None` for a hole.
    pub(crate) source: Option<RawFd>,
    pub(crate) origin: Origin,
}

/// What a spawn would do to descriptors and in which steps, from [`Command::explain`]. `Display` prints it.
///
/// [`Command::explain`]: crate::Command::explain
#[derive(Debug)]
pub struct Explanation {
    pub(crate) program: String,
    pub(crate) outcome: Result<Explained, Error>,
}

#[derive(Debug)]
pub(crate) struct Explained {
    pub(crate) launcher: Launcher,
    pub(crate) rest: Rest,
    pub(crate) rows: Vec<Row>,
    /// Where the launch is by an isolated thread: each target, and the number at which its source has arrived there. Rows
    /// without a target then have the thread's numbers too.
    pub(crate) arrived: Option<Vec<Mapping>>,
    pub(crate) steps: Vec<Step>,
}

impl Explanation {
    /// The child's steps in their order; none where the plan is refused.
    pub fn steps(&self) -> &[Step] {
        self.outcome.as_ref().map_or(&[], |explained| &explained.steps)
    }

    /// The numbers that are open when the program starts, in order. What [`Rest::Inherit`] adds is not known here.
    pub fn targets(&self) -> Vec<RawFd> {
        let rows = self.outcome.as_ref().map_or(&[][..], |explained| &explained.rows);
        rows.iter().filter(|row| row.origin != Origin::Closed).filter_map(|row| row.target).collect()
    }

    /// The explanation of a plan that would be accepted, or the error of one that would not.
    ///
    /// # Errors
    ///
    /// What the spawn would return before anything is cloned.
    pub fn into_result(self) -> crate::Result<Self> {
        match self.outcome {
            Ok(_) => Ok(self),
            Err(error) => Err(error),
        }
    }

    /// Why the spawn would be refused, if it would.
    pub fn error(&self) -> Option<&Error> {
        self.outcome.as_ref().err()
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Explained { launcher, rest, rows, arrived, steps } = match &self.outcome {
            Ok(explained) => explained,
            Err(error) => return write!(f, "{error}"),
        };
        let rest = match rest {
            Rest::Close => "closed",
            Rest::Inherit => "inherited unless close-on-exec is set",
        };
        let launcher = match launcher {
            Launcher::Auto => "whichever launcher works",
            Launcher::Clone => "clone",
            Launcher::Fork => "fork",
        };
        writeln!(f, "descriptors of `{}`; all others are {rest}", self.program)?;
        let number = |number: Option<RawFd>| number.map_or("-".to_owned(), |number| number.to_string());
        match arrived {
            None => {
                writeln!(f, "  {:>6}  {:>6}  what it is", "target", "source")?;
                for Row { target, source, origin } in rows {
                    writeln!(f, "  {:>6}  {:>6}  {origin}", number(*target), number(*source))?;
                }
                writeln!(f, "steps in the child, launched by {launcher}")?;
            }
            Some(arrived) => {
                writeln!(f, "  {:>6}  {:>6}  {:>6}  what it is", "target", "source", "thread")?;
                for Row { target, source, origin } in rows {
                    let (source, in_thread) = match target {
                        Some(target) => {
                            (*source, arrived.iter().find(|each| each.target == *target).map(|each| each.source))
                        }
                        None => (None, *source),
                    };
                    let (target, source, in_thread) = (number(*target), number(source), number(in_thread));
                    writeln!(f, "  {target:>6}  {source:>6}  {in_thread:>6}  {origin}")?;
                }
                writeln!(
                    f,
                    "steps in the child, launched by {launcher} from an isolated thread, with the numbers of its table"
                )?;
            }
        }
        for (index, step) in steps.iter().enumerate() {
            writeln!(f, "  {:>6}  {step}", index + 1)?;
        }
        Ok(())
    }
}
