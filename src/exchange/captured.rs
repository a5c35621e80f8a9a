//! `Captured`: what came of `Command::capture`.

use crate::child::Ended;
use crate::command::Slot;
use crate::error::{Error, Failure, Result, Subject};
use crate::flow::Stop;
use std::ffi::OsString;
use std::fmt;
use std::io::PipeReader;
use std::process::ExitStatus;

/// What came of [`Command::capture`](crate::Command::capture).
#[derive(Clone)]
#[non_exhaustive]
pub struct Captured {
    /// The status of the child. `None` only if the child had to be ended and could not be.
    pub status: Option<ExitStatus>,
    /// What is kept of standard output.
    pub stdout: Vec<u8>,
    /// What is kept of standard error.
    pub stderr: Vec<u8>,
    /// Why the reading stopped. It is not [`Stop::Done`] if the time was over, a limit was reached or a pipe was still held after the grace:
    /// then the bytes are those that had come until then.
    pub stop: Stop,
    /// How the child has been ended, if it has not ended by itself.
    pub ended: Option<Ended>,
    /// How many bytes of the input the child has not read.
    pub unsent: usize,
    pub(super) slots: Vec<(u64, Vec<u8>)>,
    pub(super) program: OsString,
}

impl Captured {
    /// What is kept of the end that a slot of the command stands for. Empty for a slot of another command.
    pub fn bytes(&self, slot: Slot<PipeReader>) -> &[u8] {
        self.slots.iter().find(|(id, _)| *id == slot.id).map_or(&[], |(_, bytes)| bytes)
    }

    /// Makes an error of what is no success: an exit status other than 0, a signal, a child that was ended, a limit that was reached. The
    /// error has the end of what is kept of standard error.
    ///
    /// A pipe that another process still holds after the child has succeeded is no error.
    ///
    /// # Errors
    ///
    /// [`Failure::TimedOut`], [`Failure::OutputLimit`] or [`Failure::Status`].
    ///
    /// ```
    /// use fdspawn::{Capture, Command};
    ///
    /// let error = Command::new("cat").arg("/nope").env("LC_ALL", "C").capture(&Capture::new())?.check().unwrap_err();
    /// assert_eq!(error.to_string(), "`cat`: exit status: 1: cat: /nope: No such file or directory");
    /// # Ok::<(), fdspawn::Error>(())
    /// ```
    pub fn check(self) -> Result<Self> {
        let failure = match (self.stop, self.status) {
            (Stop::Deadline, _) => Failure::TimedOut,
            (Stop::Limit(_), _) => Failure::OutputLimit,
            (_, Some(status)) if status.success() => return Ok(self),
            (_, Some(status)) => Failure::Status { status, stderr: end_of(&self.stderr) },
            (_, None) => Failure::StillRuns,
        };
        Err(Error::new(Subject::Captured(self.program), failure, None))
    }
}

/// The end of a program's standard error as text: at most so many bytes, without blanks around it.
pub(crate) fn end_of(stderr: &[u8]) -> String {
    const MOST: usize = 4096;
    String::from_utf8_lossy(&stderr[stderr.len().saturating_sub(MOST)..]).trim().to_owned()
}

impl fmt::Debug for Captured {
    /// Prints how many bytes there are, and not the bytes, which may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Captured")
            .field("status", &self.status)
            .field("stdout", &self.stdout.len())
            .field("stderr", &self.stderr.len())
            .field("stop", &self.stop)
            .field("ended", &self.ended)
            .field("unsent", &self.unsent)
            .finish_non_exhaustive()
    }
}
