//! Kills all processes of a cgroup.

use super::cgroup::Cgroup;
use super::directory::{read, write};
use super::events::{EMPTY, FROZEN, wait_until};
use super::members::holds_this_process;
use super::signal::{Pidfds, Signalled};
use crate::error::{Failure, Problem, Result};
use rustix::io::Errno;
use rustix::process::Signal;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// How [`Cgroup::kill`] has killed the processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CgroupKill {
    /// By the kernel: a write to `cgroup.kill` (Linux 5.14).
    Kill,
    /// The library has frozen the cgroup (`cgroup.freeze`, Linux 5.2), so that no process could fork, and has sent SIGKILL to each one.
    Freeze,
}

/// How often the freezer freezes, kills and looks again.
const ROUNDS: usize = 10;

/// How long one round waits for all processes to be frozen, and how long for the killed processes to end.
const ROUND: Duration = Duration::from_millis(500);

impl Cgroup {
    /// Kills all processes of the cgroup, and of the cgroups that its members have made in it. No process can escape by a fork, a new
    /// session, another process group or a double fork. Returns by which mechanism.
    ///
    /// The kernel sends SIGKILL to all of them at once (`cgroup.kill`, Linux 5.14). If the kernel does not have that file, the library
    /// freezes the cgroup, sends SIGKILL to each process, and thaws the cgroup; it does so until the cgroup is empty, for at most 10 s. Killed
    /// processes end a moment later: [`Cgroup::wait_until_empty`] waits for that.
    ///
    /// The caller still has to reap its own child.
    ///
    /// # Errors
    ///
    /// [`Failure::OwnCgroup`] if this process is in the cgroup itself. [`Failure::CgroupFile`] with `EACCES` if this process may not write
    /// the file; `ENOENT` for `cgroup.freeze` if the kernel has neither file. [`Failure::CgroupNotEmpty`] if processes are left after the
    /// freezer's last round: they are in a call that cannot be interrupted, or outside this process's PID namespace.
    ///
    /// ```
    /// use fdspawn::{Cgroup, Command};
    ///
    /// let Ok(cgroup) = Cgroup::create() else { return Ok(()) }; // no cgroup is delegated to this process
    /// let mut shell = Command::new("sh").args(["-c", "sleep 60 & sleep 60"]).own_cgroup(&cgroup).spawn()?;
    /// cgroup.kill()?;
    /// assert!(cgroup.wait_until_empty(None)?);
    /// assert!(!shell.wait()?.success());
    /// # Ok::<(), fdspawn::Error>(())
    /// ```
    #[doc(alias = "cgroup.kill")]
    pub fn kill(&self) -> Result<CgroupKill> {
        self.try_kill(None).map_err(|problem| self.error("kill", problem))
    }

    /// [`Cgroup::kill`], which begins no other round of the freezer after the deadline. Returns the error number of a kill that fails.
    pub(crate) fn kill_until(&self, deadline: Instant) -> std::result::Result<CgroupKill, Errno> {
        self.try_kill(Some(deadline)).map_err(|problem| problem.errno.unwrap_or(Errno::BUSY))
    }

    fn try_kill(&self, deadline: Option<Instant>) -> std::result::Result<CgroupKill, Problem> {
        self.refuse_own()?;
        match write(self.directory(), "cgroup.kill", "1") {
            Ok(()) => Ok(CgroupKill::Kill),
            // The kernel is older, or the cgroup has been removed.
            Err(Errno::NOENT | Errno::NODEV) => kill_frozen(self.directory(), deadline),
            Err(errno) => Err(file("cgroup.kill")(errno)),
        }
    }

    /// Kills as [`Cgroup::kill`] does where the kernel does not have `cgroup.kill`. For tests.
    #[doc(hidden)]
    pub fn kill_by_freezing(&self) -> Result<CgroupKill> {
        self.refuse_own()
            .and_then(|()| kill_frozen(self.directory(), None))
            .map_err(|problem| self.error("kill", problem))
    }

    fn refuse_own(&self) -> std::result::Result<(), Problem> {
        match holds_this_process(self.directory()) {
            Ok(true) => Err(Failure::OwnCgroup.into()),
            Ok(false) => Ok(()),
            Err(errno) => Err(file("cgroup.procs")(errno)),
        }
    }
}

fn file(file: &'static str) -> impl Fn(Errno) -> Problem {
    move |errno| Problem::system(Failure::CgroupFile { file }, errno)
}

/// Freezes, kills and thaws, until the cgroup is empty or the deadline has come.
fn kill_frozen(directory: BorrowedFd<'_>, deadline: Option<Instant>) -> std::result::Result<CgroupKill, Problem> {
    if read(directory, "cgroup.procs") == Ok(None) {
        return Ok(CgroupKill::Freeze); // The cgroup has been removed, so it has no process.
    }
    let result = (|| {
        for _ in 0..ROUNDS {
            if kill_round(directory, deadline)? {
                return Ok(CgroupKill::Freeze);
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                break;
            }
        }
        Err(Failure::CgroupNotEmpty.into())
    })();
    match write(directory, "cgroup.freeze", "0") {
        Ok(()) | Err(Errno::NOENT | Errno::NODEV) => result,
        Err(errno) => result.and(Err(file("cgroup.freeze")(errno))),
    }
}

/// Freezes the cgroup and kills its processes. Says whether it is empty then.
fn kill_round(directory: BorrowedFd<'_>, last: Option<Instant>) -> std::result::Result<bool, Problem> {
    let deadline = || {
        let over = Instant::now() + ROUND;
        Some(last.map_or(over, |last| last.min(over)))
    };
    write(directory, "cgroup.freeze", "1").map_err(file("cgroup.freeze"))?;
    let is_frozen = wait_until(directory, FROZEN, deadline()).map_err(file("cgroup.events"))?;
    // A process that cannot be frozen now is in a call that cannot be interrupted. It may end and its number become another's.
    let pidfds = if is_frozen { Pidfds::Optional } else { Pidfds::Needed };
    let mut signalled = Signalled::default();
    signalled.send(directory, Signal::KILL, pidfds, last).map_err(|errno| Problem::system(Failure::Signal, errno))?;
    if let Some(errno) = signalled.refused {
        return Err(Problem::system(Failure::Signal, errno));
    }
    // A killed process ends, frozen or not.
    wait_until(directory, EMPTY, deadline()).map_err(file("cgroup.events"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn freezer_ends_its_rounds_at_the_deadline() {
        // A directory that looks like a cgroup whose process never ends.
        let directory = tempfile::tempdir().unwrap();
        for (file, text) in [("cgroup.procs", ""), ("cgroup.freeze", "0"), ("cgroup.events", "populated 1\nfrozen 1\n")]
        {
            std::fs::write(directory.path().join(file), text).unwrap();
        }
        let open = std::fs::File::open(directory.path()).unwrap();
        let start = Instant::now();
        let error = kill_frozen(open.as_fd(), Some(Instant::now() + Duration::from_millis(20))).unwrap_err();
        assert!(matches!(error.failure, Failure::CgroupNotEmpty));
        // Without a deadline it takes 5 s.
        assert!(start.elapsed() < 9 * ROUND, "{:?}", start.elapsed());
    }
}
