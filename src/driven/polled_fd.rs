//! `PolledFd`: an owned descriptor of which a set of events may tell.

use super::registration::{Registration, SetPlace};
use rustix::event::PollFlags;
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// An owned descriptor of which a set of events may tell until it is closed.
#[derive(Debug)]
pub(crate) struct PolledFd {
    fd: OwnedFd,
    registration: Registration,
}

impl PolledFd {
    /// Lets no set tell of the descriptor any more.
    pub(crate) fn unregister(&mut self) {
        self.registration.clear(self.fd.as_fd());
    }

    /// Lets a set tell when the descriptor is ready: see [`Registration::set`].
    pub(crate) fn register(&mut self, place: &SetPlace, interest: Option<PollFlags>) -> Result<bool, Errno> {
        self.registration.set(self.fd.as_fd(), place, interest)
    }
}

impl From<OwnedFd> for PolledFd {
    fn from(fd: OwnedFd) -> Self {
        Self { fd, registration: Registration::default() }
    }
}

impl AsFd for PolledFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for PolledFd {
    fn drop(&mut self) {
        self.registration.clear(self.fd.as_fd());
    }
}
