//! The error of closing a descriptor.

use crate::error::Reason;
use rustix::io::Errno;
use std::error::Error;
use std::os::fd::RawFd;
use std::{fmt, io};

/// An error of [`close`](super::close()): the descriptor's number and the system's error number.
///
/// The descriptor is closed. ([`close`](super::close()) names the systems on which an interrupted close leaves it
/// open.)
///
/// The error converts into an [`io::Error`] of the same [`io::ErrorKind`], so `?` works in functions that return
/// `io::Result`. [`io::Error::get_ref`] then returns the `CloseError`.
///
/// ```
/// use fdspawn::fd::CloseCause;
/// use std::fs::File;
///
/// /// Closes the new version of a file, before it replaces the old version.
/// fn finish(file: File) -> std::io::Result<()> {
///     fdspawn::fd::close(file).or_else(|error| match error.cause() {
///         // No data is known to be lost, and the number must not be closed again.
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
    pub(super) errno: Errno,
}

/// The meaning of an error of `close(2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseCause {
    /// `EBADF`: the number was not open, because of a bug in other code of this process; **or** a file server (FUSE,
    /// NFS) no longer knows the file and has answered so.
    BadDescriptor,
    /// `EINTR` or `EINPROGRESS`: a signal has interrupted the close. The data that the close had still to write may be
    /// lost or not; no later call reports it.
    Interrupted,
    /// `EIO`: the system could not write some of the data.
    Io,
    /// `ENOSPC`: there was no space for some of the written data.
    NoSpace,
    /// `EDQUOT`: the quota did not allow some of the written data.
    Quota,
    /// Another error of a file system or a driver; [`CloseError::raw_os_error`] returns its number.
    Other,
}

impl CloseError {
    pub(crate) fn new(number: RawFd, errno: Errno) -> Self {
        Self { number, errno }
    }

    /// The number of the closed descriptor. Another descriptor may have it now.
    pub fn number(&self) -> RawFd {
        self.number
    }

    /// The meaning of the error.
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

    /// Whether the error says that written data may be lost.
    ///
    /// This is so for all causes except [`CloseCause::BadDescriptor`] and [`CloseCause::Interrupted`], which say
    /// neither that the data is lost nor that it was written.
    pub fn writes_may_be_lost(&self) -> bool {
        !matches!(self.cause(), CloseCause::BadDescriptor | CloseCause::Interrupted)
    }

    /// The system's error number.
    pub fn raw_os_error(&self) -> i32 {
        self.errno.raw_os_error()
    }

    /// The kind of the [`io::Error`] that this error converts into.
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
}
