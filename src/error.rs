//! Errors: the step that failed, its operands, and the error number.

use crate::escape::Escaped;
use crate::plan::{Refusal, Step};
use crate::platform::Launcher;
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::{fmt, io};

/// The error of a spawn, an exec, a wait or a signal: the step that failed, its operands, the system's error number and the
/// program.
///
/// It converts into [`io::Error`], so `?` works in functions that return `io::Result`. An `io::Error` has an error number or a text
/// of its own, and not both. This conversion keeps the number, which callers of `std::process` look at, and not the text. If the text
/// is for a user, return this error itself, or convert it by [`Error::into_wrapped`].
///
/// ```
/// use fdspawn::{Command, Failure};
///
/// let error = Command::new("true").current_dir("/nope").spawn().unwrap_err();
/// assert_eq!(error.to_string(), "cannot spawn `true`: working directory `/nope`: No such file or directory");
/// assert!(matches!(error.failure(), Failure::WorkingDirectory(Some(path)) if path.as_os_str() == "/nope"));
/// let error = std::io::Error::from(error);
/// assert_eq!((error.kind(), error.raw_os_error()), (std::io::ErrorKind::NotFound, Some(2)));
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    subject: Subject,
    failure: Failure,
    errno: Option<Errno>,
    /// The path of the program's file.
    path: Option<PathBuf>,
}

/// The call that failed.
#[derive(Clone, Debug)]
pub(crate) enum Subject {
    Spawn(OsString),
    Exec(OsString),
    Run,
    Isolate,
    Environment,
    Wait(u32),
    Signal(u32),
    Read(u32),
}

/// The step that failed, with its operands.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Failure {
    /// The library refused the map of descriptors. It has started no child.
    Refused(Refusal),
    /// A string has a NUL byte inside. For system calls a string ends at its first NUL.
    NulByte(Text),
    /// The name of an environment variable is empty or has a `=` inside.
    VariableName(OsString),
    /// The command has `Launcher::Clone` and a `pre_exec` hook. A hook needs the copied memory of fork.
    HookNeedsFork,
    /// The command has `Launcher::Clone`, but the kernel refuses clone, or an emulator's clone does not share memory.
    CloneUnavailable,
    /// The parent could not open the source of a target.
    Open {
        /// The number in the child.
        target: RawFd,
        /// The source: "a pipe", "/dev/null".
        what: &'static str,
    },
    /// The parent could not open a descriptor that the library needs for the spawn.
    ParentOpen {
        /// What it is for: "a pipe for the report of errors".
        what: &'static str,
    },
    /// The parent could not find out whether a source is open.
    CheckFd {
        /// The number in the parent.
        fd: RawFd,
    },
    /// After a failed [`Command::exec`](crate::Command::exec), something could not be put back as it was.
    NotRestored {
        /// What it is: "descriptor 10".
        what: String,
        /// Why the exec failed.
        exec: String,
    },
    /// The parent could not flush its standard output before a fork. The child would write the content of the buffer again.
    Flush,
    /// The command has [`Rest::Inherit`](crate::Rest::Inherit) and an [`Isolated`](crate::Isolated), whose thread has no
    /// descriptors that a child could inherit.
    NothingToInherit,
    /// The process could not start the thread of an [`Isolated`](crate::Isolated).
    Thread,
    /// The thread of an [`Isolated`](crate::Isolated) could not get a descriptor table of its own.
    PrivateTable,
    /// The parent could not send the sources to the thread of an [`Isolated`](crate::Isolated).
    SendFds,
    /// This process is a forked copy of the one that made the [`Isolated`](crate::Isolated), and does not have its thread.
    AfterFork,
    /// The parent could not start a child: the system call of this launcher failed.
    Launch(Launcher),
    /// The signal mask of the launching thread could not be read or set. With other signals open, a child would run the handlers
    /// of this process.
    SignalMask,
    /// A step failed in the child. Some steps have a variant of their own below.
    Child(Step),
    /// The child could not change to the working directory: its path, or `None` if the command names it by a descriptor.
    WorkingDirectory(Option<PathBuf>),
    /// The child did not find the program, or could not execute it. [`Error::path`] says which file it could not execute.
    Exec,
    /// The child found the program's file, but could not execute its interpreter: the program that the first line of a script
    /// names after `#!`, or the loader of an executable file.
    Interpreter {
        /// The file that needs the interpreter: the program's, or that of an interpreter which is itself a script.
        script: PathBuf,
        /// The interpreter, as the file names it. `None` if the parent could not find out: it may not read the file, or it has
        /// another root than the child, or has found no fault with the interpreter.
        interpreter: Option<PathBuf>,
    },
    /// A `pre_exec` hook returned an error.
    Hook {
        /// Which hook, in the order in which they were added, from 0.
        index: usize,
        /// The error's text, if it has no error number.
        message: Option<String>,
    },
    /// A `pre_exec` hook panicked. The child has ended and been reaped.
    HookPanicked {
        /// Which hook, in the order in which they were added, from 0.
        index: usize,
    },
    /// A `pre_exec` hook ended the child, or closed or replaced the library's descriptor. It has the status of the child.
    HookEnded(ExitStatus),
    /// The child ended before it executed the program or ran the function, in most cases since a signal killed it. It has the
    /// status of the child.
    Killed(ExitStatus),
    /// The wait for the child failed.
    Wait,
    /// The parent could not send the signal to the child.
    Signal,
    /// The parent could not read the child's output.
    Read,
}

/// One of the command's strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Text {
    /// The program.
    Program,
    /// The argument of this index. `arg0` has the index 0.
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
        Problem { failure, errno, path: None }.of(subject)
    }

    pub(crate) fn with_subject(mut self, subject: Subject) -> Self {
        self.0.subject = subject;
        self
    }

    /// The step that failed, with its operands.
    pub fn failure(&self) -> &Failure {
        &self.0.failure
    }

    /// The error number, as `errno` has it. It is never `None`.
    ///
    /// If a system call failed, it is the number that the call returned. Other failures have the number that a system call has for the
    /// same mistake:
    ///
    /// | number | failures |
    /// |---|---|
    /// | `EBADF` | a target below zero or beyond the limit, a source that is not open, [`Stdio::same_as`] a target that is not open |
    /// | `EMFILE` | no number is free to break a cycle |
    /// | `EBUSY` | a target of an `exec` that is in use |
    /// | `EINVAL` | all other refused input, and the error of a hook that has only a text, as with `std::process` |
    /// | `EOPNOTSUPP` | [`Failure::CloneUnavailable`], [`Failure::AfterFork`] |
    /// | `ECANCELED` | the child ended before it executed the program, without an error of its own |
    /// | `EIO` | what remains |
    ///
    /// [`Stdio::same_as`]: crate::Stdio::same_as
    pub fn raw_os_error(&self) -> Option<i32> {
        Some(self.errno().raw_os_error())
    }

    fn errno(&self) -> Errno {
        self.0.errno.unwrap_or_else(|| errno_without_a_call(&self.0.failure))
    }

    /// The program, if the error is of a spawn or an exec.
    pub fn program(&self) -> Option<&OsStr> {
        match &self.0.subject {
            Subject::Spawn(program) | Subject::Exec(program) => Some(program),
            Subject::Run
            | Subject::Isolate
            | Subject::Environment
            | Subject::Wait(_)
            | Subject::Signal(_)
            | Subject::Read(_) => None,
        }
    }

    /// The path of the file that the child could not execute, as it found the program in `PATH`. `None` if it found no file, or
    /// if the error is another one.
    ///
    /// If `PATH` has several files of the program's name, it is the first one. It may also be a path that the child could not
    /// follow to its end, such as one in a directory that it may not search.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// The kind of the error: that of the number that a system call returned, or [`io::ErrorKind::InvalidInput`] for refused input.
    ///
    /// The [`io::Error`] that this error converts into has the kind of [`Error::raw_os_error`]. That is the same one, other than for
    /// input that is refused with `EBADF`, `EMFILE` or `EBUSY`, and for failures without a kind.
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

    /// Converts the error into an [`io::Error`] that has its text and its [kind](Error::kind), but no error number:
    /// [`io::Error::raw_os_error`] is `None`. [`io::Error::get_ref`] gives the `Error` back.
    ///
    /// ```
    /// use fdspawn::{Command, Error};
    ///
    /// let error = Command::new("true").current_dir("/nope").spawn().unwrap_err().into_wrapped();
    /// assert_eq!(error.to_string(), "cannot spawn `true`: working directory `/nope`: No such file or directory");
    /// let error = error.get_ref().and_then(|error| error.downcast_ref::<Error>()).expect("it wraps one");
    /// assert_eq!(error.raw_os_error(), Some(2));
    /// ```
    pub fn into_wrapped(self) -> io::Error {
        io::Error::new(self.kind(), self)
    }
}

/// The error number of a failure that is not one of a system call.
fn errno_without_a_call(failure: &Failure) -> Errno {
    match failure {
        Failure::Refused(refusal) => match refusal {
            Refusal::NegativeTarget { .. }
            | Refusal::TargetBeyondLimit { .. }
            | Refusal::SourceNotOpen { .. }
            | Refusal::SourceSpent { .. }
            | Refusal::SameAsNothing { .. } => Errno::BADF,
            Refusal::NoScratch { .. } => Errno::MFILE,
            Refusal::TargetInUse { .. } => Errno::BUSY,
            Refusal::TargetTwice { .. }
            | Refusal::KeepCollides { .. }
            | Refusal::SameAsItself { .. }
            | Refusal::PipedWhere { .. }
            | Refusal::InheritWhere { .. } => Errno::INVAL,
        },
        Failure::NulByte(_)
        | Failure::VariableName(_)
        | Failure::HookNeedsFork
        | Failure::NothingToInherit
        | Failure::Hook { .. } => Errno::INVAL,
        Failure::CloneUnavailable | Failure::AfterFork => Errno::OPNOTSUPP,
        Failure::HookPanicked { .. } | Failure::HookEnded(_) | Failure::Killed(_) => Errno::CANCELED,
        // Each has the number of its system call.
        _ => Errno::IO,
    }
}

/// A failure and the system's error number. An [`Error`] has the subject, too.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) failure: Failure,
    pub(crate) errno: Option<Errno>,
    /// The path of the program's file, if the failure is one of exec.
    pub(crate) path: Option<PathBuf>,
}

impl Problem {
    pub(crate) fn system(failure: Failure, errno: Errno) -> Self {
        Self { failure, errno: Some(errno), path: None }
    }

    pub(crate) fn io(failure: Failure, error: &io::Error) -> Self {
        Self { failure, errno: Errno::from_io_error(error), path: None }
    }

    pub(crate) fn of(self, subject: Subject) -> Error {
        let Self { failure, errno, path } = self;
        Error(Box::new(Inner { subject, failure, errno, path }))
    }
}

impl fmt::Display for Problem {
    /// The text without the program.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.errno {
            Some(errno) => write!(f, "{}: {}", self.failure, Reason(errno)),
            None => write!(f, "{}", self.failure),
        }
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self { failure, errno: None, path: None }
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
        let Inner { subject, failure, errno, path } = &*self.0;
        match subject {
            Subject::Spawn(program) => write!(f, "cannot spawn `{}`: ", Escaped::new(program))?,
            Subject::Exec(program) => write!(f, "cannot exec `{}`: ", Escaped::new(program))?,
            Subject::Run => f.write_str("cannot run a function in a child: ")?,
            Subject::Isolate => f.write_str("cannot start an isolated spawner: ")?,
            Subject::Environment => f.write_str("cannot make an environment: ")?,
            Subject::Wait(pid) => write!(f, "cannot wait for process {pid}: ")?,
            Subject::Signal(pid) => write!(f, "cannot signal process {pid}: ")?,
            Subject::Read(pid) => write!(f, "cannot read the output of process {pid}: ")?,
        }
        let searched =
            self.program().is_some_and(|program| !program.is_empty() && !program.as_encoded_bytes().contains(&b'/'));
        match (failure, errno) {
            (Failure::Exec, Some(Errno::TOOBIG)) => f.write_str("arguments and environment: ")?,
            (Failure::Exec, _) if searched => match path {
                Some(path) => write!(f, "`{}`: ", Escaped::new(path))?,
                None => f.write_str("program not found in PATH: ")?,
            },
            (Failure::Wait, Some(Errno::CHILD)) => {
                return f.write_str("another part of this process has reaped it, or SIGCHLD is ignored");
            }
            (Failure::Exec | Failure::Wait | Failure::Signal | Failure::Read, _) => {}
            (Failure::Hook { message: Some(_), .. }, _) => {}
            _ => write!(f, "{failure}")?,
        }
        match (failure, errno) {
            (Failure::Hook { index, message: Some(message) }, _) => {
                write!(f, "pre_exec hook {index}: {}", Escaped::new(message))
            }
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
            Self::NothingToInherit => f.write_str(
                "Rest::Inherit has no meaning here: the isolated spawner's thread has no descriptors to inherit",
            ),
            Self::Thread => f.write_str("cannot start its thread"),
            Self::PrivateTable => f.write_str("cannot give its thread a descriptor table of its own"),
            Self::SendFds => f.write_str("cannot pass the descriptors to the isolated spawner"),
            Self::AfterFork => {
                f.write_str("this process is a forked copy, which does not have the isolated spawner's thread")
            }
            Self::CheckFd { fd } => write!(f, "cannot find out whether descriptor {fd} is open"),
            Self::NotRestored { what, exec } => write!(f, "{exec}; and then cannot restore {what}"),
            Self::Flush => f.write_str("cannot flush standard output"),
            Self::SignalMask => f.write_str("cannot read or set the signal mask of the launching thread"),
            Self::Launch(Launcher::Fork) => f.write_str("fork"),
            Self::Launch(_) => f.write_str("clone"),
            Self::Child(step) => write!(f, "cannot {step}"),
            Self::WorkingDirectory(Some(path)) => write!(f, "working directory `{}`", Escaped::new(path)),
            Self::WorkingDirectory(None) => f.write_str("working directory given as a descriptor"),
            Self::Exec => f.write_str("exec"),
            Self::Interpreter { script, interpreter: Some(interpreter) } => {
                write!(f, "`{}` needs the interpreter `{}`", Escaped::new(script), Escaped::new(interpreter))
            }
            Self::Interpreter { script, interpreter: None } => {
                write!(f, "`{}` needs an interpreter", Escaped::new(script))
            }
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
            .field("path", &self.0.path)
            .finish()
    }
}

impl std::error::Error for Error {}

impl From<Error> for io::Error {
    /// Keeps the error number, and not the text: see [`Error::into_wrapped`].
    fn from(error: Error) -> Self {
        error.errno().into()
    }
}
