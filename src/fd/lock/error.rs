//! The errors of taking and releasing locks.

use super::kind::{LockMode, RangeLock};
use super::range::RangeError;
use super::request::LockRequest;
use crate::error::Reason;
use rustix::io::Errno;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::{fmt, io};

/// An error of taking or releasing a lock. It contains the file, which is open and unchanged.
///
/// The error converts into an [`io::Error`] of the same kind, so `?` works in functions that return `io::Result`. The
/// conversion drops the file, and [`io::Error::get_ref`] then returns a `LockError<()>`.
///
/// ```
/// use fdspawn::fd::{RangeLock, lock};
/// use std::fs::File;
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("file");
/// # File::create(&path)?;
/// let error = lock(File::open(&path)?, RangeLock::exclusive(0..10)).unwrap_err();
/// assert!(error.to_string().contains("not open for writing"), "{error}");
/// let file: File = error.into_inner();
/// let guard = lock(file, RangeLock::shared(0..10))?;
/// # drop(guard);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct LockError<F> {
    file: F,
    fd: RawFd,
    attempt: Attempt,
    failure: LockFailure,
}

/// The operation that failed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Attempt {
    Take(LockRequest),
    Release,
}

/// Why an operation failed.
#[derive(Clone, Copy, Debug)]
pub(super) enum LockFailure {
    /// The range cannot be locked; no system call was made.
    Range(RangeError),
    Call(Errno),
}

impl<F: AsFd> LockError<F> {
    pub(super) fn new(file: F, attempt: Attempt, failure: LockFailure) -> Self {
        let fd = file.as_fd().as_raw_fd();
        Self { file, fd, attempt, failure }
    }
}

impl<F> LockError<F> {
    /// Returns the file.
    pub fn into_inner(self) -> F {
        self.file
    }

    /// The system's error number. `None` if no system call failed.
    pub fn raw_os_error(&self) -> Option<i32> {
        match self.failure {
            LockFailure::Range(_) => None,
            LockFailure::Call(errno) => Some(errno.raw_os_error()),
        }
    }

    /// The kind of the [`io::Error`] that this error converts into.
    pub fn kind(&self) -> io::ErrorKind {
        match self.failure {
            LockFailure::Range(_) => io::ErrorKind::InvalidInput,
            LockFailure::Call(errno) if is_missing(self.attempt, errno) => io::ErrorKind::Unsupported,
            LockFailure::Call(errno) => errno.kind(),
        }
    }

    fn without_file(&self) -> LockError<()> {
        LockError { file: (), fd: self.fd, attempt: self.attempt, failure: self.failure }
    }
}

/// Whether the error means that the system does not have such locks. EINVAL means that for a lock of bytes: its other
/// arguments are valid, so the system does not know the command.
fn is_missing(attempt: Attempt, errno: Errno) -> bool {
    [Errno::NOSYS, Errno::OPNOTSUPP, Errno::NOTSUP].contains(&errno)
        || (errno == Errno::INVAL && matches!(attempt, Attempt::Take(LockRequest::Bytes(_))))
}

/// The meaning of an error number for locks, if the number's own text does not say it.
fn meaning(attempt: Attempt, errno: Errno) -> Option<&'static str> {
    let Attempt::Take(request) = attempt else { return None };
    Some(match (errno, request) {
        (Errno::BADF, LockRequest::Bytes(RangeLock { mode: LockMode::Exclusive, .. })) => {
            "it is not open for writing, which an exclusive lock of bytes needs"
        }
        (Errno::BADF, LockRequest::Bytes(RangeLock { mode: LockMode::Shared, .. })) => {
            "it is not open for reading, which a shared lock of bytes needs"
        }
        (Errno::BADF, LockRequest::Whole(_)) => {
            "it was opened with O_PATH, or is on a network file system and not open for writing (exclusive) or reading \
             (shared)"
        }
        (Errno::NOLCK, _) => "the system has no room for it, or the lock server of the file system does not answer",
        (Errno::DEADLK, _) => "the wait would never end",
        (Errno::ACCESS, _) => "a security policy forbids it, or it is on CIFS and another process holds a lock",
        (errno, LockRequest::Bytes(_)) if is_missing(attempt, errno) => {
            "locks of bytes that belong to the description do not exist here, and record locks are no replacement"
        }
        (errno, LockRequest::Whole(_)) if is_missing(attempt, errno) || errno == Errno::INVAL => {
            "what is open there cannot be locked"
        }
        _ => return None,
    })
}

impl<F> fmt::Display for LockError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.attempt {
            Attempt::Take(request) => write!(f, "cannot take {request} on descriptor {}: ", self.fd)?,
            Attempt::Release => write!(f, "cannot release the lock on descriptor {}: ", self.fd)?,
        }
        match self.failure {
            LockFailure::Range(error) => write!(f, "{error}"),
            LockFailure::Call(errno) => {
                if let Some(meaning) = meaning(self.attempt, errno) {
                    write!(f, "{meaning}: ")?;
                }
                write!(f, "{}", Reason(errno))
            }
        }
    }
}

impl<F> fmt::Debug for LockError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockError")
            .field("fd", &self.fd)
            .field("attempt", &self.attempt)
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

impl<F> std::error::Error for LockError<F> {}

impl<F> From<LockError<F>> for io::Error {
    fn from(error: LockError<F>) -> Self {
        Self::new(error.kind(), error.without_file())
    }
}

/// An error of [`try_lock`](super::try_lock). It contains the file, which is open and unchanged.
///
/// The error converts into an [`io::Error`]: `Held` into one of the kind [`WouldBlock`](io::ErrorKind::WouldBlock), and
/// `Failed` into one of the kind of its [`LockError`].
pub enum TryLockError<F> {
    /// Another description holds a lock that conflicts with this one.
    #[doc(alias = "EWOULDBLOCK")]
    Held(F),
    /// The call failed for another reason.
    Failed(LockError<F>),
}

impl<F> TryLockError<F> {
    /// Returns the file.
    pub fn into_inner(self) -> F {
        match self {
            Self::Held(file) => file,
            Self::Failed(error) => error.into_inner(),
        }
    }

    /// The kind of the [`io::Error`] that this error converts into.
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Held(_) => io::ErrorKind::WouldBlock,
            Self::Failed(error) => error.kind(),
        }
    }
}

impl<F> fmt::Display for TryLockError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held(_) => f.write_str("the file is locked through another description"),
            Self::Failed(error) => write!(f, "{error}"),
        }
    }
}

impl<F> fmt::Debug for TryLockError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held(_) => f.write_str("Held(..)"),
            Self::Failed(error) => f.debug_tuple("Failed").field(error).finish(),
        }
    }
}

impl<F> std::error::Error for TryLockError<F> {}

impl<F> From<TryLockError<F>> for io::Error {
    fn from(error: TryLockError<F>) -> Self {
        match error {
            TryLockError::Held(_) => Self::new(io::ErrorKind::WouldBlock, TryLockError::Held(())),
            TryLockError::Failed(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fd::lock::Lock;
    use std::ops::Bound;

    fn error(attempt: Attempt, errno: Errno) -> LockError<()> {
        LockError { file: (), fd: 5, attempt, failure: LockFailure::Call(errno) }
    }

    #[test]
    fn each_error_number_has_its_kind_and_a_text_to_act_on() {
        use io::ErrorKind::{Deadlock, InvalidInput, PermissionDenied, Unsupported, WouldBlock};
        let whole = Attempt::Take(LockRequest::Whole(Lock::exclusive()));
        let bytes = Attempt::Take(LockRequest::Bytes(RangeLock::shared((Bound::Included(1), Bound::Excluded(9)))));
        for (attempt, errno, kind, text) in [
            (whole, Errno::INVAL, InvalidInput, "cannot be locked: Invalid argument"),
            (whole, Errno::OPNOTSUPP, Unsupported, "cannot be locked: "),
            (whole, Errno::NOSYS, Unsupported, "cannot be locked: "),
            (bytes, Errno::INVAL, Unsupported, "record locks are no replacement: Invalid argument"),
            (bytes, Errno::OPNOTSUPP, Unsupported, "record locks are no replacement: "),
            (bytes, Errno::NOSYS, Unsupported, "record locks are no replacement: "),
            (whole, Errno::DEADLK, Deadlock, ": the wait would never end: "),
            (bytes, Errno::ACCESS, PermissionDenied, "a security policy forbids it, or it is on CIFS"),
            (whole, Errno::WOULDBLOCK, WouldBlock, "lock on descriptor 5: "),
            (Attempt::Release, Errno::INVAL, InvalidInput, "cannot release the lock on descriptor 5: Invalid argument"),
        ] {
            let error = error(attempt, errno);
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains(text), "{error}");
            assert_eq!(error.raw_os_error(), Some(errno.raw_os_error()));
        }
        // These errors have no kind of their own in std.
        assert!(error(whole, Errno::NOLCK).to_string().contains("the system has no room for it"));
        assert!(
            error(bytes, Errno::IO)
                .to_string()
                .starts_with("cannot take a shared lock of bytes 1..9 on descriptor 5: ")
        );
        assert!(
            error(whole, Errno::BADF)
                .to_string()
                .starts_with("cannot take an exclusive flock lock on descriptor 5: it was opened with O_PATH")
        );
    }
}
