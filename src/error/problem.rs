//! A failure with its error number. The code that makes it does not know yet which call of the caller has failed.

use super::failure::Failure;
use crate::plan::Refusal;
use rustix::io::Errno;
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::{fmt, io};

/// A failure and the system's error number. An [`Error`](super::Error) has the subject, too.
///
/// The details are in a box: nearly every function of a spawn can return a problem, and so its result is small.
#[derive(Clone, Debug)]
pub(crate) struct Problem(Box<Details>);

#[derive(Clone, Debug)]
pub(crate) struct Details {
    pub(crate) failure: Failure,
    pub(crate) errno: Option<Errno>,
    /// The path of the program's file, if the failure is one of exec.
    pub(crate) path: Option<PathBuf>,
}

impl Problem {
    #[cold]
    pub(crate) fn new(failure: Failure, errno: Option<Errno>) -> Self {
        Self(Box::new(Details { failure, errno, path: None }))
    }

    pub(crate) fn system(failure: Failure, errno: Errno) -> Self {
        Self::new(failure, Some(errno))
    }

    pub(crate) fn io(failure: Failure, error: &io::Error) -> Self {
        Self::new(failure, Errno::from_io_error(error))
    }

    /// The same problem, as another failure.
    pub(crate) fn with_failure(mut self, failure: Failure) -> Self {
        self.failure = failure;
        self
    }
}

impl Deref for Problem {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.0
    }
}

impl DerefMut for Problem {
    fn deref_mut(&mut self) -> &mut Details {
        &mut self.0
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
        Self::new(failure, None)
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
