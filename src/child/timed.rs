//! Waits with a deadline, by any number of threads at the same time.

use super::reap::Reaped;
use super::spawned::Spawned;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// The first and the longest pause between two looks at the child, if no pidfd tells when the child ends.
const PAUSES: (Duration, Duration) = (Duration::from_micros(500), Duration::from_millis(16));

impl Spawned {
    /// Waits until the child ends, and reaps it. `None` if the deadline comes first; without a deadline the function waits as
    /// long as the child runs.
    ///
    /// A pidfd is readable when the child has ended. Without a pidfd, the function looks at the child again and again, with pauses that
    /// grow. It does the same if the child has ended, but cannot be reaped yet because another process traces it.
    pub(crate) fn wait_until(&self, deadline: Option<Instant>) -> Result<Option<Reaped>, Errno> {
        if self.is_in_copy() {
            return Err(Errno::CHILD);
        }
        if let Some(pidfd) = self.pidfd() {
            poll_until(pidfd, deadline);
        }
        let mut pause = PAUSES.0;
        loop {
            if let Some(reaped) = self.try_wait()? {
                return Ok(Some(reaped));
            }
            let left = deadline.map_or(pause, |deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Ok(None);
            }
            self.pause(pause.min(left));
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// Whether the child has ended, without reaping it. If no call of this system tells that, the answer is yes, and a wait that blocks
    /// has to find out.
    pub(super) fn is_known_to_have_ended(&self) -> bool {
        self.is_reaped() || self.has_ended().unwrap_or(true)
    }

    /// Waits until the child has ended, at most until the deadline, and does not reap it. If no call of this system tells that without
    /// reaping it, the readable pidfd does.
    pub(super) fn has_ended_by(&self, deadline: Option<Instant>) -> bool {
        let mut is_readable = false;
        if !self.is_reaped()
            && let Some(pidfd) = self.pidfd()
        {
            is_readable = poll_until(pidfd, deadline);
        }
        let mut pause = PAUSES.0;
        loop {
            if self.is_reaped() || self.has_ended().unwrap_or(is_readable) {
                return true;
            }
            let left = deadline.map_or(pause, |deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return false;
            }
            crate::launch::pause_for(pause.min(left));
            pause = (pause * 2).min(PAUSES.1);
        }
    }
}

/// Waits until a pidfd is readable or the deadline has come, and returns whether it is readable. The function also returns if the
/// system refuses `poll(2)`.
fn poll_until(pidfd: BorrowedFd<'_>, deadline: Option<Instant>) -> bool {
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        // If the time is too large for the system's type, `poll(2)` waits without a limit.
        let time = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut [PollFd::from_borrowed_fd(pidfd, PollFlags::IN)], time.as_ref()) {
            Err(Errno::INTR) => {}
            result => return result == Ok(1),
        }
    }
}
