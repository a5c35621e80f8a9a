//! Waits for a child that stops or continues.

use super::spawned::Spawned;
use rustix::io::Errno;
use rustix::process::Signal;
use std::process::ExitStatus;

/// What has become of a child, from [`Child::wait_change`](crate::Child::wait_change).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// The child has ended, and has been reaped.
    Ended(ExitStatus),
    /// A signal has stopped the child.
    Stopped(Signal),
    /// SIGCONT has continued the child.
    Continued,
}

impl Spawned {
    /// Waits until the child ends, stops or continues. The call reports each stop and each continuation once.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn wait_change(&self) -> Result<Change, Errno> {
        use crate::sys::{self, Backoff};
        use std::os::unix::process::ExitStatusExt;
        let every = libc::WSTOPPED | libc::WCONTINUED | libc::__WALL;
        let mut backoff = Backoff::new();
        let mut has_ended = false;
        loop {
            if let Some(reaped) = self.try_wait()? {
                return Ok(Change::Ended(reaped.status));
            }
            if has_ended {
                // Another thread is ending the child and what the child has started. Until that thread has finished, no wait tells the
                // status.
                self.pause(backoff.next());
                continue;
            }
            let asked = self.with_pid(|pid| sys::wait_by_pid(pid, every | libc::WNOHANG));
            if asked == Some(Err(Errno::CHILD)) {
                // A child that has ended since the question above neither stops nor continues.
                has_ended = true;
                continue;
            }
            match asked.transpose()?.flatten().map(|(status, _)| ExitStatus::from_raw(status)) {
                Some(status) if status.continued() => return Ok(Change::Continued),
                Some(status) => {
                    let signal = status.stopped_signal().and_then(Signal::from_named_raw);
                    return Ok(Change::Stopped(signal.unwrap_or(Signal::STOP)));
                }
                None => {}
            }
            // This call only waits for a change, and leaves the report of it to the calls above (`WNOWAIT`). It waits
            // by the pidfd, which never refers to another process.
            let waited = self.pidfd().map(|pidfd| sys::wait_by_pidfd(pidfd, every | libc::WEXITED | libc::WNOWAIT));
            if let Some(Ok(Some((status, _)))) = waited {
                let status = ExitStatus::from_raw(status);
                has_ended = status.code().is_some() || status.signal().is_some();
            }
            if !matches!(waited, Some(Ok(_) | Err(Errno::INTR | Errno::CHILD))) {
                sys::pause(backoff.next());
            }
        }
    }

    /// Waits until the child ends: the library does not look for stops on this system.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(crate) fn wait_change(&self) -> Result<Change, Errno> {
        let reaped = self.wait_until(None)?;
        reaped.map(|reaped| Change::Ended(reaped.status)).ok_or(Errno::CHILD)
    }
}
