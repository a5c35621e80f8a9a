//! `kevent(2)`.

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::kqueue::{Event, kevent_timespec};
use rustix::io::Errno;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// Changes what a queue tells of, and waits for events, at most so long, if there is a vector for them. The events are added to its unused
/// capacity.
pub(crate) fn kevent(
    queue: BorrowedFd<'_>,
    changes: &[Event],
    events: Option<&mut Vec<Event>>,
    most: Option<Duration>,
) -> Result<(), Errno> {
    // A time that the system cannot express is as good as none.
    let time = most.and_then(|most| Timespec::try_from(most).ok());
    match events {
        Some(events) => {
            // SAFETY: an event names a descriptor only by its number, and the caller takes the number out before it closes the descriptor.
            unsafe { kevent_timespec(queue, changes, spare_capacity(events), time.as_ref()) }.map(drop)
        }
        None => {
            let mut none: [Event; 0] = [];
            // SAFETY: as above.
            unsafe { kevent_timespec(queue, changes, &mut none, time.as_ref()) }.map(drop)
        }
    }
}
