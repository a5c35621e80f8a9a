//! Waits with a deadline, by any number of threads at the same time.

use super::reap::Reaped;
use super::spawned::Spawned;
use crate::sys::{self, Backoff};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

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
        let mut backoff = Backoff::new();
        loop {
            if let Some(reaped) = self.try_wait()? {
                return Ok(Some(reaped));
            }
            let left = time_left(deadline);
            if left.is_zero() {
                return Ok(None);
            }
            self.pause(backoff.next().min(left));
        }
    }

    /// Whether the child is known to have ended. If no call of this system tells that without reaping it, the function reaps it.
    pub(super) fn is_known_to_have_ended(&self) -> bool {
        let is_readable = || self.pidfd().map(|pidfd| poll_until(pidfd, Some(Instant::now())));
        if self.is_in_copy() {
            // To the calls that wait, a child of another process is none.
            let exists =
                || Pid::from_raw(self.id().cast_signed()).is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH));
            return is_readable().unwrap_or_else(|| !exists());
        }
        self.is_reaped() || self.has_ended().or_else(is_readable).unwrap_or_else(|| self.is_reaped_now())
    }

    /// Reaps the child if it has ended, even if this thread is ending it. Also true if the child cannot be reaped.
    fn is_reaped_now(&self) -> bool {
        !matches!(self.reap_ended(), Ok(None))
    }

    /// Waits until the child has ended, at most until the deadline, and does not reap it. If no call of this system tells that without
    /// reaping it, the readable pidfd does. If there is none, the function reaps it.
    pub(super) fn has_ended_by(&self, deadline: Option<Instant>) -> bool {
        let pidfd = if self.is_reaped() { None } else { self.pidfd() };
        let is_readable = pidfd.is_some_and(|pidfd| poll_until(pidfd, deadline));
        let mut backoff = Backoff::new();
        loop {
            let is_known = || self.has_ended().or_else(|| self.pidfd().map(|_| is_readable));
            if self.is_reaped() || is_known().unwrap_or_else(|| self.is_reaped_now()) {
                return true;
            }
            let left = time_left(deadline);
            if left.is_zero() {
                return false;
            }
            sys::pause(backoff.next().min(left));
        }
    }
}

fn time_left(deadline: Option<Instant>) -> Duration {
    deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()))
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
