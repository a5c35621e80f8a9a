//! What can fail, with its operands.

use crate::plan::{GraphRefusal, Refusal, Step};
use crate::platform::Launcher;
use std::ffi::OsString;
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::process::ExitStatus;

/// The step that failed, with its operands.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Failure {
    /// The library refused the map of descriptors or an attribute. It has started no child.
    Refused(Refusal),
    /// The library refused a graph. It has opened and started nothing.
    Graph(GraphRefusal),
    /// A string has a NUL byte inside. For system calls a string ends at its first NUL.
    NulByte(Text),
    /// The name of an environment variable is empty or has a `=` inside.
    VariableName(OsString),
    /// The command has `Launcher::Clone` and a `pre_exec` hook. A hook needs the copied memory of fork.
    HookNeedsFork,
    /// The command has `Launcher::Clone`, or is to be executed in this process, and has a function in place of a program: only a forked child
    /// runs a function.
    FunctionNeedsFork,
    /// The command has `Launcher::Clone` and another user or group than this process. Such a child that shares memory would make
    /// this process undumpable for good.
    CredentialsNeedFork,
    /// The command has `Launcher::Clone` and a cgroup that the kernel kills as a whole if memory runs out (`memory.oom.group` is 1 in it
    /// or in one above it). While a child in it shares memory with this process, the kernel would kill this process too.
    OomGroupNeedsFork,
    /// The command has `Launcher::Clone`, but the kernel refuses clone, or an emulator's clone does not share memory.
    CloneUnavailable,
    /// The command has a `pre_exec` hook. A hook belongs to one command, so a copy of the command cannot have it.
    HooksNotCopied,
    /// The command has a function in place of a program. A function belongs to one command, so a copy of the command cannot have it.
    FunctionNotCopied,
    /// The parent could not open the source of a target.
    Open {
        /// The number in the child.
        target: RawFd,
        /// The source: "a pipe", "/dev/null".
        what: &'static str,
    },
    /// The parent could not open a descriptor that the library needs for the spawn.
    ParentOpen {
        /// The purpose of the descriptor: "a pipe for the report of errors".
        what: &'static str,
    },
    /// The parent could not find out whether a source is open, or which file the descriptor of a program refers to.
    CheckFd {
        /// The number in the parent.
        fd: RawFd,
    },
    /// The parent could not open or read a file of the command's cgroup.
    Cgroup {
        /// The descriptor of the cgroup's directory in the parent.
        fd: RawFd,
        /// The name of the file.
        file: &'static str,
    },
    /// No mounted file system shows a cgroup of version 2 for this process ([`Cgroup::create`](crate::Cgroup::create)).
    NoCgroup,
    /// This process may not make cgroups in its own cgroup, which has this path, or start processes there
    /// ([`Cgroup::create`](crate::Cgroup::create)).
    CgroupNotDelegated(PathBuf),
    /// The directory at this path is not one of a cgroup, version 2 ([`Cgroup::create_in`](crate::Cgroup::create_in)).
    NotACgroup(PathBuf),
    /// The directory of a [`Cgroup`](crate::Cgroup) could not be opened, made or removed.
    CgroupDirectory(PathBuf),
    /// A file of a [`Cgroup`](crate::Cgroup) could not be opened, read or written, or one in which the kernel names this process's own cgroup.
    CgroupFile {
        /// The name of the file.
        file: &'static str,
    },
    /// The controller of a limit is not enabled for the [`Cgroup`](crate::Cgroup).
    CgroupController {
        /// The controller, as `cgroup.subtree_control` names it: "memory".
        controller: &'static str,
    },
    /// Processes are left in the [`Cgroup`](crate::Cgroup), so it could not be removed; or they could not be killed.
    CgroupNotEmpty,
    /// This process is itself in the [`Cgroup`](crate::Cgroup) that should be killed.
    OwnCgroup,
    /// The parent could not find out its own user, group or parent.
    CheckIds,
    /// After a failed [`Command::exec`](crate::Command::exec), the library could not restore what the exec had changed.
    NotRestored {
        /// The name of what is not restored: "descriptor 10".
        what: String,
        /// Why the exec failed.
        exec: String,
    },
    /// The parent could not flush its standard output before a fork. The child would write the content of the buffer again.
    Flush,
    /// The command has [`Rest::Inherit`](crate::Rest::Inherit) and an [`Isolated`](crate::Isolated), whose thread has no
    /// descriptors that a child could inherit.
    NothingToInherit,
    /// The process could not start the thread of an [`Isolated`](crate::Isolated).
    Thread,
    /// The thread of an [`Isolated`](crate::Isolated) could not get a descriptor table of its own.
    PrivateTable,
    /// The parent could not send the sources to the thread of an [`Isolated`](crate::Isolated).
    SendFds,
    /// This process is a forked copy of the one that made the [`Isolated`](crate::Isolated), and does not have its thread.
    AfterFork,
    /// The parent could not start a child: the system call of this launcher failed.
    Launch(Launcher),
    /// The parent could not read or set the signal mask of the launching thread. If it did not block all signals, a child could
    /// run the handlers of this process.
    SignalMask,
    /// A step failed in the child. Some steps have a variant of their own below.
    Child(Step),
    /// The child could not change to the working directory: its path, or `None` if the command names it by a descriptor.
    WorkingDirectory(Option<PathBuf>),
    /// The child could not change its root directory to this path.
    ChangeRoot(PathBuf),
    /// The child could not set these supplementary groups.
    Groups(Vec<u32>),
    /// The child could not set these CPUs.
    Affinity(Vec<usize>),
    /// The program given as a descriptor is a script, whose interpreter could not open it: the descriptor closes at exec. Keep the
    /// descriptor, or connect it.
    ScriptByDescriptor,
    /// A `pre_exec` hook has closed or replaced the descriptor of the program ([`Command::program_fd`](crate::Command::program_fd)), so the
    /// child has executed nothing.
    ProgramReplaced,
    /// The child could not execute the program given as a descriptor ([`Command::program_fd`](crate::Command::program_fd)).
    ExecDescriptor {
        /// The caller's number of the descriptor.
        fd: RawFd,
    },
    /// The child did not find the program, or could not execute it. [`Error::path`](super::Error::path) says which file it could not execute.
    Exec,
    /// None of the candidates of [`Command::programs`](crate::Command::programs) exists, or the child may not search
    /// the directories of their paths.
    Candidates,
    /// The child found the program's file, but could not execute its interpreter: the program that the first line of a script
    /// names after `#!`, or the loader of an executable file.
    Interpreter {
        /// The file that needs the interpreter: the program's, or that of an interpreter which is itself a script.
        script: PathBuf,
        /// The interpreter, as the file names it. `None` if the parent could not find the interpreter: it may not read the
        /// file, or it has another root than the child, or the interpreter has no fault that the parent can see.
        interpreter: Option<PathBuf>,
    },
    /// A `pre_exec` hook returned an error.
    Hook {
        /// Which hook, in the order in which they were added, from 0.
        index: usize,
        /// The error's text, if it has no error number.
        message: Option<String>,
    },
    /// A `pre_exec` hook panicked. The child has ended and been reaped.
    HookPanicked {
        /// Which hook, in the order in which they were added, from 0.
        index: usize,
    },
    /// A `pre_exec` hook ended the child, or closed or replaced the library's descriptor. The value is the status of the
    /// child.
    HookEnded(ExitStatus),
    /// The child ended before it executed the program or ran the function, in most cases since a signal killed it. The value
    /// is the status of the child.
    Killed(ExitStatus),
    /// The child has been reaped, so its process id may be another process's. The value is the status of the child.
    Reaped(ExitStatus),
    /// This process is a forked copy of the one that has started the child. The copy can neither wait for the child nor signal it.
    NotAChild,
    /// The wait for the child failed.
    Wait,
    /// The parent could not send the signal to the child.
    Signal,
    /// Other handles of the child exist ([`Process`](crate::Process)), so it cannot be given away.
    Shared,
    /// The child does not lead the process group that it is in, so the group is not its own. Start it with
    /// [`Command::process_group`](crate::Command::process_group) 0 or [`Command::setsid`](crate::Command::setsid).
    NoGroup,
    /// This process is itself in the process group that should be signalled.
    OwnGroup,
    /// Other code of this process has reaped the leader of the [`Group`](crate::Group), so its number may be another group's.
    GroupGone,
    /// This thread is launching the first child of the [`Group`](crate::Group): a subscriber of `tracing` that is called meanwhile cannot start
    /// another child in it (`EDEADLK`).
    GroupIsLaunching,
    /// The child was not started in a cgroup that the library has made. Start it with `Command::own_cgroup`.
    NotInCgroup,
    /// The child does not lead a session. Start it with [`Command::setsid`](crate::Command::setsid).
    NoSession,
    /// The library cannot find the processes that the child has started: `/proc` does not show the processes of this process's PID namespace,
    /// or hides some of them (the mount option `hidepid`), or this process cannot open its files (`EMFILE`).
    NoProcessList,
    /// The child still runs, although it has got SIGKILL. It ends when the kernel can stop its work, for example after
    /// a wait for a disk.
    StillRuns,
    /// The parent could not read the child's output.
    Read,
    /// The parent could not write the child's input.
    Write,
    /// The parent could not make or use a set of events (`epoll(7)`, `timerfd_create(2)`; `kqueue(2)`), for example because no number is free
    /// (`EMFILE`).
    Events,
    /// The program has not succeeded: [`Captured::check`](crate::Captured::check).
    Status {
        /// The status.
        status: ExitStatus,
        /// The end of what is kept of its standard error, as text.
        stderr: String,
    },
    /// The program had not ended by itself within its time, and has been ended: [`Captured::check`](crate::Captured::check).
    TimedOut,
    /// The program has written more than the limit: [`Captured::check`](crate::Captured::check).
    OutputLimit,
}

/// One of the command's strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Text {
    /// The program.
    Program,
    /// The argument of this index. `arg0` has the index 0.
    Argument(usize),
    /// The name or the value of an environment variable.
    Variable,
    /// The working directory.
    WorkingDirectory,
    /// The root directory.
    Root,
}
