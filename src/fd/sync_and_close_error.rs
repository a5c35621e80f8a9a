//! The error of syncing and closing a descriptor.

use super::close_error::CloseError;
use crate::error::Reason;
use rustix::io::Errno;
use std::error::Error;
use std::os::fd::RawFd;
use std::{fmt, io};

/// An error of [`sync_and_close`](super::sync_and_close): of the sync, of the close, or of both.
///
/// The error converts into an [`io::Error`] of the kind of the sync's error, or else of the close's.
///
/// ```
/// // A pipe has no disk, so the sync fails. The close succeeds.
/// let (_reader, writer) = std::io::pipe()?;
/// let error = fdspawn::fd::sync_and_close(writer).unwrap_err();
/// assert_eq!(error.sync_error().map(|error| error.kind()), Some(std::io::ErrorKind::InvalidInput));
/// assert_eq!(error.close_error(), None);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncAndCloseError {
    number: RawFd,
    failed: FailedCalls,
}

/// Which of the two calls failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FailedCalls {
    Sync(Errno),
    Close(CloseError),
    Both(Errno, CloseError),
}

impl SyncAndCloseError {
    /// `Err` if the sync failed, or the close.
    pub(crate) fn of(
        number: RawFd,
        synced: Result<(), Errno>,
        closed: Result<(), CloseError>,
    ) -> Result<(), SyncAndCloseError> {
        let failed = match (synced, closed) {
            (Ok(()), Ok(())) => return Ok(()),
            (Err(sync), Ok(())) => FailedCalls::Sync(sync),
            (Ok(()), Err(close)) => FailedCalls::Close(close),
            (Err(sync), Err(close)) => FailedCalls::Both(sync, close),
        };
        Err(Self { number, failed })
    }

    /// The number of the closed descriptor. Another descriptor may have it now.
    pub fn number(&self) -> RawFd {
        self.number
    }

    /// The error of the sync, with the system's error number. Some of the written data may not be on the disk.
    pub fn sync_error(&self) -> Option<io::Error> {
        match self.failed {
            FailedCalls::Sync(errno) | FailedCalls::Both(errno, _) => Some(errno.into()),
            FailedCalls::Close(_) => None,
        }
    }

    /// The error of the close. If the sync has not failed, the data that was written before is on the disk.
    pub fn close_error(&self) -> Option<CloseError> {
        match self.failed {
            FailedCalls::Close(error) | FailedCalls::Both(_, error) => Some(error),
            FailedCalls::Sync(_) => None,
        }
    }

    /// The kind of the [`io::Error`] that this error converts into: that of the sync's error, or else of the close's.
    pub fn kind(&self) -> io::ErrorKind {
        match self.failed {
            FailedCalls::Sync(errno) | FailedCalls::Both(errno, _) => errno.kind(),
            FailedCalls::Close(error) => error.kind(),
        }
    }
}

impl fmt::Display for SyncAndCloseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.number;
        match self.failed {
            FailedCalls::Sync(errno) | FailedCalls::Both(errno, _) => {
                let reason = Reason(errno);
                write!(f, "cannot sync descriptor {number}: {reason}; what was written to it may not be on the disk")?;
            }
            FailedCalls::Close(_) => write!(f, "descriptor {number} was synced")?,
        }
        match self.failed {
            FailedCalls::Sync(_) => Ok(()),
            FailedCalls::Close(error) => write!(f, ", but closing it failed: {}", Reason(error.errno)),
            FailedCalls::Both(_, error) => write!(f, ", and closing it failed too: {}", Reason(error.errno)),
        }
    }
}

impl Error for SyncAndCloseError {}

impl From<SyncAndCloseError> for io::Error {
    fn from(error: SyncAndCloseError) -> Self {
        Self::new(error.kind(), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_sync_and_failed_close_are_told_apart() {
        let close = CloseError::new(5, Errno::DQUOT);
        assert_eq!(SyncAndCloseError::of(5, Ok(()), Ok(())), Ok(()));
        for (synced, closed, kind) in [
            (Err(Errno::NOSPC), Ok(()), io::ErrorKind::StorageFull),
            (Ok(()), Err(close), io::ErrorKind::QuotaExceeded),
            (Err(Errno::NOSPC), Err(close), io::ErrorKind::StorageFull),
        ] {
            let error = SyncAndCloseError::of(5, synced, closed).unwrap_err();
            assert_eq!(error.number(), 5);
            let sync = error.sync_error().and_then(|error| error.raw_os_error());
            assert_eq!(sync, synced.err().map(Errno::raw_os_error));
            assert_eq!(error.close_error(), closed.err());
            assert_eq!(io::Error::from(error).kind(), kind);
            let text = error.to_string();
            assert_eq!(text.contains("cannot sync descriptor 5: "), synced.is_err(), "{text}");
            assert_eq!(text.contains("descriptor 5 was synced"), synced.is_ok(), "{text}");
            assert_eq!(text.contains("closing it failed"), closed.is_err(), "{text}");
        }
    }
}
