//! `Child`, with std's pipe types.

use super::error::io_error;
use crate::child::Child as AnyChild;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::process::{ChildStderr, ChildStdin, ChildStdout, ExitStatus, Output};

/// A started child: `std::process::Child`.
///
/// A drop closes the pipes, and neither kills nor reaps the child.
///
/// ```
/// use fdspawn::process::{Command, Stdio};
/// use std::io::Read;
///
/// let mut child = Command::new("echo").arg("text").stdout(Stdio::piped()).spawn()?;
/// let mut text = String::new();
/// child.stdout.take().expect("piped").read_to_string(&mut text)?;
/// assert_eq!(text, "text\n");
/// assert!(child.wait()?.success());
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Child {
    /// This process's end of standard input, if that is piped.
    pub stdin: Option<ChildStdin>,
    /// This process's end of standard output, if that is piped.
    pub stdout: Option<ChildStdout>,
    /// This process's end of standard error, if that is piped.
    pub stderr: Option<ChildStderr>,
    /// The child without its standard streams.
    pub(super) inner: AnyChild,
}

// As std's type. A panic in a method leaves no state that a later call could misread: each changes what it has done in one step.
impl UnwindSafe for Child {}
impl RefUnwindSafe for Child {}

impl Child {
    pub(super) fn new(mut child: AnyChild) -> Self {
        Self {
            stdin: child.stdin.take().map(|pipe| OwnedFd::from(pipe).into()),
            stdout: child.stdout.take().map(|pipe| OwnedFd::from(pipe).into()),
            stderr: child.stderr.take().map(|pipe| OwnedFd::from(pipe).into()),
            inner: child,
        }
    }

    /// Kills the child (SIGKILL), and does not wait for its end. If the child has been reaped, this does nothing.
    ///
    /// # Errors
    ///
    /// `EPERM` if the child runs as another user, to which this process may not send signals.
    pub fn kill(&mut self) -> io::Result<()> {
        self.inner.kill().map_err(io_error)
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.inner.id()
    }

    /// Closes this process's end of standard input, waits until the child ends, and reaps it. A second call returns the same status.
    ///
    /// # Errors
    ///
    /// `ECHILD` if another part of this process has reaped the child, or if this process ignores SIGCHLD.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        self.inner.wait().map_err(io_error)
    }

    /// Returns the child's status and reaps the child, if it has ended; `None` while the child runs.
    ///
    /// # Errors
    ///
    /// Those of [`Child::wait`].
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.inner.try_wait().map_err(io_error)
    }

    /// Closes this process's end of standard input, reads standard output and error at the same time, and waits.
    ///
    /// # Errors
    ///
    /// Those of [`Child::wait`], and the error of a read, for which std panics.
    pub fn wait_with_output(self) -> io::Result<Output> {
        AnyChild::from(self).wait_with_output().map_err(io_error)
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("stdin", &self.stdin)
            .field("stdout", &self.stdout)
            .field("stderr", &self.stderr)
            .finish_non_exhaustive()
    }
}

impl From<Child> for AnyChild {
    /// The same child with all that [`fdspawn::Child`](crate::Child) offers: deadlines, teardowns, usage.
    ///
    /// ```
    /// use fdspawn::{Child, Teardown, process::Command};
    /// use std::time::Duration;
    ///
    /// let child = Child::from(Command::new("sleep").arg("60").spawn()?);
    /// assert_eq!(child.wait_timeout(Duration::from_millis(10))?, None);
    /// child.end(&Teardown::kill())?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    fn from(child: Child) -> Self {
        let Child { stdin, stdout, stderr, mut inner } = child;
        inner.stdin = stdin.map(|pipe| OwnedFd::from(pipe).into());
        inner.stdout = stdout.map(|pipe| OwnedFd::from(pipe).into());
        inner.stderr = stderr.map(|pipe| OwnedFd::from(pipe).into());
        inner
    }
}
