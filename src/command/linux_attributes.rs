//! The methods of `Command` for attributes that only Linux has.

use super::builder::Command;
use super::child_cgroup::ChildCgroup;
use super::lend::Lend;
use crate::cgroup::Cgroup;
use crate::plan::Scheduler;
use rustix::process::Signal;
use rustix::thread::CpuSet;

/// Attributes that only Linux has.
impl<'fd> Command<'fd> {
    /// Sets the child's scheduling policy (`sched_setscheduler(2)`). Linux only.
    ///
    /// The child sets it after the terminal, and before the nice value.
    ///
    /// # Errors
    ///
    /// `EPERM` for a real-time policy, without the right (`CAP_SYS_NICE` or `RLIMIT_RTPRIO`). A priority that is not from 1 to 99 is
    /// refused.
    ///
    /// ```
    /// use fdspawn::{Command, Scheduler};
    ///
    /// let output = Command::new("cut").args(["-d ", "-f41", "/proc/self/stat"]).scheduler(Scheduler::Batch).output()?;
    /// assert_eq!(output.stdout, b"3\n");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "sched_setscheduler")]
    pub fn scheduler(&mut self, scheduler: Scheduler) -> &mut Self {
        self.settings.plain.scheduler = Some(scheduler);
        self
    }

    /// Sets the CPUs on which the child may run (`sched_setaffinity(2)`). Linux only.
    ///
    /// The child sets them after the nice value. The kernel uses those CPUs of the set that exist and that the cgroup
    /// allows.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the kernel can use none of them: [`Failure::Affinity`] has the set. An empty set is refused.
    ///
    /// [`Failure::Affinity`]: crate::Failure::Affinity
    ///
    /// ```
    /// use fdspawn::{Command, CpuSet};
    ///
    /// let mut cpus = CpuSet::new();
    /// cpus.set(0);
    /// let output = Command::new("nproc").affinity(&cpus).env_remove("OMP_NUM_THREADS").output()?;
    /// # // CPU 0 may be taken from this process.
    /// # if output.status.success() {
    /// assert_eq!(output.stdout, b"1\n");
    /// # }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "sched_setaffinity")]
    pub fn affinity(&mut self, cpus: &CpuSet) -> &mut Self {
        self.settings.linux.affinity = Some(Box::new(*cpus));
        self
    }

    /// Sets how likely the kernel kills the child if memory runs out (`/proc/self/oom_score_adj`): from -1000, never, to 1000, first. The
    /// program's own children inherit it. Linux only.
    ///
    /// The child sets it after the terminal, and before the root directory, in which there may be no `/proc`. For that it opens a file for a
    /// moment.
    ///
    /// # Errors
    ///
    /// `EACCES` for a value below the lowest one that was ever set, without the right (`CAP_SYS_RESOURCE`), and for any value if this process
    /// is not dumpable (`PR_SET_DUMPABLE`) and not root; `EMFILE` if the child has no free number below its limit of descriptors; `ENOENT`
    /// without `/proc`. A value out of the range is refused.
    ///
    /// ```
    /// # use fdspawn::Command;
    /// let output = Command::new("cat").arg("/proc/self/oom_score_adj").oom_score_adj(1000).output()?;
    /// assert_eq!(output.stdout, b"1000\n");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn oom_score_adj(&mut self, value: i32) -> &mut Self {
        self.settings.plain.oom_score_adj = Some(value);
        self
    }

    /// Makes sure that the program and its descendants never get a privilege from a file that they execute, such as a set-user-id
    /// program (`PR_SET_NO_NEW_PRIVS`). No call of the process can undo this. Linux only.
    ///
    /// The child does so after the user, the group and the parent-death signal, and before the signal mask.
    ///
    /// ```
    /// # use fdspawn::Command;
    /// let output = Command::new("grep").args(["NoNewPrivs", "/proc/self/status"]).no_new_privs(true).output()?;
    /// assert_eq!(output.stdout, b"NoNewPrivs:\t1\n");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn no_new_privs(&mut self, no_new_privs: bool) -> &mut Self {
        self.settings.plain.no_new_privs = no_new_privs;
        self
    }

    /// Makes the kernel send the child a signal when its parent ends (`PR_SET_PDEATHSIG`). Linux only.
    ///
    /// "Parent" means the **thread** that spawns: the kernel also sends the signal when that thread ends and the process lives on. Spawn from
    /// a thread that lives long enough, or by an [`Isolated`](crate::Isolated), whose thread ends only when the `Isolated` is dropped.
    ///
    /// The child sets it after the user and the group, whose change would clear it, and then checks that the process that has spawned it
    /// still lives; the check can tell nothing if that process is in another PID namespace. The program loses the signal if it executes a
    /// file with set-user-id, set-group-id or capabilities.
    ///
    /// With [`Command::exec`] the kernel sends the signal when this process's own parent ends.
    ///
    /// ```
    /// use fdspawn::{Command, Signal};
    ///
    /// let mut child = Command::new("sleep").arg("60").parent_death_signal(Signal::KILL).spawn()?;
    /// child.kill()?;
    /// child.wait()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "PR_SET_PDEATHSIG")]
    pub fn parent_death_signal(&mut self, signal: Signal) -> &mut Self {
        self.settings.linux.parent_death_signal = Some(signal);
        self
    }

    /// Starts the child in a cgroup, version 2. `directory` is a descriptor of the cgroup's directory, which the command borrows. Linux
    /// only. For a cgroup that the library has made, see [`Command::own_cgroup`].
    ///
    /// The kernel makes the child in the cgroup (`CLONE_INTO_CGROUP`, Linux 5.7), so that it never runs in this process's. If the kernel
    /// refuses that, and under the fork launcher, the child writes to `cgroup.procs` before its first other step. If SIGKILL ends a child
    /// before it has executed the program, and the kernel has made it in the cgroup, the spawn makes another one, which joins the cgroup so:
    /// Linux 6.18 kills each such child if processes of the cgroup have been killed by `cgroup.kill` before.
    ///
    /// If `memory.oom.group` is 1 in the cgroup, or in a cgroup above it that this process can see, and memory runs out there, the kernel
    /// kills all processes of that group, and those that share memory with one of them: this process, if the child shares its memory. So
    /// [`Launcher::Auto`] forks, and [`Launcher::Clone`] is refused ([`Failure::OomGroupNeedsFork`]).
    ///
    /// [`Launcher::Auto`]: crate::Launcher::Auto
    /// [`Launcher::Clone`]: crate::Launcher::Clone
    /// [`Failure::OomGroupNeedsFork`]: crate::Failure::OomGroupNeedsFork
    ///
    /// # Errors
    ///
    /// A descriptor that is no directory of a cgroup is refused. So is a cgroup that is frozen, or is to be frozen (`cgroup.freeze` is 1 in
    /// it or in a cgroup above it that this process can see): the child would not run in it while this process waits for the child. If
    /// another process freezes the cgroup during the spawn, the spawn waits until it is thawed. `EACCES` without the
    /// right to write `cgroup.procs` of the cgroup and of the nearest common ancestor, `EBUSY` if the cgroup has controllers enabled for its own
    /// children.
    ///
    /// ```
    /// # use fdspawn::Command;
    /// let other = std::fs::File::open("/")?;
    /// assert!(Command::new("job").cgroup(&other).spawn().is_err()); // it is no directory of a cgroup
    /// if let Ok(cgroup) = std::fs::File::open("/sys/fs/cgroup/jobs/1") {
    ///     Command::new("true").cgroup(&cgroup).status()?;
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "CLONE_INTO_CGROUP")]
    pub fn cgroup(&mut self, directory: impl Lend<'fd>) -> &mut Self {
        self.settings.linux.cgroup = Some(ChildCgroup::Lent(directory.lend()));
        self
    }

    /// Starts the child in a cgroup that the library has made, as [`Command::cgroup`] does. The later call of the two counts. Linux only.
    ///
    /// The command and its copies keep a clone of the cgroup, and so does each child that is started by them, until it is dropped. So the
    /// cgroup is there as long as one of them. [`Command::exec`] moves this process into the cgroup, and then no drop removes it.
    ///
    /// # Errors
    ///
    /// Those of [`Command::cgroup`], also if the cgroup has been removed.
    ///
    /// ```
    /// use fdspawn::{Cgroup, Command};
    ///
    /// let Ok(cgroup) = Cgroup::create() else { return Ok(()) }; // no cgroup is delegated to this process
    /// let mut child = Command::new("sleep").arg("60").own_cgroup(&cgroup).spawn()?;
    /// assert!(!cgroup.is_empty()?);
    /// cgroup.kill()?;
    /// child.wait()?;
    /// cgroup.remove()?;
    /// # Ok::<(), fdspawn::Error>(())
    /// ```
    #[doc(alias = "CLONE_INTO_CGROUP")]
    pub fn own_cgroup(&mut self, cgroup: &Cgroup) -> &mut Self {
        self.settings.linux.cgroup = Some(ChildCgroup::Own(cgroup.clone()));
        self
    }

    /// Executes the file that a descriptor refers to (`execveat(2)`), in place of a path. The command borrows the descriptor. The name that
    /// [`Command::new`] got is argument 0, unless [`Command::arg0`] sets it, and the name in errors. Linux only.
    ///
    /// **Scripts.** The kernel gives a script to its interpreter as `/dev/fd/N`. The descriptor closes at exec, so the interpreter would not
    /// find it, and the spawn fails ([`Failure::ScriptByDescriptor`]). If the command also keeps or connects the descriptor, the script runs,
    /// and its interpreter has it open under the target's number.
    ///
    /// **Hooks.** A hook of [`Command::pre_exec`] may close or replace the descriptor. The child looks after the hooks whether it still refers
    /// to the same file (`fstat(2)`). If not, the child executes nothing, and the spawn fails ([`Failure::ProgramReplaced`]). The child has
    /// the descriptor under the target's number, or else under a high one.
    ///
    /// If an emulator or a filter does not know `execveat(2)` (`ENOSYS`), the child executes `/proc/self/fd/N`, and the interpreter of a
    /// script gets that path.
    ///
    /// # Errors
    ///
    /// [`Failure::ExecDescriptor`] names the descriptor: `EACCES` if it refers to no file that this process may execute, `ENOEXEC` if the
    /// file is no program, `ENOSYS` without `execveat(2)` and without `/proc`.
    ///
    /// [`Failure::ProgramReplaced`]: crate::Failure::ProgramReplaced
    /// [`Failure::ScriptByDescriptor`]: crate::Failure::ScriptByDescriptor
    /// [`Failure::ExecDescriptor`]: crate::Failure::ExecDescriptor
    ///
    /// ```
    /// # use fdspawn::Command;
    /// let program = std::fs::File::open("/bin/true")?;
    /// assert!(Command::new("true").program_fd(&program).status()?.success());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "fexecve")]
    #[doc(alias = "execveat")]
    pub fn program_fd(&mut self, program: impl Lend<'fd>) -> &mut Self {
        self.settings.linux.program = Some(program.lend());
        self
    }

    /// Asks for a capacity, in bytes, of each pipe that a spawn of this command makes (`F_SETPIPE_SZ`), as far as the kernel grants it: see
    /// [`FdMap::pipe_capacity`]. A later [`Command::fd_map`] replaces it. Linux only.
    ///
    /// [`FdMap::pipe_capacity`]: crate::FdMap::pipe_capacity
    ///
    /// ```
    /// # use fdspawn::{Command, Stdio};
    /// let mut child = Command::new("true").stdout(Stdio::piped()).pipe_capacity(256 * 1024).spawn()?;
    /// child.wait()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "F_SETPIPE_SZ")]
    pub fn pipe_capacity(&mut self, bytes: usize) -> &mut Self {
        self.fd_map.pipe_capacity(bytes);
        self
    }
}
