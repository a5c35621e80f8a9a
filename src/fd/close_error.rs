//! What closing a descriptor may say.

use crate::error::Reason;
use rustix::io::Errno;
use std::error::Error;
use std::os::fd::RawFd;
use std::{fmt, io, slice, vec};

/// An error of [`close`](super::close()): the number, and the system's error number.
///
/// The descriptor is closed all the same; [`close`](super::close()) names the systems on which an interrupted one is not.
/// It converts into [`io::Error`] with its [`io::ErrorKind`], so `?` works where `io::Result` is returned; the
/// `CloseError` itself is then what [`io::Error::get_ref`] gives.
///
/// ```
/// use fdspawn::fd::CloseCause;
/// use std::fs::File;
///
/// /// Closes a new version of a file, which is put in the old one's place only if it has arrived.
/// fn finish(file: File) -> std::io::Result<()> {
///     fdspawn::fd::close(file).or_else(|error| match error.cause() {
///         // Nothing is known to be lost, and the number is not to be closed again.
///         CloseCause::Interrupted => Ok(eprintln!("{error}")),
///         CloseCause::NoSpace | CloseCause::Quota => Err(std::io::Error::other(format!("{error}: delete something"))),
///         _ => Err(error.into()),
///     })
/// }
/// # finish(File::open("/dev/null")?)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CloseError {
    number: RawFd,
    errno: Errno,
}

/// What an error of a close means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseCause {
    /// `EBADF`: the number was not open, which is a bug of something else in this process, **or** a file server (FUSE,
    /// NFS) has answered so of a file that it does not know any more.
    BadDescriptor,
    /// `EINTR` or `EINPROGRESS`: a signal came in between. What an unfinished close still had to write may arrive or not;
    /// nobody will say.
    Interrupted,
    /// `EIO`: something could not be written.
    Io,
    /// `ENOSPC`: there was no space for something that was written.
    NoSpace,
    /// `EDQUOT`: the quota did not allow something that was written.
    Quota,
    /// Another error of a file system or a driver; [`CloseError::raw_os_error`] has its number.
    Other,
}

impl CloseError {
    pub(crate) fn new(number: RawFd, errno: Errno) -> Self {
        Self { number, errno }
    }

    /// The number that was closed. It may be another descriptor's by now.
    pub fn number(&self) -> RawFd {
        self.number
    }

    /// What the error means.
    pub fn cause(&self) -> CloseCause {
        match self.errno {
            Errno::BADF => CloseCause::BadDescriptor,
            Errno::INTR | Errno::INPROGRESS => CloseCause::Interrupted,
            Errno::IO => CloseCause::Io,
            Errno::NOSPC => CloseCause::NoSpace,
            Errno::DQUOT => CloseCause::Quota,
            _ => CloseCause::Other,
        }
    }

    /// Whether the error says that something written may be lost: all but [`CloseCause::BadDescriptor`] and
    /// [`CloseCause::Interrupted`].
    ///
    /// These two say nothing of what was written: neither that it is lost, nor that it has arrived.
    pub fn writes_may_be_lost(&self) -> bool {
        !matches!(self.cause(), CloseCause::BadDescriptor | CloseCause::Interrupted)
    }

    /// The system's error number.
    pub fn raw_os_error(&self) -> i32 {
        self.errno.raw_os_error()
    }

    /// The kind that an [`io::Error`] made from this one has.
    pub fn kind(&self) -> io::ErrorKind {
        self.errno.kind()
    }
}

impl fmt::Display for CloseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "closing descriptor {} failed: {}; ", self.number, Reason(self.errno))?;
        f.write_str(match self.cause() {
            CloseCause::BadDescriptor => "something else had closed it, or its file server does not know it any more",
            CloseCause::Interrupted => "it is not known whether all that was written to it has arrived",
            _ => "what was written to it may be lost",
        })
    }
}

impl Error for CloseError {}

impl From<CloseError> for io::Error {
    fn from(error: CloseError) -> Self {
        Self::new(error.kind(), error)
    }
}

/// The errors of [`close_all`](super::close_all), at least one, in the order of the descriptors.
///
/// It converts into [`io::Error`] with the kind of the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseAllError(Vec<CloseError>);

impl CloseAllError {
    /// An error, if there are errors.
    pub(crate) fn of(errors: Vec<CloseError>) -> Result<(), Self> {
        if errors.is_empty() { Ok(()) } else { Err(Self(errors)) }
    }

    /// The errors, at least one, in the order of the descriptors.
    pub fn errors(&self) -> &[CloseError] {
        &self.0
    }

    /// The errors, at least one, in the order of the descriptors.
    pub fn iter(&self) -> slice::Iter<'_, CloseError> {
        self.0.iter()
    }
}

impl fmt::Display for CloseAllError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            write!(f, "{}{error}", if index > 0 { "\n" } else { "" })?;
        }
        Ok(())
    }
}

impl Error for CloseAllError {
    /// The first.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.first().map(|first| first as _)
    }
}

impl From<CloseAllError> for io::Error {
    fn from(errors: CloseAllError) -> Self {
        let kind = errors.0.first().map_or(io::ErrorKind::Other, CloseError::kind);
        Self::new(kind, errors)
    }
}

impl IntoIterator for CloseAllError {
    type Item = CloseError;
    type IntoIter = vec::IntoIter<CloseError>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a CloseAllError {
    type Item = &'a CloseError;
    type IntoIter = slice::Iter<'a, CloseError>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// What failed in [`sync_and_close`](super::sync_and_close): the sync, the close, or both.
///
/// It converts into [`io::Error`] with the kind of the first of them.
///
/// ```
/// // A pipe has no disk. It is closed all the same.
/// let (_reader, writer) = std::io::pipe()?;
/// let error = fdspawn::fd::sync_and_close(writer).unwrap_err();
/// assert_eq!(error.sync_error().map(|error| error.kind()), Some(std::io::ErrorKind::InvalidInput));
/// assert_eq!(error.close_error(), None);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncAndCloseError {
    number: RawFd,
    failed: Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failed {
    Sync(Errno),
    Close(CloseError),
    Both(Errno, CloseError),
}

impl SyncAndCloseError {
    /// An error, if one of the two is.
    pub(crate) fn of(
        number: RawFd,
        synced: Result<(), Errno>,
        closed: Result<(), CloseError>,
    ) -> Result<(), SyncAndCloseError> {
        let failed = match (synced, closed) {
            (Ok(()), Ok(())) => return Ok(()),
            (Err(sync), Ok(())) => Failed::Sync(sync),
            (Ok(()), Err(close)) => Failed::Close(close),
            (Err(sync), Err(close)) => Failed::Both(sync, close),
        };
        Err(Self { number, failed })
    }

    /// The number that was closed. It may be another descriptor's by now.
    pub fn number(&self) -> RawFd {
        self.number
    }

    /// The error of the sync, with the system's error number. What was written is not known to be on the disk.
    pub fn sync_error(&self) -> Option<io::Error> {
        match self.failed {
            Failed::Sync(errno) | Failed::Both(errno, _) => Some(errno.into()),
            Failed::Close(_) => None,
        }
    }

    /// The error of the close. Where it is the only one, what was written before the sync is on the disk.
    pub fn close_error(&self) -> Option<CloseError> {
        match self.failed {
            Failed::Close(error) | Failed::Both(_, error) => Some(error),
            Failed::Sync(_) => None,
        }
    }

    /// The kind that an [`io::Error`] made from this one has: that of the sync, or else of the close.
    pub fn kind(&self) -> io::ErrorKind {
        match self.failed {
            Failed::Sync(errno) | Failed::Both(errno, _) => errno.kind(),
            Failed::Close(error) => error.kind(),
        }
    }
}

impl fmt::Display for SyncAndCloseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.number;
        match self.failed {
            Failed::Sync(errno) | Failed::Both(errno, _) => {
                let reason = Reason(errno);
                write!(f, "cannot sync descriptor {number}: {reason}; what was written to it may not be on the disk")?;
            }
            Failed::Close(_) => write!(f, "descriptor {number} was synced")?,
        }
        match self.failed {
            Failed::Sync(_) => Ok(()),
            Failed::Close(error) => write!(f, ", but closing it failed: {}", Reason(error.errno)),
            Failed::Both(_, error) => write!(f, ", and closing it failed too: {}", Reason(error.errno)),
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

    /// Error number, cause, whether writes may be lost, kind.
    const CAUSES: [(Errno, CloseCause, bool, Option<io::ErrorKind>); 8] = [
        (Errno::BADF, CloseCause::BadDescriptor, false, None),
        (Errno::INTR, CloseCause::Interrupted, false, Some(io::ErrorKind::Interrupted)),
        (Errno::INPROGRESS, CloseCause::Interrupted, false, None),
        (Errno::IO, CloseCause::Io, true, None),
        (Errno::NOSPC, CloseCause::NoSpace, true, Some(io::ErrorKind::StorageFull)),
        (Errno::DQUOT, CloseCause::Quota, true, Some(io::ErrorKind::QuotaExceeded)),
        (Errno::STALE, CloseCause::Other, true, Some(io::ErrorKind::StaleNetworkFileHandle)),
        (Errno::CONNRESET, CloseCause::Other, true, Some(io::ErrorKind::ConnectionReset)),
    ];

    #[test]
    fn each_error_number_has_its_cause_and_keeps_its_kind() {
        for (errno, cause, lost, kind) in CAUSES {
            let error = CloseError::new(5, errno);
            assert_eq!(error.cause(), cause, "{errno:?}");
            assert_eq!(error.writes_may_be_lost(), lost, "{errno:?}");
            assert_eq!(error.raw_os_error(), errno.raw_os_error());
            assert_eq!(error.kind(), io::Error::from(errno).kind());
            assert!(kind.is_none_or(|kind| error.kind() == kind), "{errno:?}: {:?}", error.kind());
            let converted = io::Error::from(error);
            assert_eq!(converted.kind(), error.kind());
            assert_eq!(converted.get_ref().unwrap().downcast_ref(), Some(&error));
            assert_eq!(converted.to_string(), error.to_string());
        }
    }

    #[test]
    fn text_names_the_number_and_what_it_means_for_what_was_written() {
        let text = |errno| CloseError::new(5, errno).to_string();
        #[cfg(target_os = "linux")]
        assert_eq!(
            text(Errno::NOSPC),
            "closing descriptor 5 failed: No space left on device; what was written to it may be lost"
        );
        for (errno, _, lost, _) in CAUSES {
            let text = text(errno);
            assert!(text.starts_with("closing descriptor 5 failed: "), "{text}");
            assert_eq!(text.contains("may be lost"), lost, "{text}");
            assert!(!text.contains("os error"), "{text}");
        }
        assert!(text(Errno::BADF).contains("something else had closed it"));
        assert!(text(Errno::INTR).contains("not known"));
    }

    #[test]
    fn errors_of_many_are_none_or_all_in_order() {
        assert_eq!(CloseAllError::of(vec![]), Ok(()));
        let errors = vec![CloseError::new(9, Errno::DQUOT), CloseError::new(4, Errno::IO)];
        let all = CloseAllError::of(errors.clone()).unwrap_err();
        assert_eq!(all.errors(), errors);
        assert!(all.iter().eq(&errors));
        assert!((&all).into_iter().eq(&errors));
        assert_eq!(all.to_string(), format!("{}\n{}", errors[0], errors[1]));
        assert_eq!(all.source().unwrap().downcast_ref(), Some(&errors[0]));
        assert_eq!(io::Error::from(all.clone()).kind(), io::ErrorKind::QuotaExceeded);
        assert!(all.into_iter().eq(errors));
    }

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
