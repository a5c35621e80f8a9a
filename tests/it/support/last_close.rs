//! What the kernel does when the last duplicate of a description has been closed: it ends a stream, and releases a lock.
//!
//! The close in a test may not be the last one. A process that looks at a descriptor of this process in `/proc` has its description for that
//! moment, and other tests look at all processes.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::os::fd::AsFd;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

/// Waits until a pipe or a socket has no other end.
pub fn wait_for_hangup(fd: impl AsFd) {
    let mut polls = [PollFd::new(&fd, PollFlags::empty())];
    let time = Timespec::try_from(LONG).unwrap();
    let count = rustix::io::retry_on_intr(|| poll(&mut polls, Some(&time))).unwrap();
    assert_eq!(count, 1, "the other end is open");
}
