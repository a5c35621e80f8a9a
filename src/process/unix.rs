//! The traits of `std::os::unix::process`.

use super::child::Child;
use super::command::Command;
use super::error::io_error;
use super::raw::signal;
use crate::error::Failure;
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process_group};
use std::ffi::OsStr;
use std::io;
use std::path::Path;

/// Only this library's types have the traits.
pub trait Sealed {}

impl Sealed for Command {}
impl Sealed for Child {}

/// What Unix adds to a [`Command`]: `std::os::unix::process::CommandExt`.
///
/// std does most of this in a forked copy of the process. Here each is a step of the plan, which the error names; only another user or group
/// and hooks need a fork. The order of the steps is that of the library.
pub trait CommandExt: Sealed {
    /// Sets the child's user. Without [`CommandExt::groups`] the child drops all supplementary groups.
    ///
    /// # Platform notes
    ///
    /// std goes on if the child may not drop the groups (`EPERM`). Here the spawn fails: see [`crate::Command::uid`].
    fn uid(&mut self, id: u32) -> &mut Command;

    /// Sets the child's group.
    fn gid(&mut self, id: u32) -> &mut Command;

    /// Sets the child's supplementary groups. std has this method only in nightly Rust.
    fn groups(&mut self, groups: &[u32]) -> &mut Command;

    /// Adds a hook, which runs in a forked child before exec: see [`crate::Command::pre_exec`]. As with std, the spawn succeeds if the hook
    /// ends the child, and [`Child::wait`] returns its status: a daemon's hook forks, its child goes on to exec, and it ends itself.
    ///
    /// # Safety
    ///
    /// The function runs between fork and exec in a child of a process that may have several threads. It may make only
    /// async-signal-safe calls. It must not allocate memory or take locks.
    #[allow(unsafe_code, reason = "the contract is std's, and only the caller can keep it")]
    unsafe fn pre_exec<F>(&mut self, f: F) -> &mut Command
    where
        F: FnMut() -> io::Result<()> + Send + Sync + 'static;

    /// The old name of [`CommandExt::pre_exec`].
    ///
    /// # Safety
    ///
    /// That of [`CommandExt::pre_exec`].
    #[deprecated(note = "use `pre_exec` instead")]
    #[allow(unsafe_code, reason = "the contract is std's, and only the caller can keep it")]
    unsafe fn before_exec<F>(&mut self, f: F) -> &mut Command
    where
        F: FnMut() -> io::Result<()> + Send + Sync + 'static;

    /// Executes the program in this process. It returns only if that fails: see [`crate::Command::exec`].
    #[must_use]
    fn exec(&mut self) -> io::Error;

    /// Sets argument 0. The default is the program's name.
    fn arg0<S>(&mut self, arg: S) -> &mut Command
    where
        S: AsRef<OsStr>;

    /// Moves the child into a process group; 0 makes a new one.
    fn process_group(&mut self, pgroup: i32) -> &mut Command;

    /// Changes the child's root directory, and its working directory to the new root unless the command sets one. std has this method only
    /// in nightly Rust, and changes the root after the user, so that only root itself can.
    fn chroot<P: AsRef<Path>>(&mut self, dir: P) -> &mut Command;

    /// Makes the child the leader of a new session. std has this method only in nightly Rust.
    fn setsid(&mut self, setsid: bool) -> &mut Command;
}

impl CommandExt for Command {
    fn uid(&mut self, id: u32) -> &mut Command {
        self.inner.uid(id);
        self
    }

    fn gid(&mut self, id: u32) -> &mut Command {
        self.inner.gid(id);
        self
    }

    fn groups(&mut self, groups: &[u32]) -> &mut Command {
        self.inner.groups(groups);
        self
    }

    #[allow(unsafe_code, reason = "the contract is std's, and only the caller can keep it")]
    unsafe fn pre_exec<F>(&mut self, f: F) -> &mut Command
    where
        F: FnMut() -> io::Result<()> + Send + Sync + 'static,
    {
        self.inner.hooks.push(Box::new(f));
        self
    }

    #[allow(unsafe_code, reason = "the contract is std's, and only the caller can keep it")]
    unsafe fn before_exec<F>(&mut self, f: F) -> &mut Command
    where
        F: FnMut() -> io::Result<()> + Send + Sync + 'static,
    {
        self.inner.hooks.push(Box::new(f));
        self
    }

    fn exec(&mut self) -> io::Error {
        let error = self.inner.exec();
        self.keep_error(error)
    }

    fn arg0<S>(&mut self, arg: S) -> &mut Command
    where
        S: AsRef<OsStr>,
    {
        self.inner.arg0(arg);
        self
    }

    fn process_group(&mut self, pgroup: i32) -> &mut Command {
        self.inner.process_group(pgroup);
        self
    }

    fn chroot<P: AsRef<Path>>(&mut self, dir: P) -> &mut Command {
        self.inner.chroot(dir);
        if self.get_current_dir().is_none() {
            self.inner.current_dir("/");
        }
        self
    }

    fn setsid(&mut self, setsid: bool) -> &mut Command {
        self.inner.setsid(setsid);
        self
    }
}

/// What Unix adds to a [`Child`]: `std::os::unix::process::ChildExt`, which std has only in nightly Rust.
pub trait ChildExt: Sealed {
    /// Sends a signal to the child. If the child has been reaped, this does nothing.
    ///
    /// # Errors
    ///
    /// `EINVAL` if no program can send a signal of this number. The number 0 sends nothing.
    ///
    /// ```
    /// use fdspawn::os::unix::process::{ChildExt, ExitStatusExt};
    ///
    /// let mut child = fdspawn::process::Command::new("sleep").arg("60").spawn()?;
    /// child.send_signal(15)?;
    /// assert_eq!(child.wait()?.signal(), Some(15));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    fn send_signal(&self, signal: i32) -> io::Result<()>;

    /// Sends a signal to all processes of the group that the child leads. If the child has been reaped, this does nothing.
    ///
    /// # Errors
    ///
    /// `ESRCH` if the child leads no group ([`CommandExt::process_group`]); `EINVAL` if no program can send a signal of this number. The
    /// number 0 sends nothing.
    ///
    /// ```
    /// use fdspawn::os::unix::process::{ChildExt, CommandExt, ExitStatusExt};
    ///
    /// let mut child = fdspawn::process::Command::new("sh").args(["-c", "sleep 60; :"]).process_group(0).spawn()?;
    /// child.send_process_group_signal(15)?; // the shell and its sleep
    /// assert_eq!(child.wait()?.signal(), Some(15));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    fn send_process_group_signal(&self, signal: i32) -> io::Result<()>;

    /// Kills all processes of the group that the child leads (SIGKILL): [`Child::kill`] for a group.
    ///
    /// # Errors
    ///
    /// Those of [`ChildExt::send_process_group_signal`].
    fn kill_process_group(&mut self) -> io::Result<()>;
}

impl ChildExt for Child {
    fn send_signal(&self, number: i32) -> io::Result<()> {
        if number == 0 {
            return Ok(());
        }
        let signal = signal(number).ok_or(Errno::INVAL)?;
        self.inner.signal(signal).map(drop).map_err(io_error)
    }
    fn send_process_group_signal(&self, number: i32) -> io::Result<()> {
        if self.inner.is_reaped() {
            return Ok(());
        }
        if number == 0 {
            return Ok(Pid::from_raw(self.id().cast_signed()).map_or(Err(Errno::SRCH), test_kill_process_group)?);
        }
        let signal = signal(number).ok_or(Errno::INVAL)?;
        self.inner.signal_group(signal).map(drop).map_err(|error| match error.failure() {
            Failure::NoGroup => Errno::SRCH.into(),
            _ => io_error(error),
        })
    }

    fn kill_process_group(&mut self) -> io::Result<()> {
        self.send_process_group_signal(libc::SIGKILL)
    }
}
