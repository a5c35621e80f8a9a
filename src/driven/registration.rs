//! `Registration`: what a set of events has to tell of a descriptor.

use super::EventSet;
use crate::fd::kept::keep;
use rustix::event::PollFlags;
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// A set of events, and the key by which it tells of a descriptor.
#[derive(Clone, Debug)]
pub(crate) struct SetPlace {
    pub(crate) set: Arc<EventSet>,
    pub(crate) key: usize,
}

impl SetPlace {
    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.set, &other.set) && self.key == other.key
    }
}

/// Whether a set of events tells of a descriptor. The owner of the descriptor clears it before the close: the kernel would
/// go on to tell of a description that another process has open.
#[derive(Debug, Default)]
pub(crate) struct Registration(Option<Registered>);

#[derive(Debug)]
struct Registered {
    place: SetPlace,
    interest: PollFlags,
    /// What the set has, if another part of this process has the number itself in the set.
    duplicate: Option<OwnedFd>,
    /// Whether the set can tell of the descriptor. It cannot tell of a file, which is always ready.
    is_pollable: bool,
}

impl Registration {
    /// Lets the set tell when the descriptor is ready for `interest`; `None` ends that. Returns whether the descriptor is always ready, so
    /// that the set cannot tell.
    pub(crate) fn set(
        &mut self,
        fd: BorrowedFd<'_>,
        place: &SetPlace,
        interest: Option<PollFlags>,
    ) -> Result<bool, Errno> {
        let Some(interest) = interest else {
            self.clear(fd);
            return Ok(false);
        };
        if self.0.as_ref().is_some_and(|registered| !registered.place.is(place)) {
            self.clear(fd);
        }
        if let Some(registered) = &mut self.0 {
            if registered.interest != interest && registered.is_pollable {
                let fd = registered.duplicate.as_ref().map_or(fd, AsFd::as_fd);
                place.set.change(fd, registered.interest, interest, place.key)?;
                registered.interest = interest;
            }
            return Ok(!registered.is_pollable);
        }
        let (duplicate, added) = match place.set.add(fd, interest, place.key) {
            Err(Errno::EXIST) => {
                let duplicate = keep(rustix::io::fcntl_dupfd_cloexec(fd, 3)?);
                let added = place.set.add(duplicate.as_fd(), interest, place.key);
                (Some(duplicate), added)
            }
            added => (None, added),
        };
        let is_pollable = match added {
            Err(Errno::PERM) => false, // What epoll_ctl(2) says of a file or a directory.
            added => added.map(|()| true)?,
        };
        self.0 = Some(Registered { place: place.clone(), interest, duplicate, is_pollable });
        Ok(!is_pollable)
    }

    /// Lets the set tell of the descriptor no longer.
    pub(crate) fn clear(&mut self, fd: BorrowedFd<'_>) {
        if let Some(Registered { place, interest, duplicate, is_pollable: true }) = self.0.take() {
            place.set.remove(duplicate.as_ref().map_or(fd, AsFd::as_fd), interest);
        }
    }
}
