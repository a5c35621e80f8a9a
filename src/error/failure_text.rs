//! The text of each failure.

use super::failure::{Failure, Text};
use crate::escape::{Escaped, Numbers};
use crate::platform::Launcher;
use std::fmt;

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => write!(f, "{refusal}"),
            Self::NulByte(text) => write!(f, "{text} has a NUL byte inside"),
            Self::VariableName(name) if name.is_empty() => f.write_str("the name of an environment variable is empty"),
            Self::VariableName(_) => f.write_str("the name of an environment variable has a `=` inside"),
            Self::HookNeedsFork => {
                f.write_str("a pre_exec hook needs the fork launcher, but Launcher::Clone was asked for")
            }
            Self::FunctionNeedsFork => f.write_str(
                "a function needs the fork launcher, but Launcher::Clone or an exec in this process was asked for",
            ),
            Self::CredentialsNeedFork => f.write_str(
                "another user or group needs the fork launcher, but Launcher::Clone was asked for: a child that shares memory \
                 would make this process undumpable for good",
            ),
            Self::OomGroupNeedsFork => f.write_str(
                "a cgroup with memory.oom.group needs the fork launcher, but Launcher::Clone was asked for: an out-of-memory kill \
                 of the cgroup would end this process too while the child shares its memory",
            ),
            Self::HooksNotCopied => f.write_str("it has a pre_exec hook, which belongs to one command"),
            Self::FunctionNotCopied => f.write_str("it runs a function, which belongs to one command"),
            Self::CloneUnavailable => {
                f.write_str("Launcher::Clone was asked for, but clone is refused here or does not share memory")
            }
            Self::Graph(refusal) => refusal.fmt(f),
            Self::Open { target, what } => write!(f, "cannot open {what} for descriptor {target}"),
            Self::ParentOpen { what } => write!(f, "cannot open {what}"),
            Self::NothingToInherit => f.write_str(
                "Rest::Inherit has no meaning here: the isolated spawner's thread has no descriptors to inherit",
            ),
            Self::Thread => f.write_str("cannot start its thread"),
            Self::PrivateTable => f.write_str("cannot give its thread a descriptor table of its own"),
            Self::SendFds => f.write_str("cannot pass the descriptors to the isolated spawner"),
            Self::AfterFork => {
                f.write_str("this process is a forked copy, which does not have the isolated spawner's thread")
            }
            Self::CheckFd { fd } => write!(f, "cannot find out whether descriptor {fd} is open"),
            Self::Cgroup { fd, file } => write!(f, "cannot open {file} of the cgroup of descriptor {fd}"),
            Self::NoCgroup => f.write_str("no mounted file system shows a cgroup of version 2 for this process"),
            Self::CgroupNotDelegated(path) => {
                write!(f, "the cgroup of this process, `{}`, is not delegated to it", Escaped::new(path))
            }
            Self::NotACgroup(_) => f.write_str("it is no directory of a cgroup, version 2"),
            Self::CgroupDirectory(path) => write!(f, "directory `{}`", Escaped::new(path)),
            Self::CgroupFile { file } => f.write_str(file),
            Self::CgroupController { controller } => write!(
                f,
                "the controller {controller} is not enabled for it (cgroup.subtree_control of the directory in which it is)"
            ),
            Self::CgroupNotEmpty => f.write_str("processes are left in it"),
            Self::OwnCgroup => f.write_str("this process is in the cgroup itself"),
            Self::CheckIds => f.write_str("cannot find out the user, the group or the parent of this process"),
            Self::NotRestored { what, exec } => write!(f, "{exec}; and then cannot restore {what}"),
            Self::Flush => f.write_str("cannot flush standard output"),
            Self::SignalMask => f.write_str("cannot read or set the signal mask of the launching thread"),
            Self::Launch(Launcher::Fork) => f.write_str("fork"),
            Self::Launch(_) => f.write_str("clone"),
            Self::Child(step) => write!(f, "cannot {step}"),
            Self::WorkingDirectory(Some(path)) => write!(f, "working directory `{}`", Escaped::new(path)),
            Self::WorkingDirectory(None) => f.write_str("working directory given as a descriptor"),
            Self::ChangeRoot(path) => write!(f, "cannot change the root directory to `{}`", Escaped::new(path)),
            Self::Groups(groups) => write!(f, "cannot set the supplementary groups to {}", Numbers(groups)),
            Self::Affinity(cpus) => write!(f, "cannot set the CPUs to {}", Numbers(cpus)),
            Self::ScriptByDescriptor => f.write_str(
                "the program given as a descriptor is a script, and its interpreter cannot open it; keep or connect the descriptor",
            ),
            Self::ProgramReplaced => f.write_str("a pre_exec hook has closed or replaced the descriptor of the program"),
            Self::Candidates => f.write_str("none of the candidates for the program can be executed"),
            Self::ExecDescriptor { fd } => write!(f, "cannot exec the program of descriptor {fd}"),
            Self::Exec => f.write_str("exec"),
            Self::Interpreter { script, interpreter: Some(interpreter) } => {
                write!(f, "`{}` needs the interpreter `{}`", Escaped::new(script), Escaped::new(interpreter))
            }
            Self::Interpreter { script, interpreter: None } => {
                write!(f, "`{}` needs an interpreter", Escaped::new(script))
            }
            Self::Hook { index, .. } => write!(f, "pre_exec hook {index}"),
            Self::HookPanicked { index } => write!(f, "pre_exec hook {index} panicked"),
            Self::HookEnded(status) => {
                write!(f, "a pre_exec hook ended the child, or closed the library's descriptor: {status}")
            }
            Self::Killed(status) => write!(f, "the child was killed before it became the program: {status}"),
            Self::Reaped(status) => write!(f, "it has been reaped: {status}"),
            Self::NotAChild => f.write_str("this process is a forked copy of the one that has started it"),
            Self::Wait => f.write_str("wait"),
            Self::Signal => f.write_str("signal"),
            Self::Shared => f.write_str("a Process of the child exists, which may wait for it or signal it"),
            Self::NoGroup => f.write_str("the child leads no process group of its own (process_group(0) or setsid)"),
            Self::OwnGroup => f.write_str("this process is in the group itself"),
            Self::GroupIsLaunching => f.write_str("this thread is launching the first child of the group"),
            Self::GroupGone => f.write_str("another part of this process has reaped the leader of the group"),
            Self::NotInCgroup => f.write_str("the child was not started in a cgroup of its own (own_cgroup)"),
            Self::Status { status, stderr } if stderr.is_empty() => write!(f, "{status}"),
            Self::Status { status, stderr } => write!(f, "{status}: {}", Escaped::new(stderr)),
            Self::TimedOut => f.write_str("it had not ended within its time"),
            Self::OutputLimit => f.write_str("it has written more than the limit"),
            Self::NoSession => f.write_str("the child leads no session (setsid)"),
            Self::NoProcessList => f.write_str("the processes that it has started cannot be found in /proc"),
            Self::StillRuns => f.write_str("it still runs after SIGKILL"),
            Self::Read => f.write_str("read"),
            Self::Write => f.write_str("write"),
            Self::Events => f.write_str("set of events"),
        }
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program => f.write_str("the program's name"),
            Self::Argument(index) => write!(f, "argument {index}"),
            Self::Variable => f.write_str("an environment variable"),
            Self::WorkingDirectory => f.write_str("the working directory"),
            Self::Root => f.write_str("the root directory"),
        }
    }
}
