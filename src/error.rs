//! What failed, where, and with which operands.

use crate::plan::{Refusal, Step};
use crate::platform::Launcher;
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::{fmt, io};

/// A spawn, a wait or a signal that failed: the step, its operands, the system's error number and the program.
///
/// It converts into [`io::Error`] with the [`io::ErrorKind`] of the cause, so `?` works where `io::Result` is
/// returned; the `Error` itself is then what [`io::Error::get_ref`] gives.
///
/// ```
/// use fdspawn::{Command, Failure};
///
/// let error = Command::new("true").current_dir("/nope").spawn().unwrap_err();
/// assert_eq!(error.to_string(), "cannot spawn `true`: working directory `/nope`: No such file or directory");
/// assert!(matches!(error.failure(), Failure::WorkingDirectory(Some(path)) if path.as_os_str() == "/nope"));
/// assert_eq!(std::io::Error::from(error).kind(), std::io::ErrorKind::NotFound);
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    subject: Subject,
    failure: Failure,
    errno: Option<Errno>,
}

/// What was being done.
#[derive(Clone, Debug)]
pub(crate) enum Subject {
    Spawn(OsString),
    Exec(OsString),
    Run,
    Isolate,
    Wait(u32),
    Signal(u32),
    Read(u32),
}

/// The step that failed, with its operands.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Failure {
    /// The descriptor plan was refused before anything was cloned.
    Refused(Refusal),
    /// A string has a NUL byte inside, which no system call can pass on.
    NulByte(Text),
    /// The name of an environment variable is empty or has a `=` inside.
    VariableName(OsString),
    /// `Launcher::Clone` was asked for, but a `pre_exec` hook needs the copied memory of fork.
    HookNeedsFork,
    /// `Launcher::Clone` was asked for, but clone is refused here or does not share memory.
    CloneUnavailable,
    /// The parent could not open what the child should have at a target.
    Open {
        /// The number in the child.
        target: RawFd,
        /// What was opened: "a pipe", "/dev/null".
        what: &'static str,
    },
    /// The parent could not open something for its own use.
    ParentOpen {
        /// What was opened: "a pipe for the report of errors".
        what: &'static str,
    },
    /// The parent's standard output could not be flushed before a fork; the child would write its buffer again.
    Flush,
    /// [`Rest::Inherit`](crate::Rest::Inherit) was asked of an [`Isolated`](crate::Isolated), which has nothing to inherit.
    NothingToInherit,
    /// The thread of an [`Isolated`](crate::Isolated) could not be started.
    Thread,
    /// The thread of an [`Isolated`](crate::Isolated) could not be given a descriptor table of its own.
    PrivateTable,
    /// The plan's sources could not be passed to the thread of an [`Isolated`](crate::Isolated).
    SendFds,
    /// An [`Isolated`](crate::Isolated) was used in a forked copy of its process, where its thread is missing.
    AfterFork,
    /// The child could not be started.
    Launch(Launcher),
    /// A step in the child, none of those below.
    Child(Step),
    /// The working directory: its path, or `None` where it was given as a descriptor.
    WorkingDirectory(Option<PathBuf>),
    /// The program could not be executed, or was not found.
    Exec,
    /// A `pre_exec` hook returned an error, with its text where that is not a system's error.
    Hook {
        /// Which hook, in the order in which they were added, from 0.
        index: usize,
        /// The text of an error that has no error number.
        message: Option<String>,
    },
    /// A `pre_exec` hook panicked. The child is gone.
    HookPanicked {
        /// Which hook, in the order in which they were added, from 0.
        index: usize,
    },
    /// A `pre_exec` hook ended the child, or closed or replaced the library's descriptor; how the child ended.
    HookEnded(ExitStatus),
    /// Something killed the child before it became the program, and this is how it ended.
    Killed(ExitStatus),
    /// The wait for the child's end.
    Wait,
    /// The signal to the child.
    Signal,
    /// The reading of the child's output.
    Read,
}

/// A string that the caller gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Text {
    /// The program.
    Program,
    /// An argument, counted from 0 with `arg0`.
    Argument(usize),
    /// The name or the value of an environment variable.
    Variable,
    /// The working directory.
    WorkingDirectory,
}

/// `Result` with this library's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn new(subject: Subject, failure: Failure, errno: Option<Errno>) -> Self {
        Self(Box::new(Inner { subject, failure, errno }))
    }

    /// The step that failed, with its operands.
    pub fn failure(&self) -> &Failure {
        &self.0.failure
    }

    /// The system's error number, where a system call failed.
    pub fn raw_os_error(&self) -> Option<i32> {
        self.0.errno.map(Errno::raw_os_error)
    }

    /// The program, where it was about to be spawned.
    pub fn program(&self) -> Option<&OsStr> {
        match &self.0.subject {
            Subject::Spawn(program) | Subject::Exec(program) => Some(program),
            Subject::Run | Subject::Isolate | Subject::Wait(_) | Subject::Signal(_) | Subject::Read(_) => None,
        }
    }

    /// The kind that an [`io::Error`] made from this one has.
    pub fn kind(&self) -> io::ErrorKind {
        if let Some(errno) = self.0.errno {
            return errno.kind();
        }
        match self.0.failure {
            Failure::Refused(_)
            | Failure::NulByte(_)
            | Failure::VariableName(_)
            | Failure::HookNeedsFork
            | Failure::NothingToInherit => io::ErrorKind::InvalidInput,
            Failure::CloneUnavailable | Failure::AfterFork => io::ErrorKind::Unsupported,
            _ => io::ErrorKind::Other,
        }
    }
}

/// A failure and the system's error number, before they become an [`Error`], which also names the program.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) failure: Failure,
    pub(crate) errno: Option<Errno>,
}

impl Problem {
    pub(crate) fn system(failure: Failure, errno: Errno) -> Self {
        Self { failure, errno: Some(errno) }
    }

    pub(crate) fn io(failure: Failure, error: &io::Error) -> Self {
        Self { failure, errno: Errno::from_io_error(error) }
    }

    pub(crate) fn of(self, subject: Subject) -> Error {
        Error::new(subject, self.failure, self.errno)
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self { failure, errno: None }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Failure::Refused(refusal).into()
    }
}

/// The system's text for an error number, without the number.
pub(crate) struct Reason(pub(crate) Errno);

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = io::Error::from(self.0).to_string();
        f.write_str(text.split(" (os error").next().unwrap_or(&text))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { subject, failure, errno } = &*self.0;
        match subject {
            Subject::Spawn(program) => write!(f, "cannot spawn `{}`: ", program.display())?,
            Subject::Exec(program) => write!(f, "cannot exec `{}`: ", program.display())?,
            Subject::Run => f.write_str("cannot run a function in a child: ")?,
            Subject::Isolate => f.write_str("cannot start an isolated spawner: ")?,
            Subject::Wait(pid) => write!(f, "cannot wait for process {pid}: ")?,
            Subject::Signal(pid) => write!(f, "cannot signal process {pid}: ")?,
            Subject::Read(pid) => write!(f, "cannot read the output of process {pid}: ")?,
        }
        let searched =
            self.program().is_some_and(|program| !program.is_empty() && !program.as_encoded_bytes().contains(&b'/'));
        match (failure, errno) {
            (Failure::Exec, Some(Errno::NOENT)) if searched => f.write_str("program not found in PATH: ")?,
            (Failure::Exec, Some(Errno::TOOBIG)) => f.write_str("arguments and environment: ")?,
            (Failure::Wait, Some(Errno::CHILD)) => {
                return f.write_str("it was reaped by someone else, or SIGCHLD is ignored");
            }
            (Failure::Exec | Failure::Wait | Failure::Signal | Failure::Read, _) => {}
            (Failure::Hook { message: Some(_), .. }, _) => {}
            _ => write!(f, "{failure}")?,
        }
        match (failure, errno) {
            (Failure::Hook { index, message: Some(message) }, _) => write!(f, "pre_exec hook {index}: {message}"),
            (Failure::Exec | Failure::Wait | Failure::Signal | Failure::Read, Some(errno)) => {
                write!(f, "{}", Reason(*errno))
            }
            (_, Some(errno)) => write!(f, ": {}", Reason(*errno)),
            (_, None) => Ok(()),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => write!(f, "{refusal}"),
            Self::NulByte(text) => write!(f, "{text} has a NUL byte inside"),
            Self::VariableName(name) if name.is_empty() => f.write_str("the name of an environment variable is empty"),
            Self::VariableName(_) => f.write_str("the name of an environment variable has a `=` inside"),
            Self::HookNeedsFork => {
                f.write_str("a pre_exec hook needs the fork launcher, but Launcher::Clone was asked for")
            }
            Self::CloneUnavailable => {
                f.write_str("Launcher::Clone was asked for, but clone is refused here or does not share memory")
            }
            Self::Open { target, what } => write!(f, "cannot open {what} for descriptor {target}"),
            Self::ParentOpen { what } => write!(f, "cannot open {what}"),
            Self::NothingToInherit => f.write_str("Rest::Inherit was asked for, but an isolated spawner has no rest"),
            Self::Thread => f.write_str("cannot start its thread"),
            Self::PrivateTable => f.write_str("cannot give its thread a descriptor table of its own"),
            Self::SendFds => f.write_str("cannot pass the descriptors to the isolated spawner"),
            Self::AfterFork => f.write_str("this is a forked copy of the process that has the isolated spawner"),
            Self::Flush => f.write_str("cannot flush standard output"),
            Self::Launch(Launcher::Fork) => f.write_str("fork"),
            Self::Launch(_) => f.write_str("clone"),
            Self::Child(step) => write!(f, "cannot {step}"),
            Self::WorkingDirectory(Some(path)) => write!(f, "working directory `{}`", path.display()),
            Self::WorkingDirectory(None) => f.write_str("working directory given as a descriptor"),
            Self::Exec => f.write_str("exec"),
            Self::Hook { index, .. } => write!(f, "pre_exec hook {index}"),
            Self::HookPanicked { index } => write!(f, "pre_exec hook {index} panicked"),
            Self::HookEnded(status) => {
                write!(f, "a pre_exec hook ended the child, or closed the library's descriptor: {status}")
            }
            Self::Killed(status) => write!(f, "the child was killed before it became the program: {status}"),
            Self::Wait => f.write_str("wait"),
            Self::Signal => f.write_str("signal"),
            Self::Read => f.write_str("read"),
        }
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program => f.write_str("the program's name"),
            Self::Argument(index) => write!(f, "argument {index}"),
            Self::Variable => f.write_str("an environment variable"),
            Self::WorkingDirectory => f.write_str("the working directory"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("subject", &self.0.subject)
            .field("failure", &self.0.failure)
            .field("errno", &self.0.errno)
            .finish()
    }
}

impl std::error::Error for Error {}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::new(error.kind(), error)
    }
}
