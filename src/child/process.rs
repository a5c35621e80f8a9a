//! `Process`, a handle of a child for any thread.

use super::end::{Course, EndError, Patience};
use super::end_event::EndEvent;
use super::ended::Ended;
use super::reap::Reaped;
use super::spawned::Spawned;
use super::target::{Target, TargetError};
use super::usage::Usage;
use crate::driven::{Driven, Events};
use crate::error::{Error, Failure, Result, Subject};
use crate::group::Sent;
use crate::plan::Teardown;
use rustix::io::Errno;
use rustix::process::Signal;
use std::os::fd::BorrowedFd;
use std::process::ExitStatus;
use std::sync::Arc;
use std::task::Poll;
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
#[derive(Debug)]
pub struct Process {
    pub(super) spawned: Arc<Spawned>,
    /// Set when the process is driven.
    waiting: Option<Box<Waiting>>,
}

/// What [`Driven`] needs for a wait.
#[derive(Debug)]
struct Waiting {
    end: EndEvent,
    events: Events,
}

impl Process {
    pub(super) fn new(spawned: Arc<Spawned>) -> Self {
        Self { spawned, waiting: None }
    }

    /// The end of the child as an event.
    pub(crate) fn end_event(&self) -> EndEvent {
        EndEvent::new(Arc::clone(&self.spawned))
    }

    /// Whether both are handles of one child.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.spawned, &other.spawned)
    }

    /// Waits until the child has ended, at most until the deadline, and does not reap it.
    pub(crate) fn has_ended_by(&self, deadline: Option<Instant>) -> bool {
        self.spawned.has_ended_by(deadline)
    }

    /// The process id. After the child has been reaped, the kernel may give the number to another process.
    pub fn id(&self) -> u32 {
        self.spawned.id()
    }

    /// Waits until the child ends, and reaps it.
    ///
    /// # Errors
    ///
    /// Those of [`Child::wait`](crate::Child::wait).
    pub fn wait(&self) -> Result<ExitStatus> {
        end_of_shared(&self.spawned).map(|reaped| reaped.status)
    }

    /// See [`Child::try_wait`](crate::Child::try_wait).
    ///
    /// # Errors
    ///
    /// Those of [`Child::wait`](crate::Child::wait).
    pub fn try_wait(&self) -> Result<Option<ExitStatus>> {
        self.spawned.try_wait().map(status).map_err(|errno| wait_error(&self.spawned, errno))
    }

    /// See [`Child::wait_timeout`](crate::Child::wait_timeout).
    ///
    /// # Errors
    ///
    /// Those of [`Child::wait`](crate::Child::wait).
    pub fn wait_timeout(&self, time: Duration) -> Result<Option<ExitStatus>> {
        // If the sum is too large for the clock, there is no deadline.
        wait_until(&self.spawned, Instant::now().checked_add(time)).map(status)
    }

    /// See [`Child::wait_deadline`](crate::Child::wait_deadline).
    ///
    /// # Errors
    ///
    /// Those of [`Child::wait`](crate::Child::wait).
    pub fn wait_deadline(&self, deadline: Instant) -> Result<Option<ExitStatus>> {
        wait_until(&self.spawned, Some(deadline)).map(status)
    }

    /// See [`Child::wait_usage`](crate::Child::wait_usage).
    ///
    /// # Errors
    ///
    /// Those of [`Child::wait`](crate::Child::wait).
    pub fn wait_usage(&self) -> Result<(ExitStatus, Option<Usage>)> {
        end_of_shared(&self.spawned).map(|reaped| (reaped.status, reaped.usage))
    }

    /// See [`Child::signal`](crate::Child::signal).
    ///
    /// # Errors
    ///
    /// Those of [`Child::signal`](crate::Child::signal).
    pub fn signal(&self, signal: Signal) -> Result<bool> {
        send(&self.spawned, signal)
    }

    /// See [`Child::signal_group`](crate::Child::signal_group).
    ///
    /// # Errors
    ///
    /// Those of [`Child::signal_group`](crate::Child::signal_group).
    pub fn signal_group(&self, signal: Signal) -> Result<bool> {
        send_to_group(&self.spawned, signal)
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
        end(&self.spawned, how, Patience::Long)
    }
}

impl Clone for Process {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.spawned))
    }
}

/// The wait for the end of the child. It needs no number for a pidfd of its own.
///
/// ```
/// use fdspawn::{Command, Driven};
/// use std::task::Poll;
///
/// let mut process = Command::new("sleep").arg("0.1").spawn()?.process();
/// let status = loop {
///     if let Poll::Ready(status) = process.step()? {
///         break status;
///     }
///     // Any loop: here one that waits for this descriptor alone.
///     let descriptor = process.descriptor()?;
///     rustix::event::poll(&mut [rustix::event::PollFd::new(&descriptor, rustix::event::PollFlags::IN)], None)?;
/// };
/// assert!(status.success());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl Driven for Process {
    type Output = ExitStatus;

    fn descriptor(&mut self) -> Result<BorrowedFd<'_>> {
        let Waiting { end, events } = waiting(&mut self.waiting, &self.spawned);
        events.descriptor(end)
    }

    fn step(&mut self) -> Result<Poll<ExitStatus>> {
        if let Some(status) = self.try_wait()? {
            if let Some(waiting) = &mut self.waiting {
                let Waiting { end, events } = &mut **waiting;
                end.set_known();
                let _ = events.update(end); // Without it, the descriptor tells too much, and the status counts.
            }
            return Ok(Poll::Ready(status));
        }
        let Waiting { end, events } = waiting(&mut self.waiting, &self.spawned);
        end.look_again();
        events.update(end)?;
        Ok(Poll::Pending)
    }
}

fn waiting<'a>(waiting: &'a mut Option<Box<Waiting>>, spawned: &Arc<Spawned>) -> &'a mut Waiting {
    waiting
        .get_or_insert_with(|| Box::new(Waiting { end: EndEvent::new(Arc::clone(spawned)), events: Events::default() }))
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
pub(super) fn check_reach(spawned: &Arc<Spawned>, how: &Teardown) -> Result<()> {
    match Target::new(spawned, how.reach, Duration::ZERO) {
        Ok(_) => Ok(()),
        Err(error) => Err(end_error(spawned, EndError::Target(error))),
    }
}

/// Ends the child.
pub(super) fn end(spawned: &Arc<Spawned>, how: &Teardown, patience: Patience) -> Result<Ended> {
    run_to_end(spawned, how, patience, &mut |deadline| spawned.has_ended_by(deadline))
}

/// Ends the child, and calls `wait` for each time in which it may end. `wait` waits until the child has ended, at most until the deadline, and
/// returns whether it has ended.
pub(crate) fn end_while(
    process: &Process,
    how: &Teardown,
    wait: &mut dyn FnMut(Option<Instant>) -> bool,
) -> Result<Ended> {
    run_to_end(&process.spawned, how, Patience::Long, wait)
}

fn run_to_end(
    spawned: &Arc<Spawned>,
    how: &Teardown,
    patience: Patience,
    wait: &mut dyn FnMut(Option<Instant>) -> bool,
) -> Result<Ended> {
    Course::new(spawned, how, patience).and_then(|course| course.run(wait)).map_err(|error| end_error(spawned, error))
}

pub(super) fn end_error(spawned: &Spawned, error: EndError) -> Error {
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
