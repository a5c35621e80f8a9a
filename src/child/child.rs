//! `Child`.

use super::drain::drain;
use super::pipes::{Handle, ParentEnds};
use super::process::Process;
use crate::command::Slot;
use crate::error::{Error, Failure, Result, Subject};
use crate::platform::Launcher;
use rustix::io::Errno;
use rustix::process::Signal;
use std::io::{PipeReader, PipeWriter};
use std::os::fd::BorrowedFd;
use std::process::{ExitStatus, Output};

/// A started child, and the parent's ends of its pipes and sockets.
///
/// As with `std::process::Child`, dropping it neither kills nor reaps: an ended child that nobody waits for stays a
/// zombie for as long as the parent runs.
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
    /// The parent's end of standard input, where that is piped.
    pub stdin: Option<PipeWriter>,
    /// The parent's end of standard output, where that is piped.
    pub stdout: Option<PipeReader>,
    /// The parent's end of standard error, where that is piped.
    pub stderr: Option<PipeReader>,
    /// The ends of slots that were not taken.
    ends: ParentEnds,
    process: Process,
    launcher: Launcher,
}

impl Child {
    pub(crate) fn new(process: Process, mut ends: ParentEnds, launcher: Launcher) -> Self {
        let (stdin, stdout, stderr) = (ends.stdin.take(), ends.stdout.take(), ends.stderr.take());
        Self { stdin, stdout, stderr, ends, process, launcher }
    }

    /// Takes the parent's end that a slot stands for; `None` if it was taken before, or is another command's.
    pub fn take<T: Handle>(&mut self, slot: Slot<T>) -> Option<T> {
        self.ends.take(slot)
    }

    /// The process identifier. It is the child's own until the child is reaped.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// A descriptor that refers to the child and to no other process ever (`pidfd_open(2)`). It is readable once the
    /// child has ended.
    ///
    /// `None` where the system has none (Linux before 5.3, other systems), and where the parent was at its limit of
    /// descriptors. The child owns it.
    pub fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.process.pidfd()
    }

    /// Which launcher started the child.
    pub fn launched_by(&self) -> Launcher {
        self.launcher
    }

    /// Closes the parent's end of standard input and waits for the child to end. A second wait gives the same status.
    ///
    /// # Errors
    ///
    /// `ECHILD` where someone else has reaped the child, or where SIGCHLD is ignored and the kernel does.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        drop(self.stdin.take());
        let result = self.process.wait();
        result.map_err(|errno| self.error(Subject::Wait, Failure::Wait, errno))
    }

    /// The status, if the child has ended; `None` while it runs.
    ///
    /// # Errors
    ///
    /// Those of [`Child::wait`].
    pub fn try_wait(&self) -> Result<Option<ExitStatus>> {
        self.process.try_wait().map_err(|errno| self.error(Subject::Wait, Failure::Wait, errno))
    }

    /// Kills the child (SIGKILL). It has still to be waited for. Nothing is done if it was already.
    ///
    /// # Errors
    ///
    /// `EPERM` where the child has changed its user.
    pub fn kill(&self) -> Result<()> {
        self.process.signal(Signal::KILL).map_err(|errno| self.error(Subject::Signal, Failure::Signal, errno))
    }

    /// Closes the parent's end of standard input, reads all of standard output and error at once, and waits. ParentEnds
    /// of slots that were not taken are closed first.
    ///
    /// It reads until both are at end-of-file: a grandchild that holds one open keeps it waiting.
    ///
    /// # Errors
    ///
    /// Those of [`Child::wait`] and of reading. The child is waited for in any case.
    pub fn wait_with_output(mut self) -> Result<Output> {
        drop(self.stdin.take());
        self.ends.slots.clear();
        let drained = drain([self.stdout.take(), self.stderr.take()]);
        let status = self.wait()?;
        let [stdout, stderr] = drained.map_err(|errno| self.error(Subject::Read, Failure::Read, errno))?;
        Ok(Output { status, stdout, stderr })
    }

    fn error(&self, subject: fn(u32) -> Subject, failure: Failure, errno: Errno) -> Error {
        Error::new(subject(self.id()), failure, Some(errno))
    }
}
