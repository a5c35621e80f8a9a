//! The error that callers get: a failure, the call that it belongs to, and the error number.

use super::failure::Failure;
use super::problem::{Details, Problem, Reason};
use super::stage::{Stage, stage_of};
use super::subject::Subject;
use super::without_a_call::{errno_without_a_call, kind_without_a_call};
use crate::escape::Escaped;
use rustix::io::Errno;
use std::ffi::OsStr;
use std::path::Path;
use std::{fmt, io};

/// The error of a spawn, an exec, a wait or a signal: the step that failed, its operands, the system's error number and the
/// program.
///
/// An `Error` converts into [`io::Error`], so `?` works in functions that return `io::Result`. An `io::Error` has an error number or
/// a text of its own, and not both. The conversion keeps the number, which callers of `std::process` look at, and not the text. If a
/// user reads the text, return the `Error` itself, or convert it by [`Error::into_wrapped`].
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
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    subject: Subject,
    problem: Problem,
}

/// `Result` with this library's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn new(subject: Subject, failure: Failure, errno: Option<Errno>) -> Self {
        Problem::new(failure, errno).of(subject)
    }

    pub(crate) fn with_subject(mut self, subject: Subject) -> Self {
        self.0.subject = subject;
        self
    }

    /// The step that failed, with its operands.
    pub fn failure(&self) -> &Failure {
        &self.0.problem.failure
    }

    /// The stage in which the error has happened: in the parent, in one of the child's steps, or after the start.
    ///
    /// The stage says less than [`Error::failure`]. It is for callers that pass an error on as an error number and a word, such as a
    /// language's runtime.
    ///
    /// ```
    /// use fdspawn::{Command, Stage};
    ///
    /// let error = Command::new("true").current_dir("/nope").spawn().unwrap_err();
    /// assert_eq!((error.raw_os_error(), error.stage()), (Some(2), Stage::Directory));
    /// let error = Command::new("/nope").spawn().unwrap_err();
    /// assert_eq!((error.raw_os_error(), error.stage()), (Some(2), Stage::Exec));
    /// assert_eq!(error.stage().to_string(), "exec");
    /// ```
    pub fn stage(&self) -> Stage {
        stage_of(self.failure())
    }

    /// The error number, as `errno` has it. The result is never `None`.
    ///
    /// If a system call failed, the number is that of the call. Any other failure has the number that a system call would return for
    /// the same mistake:
    ///
    /// | number | failures |
    /// |---|---|
    /// | `EBADF` | a target below zero or beyond the limit, a source that is not open, [`Stdio::same_as`] a target that is not open, a cgroup that is none |
    /// | `EMFILE` | no number is free to break a cycle |
    /// | `EBUSY` | a target of an `exec` that is in use, a frozen cgroup, [`Failure::CgroupNotEmpty`] |
    /// | `ECHILD` | [`Failure::Reaped`], [`Failure::NotAChild`] |
    /// | `EINVAL` | all other refused input, and the error of a hook that has only a text, as with `std::process` |
    /// | `EOPNOTSUPP` | [`Failure::CloneUnavailable`], [`Failure::AfterFork`], [`Failure::NoCgroup`], [`Failure::CgroupController`] |
    /// | `ECANCELED` | the child ended before it executed the program, without an error of its own |
    /// | `EIO` | what remains |
    ///
    /// [`Stdio::same_as`]: crate::Stdio::same_as
    pub fn raw_os_error(&self) -> Option<i32> {
        Some(self.errno().raw_os_error())
    }

    /// Whether a system call failed, so that the number is the call's.
    pub(crate) fn is_of_a_call(&self) -> bool {
        self.0.problem.errno.is_some()
    }

    fn errno(&self) -> Errno {
        self.0.problem.errno.unwrap_or_else(|| errno_without_a_call(self.failure()))
    }

    /// The program, if the error is of a spawn, an exec or a copy of a command.
    pub fn program(&self) -> Option<&OsStr> {
        self.0.subject.program()
    }

    /// The path of the file that the child could not execute, as it found the program in `PATH`. `None` if it found no file, or
    /// if the error is another one.
    ///
    /// If `PATH` has several files of the program's name, this is the path of the first one. It may also be a path that the
    /// child could not follow to its end, for example in a directory that the child may not search.
    pub fn path(&self) -> Option<&Path> {
        self.0.problem.path.as_deref()
    }

    /// The kind of the error: that of the number that a system call returned, or [`io::ErrorKind::InvalidInput`] for refused input.
    ///
    /// The [`io::Error`] that this error converts into has the kind of [`Error::raw_os_error`]. The two kinds are the same, except
    /// for input that the library refuses with `EBADF`, `EMFILE` or `EBUSY`, and for failures without a kind.
    pub fn kind(&self) -> io::ErrorKind {
        match self.0.problem.errno {
            Some(errno) => errno.kind(),
            None => kind_without_a_call(self.failure()),
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

impl Problem {
    /// Makes the error of this call.
    pub(crate) fn of(self, subject: Subject) -> Error {
        Error(Box::new(Inner { subject, problem: self }))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { subject, problem } = &*self.0;
        let Details { failure, errno, path } = &**problem;
        write!(f, "{subject}")?;
        let searched =
            self.program().is_some_and(|program| !program.is_empty() && !program.as_encoded_bytes().contains(&b'/'));
        match (failure, errno) {
            (Failure::Exec, Some(Errno::TOOBIG)) => f.write_str("arguments and environment: ")?,
            // After a change of the user, the kernel checks the limit at the exec.
            (Failure::Exec, Some(Errno::AGAIN)) => f.write_str("the user's limit of processes (RLIMIT_NPROC): ")?,
            (Failure::Exec, _) => match path {
                Some(path) if Some(path.as_os_str()) != self.program() => write!(f, "`{}`: ", Escaped::new(path))?,
                None if searched => f.write_str("program not found in PATH: ")?,
                _ => {}
            },
            (Failure::Wait, Some(Errno::CHILD)) => {
                return f.write_str("another part of this process has reaped it, or SIGCHLD is ignored");
            }
            (Failure::Wait | Failure::Signal | Failure::Read | Failure::Write, _) => {}
            (Failure::Hook { message: Some(_), .. }, _) => {}
            _ => write!(f, "{failure}")?,
        }
        match (failure, errno) {
            (Failure::Hook { index, message: Some(message) }, _) => {
                write!(f, "pre_exec hook {index}: {}", Escaped::new(message))
            }
            (Failure::Exec | Failure::Wait | Failure::Signal | Failure::Read | Failure::Write, Some(errno)) => {
                write!(f, "{}", Reason(*errno))
            }
            (_, Some(errno)) => write!(f, ": {}", Reason(*errno)),
            (_, None) => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("subject", &self.0.subject)
            .field("failure", &self.0.problem.failure)
            .field("errno", &self.0.problem.errno)
            .field("path", &self.0.problem.path)
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
