//! `Child`, a started child and the parent's ends of its pipes and sockets.

use super::drain::drain;
use super::pipes::{Handle, ParentEnds};
use super::process::{Process, WaitError};
use crate::command::Slot;
use crate::error::{Error, Failure, Result, Subject};
use crate::platform::Launcher;
use rustix::io::Errno;
use rustix::process::Signal;
use std::io::{PipeReader, PipeWriter};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::process::{ExitStatus, Output};

/// A started child, and the parent's ends of its pipes and sockets.
///
/// A drop closes the parent's ends and the pidfd. As with `std::process::Child`, it neither kills nor reaps the child: until
/// the parent waits for it or ends itself, an ended child is a zombie.
///
/// ```
/// use fdspawn::{Command, Stdio};
/// use std::io::Write;
///
/// let mut child = Command::new("sort").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
/// child.stdin.take().expect("piped").write_all(b"b\na\n")?; // dropped here: the child sees end-of-file
/// assert_eq!(child.wait_with_output()?.stdout, b"a\nb\n");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Child {
    /// The parent's end of standard input, if that is piped.
    pub stdin: Option<PipeWriter>,
    /// The parent's end of standard output, if that is piped.
    pub stdout: Option<PipeReader>,
    /// The parent's end of standard error, if that is piped.
    pub stderr: Option<PipeReader>,
    /// The ends of slots that the caller has not taken.
    ends: ParentEnds,
    process: Process,
    launcher: Launcher,
}

impl Child {
    pub(crate) fn new(process: Process, mut ends: ParentEnds, launcher: Launcher) -> Self {
        let (stdin, stdout, stderr) = (ends.stdin.take(), ends.stdout.take(), ends.stderr.take());
        Self { stdin, stdout, stderr, ends, process, launcher }
    }

    /// Takes the parent's end that a slot stands for. The caller owns it. `None` if the caller has taken it before, or if the
    /// slot belongs to another command.
    pub fn take<T: Handle>(&mut self, slot: Slot<T>) -> Option<T> {
        self.ends.take(slot)
    }

    /// The process id. After the child has been reaped, the kernel may give the number to another process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The child's pidfd (`pidfd_open(2)`): a descriptor that never refers to another process. `poll(2)` reports it readable
    /// when the child has ended.
    ///
    /// This `Child` owns it. It is `None` if the system has no pidfds (Linux before 5.3, other systems), or if the parent was at
    /// its limit of descriptors at the spawn.
    pub fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.process.pidfd()
    }

    /// Which launcher started the child.
    pub fn launched_by(&self) -> Launcher {
        self.launcher
    }

    /// Closes the parent's end of standard input, waits until the child ends, and reaps it (`waitid(2)`). A second call returns
    /// the same status.
    ///
    /// # Errors
    ///
    /// `ECHILD` if another part of this process has reaped the child, or if SIGCHLD is ignored, so that the kernel has; also in a forked copy
    /// of the process that has started the child ([`Failure::NotAChild`]).
    pub fn wait(&mut self) -> Result<ExitStatus> {
        drop(self.stdin.take());
        let result = self.process.wait();
        result.map_err(|error| match error {
            WaitError::System(errno) => self.error(Subject::Wait, Failure::Wait, errno),
            WaitError::KilledBeforeExec(status) => Error::new(Subject::Wait(self.id()), Failure::Killed(status), None),
        })
    }

    /// Returns the child's status and reaps the child, if it has ended; `None` while it runs. It does not wait.
    ///
    /// # Errors
    ///
    /// Those of [`Child::wait`].
    pub fn try_wait(&self) -> Result<Option<ExitStatus>> {
        self.process.try_wait().map_err(|errno| self.error(Subject::Wait, Failure::Wait, errno))
    }

    /// Kills the child (SIGKILL), and does not wait for its end. If the child has been reaped, this does nothing.
    ///
    /// # Errors
    ///
    /// `EPERM` if the child runs as another user, to which this process may not send signals.
    pub fn kill(&self) -> Result<()> {
        self.process.signal(Signal::KILL).map_err(|errno| self.error(Subject::Signal, Failure::Signal, errno))
    }

    /// Closes the parent's end of standard input and those of slots that the caller has not taken, reads standard output and
    /// error at the same time, and waits.
    ///
    /// It reads both until end-of-file. If another process holds a write end open, for example a grandchild, it waits for that
    /// process too.
    ///
    /// # Errors
    ///
    /// Those of [`Child::wait`], and [`Failure::Read`]. After an error of a read it still waits for the child.
    pub fn wait_with_output(mut self) -> Result<Output> {
        drop(self.stdin.take());
        self.ends.slots.clear();
        let drained = drain([self.stdout.take(), self.stderr.take()]);
        let status = self.wait()?;
        let [stdout, stderr] = drained.map_err(|errno| self.error(Subject::Read, Failure::Read, errno))?;
        Ok(Output { status, stdout, stderr })
    }

    /// Gives the process away without reaping it: its process id, and its pidfd if it has one.
    ///
    /// Use it if other code waits for all children of the process, such as the event loop of a language's runtime. From now on the caller
    /// reaps the child, by `waitid(2)` or `waitpid(2)`; the library neither waits for it nor signals it. Until it has been
    /// reaped, the kernel gives its process id to no other process. The caller owns the pidfd, which has close-on-exec set.
    ///
    /// It closes the parent's ends that the caller has not taken: `stdin`, `stdout`, `stderr`, and those of slots.
    ///
    /// # Errors
    ///
    /// [`Failure::Reaped`] (`ECHILD`), with the status, if [`Child::wait`] or [`Child::try_wait`] has reaped the child: the process id may be
    /// another process's. (If other code of the process has reaped it, or SIGCHLD is ignored, the library does not know it.)
    ///
    /// [`Failure::NotAChild`] (`ECHILD`) in a forked copy of the process that has started the child.
    ///
    /// # Platform notes
    ///
    /// On Linux the child is one that `waitid(2)` finds without `__WALL`, under each launcher: `spawn` returns only after exec.
    ///
    /// ```
    /// use fdspawn::Command;
    /// use rustix::process::{Pid, WaitOptions, waitpid};
    ///
    /// let (pid, pidfd) = Command::new("sh").args(["-c", "exit 7"]).spawn()?.into_parts()?;
    /// let pid = Pid::from_raw(pid.cast_signed()).expect("not zero");
    /// let (_, status) = waitpid(Some(pid), WaitOptions::empty())?.expect("ended");
    /// assert_eq!(status.exit_status(), Some(7));
    /// drop(pidfd);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn into_parts(self) -> Result<(u32, Option<OwnedFd>)> {
        if self.process.is_in_copy() {
            return Err(self.error(Subject::GiveAway, Failure::Wait, Errno::CHILD));
        }
        let pid = self.id();
        self.process.into_parts().map_err(|status| Error::new(Subject::GiveAway(pid), Failure::Reaped(status), None))
    }

    fn error(&self, subject: fn(u32) -> Subject, failure: Failure, errno: Errno) -> Error {
        if self.process.is_in_copy() {
            return Error::new(subject(self.id()), Failure::NotAChild, None);
        }
        Error::new(subject(self.id()), failure, Some(errno))
    }
}
