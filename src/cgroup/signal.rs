//! Sends a signal to all processes of a cgroup and of those in it, and to no other process.

use super::cgroup::Cgroup;
use super::directory::{Visit, walk};
use super::members::{has_this_process, members};
use crate::error::{Failure, Problem, Result};
use crate::fd::standard::open_above_stdio;
use crate::sys;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeSet;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Instant;

/// How many pidfds are open at a time.
const AT_A_TIME: usize = 64;

/// After this many passes a signal gives up on a cgroup in which new processes appear all the time.
const PASSES: usize = 100;

impl Cgroup {
    /// Sends a signal to each process of the cgroup, and of the cgroups that its members have made in it. Returns how many processes it has
    /// signalled.
    ///
    /// It never signals this process, and no process that has left the cgroup: it opens a pidfd for each process that `cgroup.procs`
    /// lists, and sends the signal by it if the file still lists the process after that. It looks again until it finds no process that it
    /// has not signalled, at most 100 times. If the processes ignore the signal and go on forking, some may be left without it: only
    /// [`Cgroup::kill`] reaches all.
    ///
    /// # Errors
    ///
    /// `EPERM` if this process may not signal one of the processes, after it has signalled the others; `ENOSYS` without `pidfd_open(2)`
    /// (before Linux 5.3, and on Android).
    ///
    /// # Platform notes
    ///
    /// A process outside this process's PID namespace has no number here, and gets no signal.
    ///
    /// ```
    /// use fdspawn::{Cgroup, Command, Signal};
    ///
    /// let Ok(cgroup) = Cgroup::create() else { return Ok(()) }; // no cgroup is delegated to this process
    /// let mut child = Command::new("sleep").arg("60").own_cgroup(&cgroup).spawn()?;
    /// assert_eq!(cgroup.signal(Signal::TERM)?, 1);
    /// assert!(!child.wait()?.success());
    /// # Ok::<(), fdspawn::Error>(())
    /// ```
    pub fn signal(&self, signal: Signal) -> Result<usize> {
        self.try_signal(signal, None).map_err(|errno| self.error("signal", Problem::system(Failure::Signal, errno)))
    }

    /// [`Cgroup::signal`], which looks for no more processes after the deadline.
    pub(crate) fn signal_until(&self, signal: Signal, deadline: Instant) -> std::result::Result<(), Errno> {
        self.try_signal(signal, Some(deadline)).map(drop)
    }

    fn try_signal(&self, signal: Signal, deadline: Option<Instant>) -> std::result::Result<usize, Errno> {
        let mut signalled = Signalled::default();
        signalled.send(self.directory(), signal, Pidfds::Needed, deadline)?;
        signalled.refused.map_or(Ok(signalled.count), Err)
    }
}

/// Whether a process may be signalled by its number if the system refuses to open a pidfd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pidfds {
    Needed,
    /// All processes of the cgroup are frozen, so each keeps its number.
    Optional,
}

/// The processes that have been signalled.
#[derive(Debug, Default)]
pub(super) struct Signalled {
    /// The processes that the last pass has found, each with its number and the file of its pidfd. Since Linux 6.9 each process has a file
    /// of its own. By the file the next pass distinguishes a new process from an ended process that has had the same number.
    found: BTreeSet<(i32, Option<sys::FileIdentity>)>,
    pub(super) count: usize,
    /// The first error of a process that exists and was not signalled.
    pub(super) refused: Option<Errno>,
}

impl Signalled {
    /// Sends a signal to each process, until a pass finds no new one or the deadline has come.
    pub(super) fn send(
        &mut self,
        top: BorrowedFd<'_>,
        signal: Signal,
        pidfds: Pidfds,
        deadline: Option<Instant>,
    ) -> std::result::Result<(), Errno> {
        for _ in 0..PASSES {
            let before = std::mem::take(&mut self.found);
            let mut any_new = false;
            walk(top, |visit| match visit {
                Visit::Before(directory) => {
                    any_new |= self.send_to_members(directory, signal, pidfds, &before)?;
                    Ok(())
                }
                Visit::After(..) => Ok(()),
            })?;
            if !any_new || deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                break;
            }
        }
        Ok(())
    }

    /// Sends a signal to the processes of one cgroup that are not among those before. Says whether there are any.
    fn send_to_members(
        &mut self,
        directory: BorrowedFd<'_>,
        signal: Signal,
        pidfds: Pidfds,
        before: &BTreeSet<(i32, Option<sys::FileIdentity>)>,
    ) -> std::result::Result<bool, Errno> {
        let mut any_new = false;
        for pids in members(directory)?.chunks(AT_A_TIME) {
            let mut opened = Vec::with_capacity(pids.len());
            for &pid in pids.iter().filter(|&&pid| !has_this_process(&[pid])) {
                match open_above_stdio(|| sys::open_pidfd(pid)) {
                    Ok(pidfd) => opened.push((pid, Some(pidfd))),
                    Err(Errno::SRCH) => {} // It has ended.
                    Err(Errno::NOSYS | Errno::PERM) if pidfds == Pidfds::Optional => opened.push((pid, None)),
                    Err(errno) => return Err(errno),
                }
            }
            // A number that is still a member's was one when the pidfd was opened, or the pidfd's process has ended: then the signal
            // reaches no process.
            let still: BTreeSet<i32> = members(directory)?.into_iter().collect();
            for (pid, pidfd) in opened.into_iter().filter(|(pid, _)| still.contains(pid)) {
                let file = pidfd.as_ref().and_then(|pidfd| sys::file_identity(pidfd.as_raw_fd()).ok());
                if before.contains(&(pid, file)) {
                    self.found.insert((pid, file));
                } else if self.found.insert((pid, file)) {
                    any_new = true;
                    match send(pid, pidfd, signal) {
                        Ok(()) => self.count += 1,
                        Err(Errno::SRCH) => {} // It has ended.
                        Err(errno) => _ = self.refused.get_or_insert(errno),
                    }
                }
            }
        }
        Ok(any_new)
    }
}

fn send(pid: i32, pidfd: Option<OwnedFd>, signal: Signal) -> std::result::Result<(), Errno> {
    match pidfd {
        Some(pidfd) => sys::signal_by_pidfd(pidfd.as_fd(), signal.as_raw()),
        None => kill_process(Pid::from_raw(pid).ok_or(Errno::SRCH)?, signal),
    }
}
