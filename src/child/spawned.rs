//! `Spawned`: waits for a child, reaps it, and sends it signals.

use super::executed::{has_executed, is_known_to_have_executed};
use super::reap::{Block, Counted, Reaped, is_child, status_after_reap, wait};
#[cfg(any(target_os = "linux", target_os = "android"))]
use super::reap::{is_refusal, is_stopped, peek};
#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::cgroup::Cgroup;
use crate::sys;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::ExitStatus;
use std::sync::{Mutex, PoisonError};

/// A child process, reaped at most once.
#[derive(Debug)]
pub(crate) struct Spawned {
    pid: i32,
    pidfd: Option<OwnedFd>,
    /// Whether the child is known to have executed its program. If not, the wait for its end finds out.
    has_executed: bool,
    /// How many forks had made this process when it made the child. In a forked copy the child is not a child, and the lock may
    /// be held by a thread that the copy does not have.
    forks: u32,
    /// The status, after the child has been reaped. A thread that holds the lock and finds none may use the pid: no other thread can
    /// reap the child through this `Spawned` meanwhile.
    reaped: Mutex<Option<Reaped>>,
    /// The cgroup that the library has made for the child ([`Command::own_cgroup`](crate::Command::own_cgroup)).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    cgroup: Option<Cgroup>,
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
            pidfd,
            has_executed: true,
            forks: sys::forks(),
            reaped: Mutex::new(None),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            cgroup: None,
        }
    }

    /// A child of the clone launcher, which may have been killed before exec.
    pub(crate) fn cloned(pid: i32, pidfd: Option<OwnedFd>) -> Self {
        Self { has_executed: false, ..Self::new(pid, pidfd) }
    }

    /// The same child, with this pidfd.
    pub(crate) fn with_pidfd(self, pidfd: Option<OwnedFd>) -> Self {
        Self { pidfd, ..self }
    }

    /// The same child, which keeps this cgroup.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn with_cgroup(self, cgroup: Cgroup) -> Self {
        Self { cgroup: Some(cgroup), ..self }
    }

    /// The cgroup that the library has made for the child.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[allow(dead_code, reason = "the end of a child by its cgroup uses it")]
    pub(crate) fn cgroup(&self) -> Option<&Cgroup> {
        self.cgroup.as_ref()
    }

    /// Takes the pidfd, which the caller then owns.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn take_pidfd(&mut self) -> Option<OwnedFd> {
        self.pidfd.take()
    }

    /// The process id and the pidfd, if the child has not been reaped; else its status.
    pub(crate) fn into_parts(self) -> Result<(u32, Option<OwnedFd>), ExitStatus> {
        let pid = self.id();
        match self.reaped.into_inner().unwrap_or_else(PoisonError::into_inner) {
            None => Ok((pid, self.pidfd)),
            Some(reaped) => Err(reaped.status),
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.pid.unsigned_abs()
    }

    pub(crate) fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.pidfd.as_ref().map(AsFd::as_fd)
    }

    /// Waits until the child ends, and reaps it. The borrow is exclusive, so the wait need not hold the lock.
    pub(crate) fn wait(&mut self) -> Result<Reaped, WaitError> {
        if self.is_in_copy() {
            return Err(Errno::CHILD.into());
        }
        if let Some(reaped) = *self.reaped.get_mut().unwrap_or_else(PoisonError::into_inner) {
            return Ok(reaped);
        }
        let counted = if self.has_executed { Counted::All } else { Counted::Executed };
        match self.wait_for_end(counted) {
            Ok(reaped) => {
                *self.reaped.get_mut().unwrap_or_else(PoisonError::into_inner) = Some(reaped);
                Ok(reaped)
            }
            Err(Errno::CHILD) if !self.has_executed => match self.wait_for_end(Counted::All) {
                Ok(reaped) => Err(WaitError::KilledBeforeExec(reaped.status)),
                // Another part of the process has reaped it, or the kernel, if SIGCHLD is ignored.
                Err(errno) => Err(errno.into()),
            },
            Err(errno) => Ok(self.reaped_by_others(errno)?),
        }
    }

    /// Waits for the end of a child that is not to execute any more, and reaps it.
    pub(crate) fn reap(&mut self) -> Result<ExitStatus, Errno> {
        self.wait_for_end(Counted::All).map(|reaped| reaped.status)
    }

    fn wait_for_end(&self, counted: Counted) -> Result<Reaped, Errno> {
        loop {
            match wait(self.pid, self.pidfd(), counted, Block::UntilEnd) {
                Ok(Some(reaped)) => return Ok(reaped),
                Ok(None) | Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    /// Reaps the child if it has ended.
    pub(crate) fn try_wait(&self) -> Result<Option<Reaped>, Errno> {
        if self.is_in_copy() {
            return Err(Errno::CHILD);
        }
        let mut reaped = self.reaped.lock().unwrap_or_else(PoisonError::into_inner);
        if reaped.is_none() {
            *reaped = match wait(self.pid, self.pidfd(), Counted::All, Block::Never) {
                Ok(ended) => ended,
                Err(errno) => Some(self.reaped_by_others(errno)?),
            };
        }
        Ok(*reaped)
    }

    /// What the kernel still knows of a child that another part of the process, or the kernel itself, has reaped.
    fn reaped_by_others(&self, errno: Errno) -> Result<Reaped, Errno> {
        let status = if errno == Errno::CHILD { self.pidfd().and_then(status_after_reap) } else { None };
        status.map(|status| Reaped { status, usage: None }).ok_or(errno)
    }

    /// Calls a function with the pid, which no other process can get meanwhile. `None` if the child has been reaped.
    pub(crate) fn with_pid<T>(&self, act: impl FnOnce(i32) -> T) -> Option<T> {
        let reaped = self.reaped.lock().unwrap_or_else(PoisonError::into_inner);
        reaped.is_none().then(|| act(self.pid))
    }

    /// Sends a signal, and returns true. If the child has been reaped, it does nothing, since the pid may be another process's.
    pub(crate) fn signal(&self, signal: Signal) -> Result<bool, Errno> {
        if self.is_in_copy() {
            return Err(Errno::CHILD);
        }
        let reaped = self.reaped.lock().unwrap_or_else(PoisonError::into_inner);
        if reaped.is_some() {
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

    /// Whether another part of this process, or the kernel, has reaped the child, so that its pid may be another process's. A later child of
    /// this process that has the same pid is not told apart.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn is_reaped_elsewhere(&self) -> bool {
        match self.pidfd() {
            Some(pidfd) => !is_child(pidfd),
            None => peek(self.pid, Counted::All) == Err(Errno::CHILD),
        }
    }

    /// This system cannot look at a child without reaping it.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(crate) fn is_reaped_elsewhere(&self) -> bool {
        false
    }

    /// Finds out whether a child of the clone launcher has executed its program. If it was killed before, reaps it and returns its
    /// status.
    ///
    /// Until exec the end of such a child sends no signal; exec makes its signal SIGCHLD. A wait without `__WALL` counts only
    /// children that send SIGCHLD, and those that this process traces, which only a program asks for. So ECHILD says that the child
    /// has not executed its program. It does not block, and it reaps no program.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn verify_exec(&mut self) -> Result<(), ExitStatus> {
        let is_program = match peek(self.pid, Counted::Executed) {
            Ok(_) => true,
            Err(Errno::CHILD) => false,
            Err(errno) if is_refusal(errno) => match wait(self.pid, None, Counted::Executed, Block::Never) {
                Ok(status) => {
                    self.reaped = Mutex::new(status);
                    true
                }
                Err(Errno::CHILD) => false,
                // No call waits here. A child that is not known to have executed counts as killed.
                Err(_) => has_executed(self.pid) == Some(true),
            },
            Err(_) => false,
        };
        if !is_program {
            match self.wait_for_end(Counted::All) {
                Ok(reaped) => return Err(reaped.status),
                // Only a child that sends SIGCHLD is reaped by the kernel itself or by a wait of another part of the process.
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

    /// Whether the child has ended, without reaping it. `None` if no call tells.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn has_ended(&self) -> Option<bool> {
        match peek(self.pid, Counted::All) {
            Ok(has_ended) => Some(has_ended),
            Err(Errno::CHILD) => Some(true), // It has been reaped.
            Err(_) => None,
        }
    }

    /// This system cannot look at a child without reaping it.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(crate) fn has_ended(&self) -> Option<bool> {
        None
    }

    /// Whether a signal has stopped the child. `None` if no call tells.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn is_stopped(&self) -> Option<bool> {
        match is_stopped(self.pid) {
            Ok(is_stopped) => Some(is_stopped),
            Err(Errno::CHILD) => Some(false), // It has been reaped.
            Err(_) => None,
        }
    }

    /// The library does not ask this system.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(crate) fn is_stopped(&self) -> Option<bool> {
        Some(false)
    }

    /// Whether one system call says that the child has executed a program. If it is false, the answer is open.
    pub(crate) fn is_known_to_have_executed(&self) -> bool {
        is_known_to_have_executed(self.pid)
    }

    /// Whether the child has left this process's session, so that the quick question has no answer.
    pub(crate) fn is_in_other_session(&self) -> bool {
        sys::session_of(self.pid) != sys::session_of(0)
    }

    /// Whether the child has executed a program. `None` if the system does not tell.
    pub(crate) fn has_executed(&self) -> Option<bool> {
        has_executed(self.pid)
    }

    /// Whether a pidfd refers to this child, and the child has not been reaped.
    pub(crate) fn is_referred_to_by(&self, pidfd: &OwnedFd) -> bool {
        is_child(pidfd.as_fd())
    }

    /// Whether the calling process is a forked copy of the one that made the child.
    pub(crate) fn is_in_copy(&self) -> bool {
        self.forks != sys::forks()
    }
}
