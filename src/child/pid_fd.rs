//! `PidFd`, a descriptor of a process.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};

#[cfg(target_os = "linux")]
use super::reap::status_after_reap;
#[cfg(target_os = "linux")]
use crate::sys;
#[cfg(target_os = "linux")]
use rustix::{
    io::Errno,
    process::{Signal, pidfd_send_signal},
};
#[cfg(target_os = "linux")]
use std::{io, os::unix::process::ExitStatusExt, process::ExitStatus};

/// A descriptor that refers to a process (`pidfd_open(2)`), and never to another one: `std::os::linux::process::PidFd`, which
/// std has only in nightly Rust.
///
/// A drop closes the descriptor, and neither kills nor reaps the process. `poll(2)` reports it readable when the process has ended.
///
/// ```
/// # #[cfg(target_os = "linux")] {
/// use fdspawn::os::linux::process::{ChildExt, CommandExt};
/// use fdspawn::process::Command;
///
/// let child = Command::new("true").create_pidfd(true).spawn()?;
/// let pidfd = child.into_pidfd().expect("the kernel has pidfds");
/// assert!(pidfd.wait()?.success());
/// # }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct PidFd(OwnedFd);

#[cfg(target_os = "linux")]
impl PidFd {
    /// Sends SIGKILL to the process.
    ///
    /// # Errors
    ///
    /// `ESRCH` if the process has been reaped; `EPERM` if this process may not send signals to it.
    pub fn kill(&self) -> io::Result<()> {
        Ok(pidfd_send_signal(&self.0, Signal::KILL)?)
    }

    /// Waits until the process ends, and reaps it. It has to be a child of this process.
    ///
    /// # Errors
    ///
    /// `ECHILD` if the process is no child of this process, or has been reaped. From Linux 6.15 on the kernel still tells the status of a
    /// child that has been reaped.
    pub fn wait(&self) -> io::Result<ExitStatus> {
        loop {
            if let Some(status) = self.wait_once(libc::WEXITED)? {
                return Ok(status);
            }
        }
    }

    /// Returns the status of the process and reaps it, if it has ended; `None` while it runs.
    ///
    /// # Errors
    ///
    /// Those of [`PidFd::wait`].
    pub fn try_wait(&self) -> io::Result<Option<ExitStatus>> {
        self.wait_once(libc::WEXITED | libc::WNOHANG)
    }

    fn wait_once(&self, options: i32) -> io::Result<Option<ExitStatus>> {
        match sys::wait_by_pidfd(self.as_fd(), options) {
            Ok(ended) => Ok(ended.map(|(status, _)| ExitStatus::from_raw(status))),
            Err(Errno::INTR) => Ok(None),
            Err(Errno::CHILD) => match status_after_reap(self.as_fd()) {
                Some(status) => Ok(Some(status)),
                None => Err(Errno::CHILD.into()),
            },
            Err(errno) => Err(errno.into()),
        }
    }
}

impl AsFd for PidFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for PidFd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl IntoRawFd for PidFd {
    fn into_raw_fd(self) -> RawFd {
        self.0.into_raw_fd()
    }
}

impl From<OwnedFd> for PidFd {
    fn from(fd: OwnedFd) -> Self {
        Self(fd)
    }
}

impl From<PidFd> for OwnedFd {
    fn from(pidfd: PidFd) -> Self {
        pidfd.0
    }
}
