//! Waits for what `cgroup.events` says, without a thread and without a busy loop.

use super::directory::open;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::{Errno, pread};
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// The kernel tells no change of a cgroup that has been removed at the same time. So a wait also looks after this time.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// The lines of `cgroup.events` for which the library waits.
pub(super) const EMPTY: &str = "populated 0";
pub(super) const FROZEN: &str = "frozen 1";

/// Whether a line is in `cgroup.events`. A cgroup that has been removed has all of the lines: it has no process that could run.
pub(super) fn says(directory: BorrowedFd<'_>, line: &str) -> Result<bool, Errno> {
    wait_until(directory, line, Some(Instant::now()))
}

/// Waits until a line is in `cgroup.events`, as [`says`] tells it. False if the deadline comes first.
pub(super) fn wait_until(directory: BorrowedFd<'_>, line: &str, deadline: Option<Instant>) -> Result<bool, Errno> {
    let events = match open(directory, c"cgroup.events", OFlags::RDONLY) {
        Err(Errno::NOENT | Errno::NODEV) => return Ok(true),
        opened => opened?,
    };
    loop {
        // The kernel compares the file's changes with those before this read, so no change is lost between it and the poll.
        let mut buffer = [0; 512];
        match pread(&events, &mut buffer, 0) {
            Ok(length) if has_line(&buffer[..length], line) => return Ok(true),
            Ok(_) => {}
            Err(Errno::NODEV) => return Ok(true),
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(errno),
        }
        let left = deadline.map_or(LOOK_AGAIN, |deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_zero() {
            return Ok(false);
        }
        let time = Timespec::try_from(left.min(LOOK_AGAIN)).ok();
        match poll(&mut [PollFd::new(&events, PollFlags::PRI)], time.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

fn has_line(text: &[u8], line: &str) -> bool {
    text.split(|&byte| byte == b'\n').any(|each| each == line.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_compared_as_a_whole() {
        assert!(has_line(b"populated 0\nfrozen 0\n", EMPTY));
        assert!(has_line(b"populated 1\nfrozen 1\n", FROZEN));
        assert!(!has_line(b"populated 1\nfrozen 0\n", EMPTY));
        assert!(!has_line(b"unpopulated 0\nfrozen 10\n", EMPTY));
        assert!(!has_line(b"unpopulated 0\nfrozen 10\n", FROZEN));
        assert!(!has_line(b"", EMPTY));
    }
}
