//! `Step`: one thing that the child does.

use super::limit_names::{LimitValue, ResourceName};
use super::scheduler::Scheduler;
use super::signals::{SignalName, Signals};
use rustix::process::{Resource, Signal};
use std::fmt;
use std::os::fd::RawFd;

/// One step of the child between clone and exec.
///
/// The numbers are descriptors in the child. [`Plan::compile`] makes the steps for descriptors only. A spawn compiles the
/// plan and the command's attributes together: `plan/order.rs` has the order of all steps. [`Explanation`] and errors
/// show steps.
///
/// [`Plan::compile`]: crate::plan::Plan::compile
/// [`Explanation`]: crate::Explanation
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Join the cgroup whose `cgroup.procs` file `fd` refers to (`write(2)`), if the kernel has not made the child in it.
    JoinCgroup {
        /// A descriptor of the file.
        fd: RawFd,
    },
    /// Leave the table that the child shares with the parent for a private one that has only the numbers below `first`
    /// (`CLOSE_RANGE_UNSHARE`).
    UnshareFiles {
        /// The first number that the private table does not hold.
        first: RawFd,
    },
    /// Close all numbers from `first` up (`close_range(2)`).
    CloseFrom {
        /// The first number that is closed.
        first: RawFd,
    },
    /// Close all open numbers from `first` to `last` (`close_range(2)`).
    Close {
        /// The first number that is closed.
        first: RawFd,
        /// The last number that is closed.
        last: RawFd,
    },
    /// Set close-on-exec of all numbers from `first` to `last` that are open (`fcntl(2)`), after the hooks of a `Command::exec`.
    SetCloexec {
        /// The first number.
        first: RawFd,
        /// The last number.
        last: RawFd,
    },
    /// Clear close-on-exec (`fcntl(2)`).
    ClearCloexec {
        /// The descriptor.
        fd: RawFd,
    },
    /// Make `target` a duplicate of `source` (`dup3(2)`), which closes what `target` was.
    Dup2 {
        /// The descriptor that is duplicated.
        source: RawFd,
        /// The number of the duplicate.
        target: RawFd,
        /// Whether the duplicate closes at exec.
        close_on_exec: bool,
    },
    /// Give each signal for which the parent has a handler its default disposition.
    DefaultHandlers,
    /// Give signals their default dispositions (`sigaction(2)`).
    DefaultSignals {
        /// The signals.
        signals: Signals,
    },
    /// Ignore signals (`sigaction(2)`).
    IgnoreSignals {
        /// The signals.
        signals: Signals,
    },
    /// Make a new session, which has no terminal, and become its leader (`setsid(2)`).
    NewSession,
    /// Join a process group, or make one (`setpgid(2)`).
    JoinGroup {
        /// The number of the group; 0 for a new one that has the child's process id.
        group: i32,
    },
    /// Make a terminal the controlling terminal of the session (`TIOCSCTTY`).
    ControllingTerminal {
        /// A descriptor of the terminal.
        fd: RawFd,
    },
    /// Make the child's process group the foreground group of a terminal (`tcsetpgrp(3)`).
    Foreground {
        /// A descriptor of the terminal.
        fd: RawFd,
    },
    /// Set how likely the kernel kills the process if memory runs out (`/proc/self/oom_score_adj`).
    OomScoreAdj {
        /// From -1000 (the kernel never kills it) to 1000 (the kernel kills it first).
        value: i32,
    },
    /// Set the scheduling policy (`sched_setscheduler(2)`).
    Scheduler {
        /// The policy and its priority.
        scheduler: Scheduler,
    },
    /// Add to the nice value (`setpriority(2)`).
    Nice {
        /// What is added. The kernel keeps the sum between -20 and 19.
        increment: i32,
    },
    /// Set the CPUs on which the process may run (`sched_setaffinity(2)`).
    Affinity {
        /// The words of the mask.
        cpus: NumbersId,
    },
    /// Set the mask of permissions that new files do not get (`umask(2)`).
    Umask {
        /// The nine bits of the permissions.
        mask: u32,
    },
    /// Set a limit (`setrlimit(2)`).
    Limit {
        /// The resource.
        resource: Resource,
        /// The soft limit; `None` is no limit.
        soft: Option<u64>,
        /// The hard limit; `None` is no limit.
        hard: Option<u64>,
    },
    /// Set the supplementary groups (`setgroups(2)`).
    SetGroups {
        /// Their ids.
        groups: NumbersId,
    },
    /// Drop all supplementary groups (`setgroups(2)`), if the command sets the user and no groups. EPERM is an error only if the child has
    /// a supplementary group and is not this user yet.
    DropGroups {
        /// The user that the command sets.
        user: u32,
    },
    /// Set the real, the effective and the saved group id (`setresgid(2)`).
    SetGid {
        /// The id.
        gid: u32,
    },
    /// Change the root directory (`chroot(2)`).
    ChangeRoot {
        /// The path.
        path: StringId,
    },
    /// Set the real, the effective and the saved user id (`setresuid(2)`).
    SetUid {
        /// The id.
        uid: u32,
    },
    /// Change the working directory to the command's path (`chdir(2)`).
    ChangeDirectory {
        /// The path.
        path: StringId,
    },
    /// Change the working directory to the one that `fd` refers to (`fchdir(2)`).
    ChangeDirectoryTo {
        /// A descriptor of the directory.
        fd: RawFd,
    },
    /// Set the signal that the kernel sends to the process when the parent's thread ends (`PR_SET_PDEATHSIG`).
    ParentDeathSignal {
        /// The signal.
        signal: Signal,
    },
    /// Check that the parent still lives: it may have ended before its death could send the signal (`getppid(2)`).
    CheckParent {
        /// The parent's process id.
        parent: u32,
    },
    /// Give up all privileges that an exec could add (`PR_SET_NO_NEW_PRIVS`).
    NoNewPrivs,
    /// Set the program's signal mask: the one that the caller had at the spawn.
    SignalMask,
    /// Set the program's signal mask: exactly these signals are blocked (`sigprocmask(2)`).
    BlockSignals {
        /// The signals.
        signals: Signals,
    },
    /// Run the `pre_exec` hooks, in the order in which the caller added them.
    Hooks,
    /// Check that a descriptor still refers to the program after the hooks, which may close or replace any number (`fstat(2)`).
    CheckProgram {
        /// The descriptor.
        fd: RawFd,
    },
    /// Execute the program (`execve(2)`).
    Exec,
    /// Execute the program that a descriptor refers to (`execveat(2)`).
    ExecFd {
        /// The descriptor.
        fd: RawFd,
    },
    /// Run the function of [`fork_run`](crate::fork_run).
    Run,
}

/// Stands for a string of a step: an index into the strings that the parent prepares for one launch. So a step is `Copy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StringId(pub(super) u32);

impl StringId {
    pub(crate) fn new(index: usize) -> Self {
        Self(index as u32)
    }

    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// Stands for a list of a step: a range of the numbers that the parent prepares for one launch. So a step is `Copy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NumbersId {
    start: u32,
    count: u32,
}

impl NumbersId {
    /// The numbers from `start` on, in a list that ends with them.
    pub(crate) fn from(start: usize, numbers: &[u32]) -> Self {
        Self { start: start as u32, count: (numbers.len() - start) as u32 }
    }

    /// The list, among all numbers of the launch.
    pub(crate) fn list(self, numbers: &[u32]) -> &[u32] {
        let list = numbers.get(self.start as usize..).unwrap_or_default();
        list.get(..self.count as usize).unwrap_or_default()
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::JoinCgroup { fd } => write!(f, "join the cgroup of descriptor {fd}"),
            Self::UnshareFiles { first } => write!(f, "take a private table, without {first} and above"),
            Self::CloseFrom { first } => write!(f, "close {first} and above"),
            Self::Close { first, last } if first == last => write!(f, "close {first}"),
            Self::Close { first, last } => write!(f, "close {first} to {last}"),
            Self::SetCloexec { first, last: RawFd::MAX } => write!(f, "set close-on-exec of {first} and above"),
            Self::SetCloexec { first, last } if first == last => write!(f, "set close-on-exec of {first}"),
            Self::SetCloexec { first, last } => write!(f, "set close-on-exec of {first} to {last}"),
            Self::ClearCloexec { fd } => write!(f, "clear close-on-exec of {fd}"),
            Self::Dup2 { source, target, close_on_exec: false } => write!(f, "duplicate {source} as {target}"),
            Self::Dup2 { source, target, close_on_exec: true } => {
                write!(f, "duplicate {source} as {target}, which closes at exec")
            }
            Self::DefaultHandlers => f.write_str("reset the handled signals"),
            Self::DefaultSignals { signals } => write!(f, "reset {signals}"),
            Self::IgnoreSignals { signals } => write!(f, "ignore {signals}"),
            Self::NewSession => f.write_str("make a new session"),
            Self::JoinGroup { group: 0 } => f.write_str("make a new process group"),
            Self::JoinGroup { group } => write!(f, "join process group {group}"),
            Self::ControllingTerminal { fd } => write!(f, "make descriptor {fd} the controlling terminal"),
            Self::Foreground { fd } => write!(f, "become the foreground of the terminal of descriptor {fd}"),
            Self::OomScoreAdj { value } => write!(f, "set oom_score_adj to {value}"),
            Self::Scheduler { scheduler } => write!(f, "set the scheduler to {scheduler}"),
            Self::Nice { increment } => write!(f, "add {increment} to the nice value"),
            Self::Affinity { .. } => f.write_str("set the CPUs"),
            Self::Umask { mask } => write!(f, "set the umask to {mask:03o}"),
            Self::Limit { resource, soft, hard } => {
                write!(f, "set {} to {}:{}", ResourceName(resource), LimitValue(soft), LimitValue(hard))
            }
            Self::SetGroups { .. } => f.write_str("set the supplementary groups"),
            Self::DropGroups { user } => write!(f, "drop the supplementary groups before user {user}"),
            Self::SetGid { gid } => write!(f, "set the group to {gid}"),
            Self::ChangeRoot { .. } => f.write_str("change the root directory"),
            Self::SetUid { uid } => write!(f, "set the user to {uid}"),
            Self::ChangeDirectory { .. } => f.write_str("change the working directory"),
            Self::ChangeDirectoryTo { fd } => write!(f, "change the working directory to that of descriptor {fd}"),
            Self::ParentDeathSignal { signal } => {
                write!(f, "set the signal at the parent's death to {}", SignalName(signal.as_raw()))
            }
            Self::CheckParent { parent } => write!(f, "check that the parent, process {parent}, lives"),
            Self::NoNewPrivs => f.write_str("give up new privileges"),
            Self::SignalMask => f.write_str("restore the signal mask"),
            Self::BlockSignals { signals } if signals.is_empty() => f.write_str("block no signal"),
            Self::BlockSignals { signals } => write!(f, "block {signals}, and no other signal"),
            Self::Hooks => f.write_str("run the hooks"),
            Self::CheckProgram { fd } => write!(f, "check that descriptor {fd} still is the program"),
            Self::Exec => f.write_str("exec the program"),
            Self::ExecFd { fd } => write!(f, "exec the program of descriptor {fd}"),
            Self::Run => f.write_str("run the function"),
        }
    }
}
