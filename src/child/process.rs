//! Reaping.

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
    /// How it ended, once it is reaped. Who holds the lock may use the pid.
    status: Mutex<Option<ExitStatus>>,
}

impl Process {
    pub(crate) fn new(pid: i32, pidfd: Option<OwnedFd>) -> Self {
        Self { pid, pidfd, status: Mutex::new(None) }
    }

    /// The pid and the pidfd, which the caller owns.
    pub(crate) fn into_parts(self) -> (i32, Option<OwnedFd>) {
        (self.pid, self.pidfd)
    }

    pub(crate) fn id(&self) -> u32 {
        self.pid.unsigned_abs()
    }

    pub(crate) fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.pidfd.as_ref().map(AsFd::as_fd)
    }

    /// Waits for the end. Nobody else can reap meanwhile, since this borrow is the only one.
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

    /// Sends a signal, unless the child has been reaped: then its pid may be another's, and nothing is done.
    pub(crate) fn signal(&self, signal: Signal) -> Result<(), Errno> {
        let status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        if status.is_some() {
            return Ok(());
        }
        #[cfg(target_os = "linux")]
        if let Some(pidfd) = &self.pidfd {
            match rustix::process::pidfd_send_signal(pidfd, signal) {
                Err(Errno::NOSYS | Errno::PERM) => {} // Refused by a filter: by pid, then.
                Err(Errno::SRCH) => return Ok(()),    // Reaped by someone else.
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

    /// One wait, which counts children of any exit signal: one that was killed before exec sends none.
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

    /// How a child of the clone launcher ended, if it was killed before exec, and reaps it.
    ///
    /// Until exec its end sends no signal, and this waits for such a child: one that has been killed may take a moment
    /// to end. After exec its end sends SIGCHLD, and there is no child to wait for.
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

    /// There is no clone launcher here.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(crate) fn ended_before_exec(_: i32) -> Option<ExitStatus> {
        None
    }

    /// Whether a pidfd refers to a child that nobody has reaped.
    #[cfg(target_os = "linux")]
    pub(crate) fn is_child(pidfd: &OwnedFd) -> bool {
        use rustix::process::{WaitId, WaitIdOptions, waitid};
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT | ALL_CHILDREN;
        // Linux before 5.4 waits for no pidfd, and is believed.
        !matches!(waitid(WaitId::PidFd(pidfd.as_fd()), options), Err(Errno::CHILD))
    }

    /// There are no pidfds here.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn is_child(_: &OwnedFd) -> bool {
        true
    }

    /// One wait.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn reap(&self, wait: Wait) -> Result<Option<ExitStatus>, Errno> {
        use rustix::process::{WaitOptions, waitpid};
        let mut options = WaitOptions::empty();
        options.set(WaitOptions::NOHANG, wait == Wait::Now);
        let pid = self.pid().ok_or(Errno::CHILD)?;
        waitpid(Some(pid), options).map(|ended| ended.map(|(_, status)| ExitStatus::from_raw(status.as_raw())))
    }
}

/// Children of any exit signal.
#[cfg(any(target_os = "linux", target_os = "android"))]
const ALL_CHILDREN: rustix::process::WaitIdOptions =
    rustix::process::WaitIdOptions::from_bits_retain(libc::__WALL.cast_unsigned());

/// What to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// The end of the child.
    Ended,
    /// Nothing: how it is now.
    Now,
}

/// The status as `wait(2)` would encode it.
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
