//! `Stdio` without a lifetime, as std has it.

use crate::command::Stdio as AnySource;
use std::fmt;
use std::fs::File;
use std::io::{PipeReader, PipeWriter};
use std::os::fd::OwnedFd;
use std::process::{ChildStderr, ChildStdin, ChildStdout};

/// What a standard stream of a child is connected to: `std::process::Stdio`.
///
/// A descriptor that is made into a `Stdio` and given to a [`Command`](super::Command) belongs to the command: it stays open in this
/// process until the command is dropped, or gets another source for that stream, and each spawn uses it again.
///
/// ```
/// use fdspawn::process::{Command, Stdio};
///
/// let null = std::fs::File::open("/dev/null")?;
/// let mut command = Command::new("cat");
/// command.stdin(null).stdout(Stdio::inherit());
/// assert!(command.status()?.success() && command.status()?.success());
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Stdio(Wanted);

enum Wanted {
    Inherit,
    Null,
    Piped,
    Owned(OwnedFd),
    ParentStdout,
    ParentStderr,
}

impl Stdio {
    /// A new pipe between this process and the child. This process's end is in the [`Child`](super::Child).
    #[must_use]
    pub fn piped() -> Self {
        Self(Wanted::Piped)
    }

    /// This process's stream of the same number. If that is closed, the child gets `/dev/null`.
    #[must_use]
    pub fn inherit() -> Self {
        Self(Wanted::Inherit)
    }

    /// `/dev/null`.
    #[must_use]
    pub fn null() -> Self {
        Self(Wanted::Null)
    }

    /// Whether a spawn makes a pipe for this: [`Stdio::piped`]. std has this method only in nightly Rust.
    ///
    /// ```
    /// use fdspawn::process::Stdio;
    ///
    /// assert!(Stdio::piped().makes_pipe() && !Stdio::null().makes_pipe());
    /// ```
    pub fn makes_pipe(&self) -> bool {
        matches!(self.0, Wanted::Piped)
    }
}

impl fmt::Debug for Stdio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stdio").finish_non_exhaustive()
    }
}

impl From<Stdio> for AnySource<'static> {
    /// The same source for a [`crate::Command`], which closes a descriptor that was moved as soon as a spawn has succeeded.
    fn from(stdio: Stdio) -> Self {
        match stdio.0 {
            Wanted::Inherit => Self::inherit(),
            Wanted::Null => Self::null(),
            Wanted::Piped => Self::piped(),
            Wanted::Owned(fd) => fd.into(),
            Wanted::ParentStdout => std::io::stdout().into(),
            Wanted::ParentStderr => std::io::stderr().into(),
        }
    }
}

macro_rules! owned {
    ($($owner:ty),*) => {$(
        impl From<$owner> for Stdio {
            fn from(owner: $owner) -> Self {
                Self(Wanted::Owned(owner.into()))
            }
        }
    )*};
}

owned!(OwnedFd, File, ChildStdin, ChildStdout, ChildStderr, PipeReader, PipeWriter);

impl From<std::io::Stdout> for Stdio {
    /// This process's standard output.
    fn from(_: std::io::Stdout) -> Self {
        Self(Wanted::ParentStdout)
    }
}

impl From<std::io::Stderr> for Stdio {
    /// This process's standard error.
    fn from(_: std::io::Stderr) -> Self {
        Self(Wanted::ParentStderr)
    }
}
