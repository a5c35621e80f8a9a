//! `Spawned`: waits for a child, reaps it, and sends it signals.

#[cfg(any(target_os = "linux", target_os = "android"))]
use super::executed::has_executed;
use super::pid_fd::PidFd;
use super::reap::{Block, Counted, Reaped, sleep_until_end, status_after_reap, wait, wait_for_status};
#[cfg(any(target_os = "linux", target_os = "android"))]
use super::reap::{is_refusal, peek};
#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::cgroup::Cgroup;
use crate::group::{Membership, ReapMode};
use crate::sys;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::ExitStatus;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A child process, reaped at most once.
#[derive(Debug)]
pub(crate) struct Spawned {
    pid: i32,
    pidfd: Option<PidFd>,
    /// Whether it is known that the child has executed its program. If it is not known, the wait for the child's end
    /// finds out.
    has_executed: bool,
    /// How many forks had made this process when it made the child. In a forked copy of this process the child is no child, and
    /// a thread that the copy does not have may hold the lock.
    forks: u32,
    /// Whether the child was started as the leader of a process group.
    leads_group: bool,
    /// The group that the child has joined or leads, if others can join it.
    membership: Option<Membership>,
    /// The cgroup that the library has made for the child ([`Command::own_cgroup`](crate::Command::own_cgroup)).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    cgroup: Option<Cgroup>,
    /// A thread that holds the lock and finds no status may use the pid: no other thread can reap the child through this `Spawned`
    /// meanwhile.
    state: Mutex<State>,
    /// Wakes waits when a thread that was ending the child has finished.
    is_ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The status, after the child has been reaped.
    reaped: Option<Reaped>,
    /// How many threads are ending the child. Until they have finished, only they reap it: while a child has not been reaped, no other
    /// group can get the number of its group.
    enders: u32,
}

/// Why a wait has no status of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitError {
    System(Errno),
    /// The child was killed before it executed the program, and has been reaped.
    KilledBeforeExec(ExitStatus),
}

impl From<Errno> for WaitError {
    fn from(errno: Errno) -> Self {
        Self::System(errno)
    }
}

impl Spawned {
    /// A child that has executed its program.
    pub(crate) fn new(pid: i32, pidfd: Option<OwnedFd>) -> Self {
        Self {
            pid,
            pidfd: pidfd.map(PidFd::from),
            has_executed: true,
            forks: sys::forks(),
            leads_group: false,
            membership: None,
            #[cfg(any(target_os = "linux", target_os = "android"))]
            cgroup: None,
            state: Mutex::default(),
            is_ended: Condvar::new(),
        }
    }

    /// A child of the clone launcher, which may have been killed before exec.
    pub(crate) fn cloned(pid: i32, pidfd: Option<OwnedFd>) -> Self {
        Self { has_executed: false, ..Self::new(pid, pidfd) }
    }

    /// The same child, with this pidfd.
    pub(crate) fn with_pidfd(self, pidfd: Option<OwnedFd>) -> Self {
        Self { pidfd: pidfd.map(PidFd::from), ..self }
    }

    /// Replaces the pidfd by what `replace` returns for it, which should be a duplicate.
    pub(crate) fn replace_pidfd(&mut self, replace: impl FnOnce(OwnedFd) -> OwnedFd) {
        self.pidfd = self.pidfd.take().map(|pidfd| PidFd::from(replace(pidfd.into())));
    }

    /// Remembers that the child was started as the leader of a process group.
    pub(crate) fn set_group_leader(&mut self) {
        self.leads_group = true;
    }

    /// Keeps the cgroup that the library has made for the child.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn set_cgroup(&mut self, cgroup: Cgroup) {
        self.cgroup = Some(cgroup);
    }

    /// The cgroup that the library has made for the child.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) fn cgroup(&self) -> Option<&Cgroup> {
        self.cgroup.as_ref()
    }

    /// Remembers that the child has joined a group, or leads it.
    pub(crate) fn set_membership(&mut self, membership: Membership) {
        self.membership = Some(membership);
    }

    /// Takes the pidfd, which the caller then owns.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn take_pidfd(&mut self) -> Option<OwnedFd> {
        self.pidfd.take().map(OwnedFd::from)
    }

    /// The process id and the pidfd, if the child has not been reaped; else its status.
    pub(crate) fn into_parts(self) -> Result<(u32, Option<OwnedFd>), ExitStatus> {
        let pid = self.id();
        match self.state.into_inner().unwrap_or_else(PoisonError::into_inner).reaped {
            None => Ok((pid, self.pidfd.map(OwnedFd::from))),
            Some(reaped) => Err(reaped.status),
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.pid.unsigned_abs()
    }

    pub(crate) fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.pidfd.as_ref().map(AsFd::as_fd)
    }

    /// The pidfd as the type of std.
    #[cfg(target_os = "linux")]
    pub(super) fn pid_fd(&self) -> Option<&PidFd> {
        self.pidfd.as_ref()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the child ends, and reaps it. The borrow is exclusive, so the wait need not hold the lock.
    pub(crate) fn wait(&mut self) -> Result<Reaped, WaitError> {
        if self.is_in_copy() {
            return Err(Errno::CHILD.into());
        }
        if self.membership.is_some() {
            if self.pidfd.is_none() {
                sleep_until_end(self.pid);
            }
            return Ok(self.wait_until(None)?.ok_or(Errno::CHILD)?);
        }
        if let Some(reaped) = self.state.get_mut().unwrap_or_else(PoisonError::into_inner).reaped {
            return Ok(reaped);
        }
        match self.wait_for_end(self.counted()) {
            Ok(reaped) => {
                self.state.get_mut().unwrap_or_else(PoisonError::into_inner).reaped = Some(reaped);
                Ok(reaped)
            }
            Err(Errno::CHILD) if !self.has_executed => match self.wait_for_end(Counted::All) {
                Ok(reaped) => Err(WaitError::KilledBeforeExec(reaped.status)),
                // Another part of the process has reaped the child, or the kernel has, because the process ignores
                // SIGCHLD.
                Err(errno) => Err(errno.into()),
            },
            Err(errno) => Ok(self.reaped_by_others(errno)?),
        }
    }

    /// [`Spawned::wait`] for a caller that does not want the use of resources.
    pub(crate) fn wait_for_status(&mut self) -> Result<ExitStatus, WaitError> {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if state.reaped.is_none() && self.membership.is_none() && !self.is_in_copy() {
            if let Some(status) = wait_for_status(self.pid, self.counted()) {
                self.state = Mutex::new(State { reaped: Some(Reaped { status, usage: None }), enders: 0 });
                return Ok(status);
            }
        }
        self.wait().map(|reaped| reaped.status)
    }

    /// Which waits count the child.
    fn counted(&self) -> Counted {
        if self.has_executed { Counted::All } else { Counted::Executed }
    }

    /// Waits for the end of a child that will not execute its program, and reaps it. Later waits return the same status.
    pub(crate) fn reap(&mut self) -> Result<ExitStatus, Errno> {
        let reaped = self.wait_for_end(Counted::All)?;
        self.lock().reaped = Some(reaped);
        Ok(reaped.status)
    }

    fn wait_for_end(&self, counted: Counted) -> Result<Reaped, Errno> {
        loop {
            match wait(self.pid, self.pidfd(), counted, Block::UntilEnd, ReapMode::Reap) {
                Ok(Some(reaped)) => return Ok(reaped),
                Ok(None) | Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    /// Reaps the child if it has ended, and no thread is ending it.
    pub(crate) fn try_wait(&self) -> Result<Option<Reaped>, Errno> {
        if self.is_in_copy() {
            return Err(Errno::CHILD);
        }
        let mut state = self.lock();
        if state.reaped.is_none() && state.enders == 0 {
            state.reaped = self.wait_once()?;
        }
        Ok(state.reaped)
    }

    /// Reaps the child if it has ended. Only a thread that has ended the child calls this.
    pub(super) fn reap_ended(&self) -> Result<Option<Reaped>, Errno> {
        let mut state = self.lock();
        if state.reaped.is_none() {
            state.reaped = self.wait_once()?;
        }
        Ok(state.reaped)
    }

    /// Waits once, and does not block. The leader of an open group stays a zombie.
    fn wait_once(&self) -> Result<Option<Reaped>, Errno> {
        let once = |mode| loop {
            match wait(self.pid, self.pidfd(), Counted::All, Block::Never, mode) {
                Err(Errno::INTR) => {}
                result => break result,
            }
        };
        let waited = match &self.membership {
            None => once(ReapMode::Reap),
            Some(membership) => membership.wait(once),
        };
        match waited {
            Ok(ended) => Ok(ended),
            Err(errno) => self.reaped_by_others(errno).map(Some),
        }
    }

    /// Keeps other threads from reaping the child until [`Spawned::finish_end`].
    pub(super) fn start_end(&self) {
        self.lock().enders += 1;
    }

    /// The thread that has called [`Spawned::start_end`] has finished.
    pub(super) fn finish_end(&self) {
        self.lock().enders -= 1;
        self.is_ended.notify_all();
    }

    /// Sleeps, or waits until the thread that is ending the child has finished.
    pub(super) fn pause(&self, time: Duration) {
        let state = self.lock();
        if state.enders == 0 {
            drop(state);
            sys::pause(time);
        } else {
            // After this time the caller looks at the child again, even if the thread has not finished.
            drop(self.is_ended.wait_timeout(state, time));
        }
    }

    /// Whether the child has been reaped through this `Spawned`.
    pub(super) fn is_reaped(&self) -> bool {
        self.lock().reaped.is_some()
    }

    /// What the kernel still knows of a child that another part of the process, or the kernel itself, has reaped.
    fn reaped_by_others(&self, errno: Errno) -> Result<Reaped, Errno> {
        let status = if errno == Errno::CHILD { self.pidfd().and_then(status_after_reap) } else { None };
        status.map(|status| Reaped { status, usage: None }).ok_or(errno)
    }

    /// Calls a function with the pid, which no other process can get meanwhile. `None` if the child has been reaped.
    pub(crate) fn with_pid<T>(&self, act: impl FnOnce(i32) -> T) -> Option<T> {
        let state = self.lock();
        state.reaped.is_none().then(|| act(self.pid))
    }

    /// Sends a signal, and returns true. If the child has been reaped, the function sends nothing, since the pid may be another
    /// process's.
    pub(crate) fn signal(&self, signal: Signal) -> Result<bool, Errno> {
        if self.is_in_copy() {
            return Err(Errno::CHILD);
        }
        let state = self.lock();
        if state.reaped.is_some() {
            return Ok(false);
        }
        #[cfg(target_os = "linux")]
        if let Some(pidfd) = &self.pidfd {
            match rustix::process::pidfd_send_signal(pidfd, signal) {
                Err(Errno::SRCH) => return Ok(false), // Another part of this process has reaped the child.
                Ok(()) => return Ok(true),
                Err(_) => {} // A seccomp filter may refuse this call and allow kill(2).
            }
        }
        match Pid::from_raw(self.pid) {
            Some(pid) if !self.is_reaped_elsewhere() => match kill_process(pid, signal) {
                Err(Errno::SRCH) => Ok(false), // Another part of this process has just reaped the child.
                result => result.map(|()| true),
            },
            _ => Ok(false),
        }
    }

    /// Finds out whether a child of the clone launcher has executed its program. If it was killed before, reaps it and returns its
    /// status.
    ///
    /// Until exec the end of such a child sends no signal; exec makes its signal SIGCHLD. A wait without `__WALL` counts only
    /// children that send SIGCHLD, and those that this process traces, which only a program asks for. So ECHILD says that the child
    /// has not executed its program. This call does not block, and it reaps no child that has executed.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn verify_exec(&mut self) -> Result<(), ExitStatus> {
        let is_program = match peek(self.pid, Counted::Executed) {
            Ok(_) => true,
            Err(Errno::CHILD) => false,
            Err(errno) if is_refusal(errno) => {
                match wait(self.pid, None, Counted::Executed, Block::Never, ReapMode::Reap) {
                    Ok(reaped) => {
                        self.state = Mutex::new(State { reaped, enders: 0 });
                        true
                    }
                    Err(Errno::CHILD) => false,
                    // The kernel refuses all calls that wait. A child of which it is not known that it has executed
                    // counts as killed.
                    Err(_) => has_executed(self.pid) == Some(true),
                }
            }
            Err(_) => false,
        };
        if !is_program {
            match self.wait_for_end(Counted::All) {
                Ok(reaped) => return Err(reaped.status),
                // The child has executed its program: the kernel itself, or a wait of another part of the process, reaps only
                // a child that sends SIGCHLD.
                Err(Errno::CHILD) => {}
                Err(_) => return Err(ExitStatus::default()),
            }
        }
        self.has_executed = true;
        Ok(())
    }

    /// This system has no clone launcher.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(crate) fn verify_exec(&mut self) -> Result<(), ExitStatus> {
        self.has_executed = true;
        Ok(())
    }

    /// Whether the child was started as the leader of a process group.
    pub(super) fn leads_group(&self) -> bool {
        self.leads_group
    }

    /// Whether the child leads a group that others can still join, which needs the child unreaped.
    pub(super) fn leads_open_group(&self) -> bool {
        self.membership.as_ref().is_some_and(Membership::leads_open_group)
    }

    pub(super) fn membership(&self) -> Option<&Membership> {
        self.membership.as_ref()
    }

    /// Whether the calling process is a forked copy of the one that made the child.
    pub(crate) fn is_in_copy(&self) -> bool {
        self.forks != sys::forks()
    }
}
