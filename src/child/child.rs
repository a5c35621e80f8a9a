//! `Child`, a started child and the parent's ends of its pipes and sockets.

use super::at_once::{end_of, read_output};
use super::change::Change;
use super::end::Patience;
use super::ended::Ended;
use super::handle::OwnedProcess;
#[cfg(target_os = "linux")]
use super::pid_fd::PidFd;
use super::pipes::{Handle, ParentEnd, ParentEnds};
use super::process::{Process, check_reach, end, end_of_shared, send, send_to_group, wait_error, wait_until};
use super::reap::Reaped;
use super::spawned::Spawned;
use super::usage::Usage;
use crate::command::Slot;
use crate::error::{Error, Failure, Result, Subject};
use crate::flow::Flows;
use crate::plan::{OnDrop, Teardown};
use crate::platform::Launcher;
use rustix::process::Signal;
use std::io::{PipeReader, PipeWriter};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::process::{ExitStatus, Output};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A started child, and the parent's ends of its pipes and sockets.
///
/// A drop closes the parent's ends and the pidfd. As with `std::process::Child`, it neither kills nor reaps the child: until
/// the parent waits for it or ends itself, an ended child is a zombie. With [`Command::on_drop`] or [`Child::set_on_drop`] the drop ends
/// the child, also while a panic unwinds.
///
/// [`Command::on_drop`]: crate::Command::on_drop
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
    process: OwnedProcess,
    launcher: Launcher,
}

impl Child {
    pub(crate) fn new(process: Spawned, mut ends: ParentEnds, launcher: Launcher, on_drop: OnDrop) -> Self {
        let (stdin, stdout, stderr) = (ends.stdin.take(), ends.stdout.take(), ends.stderr.take());
        Self { stdin, stdout, stderr, ends, process: OwnedProcess::new(process, on_drop), launcher }
    }

    /// Takes the parent's end that a slot stands for. The caller owns it. `None` if the caller has taken it before, or if the
    /// slot belongs to another command.
    pub fn take<T: Handle>(&mut self, slot: Slot<T>) -> Option<T> {
        self.ends.take(slot)
    }

    /// Whether the parent has an end of a pipe or socket of the child.
    pub(crate) fn has_ends(&self) -> bool {
        self.stdin.is_some() || self.stdout.is_some() || self.stderr.is_some() || self.ends.has_any()
    }

    /// Takes all ends of slots that the caller has not taken.
    pub(crate) fn take_slots(&mut self) -> Vec<(u64, ParentEnd)> {
        std::mem::take(&mut self.ends.slots)
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

    /// Whether a wait of this child, or of a handle of it, has reaped it.
    pub(crate) fn is_reaped(&self) -> bool {
        self.process.is_reaped()
    }

    /// The child's pidfd as the type of std.
    #[cfg(target_os = "linux")]
    pub(crate) fn pid_fd(&self) -> Option<&PidFd> {
        self.process.pid_fd()
    }

    /// Takes the pidfd out, or a duplicate if other handles of the child use it. `None` if the child has none.
    #[cfg(target_os = "linux")]
    pub(crate) fn take_pid_fd(&mut self) -> Option<PidFd> {
        match Arc::get_mut(&mut self.process) {
            Some(spawned) => spawned.take_pidfd().map(PidFd::from),
            None => self.pidfd()?.try_clone_to_owned().ok().map(PidFd::from),
        }
    }

    /// Which launcher started the child.
    pub fn launched_by(&self) -> Launcher {
        self.launcher
    }

    /// Closes the parent's end of standard input, waits until the child ends, and reaps it (`waitid(2)`). A second call returns
    /// the same status.
    ///
    /// If other threads have a [`Process`] of the child, they may wait at the same time.
    ///
    /// # Errors
    ///
    /// `ECHILD` if another part of this process has reaped the child, or if this process ignores SIGCHLD, so that the kernel has reaped
    /// it. From Linux 6.15 on the kernel still tells the status by the pidfd, and the call returns that. Also `ECHILD` in a forked copy of
    /// the process that has started the child ([`Failure::NotAChild`]).
    pub fn wait(&mut self) -> Result<ExitStatus> {
        self.wait_for_end().map(|reaped| reaped.status)
    }

    /// [`Child::wait`], which also tells what the child has used. The usage is `None` if another part of this process has reaped the child.
    ///
    /// Each wait keeps the usage, so a caller can ask for it after another call has reaped the child.
    ///
    /// # Errors
    ///
    /// Those of [`Child::wait`].
    ///
    /// ```
    /// let mut child = fdspawn::Command::new("true").spawn()?;
    /// let (status, usage) = child.wait_usage()?;
    /// assert!(status.success());
    /// let usage = usage.expect("no other code reaps the child");
    /// assert!(usage.max_rss > 0 && usage.minor_faults > 0);
    /// # Ok::<(), fdspawn::Error>(())
    /// ```
    #[doc(alias = "getrusage")]
    #[doc(alias = "wait4")]
    pub fn wait_usage(&mut self) -> Result<(ExitStatus, Option<Usage>)> {
        self.wait_for_end().map(|reaped| (reaped.status, reaped.usage))
    }

    fn wait_for_end(&mut self) -> Result<Reaped> {
        drop(self.stdin.take());
        match Arc::get_mut(&mut self.process) {
            Some(spawned) => end_of(spawned),
            // Another thread may reap the child meanwhile.
            None => end_of_shared(&self.process),
        }
    }

    /// Returns the child's status and reaps the child, if it has ended; `None` while the child runs. The call does not
    /// wait.
    ///
    /// # Errors
    ///
    /// Those of [`Child::wait`].
    pub fn try_wait(&self) -> Result<Option<ExitStatus>> {
        let spawned = &**self.process;
        let reaped = spawned.try_wait().map_err(|errno| wait_error(spawned, errno))?;
        Ok(reaped.map(|reaped| reaped.status))
    }

    /// Waits until the child ends, at most for this time, and reaps it. Returns `None` if the child still runs after that time; the caller
    /// can wait for it again.
    ///
    /// The call does not close standard input, and reads no output. A child that waits for the end of its input, or that has filled a
    /// pipe, does not end.
    ///
    /// # Errors
    ///
    /// Those of [`Child::wait`].
    ///
    /// # Platform notes
    ///
    /// On Linux the call waits by one `poll(2)` of the pidfd. Without a pidfd (see [`Child::pidfd`]), it asks the kernel again and again,
    /// with pauses that grow from 0.5 to 16 ms. It does the same if the child has ended and another process traces it.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let mut child = fdspawn::Command::new("sleep").arg("60").spawn()?;
    /// assert_eq!(child.wait_timeout(Duration::from_millis(10))?, None);
    /// child.kill()?;
    /// assert!(child.wait_timeout(Duration::from_secs(60))?.is_some());
    /// # Ok::<(), fdspawn::Error>(())
    /// ```
    pub fn wait_timeout(&self, time: Duration) -> Result<Option<ExitStatus>> {
        // If the sum is too large for the clock, there is no deadline.
        self.wait_at_most(Instant::now().checked_add(time))
    }

    /// [`Child::wait_timeout`], until a point in time.
    ///
    /// # Errors
    ///
    /// Those of [`Child::wait`].
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    ///
    /// let deadline = Instant::now() + Duration::from_secs(60);
    /// let child = fdspawn::Command::new("true").spawn()?;
    /// assert!(child.wait_deadline(deadline)?.is_some_and(|status| status.success()));
    /// # Ok::<(), fdspawn::Error>(())
    /// ```
    pub fn wait_deadline(&self, deadline: Instant) -> Result<Option<ExitStatus>> {
        self.wait_at_most(Some(deadline))
    }

    fn wait_at_most(&self, deadline: Option<Instant>) -> Result<Option<ExitStatus>> {
        Ok(wait_until(&self.process, deadline)?.map(|reaped| reaped.status))
    }

    /// Waits until the child ends, is stopped by a signal, or continues. The call reaps a child that has ended, and reports each stop
    /// and each continuation once.
    ///
    /// # Errors
    ///
    /// Those of [`Child::wait`].
    ///
    /// # Platform notes
    ///
    /// Linux reports stops and continuations. On other systems the call waits for the end of the child only.
    ///
    /// ```
    /// use fdspawn::{Change, Command, Signal};
    ///
    /// let child = Command::new("sleep").arg("60").spawn()?;
    /// child.signal(Signal::STOP)?;
    /// assert_eq!(child.wait_change()?, Change::Stopped(Signal::STOP));
    /// child.signal(Signal::CONT)?;
    /// assert_eq!(child.wait_change()?, Change::Continued);
    /// child.kill()?;
    /// assert!(matches!(child.wait_change()?, Change::Ended(_)));
    /// # Ok::<(), fdspawn::Error>(())
    /// ```
    #[doc(alias = "WUNTRACED")]
    pub fn wait_change(&self) -> Result<Change> {
        let spawned = &**self.process;
        spawned.wait_change().map_err(|errno| wait_error(spawned, errno))
    }

    /// A second handle of the child, for other threads: see [`Process`].
    pub fn process(&self) -> Process {
        Process::new(Arc::clone(&self.process))
    }

    /// Kills the child (SIGKILL), and does not wait for its end. If the child has been reaped, this does nothing.
    ///
    /// # Errors
    ///
    /// `EPERM` if the child runs as another user, to which this process may not send signals.
    pub fn kill(&self) -> Result<()> {
        self.signal(Signal::KILL).map(drop)
    }

    /// Sends a signal to the child. Returns false, and sends nothing, if the child has been reaped: its process id may be another
    /// process's.
    ///
    /// A child that has ended and has not been reaped takes a signal without an effect.
    ///
    /// # Errors
    ///
    /// `EPERM` if the child runs as another user, to which this process may not send signals.
    ///
    /// # Platform notes
    ///
    /// On Linux the library sends the signal by `pidfd_send_signal(2)`, which cannot reach another process even if other code of this
    /// process has reaped the child. Without a pidfd, the library sends it by `kill(2)`, if `waitid(2)` says that the process id is that of
    /// a child of this process. If other code has reaped the child and a later child has its process id, that later child gets the signal.
    pub fn signal(&self, signal: Signal) -> Result<bool> {
        send(&self.process, signal)
    }

    /// Sends a signal to all processes of the group that the child leads: those that it has started, and that have not moved to other groups
    /// or sessions. The child leads a group if the command has [`Command::process_group`] 0 or [`Command::setsid`].
    ///
    /// Returns false if the group has no process any more. After the child has been reaped, only its pidfd names the group without doubt
    /// (Linux 6.9 or later); without such a pidfd the call sends nothing, and returns false.
    ///
    /// # Errors
    ///
    /// [`Failure::NoGroup`] if the child leads no group, [`Failure::OwnGroup`] if this process is in it, and `EPERM` if no process of the
    /// group takes a signal of this process.
    ///
    /// [`Command::process_group`]: crate::Command::process_group
    /// [`Command::setsid`]: crate::Command::setsid
    ///
    /// ```
    /// use fdspawn::{Command, Signal};
    ///
    /// let mut child = Command::new("sh").args(["-c", "sleep 60 & sleep 60"]).process_group(0).spawn()?;
    /// assert!(child.signal_group(Signal::TERM)?); // the shell and both sleeps
    /// child.wait()?;
    /// # Ok::<(), fdspawn::Error>(())
    /// ```
    #[doc(alias = "killpg")]
    pub fn signal_group(&self, signal: Signal) -> Result<bool> {
        send_to_group(&self.process, signal)
    }

    /// Ends the child: sends the signals of the teardown, one after the other, until the child has ended, and reaps it. Returns as soon as
    /// the child has ended, and not only after the grace. If only SIGKILL ends the child, the call waits for the end without a limit: a
    /// process that waits for a disk ends only after that.
    ///
    /// By default the signals go to the child alone. With [`Teardown::reach`] they also go to processes that the child has started. Those
    /// that still run when the child has ended get SIGKILL then, unless [`Teardown::graces_for_all`] gives them the grace, too. After each
    /// signal other than SIGKILL they also get SIGCONT, so that a stopped process takes it.
    ///
    /// Other threads may wait for the child meanwhile, or end it, too. Their waits go on until this call has killed the processes
    /// that are left. If the child has been reaped before, the call returns its status, and reaches only what
    /// [`Reached`](crate::Reached) says.
    ///
    /// # Errors
    ///
    /// The call sends no signal if it cannot find the processes that it should reach: [`Failure::NoGroup`],
    /// [`Failure::OwnGroup`], [`Failure::NoSession`], [`Failure::NoProcessList`]; and in a forked copy of the process that has
    /// started the child ([`Failure::NotAChild`]).
    ///
    /// `EPERM` ([`Failure::Signal`]) if the child runs as another user, to which this process may not send signals, and has not ended by
    /// itself within 100 ms: a child that refuses a signal has no grace after it.
    /// [`Failure::NoProcessList`] also if a list could not be read when the signals had begun, for example with `EMFILE`: the call has killed
    /// the processes that it had found, and the child has been reaped.
    ///
    /// [`Failure::CgroupNotEmpty`] with [`Reach::Cgroup`](crate::Reach::Cgroup) if the kernel has refused to kill the cgroup, and processes are
    /// left in it: the child has been reaped, and a wait returns its status.
    ///
    /// `ECHILD` if another part of this process has reaped the child, as for [`Child::wait`].
    ///
    /// # Platform notes
    ///
    /// Each [`Reach`](crate::Reach) names its mechanism. On systems other than Linux there are only [`Reach::Process`] and
    /// [`Reach::Group`].
    ///
    /// [`Reach::Process`]: crate::Reach::Process
    /// [`Reach::Group`]: crate::Reach::Group
    ///
    /// ```
    /// use fdspawn::{Command, Reach, Signal, Teardown};
    /// use std::time::Duration;
    ///
    /// let child = Command::new("sh").args(["-c", "sleep 60 & sleep 60"]).process_group(0).spawn()?;
    /// let ended = child.end(&Teardown::term(Duration::from_secs(2)).reach(Reach::Group))?; // the shell and both sleeps
    /// assert_eq!(ended.by, Some(Signal::TERM));
    /// # Ok::<(), fdspawn::Error>(())
    /// ```
    pub fn end(&self, how: &Teardown) -> Result<Ended> {
        end(&self.process, how, Patience::Long)
    }

    /// Sets what the drop of this value does to the child, in place of what [`Command::on_drop`](crate::Command::on_drop) has set.
    ///
    /// # Errors
    ///
    /// Those of [`Child::end`] for a child without a way to the processes that the teardown should reach. The setting has not changed then.
    ///
    /// ```
    /// use fdspawn::{Command, OnDrop, Teardown};
    ///
    /// let mut child = Command::new("sleep").arg("60").spawn()?;
    /// child.set_on_drop(OnDrop::End(Teardown::kill()))?;
    /// drop(child); // The child has been killed and reaped.
    /// # Ok::<(), fdspawn::Error>(())
    /// ```
    pub fn set_on_drop(&mut self, on_drop: OnDrop) -> Result<()> {
        if let OnDrop::End(how) = &on_drop {
            check_reach(&self.process, how)?;
        }
        self.process.set_on_drop(on_drop);
        Ok(())
    }

    /// Drops this value and lets the child go on, even if [`Command::on_drop`](crate::Command::on_drop) would end it. The call closes the
    /// parent's ends that the caller has not taken. Until this process ends, the ended child is a zombie, unless a [`Process`] waits for
    /// it.
    pub fn detach(self) {
        drop(self.process.detach());
    }

    /// Closes the parent's end of standard input, reads standard output and error at the same time, and waits.
    ///
    /// The ends of slots that the caller has not taken cannot be taken any more: the call closes those that write, and reads the others and
    /// drops the bytes, so that the child neither waits for this process nor gets SIGPIPE.
    ///
    /// The call reads both until end-of-file. If another process, for example a grandchild, holds a write end open, the call
    /// waits for that process, too.
    ///
    /// # Errors
    ///
    /// Those of [`Child::wait`], and [`Failure::Read`]. After an error of a read the call still waits for the child.
    pub fn wait_with_output(mut self) -> Result<Output> {
        drop(self.stdin.take());
        let mut ends = std::mem::take(&mut self.ends);
        (ends.stdout, ends.stderr) = (self.stdout.take(), self.stderr.take());
        let read = read_output(&self.process, ends, Flows::drain);
        let status = self.wait()?;
        read.map(|[stdout, stderr]| Output { status, stdout, stderr })
    }

    /// Gives the process away without reaping it: its process id, and its pidfd if it has one.
    ///
    /// Use this if other code waits for all children of the process, such as the event loop of a language's runtime. From now on the
    /// caller reaps the child, by `waitid(2)` or `waitpid(2)`; the library neither waits for the child nor signals it. Until the caller
    /// has reaped the child, the kernel gives its process id to no other process. The caller owns the pidfd, which has close-on-exec set.
    ///
    /// The call closes the parent's ends that the caller has not taken: `stdin`, `stdout`, `stderr`, and those of
    /// slots.
    ///
    /// # Errors
    ///
    /// [`Failure::Reaped`] (`ECHILD`), with the status, if [`Child::wait`] or [`Child::try_wait`] has reaped the child: the process id may be
    /// another process's. (If other code of the process has reaped the child, or the kernel has because the process ignores SIGCHLD, the
    /// library does not know of the reap.)
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
    pub fn into_parts(mut self) -> Result<(u32, Option<OwnedFd>)> {
        if self.process.is_in_copy() {
            return Err(Error::new(Subject::GiveAway(self.id()), Failure::NotAChild, None));
        }
        let pid = self.id();
        let shared = || Error::new(Subject::GiveAway(pid), Failure::Shared, None);
        // The other handles would use a pid that the caller may reap. A child that is not given away is dropped like any other.
        if Arc::get_mut(&mut self.process).is_none_or(|spawned| spawned.leads_open_group()) {
            return Err(shared());
        }
        let spawned = Arc::into_inner(self.process.detach()).ok_or_else(shared)?;
        spawned.into_parts().map_err(|status| Error::new(Subject::GiveAway(pid), Failure::Reaped(status), None))
    }
}
