//! A failure with its error number. The code that makes it does not know yet which call of the caller has failed.

use super::failure::Failure;
use crate::plan::Refusal;
use rustix::io::Errno;
use std::path::PathBuf;
use std::{fmt, io};

/// A failure and the system's error number. An [`Error`](super::Error) has the subject, too.
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
