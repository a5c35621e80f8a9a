//! `Process`, a handle of a child for any thread.

use super::end::{EndError, Patience};
use super::ended::Ended;
use super::reap::Reaped;
use super::spawned::Spawned;
use super::target::{Target, TargetError};
use super::usage::Usage;
use crate::error::{Error, Failure, Result, Subject};
use crate::group::Sent;
use crate::plan::Teardown;
use rustix::io::Errno;
use rustix::process::Signal;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A second handle of a child, from [`Child::process`]. By it another thread waits for the child or sends it a signal, even while any
/// thread waits for the child or reads its output.
///
/// All handles of a child share one state. The first wait that finds the child ended reaps it; all other waits return the same
/// status. After the child has been reaped, the library sends no signal, so that no other process gets it. A drop does nothing to the
/// child.
///
/// ```
/// use fdspawn::{Command, Signal};
/// use std::time::Duration;
///
/// let mut child = Command::new("sleep").arg("60").spawn()?;
/// let process = child.process();
/// let other = std::thread::spawn(move || process.signal(Signal::TERM));
/// let status = child.wait()?; // returns at once when the other thread has sent its signal
/// assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(Signal::TERM.as_raw()));
/// assert!(other.join().expect("no panic")?);
/// # Ok::<(), fdspawn::Error>(())
/// ```
///
/// [`Child::process`]: crate::Child::process
#[derive(Clone, Debug)]
pub struct Process(pub(super) Arc<Spawned>);

impl Process {
    /// Waits until the child has ended, at most until the deadline, and does not reap it.
    pub(crate) fn has_ended_by(&self, deadline: Option<Instant>) -> bool {
        self.0.has_ended_by(deadline)
    }

    /// The process id. After the child has been reaped, the kernel may give the number to another process.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Waits until the child ends, and reaps it.
    ///
    /// # Errors
    ///
    /// Those of [`Child::wait`](crate::Child::wait).
    pub fn wait(&self) -> Result<ExitStatus> {
        end_of_shared(&self.0).map(|reaped| reaped.status)
    }

    /// See [`Child::try_wait`](crate::Child::try_wait).
    ///
    /// # Errors
    ///
    /// Those of [`Child::wait`](crate::Child::wait).
    pub fn try_wait(&self) -> Result<Option<ExitStatus>> {
        self.0.try_wait().map(status).map_err(|errno| wait_error(&self.0, errno))
    }

    /// See [`Child::wait_timeout`](crate::Child::wait_timeout).
    ///
    /// # Errors
    ///
    /// Those of [`Child::wait`](crate::Child::wait).
    pub fn wait_timeout(&self, time: Duration) -> Result<Option<ExitStatus>> {
        // If the sum is too large for the clock, there is no deadline.
        wait_until(&self.0, Instant::now().checked_add(time)).map(status)
    }

    /// See [`Child::wait_deadline`](crate::Child::wait_deadline).
    ///
    /// # Errors
    ///
    /// Those of [`Child::wait`](crate::Child::wait).
    pub fn wait_deadline(&self, deadline: Instant) -> Result<Option<ExitStatus>> {
        wait_until(&self.0, Some(deadline)).map(status)
    }

    /// See [`Child::wait_usage`](crate::Child::wait_usage).
    ///
    /// # Errors
    ///
    /// Those of [`Child::wait`](crate::Child::wait).
    pub fn wait_usage(&self) -> Result<(ExitStatus, Option<Usage>)> {
        end_of_shared(&self.0).map(|reaped| (reaped.status, reaped.usage))
    }

    /// See [`Child::signal`](crate::Child::signal).
    ///
    /// # Errors
    ///
    /// Those of [`Child::signal`](crate::Child::signal).
    pub fn signal(&self, signal: Signal) -> Result<bool> {
        send(&self.0, signal)
    }

    /// See [`Child::signal_group`](crate::Child::signal_group).
    ///
    /// # Errors
    ///
    /// Those of [`Child::signal_group`](crate::Child::signal_group).
    pub fn signal_group(&self, signal: Signal) -> Result<bool> {
        send_to_group(&self.0, signal)
    }

    /// See [`Child::end`](crate::Child::end).
    ///
    /// # Errors
    ///
    /// Those of [`Child::end`](crate::Child::end).
    ///
    /// ```
    /// use fdspawn::{Command, Teardown};
    ///
    /// let mut child = Command::new("sleep").arg("60").spawn()?;
    /// let process = child.process();
    /// let ending = std::thread::spawn(move || process.end(&Teardown::default()));
    /// let status = child.wait()?; // returns when the other thread has ended the child
    /// assert_eq!(ending.join().expect("no panic")?.status, status);
    /// # Ok::<(), fdspawn::Error>(())
    /// ```
    pub fn end(&self, how: &Teardown) -> Result<Ended> {
        end(&self.0, how, Patience::Long)
    }
}

fn status(reaped: Option<Reaped>) -> Option<ExitStatus> {
    reaped.map(|reaped| reaped.status)
}

/// The error of a wait.
pub(super) fn wait_error(spawned: &Spawned, errno: Errno) -> Error {
    failed(spawned, Subject::Wait, Failure::Wait, Some(errno))
}

/// The error of a call for a child. A forked copy of the process that has started the child has no such child.
fn failed(spawned: &Spawned, subject: fn(u32) -> Subject, failure: Failure, errno: Option<Errno>) -> Error {
    if spawned.is_in_copy() {
        return Error::new(subject(spawned.id()), Failure::NotAChild, None);
    }
    Error::new(subject(spawned.id()), failure, errno)
}

/// Waits until the child ends, as several threads may.
pub(super) fn end_of_shared(spawned: &Spawned) -> Result<Reaped> {
    // Without a deadline the wait ends with the child only.
    wait_until(spawned, None)?.ok_or_else(|| wait_error(spawned, Errno::CHILD))
}

/// Waits until the child ends or the deadline comes.
pub(super) fn wait_until(spawned: &Spawned, deadline: Option<Instant>) -> Result<Option<Reaped>> {
    spawned.wait_until(deadline).map_err(|errno| wait_error(spawned, errno))
}

/// Sends a signal to the child.
pub(super) fn send(spawned: &Spawned, signal: Signal) -> Result<bool> {
    spawned.signal(signal).map_err(|errno| failed(spawned, Subject::Signal, Failure::Signal, Some(errno)))
}

/// Sends a signal to the child's group.
pub(super) fn send_to_group(spawned: &Spawned, signal: Signal) -> Result<bool> {
    spawned
        .signal_group(signal)
        .map(|sent| sent != Sent::No)
        .map_err(|error| failed(spawned, Subject::SignalGroup, error.failure(), error.errno()))
}

/// Refuses a teardown that has no way to the processes that it should reach.
pub(super) fn check_reach(spawned: &Spawned, how: &Teardown) -> Result<()> {
    match Target::new(spawned, how.reach, Duration::ZERO) {
        Ok(_) => Ok(()),
        Err(error) => Err(end_error(spawned, EndError::Target(error))),
    }
}

/// Ends the child.
pub(super) fn end(spawned: &Spawned, how: &Teardown, patience: Patience) -> Result<Ended> {
    spawned.end(how, patience).map_err(|error| end_error(spawned, error))
}

/// Ends the child, and calls `wait` for each time in which it may end: see [`Spawned::end_with`].
pub(crate) fn end_while(
    process: &Process,
    how: &Teardown,
    wait: &mut dyn FnMut(Option<Instant>) -> bool,
) -> Result<Ended> {
    let spawned = &process.0;
    spawned.end_with(how, Patience::Long, wait).map_err(|error| end_error(spawned, error))
}

fn end_error(spawned: &Spawned, error: EndError) -> Error {
    let (failure, errno) = match error {
        EndError::Target(TargetError::Group(error)) => (error.failure(), error.errno()),
        #[cfg(any(target_os = "linux", target_os = "android"))]
        EndError::Target(TargetError::NoSession) => (Failure::NoSession, None),
        #[cfg(any(target_os = "linux", target_os = "android"))]
        EndError::Target(TargetError::NoProcessList(errno)) => (Failure::NoProcessList, Some(errno)),
        #[cfg(any(target_os = "linux", target_os = "android"))]
        EndError::Target(TargetError::NoOwnCgroup) => (Failure::NotInCgroup, None),
        #[cfg(any(target_os = "linux", target_os = "android"))]
        EndError::Target(TargetError::OwnCgroup) => (Failure::OwnCgroup, None),
        #[cfg(any(target_os = "linux", target_os = "android"))]
        EndError::Target(TargetError::NoCgroupMembers(errno)) => {
            (Failure::CgroupFile { file: "cgroup.procs" }, Some(errno))
        }
        #[cfg(any(target_os = "linux", target_os = "android"))]
        EndError::Target(TargetError::CgroupNotEmpty(errno)) => (Failure::CgroupNotEmpty, Some(errno)),
        EndError::Refused(errno) => (Failure::Signal, Some(errno)),
        EndError::StillRuns => (Failure::StillRuns, None),
        EndError::Wait(errno) => (Failure::Wait, Some(errno)),
    };
    failed(spawned, Subject::End, failure, errno)
}
