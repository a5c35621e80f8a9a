//! `Cgroup`: makes a cgroup, names it, and removes it.

use super::delegated::{find, not_delegated};
use super::directory::{is_cgroup, open_directory, open_path};
use super::events::{EMPTY, says, wait_until};
use super::members::{has_process, holds_this_process};
use super::remove::{Place, remove, try_remove};
use crate::error::{Error, Failure, Problem, Result, Subject};
use crate::fd::kept::keep;
use crate::sys;
use rustix::fs::{AtFlags, Mode, mkdirat, unlinkat};
use rustix::io::Errno;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// A cgroup, version 2, that the library has made, to contain children. Linux only.
///
/// A child that [`Command::own_cgroup`] starts is made in it, and all that the child starts stays in it, in any session and any process group.
/// So the processes can be limited, counted, signalled and killed together. A process leaves only if it has the right to write to
/// `cgroup.procs` of another cgroup. Root has this right, and a user has it between two cgroups if a cgroup above both is delegated to that user.
///
/// # Owners
///
/// A clone is the same cgroup. A child that was started in it has a clone, too. When the last clone is dropped, the cgroup and the cgroups in
/// it are removed, if they have no processes. If they have, the directories stay: a drop never waits and never kills. [`Cgroup::remove`] waits
/// a moment, and says whether the cgroup is gone. A forked copy of the process that has made the cgroup does not remove it by a drop.
///
/// A `Cgroup` has two descriptors, that of its directory ([`AsFd`]) and that of the directory in which it was made. They close when the last
/// clone is dropped, and at exec.
///
/// # Platform notes
///
/// Before Linux 5.7, and if a filter refuses `CLONE_INTO_CGROUP`, a child joins the cgroup itself, before its first other step. All calls go by
/// descriptors, so a directory that another process mounts at the path does not matter.
///
/// ```
/// use fdspawn::{Cgroup, Command};
///
/// let cgroup = match Cgroup::create() {
///     Ok(cgroup) => cgroup,
///     Err(error) => return println!("{error}"), // no cgroup is delegated to this process
/// };
/// // The shell ends, and leaves a process in a session of its own.
/// let status = Command::new("sh").args(["-c", "setsid sleep 60 </dev/null &"]).own_cgroup(&cgroup).status().unwrap();
/// assert!(status.success());
/// cgroup.kill().unwrap();
/// cgroup.remove().unwrap();
/// ```
///
/// [`Command::own_cgroup`]: crate::Command::own_cgroup
#[derive(Clone, Debug)]
#[doc(alias = "cgroup2")]
pub struct Cgroup(Arc<Owned>);

/// A cgroup that is removed when this is dropped.
#[derive(Debug)]
struct Owned {
    directory: OwnedFd,
    parent: OwnedFd,
    /// The name in the parent.
    name: CString,
    path: PathBuf,
    /// The process that has made it.
    made_by: sys::ProcessCopy,
}

impl Cgroup {
    /// Makes a cgroup in this process's own cgroup, if that is delegated to this process: it may make directories there, and write to
    /// `cgroup.procs`.
    ///
    /// Root mostly may, outside containers. For a user, systemd delegates on request: `systemd-run --user --scope -p Delegate=yes PROGRAM`.
    ///
    /// # Errors
    ///
    /// - [`Failure::NoCgroup`]: no mounted file system shows a cgroup of version 2 for this process. Some systems have version 1 only.
    /// - [`Failure::CgroupNotDelegated`], with the path: `EACCES` without the right, `EROFS` in most containers.
    /// - [`Failure::CgroupFile`]: `/proc/self/cgroup` or `/proc/self/mountinfo` cannot be read.
    /// - [`Failure::CgroupDirectory`]: the directory cannot be made for another reason, such as `EAGAIN` beyond `cgroup.max.descendants`,
    ///   or opened.
    pub fn create() -> Result<Self> {
        let made = find().and_then(|(path, parent)| {
            Self::make(&path, parent).map_err(|problem| match problem.errno {
                Some(errno @ (Errno::ACCESS | Errno::PERM | Errno::ROFS)) => not_delegated(path, errno),
                _ => problem,
            })
        });
        made.map_err(|problem| problem.of(Subject::MakeCgroup(None)))
    }

    /// Makes a cgroup in the directory of another one. It has a name that no other has there.
    ///
    /// Children can be started in it only if this process may also write to `cgroup.procs` of the nearest cgroup that is above both it and this
    /// process's own.
    ///
    /// # Errors
    ///
    /// [`Failure::NotACgroup`] if it is no directory of a cgroup, version 2; [`Failure::CgroupDirectory`], with the path, if the directory cannot
    /// be opened, or none can be made in it: `EACCES` without the right, `EAGAIN` beyond `cgroup.max.descendants` or `cgroup.max.depth`.
    ///
    /// ```
    /// # use fdspawn::Cgroup;
    /// let error = Cgroup::create_in("/dev").unwrap_err();
    /// assert_eq!(error.to_string(), "cannot make a cgroup in `/dev`: it is no directory of a cgroup, version 2");
    /// ```
    pub fn create_in(directory: impl AsRef<Path>) -> Result<Self> {
        let path = directory.as_ref();
        let opened = open_path(path).map_err(|errno| directory_problem(path, errno));
        let made = opened.and_then(|parent| match is_cgroup(parent.as_fd()) {
            Ok(true) => Self::make(path, parent),
            Ok(false) => Err(Failure::NotACgroup(path.to_owned()).into()),
            Err(errno) => Err(directory_problem(path, errno)),
        });
        made.map_err(|problem| problem.of(Subject::MakeCgroup(Some(path.to_owned()))))
    }

    /// Makes a directory in one that is open, which has this path.
    fn make(path: &Path, parent: OwnedFd) -> std::result::Result<Self, Problem> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let parent_path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        loop {
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("fdspawn-{}-{number}", std::process::id());
            let path = parent_path.join(&name);
            let Ok(name) = CString::new(name) else { return Err(directory_problem(&path, Errno::INVAL)) };
            match mkdirat(&parent, name.as_c_str(), Mode::from_raw_mode(0o755)) {
                // An ended process of this number, or one of another PID namespace, has used the name.
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(directory_problem(&path, errno)),
                Ok(()) => {
                    let directory = open_directory(parent.as_fd(), &name).map_err(|errno| {
                        let _ = unlinkat(&parent, name.as_c_str(), AtFlags::REMOVEDIR); // The open's error counts.
                        directory_problem(&path, errno)
                    })?;
                    let (directory, parent) = (keep(directory), keep(parent));
                    let made_by = sys::ProcessCopy::current();
                    return Ok(Self(Arc::new(Owned { directory, parent, name, path, made_by })));
                }
            }
        }
    }

    /// Whether this process is in the cgroup. A cgroup that has been removed has no process.
    pub(crate) fn holds_this_process(&self) -> std::result::Result<bool, Errno> {
        match holds_this_process(self.directory()) {
            Err(Errno::NOENT | Errno::NODEV) => Ok(false),
            result => result,
        }
    }

    /// Whether a process is in the cgroup, or in one in it. If that cannot be read, the answer is no.
    pub(crate) fn has_member(&self, pid: u32) -> bool {
        has_process(self.directory(), pid).unwrap_or(false)
    }

    /// The path of its directory, as it was when the cgroup was made.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Whether the cgroup, with the cgroups in it, has no processes. A zombie does not count. A cgroup that has been removed is empty.
    ///
    /// # Errors
    ///
    /// [`Failure::CgroupFile`] if `cgroup.events` cannot be opened or read, such as `EMFILE`.
    pub fn is_empty(&self) -> Result<bool> {
        says(self.directory(), EMPTY).map_err(|errno| self.events_error("look at", errno))
    }

    /// Waits until the cgroup, with the cgroups in it, has no processes. Returns false if the deadline comes first; without one, it waits as long
    /// as it takes.
    ///
    /// It sleeps until the kernel tells a change (`poll(2)` of `cgroup.events`). It reaps no child.
    ///
    /// # Errors
    ///
    /// As for [`Cgroup::is_empty`].
    ///
    /// ```
    /// use fdspawn::{Cgroup, Command};
    /// use std::time::{Duration, Instant};
    ///
    /// let Ok(cgroup) = Cgroup::create() else { return Ok(()) }; // no cgroup is delegated to this process
    /// let mut child = Command::new("sleep").arg("60").own_cgroup(&cgroup).spawn()?;
    /// assert!(!cgroup.wait_until_empty(Some(Instant::now() + Duration::from_millis(10)))?);
    /// child.kill()?;
    /// assert!(cgroup.wait_until_empty(None)?);
    /// child.wait()?;
    /// # Ok::<(), fdspawn::Error>(())
    /// ```
    pub fn wait_until_empty(&self, deadline: Option<Instant>) -> Result<bool> {
        wait_until(self.directory(), EMPTY, deadline).map_err(|errno| self.events_error("wait for", errno))
    }

    /// Removes the cgroup and the cgroups that its members have made in it. Other clones, and children that were started in it, then refer to a
    /// cgroup that is gone.
    ///
    /// If processes are in it, it waits for their end, for at most a second: those that were killed need a moment. It kills none. A cgroup
    /// that is gone already is no error.
    ///
    /// # Errors
    ///
    /// [`Failure::CgroupNotEmpty`] (`EBUSY`) if processes are left: the cgroup stays, and this can be called again.
    /// [`Failure::CgroupDirectory`] if the system refuses it for another reason.
    pub fn remove(&self) -> Result<()> {
        remove(self.0.place()).map_err(|errno| {
            let problem = match errno {
                Errno::BUSY => Failure::CgroupNotEmpty.into(),
                errno => directory_problem(self.path(), errno),
            };
            self.error("remove", problem)
        })
    }

    pub(super) fn directory(&self) -> BorrowedFd<'_> {
        self.0.directory.as_fd()
    }

    /// The error of a call: what it does to the cgroup, and what failed.
    pub(super) fn error(&self, act: &'static str, problem: Problem) -> Error {
        problem.of(Subject::Cgroup(act, self.path().to_owned()))
    }

    fn events_error(&self, act: &'static str, errno: Errno) -> Error {
        self.error(act, Problem::system(Failure::CgroupFile { file: "cgroup.events" }, errno))
    }
}

fn directory_problem(path: &Path, errno: Errno) -> Problem {
    Problem::system(Failure::CgroupDirectory(path.to_owned()), errno)
}

impl AsFd for Cgroup {
    /// The descriptor of its directory.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory()
    }
}

impl Owned {
    fn place(&self) -> Place<'_> {
        Place { directory: self.directory.as_fd(), parent: self.parent.as_fd(), name: &self.name }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // The cgroup belongs to the process that has made it, not to a forked copy.
        if self.made_by == sys::ProcessCopy::current() {
            let _ = try_remove(self.place()); // A cgroup with processes stays.
        }
    }
}
