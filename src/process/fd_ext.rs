//! What this library adds to std's API.

use super::child::Child;
use super::command::Command;
use super::unix::Sealed;
use crate::child::{Handle, Process};
use crate::command::{FdMap, Kept, Slot, Stdio as AnySource};
use crate::error::{Error, Problem, Subject};
use crate::plan::Rest;
use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::RawFd;
use std::os::unix::net::UnixStream;

/// Descriptors of a [`Command`] beside 0, 1 and 2, and the error with the step that failed.
///
/// As with std's `stdin`, a descriptor that is moved into the command stays open in this process until the command is dropped, and each
/// spawn uses it again.
///
/// ```
/// use fdspawn::Rest;
/// use fdspawn::process::{ChildFdExt, Command, CommandFdExt};
///
/// let mut command = Command::new("sh");
/// command.args(["-c", "cat <&3 >&5"]).fd(3, fdspawn::Stdio::data("three")).rest(Rest::Close);
/// let five = command.reader(5);
/// let mut child = command.spawn()?;
/// assert_eq!(std::io::read_to_string(child.take(five).expect("taken once"))?, "three");
/// assert!(child.wait()?.success());
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait CommandFdExt: Sealed {
    /// Connects the child's descriptor `target`, which can be any number: see [`FdMap::fd`].
    ///
    /// The source is that of [`fdspawn::Stdio`](crate::Stdio), or a [`Stdio`](super::Stdio) of std's kind.
    fn fd<T: Into<AnySource<'static>>>(&mut self, target: RawFd, source: T) -> &mut Command;

    /// Adds a pipe that the child writes at `target` and this process reads. [`ChildFdExt::take`] gives this process's end.
    fn reader(&mut self, target: RawFd) -> Slot<PipeReader>;

    /// Adds a pipe that this process writes and the child reads at `target`. [`ChildFdExt::take`] gives this process's end.
    fn writer(&mut self, target: RawFd) -> Slot<PipeWriter>;

    /// Adds a connected pair of stream sockets, the child's at `target`. [`ChildFdExt::take`] gives this process's socket.
    fn socket(&mut self, target: RawFd) -> Slot<UnixStream>;

    /// Gives the child a descriptor under the same number, whether close-on-exec is set or not: see [`FdMap::keep`].
    fn keep<T: Into<Kept<'static>>>(&mut self, fd: T) -> &mut Command;

    /// Says what becomes of the descriptors that the command does not name: [`Rest::Inherit`] is the default, as with std.
    fn rest(&mut self, rest: Rest) -> &mut Command;

    /// [`Command::spawn`] with the targets of a map, for this one spawn. The map can borrow its descriptors, which the command cannot: it
    /// has no lifetime. So no descriptor has to be duplicated.
    ///
    /// The map's targets replace those of the command, as a later call of `stdin` or [`CommandFdExt::fd`] would do. The map also lends what
    /// was moved into it, and stays as it is. The rest is that of the command.
    ///
    /// # Errors
    ///
    /// Those of [`Command::spawn`].
    ///
    /// ```
    /// use fdspawn::FdMap;
    /// use fdspawn::process::{Command, CommandFdExt};
    ///
    /// let (reader, writer) = std::io::pipe()?;
    /// let mut command = Command::new("sh");
    /// command.args(["-c", "echo text >&7"]);
    /// let mut child = command.spawn_with(FdMap::new().fd(7, &writer))?;
    /// assert!(child.wait()?.success());
    /// drop(writer); // this process's, and no duplicate of it is left
    /// assert_eq!(std::io::read_to_string(reader)?, "text\n");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    fn spawn_with(&mut self, fds: &FdMap<'_>) -> io::Result<Child>;

    /// The error of the last spawn, `status`, `output` or `exec` of this command, with the step that failed. `None` if the last call has
    /// succeeded.
    ///
    /// The `io::Error` that the call has returned has only the number, if a system call failed.
    ///
    /// ```
    /// use fdspawn::Failure;
    /// use fdspawn::process::{Command, CommandFdExt};
    ///
    /// let mut command = Command::new("true");
    /// let error = command.current_dir("/nope").spawn().unwrap_err();
    /// assert_eq!(error.to_string(), "No such file or directory (os error 2)");
    /// let error = command.last_error().expect("the spawn has failed");
    /// assert!(matches!(error.failure(), Failure::WorkingDirectory(_)));
    /// ```
    fn last_error(&self) -> Option<&Error>;
}

impl CommandFdExt for Command {
    fn fd<T: Into<AnySource<'static>>>(&mut self, target: RawFd, source: T) -> &mut Command {
        self.inner.fd(target, source.into().shared());
        self
    }

    fn reader(&mut self, target: RawFd) -> Slot<PipeReader> {
        self.inner.reader(target)
    }

    fn writer(&mut self, target: RawFd) -> Slot<PipeWriter> {
        self.inner.writer(target)
    }

    fn socket(&mut self, target: RawFd) -> Slot<UnixStream> {
        self.inner.socket(target)
    }

    fn keep<T: Into<Kept<'static>>>(&mut self, fd: T) -> &mut Command {
        self.inner.keep(fd.into().shared());
        self
    }

    fn rest(&mut self, rest: Rest) -> &mut Command {
        self.inner.rest(rest);
        self
    }

    fn spawn_with(&mut self, fds: &FdMap<'_>) -> io::Result<Child> {
        let map = match self.inner.fd_map.with_lent(fds) {
            Ok(map) => map,
            Err(refusal) => {
                let program = self.get_program().to_owned();
                return Err(self.keep_error(Problem::from(refusal).of(Subject::Spawn(program))));
            }
        };
        let own = std::mem::replace(&mut self.inner.fd_map, map);
        let command = WithLent { command: self, own };
        command.command.spawn()
    }

    fn last_error(&self) -> Option<&Error> {
        self.error.as_ref()
    }
}

/// A command that names lent descriptors by their numbers. The drop gives it back its own map, also while a panic unwinds: later
/// the numbers may be other files'.
struct WithLent<'a> {
    command: &'a mut Command,
    own: FdMap<'static>,
}

impl Drop for WithLent<'_> {
    fn drop(&mut self) {
        std::mem::swap(&mut self.command.inner.fd_map, &mut self.own);
    }
}

/// What this library adds to a [`Child`]. For deadlines, teardowns and usage, make a [`fdspawn::Child`](crate::Child) of it (`From`).
pub trait ChildFdExt: Sealed {
    /// Takes this process's end that a slot stands for. `None` if it has been taken, or if the slot belongs to another command.
    fn take<T: Handle>(&mut self, slot: Slot<T>) -> Option<T>;

    /// A second handle of the child, by which another thread waits for it or sends it a signal.
    fn process(&self) -> Process;
}

impl ChildFdExt for Child {
    fn take<T: Handle>(&mut self, slot: Slot<T>) -> Option<T> {
        self.inner.take(slot)
    }

    fn process(&self) -> Process {
        self.inner.process()
    }
}
