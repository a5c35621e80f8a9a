//! `Process`: waits for a child, reaps it, and sends it signals.

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::{Mutex, PoisonError};

/// A child process, reaped at most once.
#[derive(Debug)]
pub(crate) struct Process {
    pid: i32,
    pidfd: Option<OwnedFd>,
    /// The status, after the child has been reaped. A thread that holds the lock and finds no status may use the pid: no other
    /// thread can reap the child through this `Process` meanwhile.
    status: Mutex<Option<ExitStatus>>,
}

impl Process {
    pub(crate) fn new(pid: i32, pidfd: Option<OwnedFd>) -> Self {
        Self { pid, pidfd, status: Mutex::new(None) }
    }

    /// The pid and the pidfd, which the caller then owns.
    pub(crate) fn into_parts(self) -> (i32, Option<OwnedFd>) {
        (self.pid, self.pidfd)
    }

    pub(crate) fn id(&self) -> u32 {
        self.pid.unsigned_abs()
    }

    pub(crate) fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.pidfd.as_ref().map(AsFd::as_fd)
    }

    /// Waits until the child ends, and reaps it. The borrow is exclusive, so the wait need not hold the lock.
    pub(crate) fn wait(&mut self) -> Result<ExitStatus, Errno> {
        let known = *self.status.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(status) = known {
            return Ok(status);
        }
        let status = loop {
            match self.reap(Wait::Ended) {
                Ok(Some(status)) => break status,
                Ok(None) | Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        };
        *self.status.get_mut().unwrap_or_else(PoisonError::into_inner) = Some(status);
        Ok(status)
    }

    /// Reaps the child if it has ended.
    pub(crate) fn try_wait(&self) -> Result<Option<ExitStatus>, Errno> {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        if status.is_none() {
            *status = self.reap(Wait::Now)?;
        }
        Ok(*status)
    }

    /// Sends a signal. If the child has been reaped, it does nothing, since the pid may be another process's.
    pub(crate) fn signal(&self, signal: Signal) -> Result<(), Errno> {
        let status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        if status.is_some() {
            return Ok(());
        }
        #[cfg(target_os = "linux")]
        if let Some(pidfd) = &self.pidfd {
            match rustix::process::pidfd_send_signal(pidfd, signal) {
                Err(Errno::NOSYS | Errno::PERM) => {} // A seccomp filter may refuse this call and allow kill(2).
                Err(Errno::SRCH) => return Ok(()),    // Another part of this process has reaped the child.
                result => return result,
            }
        }
        match self.pid() {
            Some(pid) => kill_process(pid, signal),
            None => Ok(()),
        }
    }

    fn pid(&self) -> Option<Pid> {
        Pid::from_raw(self.pid)
    }

    /// Calls `waitid(2)` once. It also waits for a child whose end sends no signal, since it was killed before exec.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn reap(&self, wait: Wait) -> Result<Option<ExitStatus>, Errno> {
        use rustix::process::{WaitId, WaitIdOptions, waitid};
        let mut options = WaitIdOptions::EXITED | ALL_CHILDREN;
        options.set(WaitIdOptions::NOHANG, wait == Wait::Now);
        #[cfg(target_os = "linux")]
        if let Some(pidfd) = &self.pidfd {
            match waitid(WaitId::PidFd(pidfd.as_fd()), options) {
                Err(Errno::INVAL | Errno::NOSYS) => {} // Linux before 5.4
                result => return result.map(|status| status.map(|status| exit_status(&status))),
            }
        }
        let pid = self.pid().ok_or(Errno::CHILD)?;
        let result = match waitid(WaitId::Pid(pid), options) {
            Err(Errno::INVAL) => waitid(WaitId::Pid(pid), options & !ALL_CHILDREN), // Linux before 4.7
            result => result,
        };
        result.map(|status| status.map(|status| exit_status(&status)))
    }

    /// Reaps a child of the clone launcher if it was killed before exec, and returns its status.
    ///
    /// Until exec the end of the child sends no signal; exec makes its signal SIGCHLD. `__WCLONE` waits only for children whose
    /// end does not send SIGCHLD. So the call fails with ECHILD if the child has executed its program. If not, the call waits,
    /// since a child that has been killed may take a moment to end.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn ended_before_exec(pid: i32) -> Option<ExitStatus> {
        use rustix::process::{WaitId, WaitIdOptions, waitid};
        let silent = WaitIdOptions::from_bits_retain(libc::__WCLONE.cast_unsigned());
        loop {
            match waitid(WaitId::Pid(Pid::from_raw(pid)?), WaitIdOptions::EXITED | silent) {
                Err(Errno::INTR) => {}
                result => return result.ok()?.map(|status| exit_status(&status)),
            }
        }
    }

    /// This system has no clone launcher.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(crate) fn ended_before_exec(_: i32) -> Option<ExitStatus> {
        None
    }

    /// Whether a pidfd refers to a child that has not been reaped.
    #[cfg(target_os = "linux")]
    pub(crate) fn is_child(pidfd: &OwnedFd) -> bool {
        use rustix::process::{WaitId, WaitIdOptions, waitid};
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT | ALL_CHILDREN;
        // Linux before 5.4 cannot wait for a pidfd, and fails with another error. The answer is then yes.
        !matches!(waitid(WaitId::PidFd(pidfd.as_fd()), options), Err(Errno::CHILD))
    }

    /// This system has no pidfds.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn is_child(_: &OwnedFd) -> bool {
        true
    }

    /// Calls `waitpid(2)` once.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn reap(&self, wait: Wait) -> Result<Option<ExitStatus>, Errno> {
        use rustix::process::{WaitOptions, waitpid};
        let mut options = WaitOptions::empty();
        options.set(WaitOptions::NOHANG, wait == Wait::Now);
        let pid = self.pid().ok_or(Errno::CHILD)?;
        waitpid(Some(pid), options).map(|ended| ended.map(|(_, status)| ExitStatus::from_raw(status.as_raw())))
    }
}

/// Waits for all children, also for those whose end does not send SIGCHLD.
#[cfg(any(target_os = "linux", target_os = "android"))]
const ALL_CHILDREN: rustix::process::WaitIdOptions =
    rustix::process::WaitIdOptions::from_bits_retain(libc::__WALL.cast_unsigned());

/// Whether a wait blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// Until the child has ended.
    Ended,
    /// Not at all.
    Now,
}

/// The status in the encoding of `wait(2)`.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn exit_status(status: &rustix::process::WaitIdStatus) -> ExitStatus {
    const CORE_DUMPED: i32 = 0x80;
    ExitStatus::from_raw(match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => (code & 0xff) << 8,
        (None, Some(signal)) if status.dumped() => signal | CORE_DUMPED,
        (None, Some(signal)) => signal,
        (None, None) => 0,
    })
}
