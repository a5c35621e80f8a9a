//! `Stage`: where an error has happened.

use super::failure::Failure;
use crate::plan::Step;
use std::fmt;

/// Where an error has happened, from [`Error::stage`]. `Display` prints one word.
///
/// [`Error::stage`]: crate::Error::stage
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// In the parent, before the launch: the library has refused the command, or could not open or check what the child needs. There
    /// is no child. Also the stage of [`Failure::NotRestored`]: a failed [`Command::exec`](crate::Command::exec) could not restore
    /// what it had changed.
    Parent,
    /// At the launch: the system has made no child, or the child was killed before it executed the program, without a report.
    Launch,
    /// In the child, at a step for its descriptors.
    Descriptors,
    /// In the child, at a step for an attribute: signals, the signal mask, and all others except descriptors, directory and
    /// hooks.
    Attribute,
    /// In the child, at the change to the working directory. Also the stage if the parent could not duplicate the descriptor of
    /// that directory.
    Directory,
    /// In the child, in a `pre_exec` hook.
    Hook,
    /// In the child, at exec: the program was not found, or could not be executed.
    Exec,
    /// After the start: the wait for the child, a signal to it, or a read of its output.
    Running,
}

/// The stage of a failure. The match names each variant, so that a new variant does not compile without a stage.
pub(super) fn stage_of(failure: &Failure) -> Stage {
    match failure {
        Failure::Refused(_)
        | Failure::Graph(_)
        | Failure::NulByte(_)
        | Failure::VariableName(_)
        | Failure::HookNeedsFork
        | Failure::FunctionNeedsFork
        | Failure::CredentialsNeedFork
        | Failure::OomGroupNeedsFork
        | Failure::HooksNotCopied
        | Failure::FunctionNotCopied
        | Failure::CheckIds
        | Failure::Cgroup { .. }
        | Failure::NoCgroup
        | Failure::CgroupNotDelegated(_)
        | Failure::NotACgroup(_)
        | Failure::CgroupDirectory(_)
        | Failure::CgroupFile { .. }
        | Failure::CgroupController { .. }
        | Failure::Open { .. }
        | Failure::ParentOpen { .. }
        | Failure::CheckFd { .. }
        | Failure::NotRestored { .. }
        | Failure::Flush
        | Failure::NothingToInherit
        | Failure::Thread
        | Failure::PrivateTable
        | Failure::SendFds
        | Failure::AfterFork
        | Failure::GroupIsLaunching
        | Failure::GroupGone => Stage::Parent,
        Failure::CloneUnavailable | Failure::Launch(_) | Failure::SignalMask | Failure::Killed(_) => Stage::Launch,
        Failure::Child(step) => stage_of_step(*step),
        Failure::ChangeRoot(_) | Failure::Groups(_) | Failure::Affinity(_) => Stage::Attribute,
        Failure::WorkingDirectory(_) => Stage::Directory,
        Failure::Hook { .. } | Failure::HookPanicked { .. } | Failure::HookEnded(_) | Failure::ProgramReplaced => {
            Stage::Hook
        }
        Failure::Exec
        | Failure::ExecDescriptor { .. }
        | Failure::Interpreter { .. }
        | Failure::Candidates
        | Failure::ScriptByDescriptor => Stage::Exec,
        Failure::Reaped(_)
        | Failure::NotAChild
        | Failure::Wait
        | Failure::Signal
        | Failure::Shared
        | Failure::NoGroup
        | Failure::OwnGroup
        | Failure::NoSession
        | Failure::NotInCgroup
        | Failure::NoProcessList
        | Failure::StillRuns
        | Failure::CgroupNotEmpty
        | Failure::OwnCgroup
        | Failure::Read
        | Failure::Write
        | Failure::Events
        | Failure::Status { .. }
        | Failure::TimedOut
        | Failure::OutputLimit => Stage::Running,
    }
}

/// The stage of a step of the child. The match names each variant, so that a new variant does not compile without a
/// stage.
fn stage_of_step(step: Step) -> Stage {
    match step {
        Step::UnshareFiles { .. }
        | Step::CloseFrom { .. }
        | Step::Close { .. }
        | Step::SetCloexec { .. }
        | Step::ClearCloexec { .. }
        | Step::Dup2 { .. } => Stage::Descriptors,
        Step::ChangeDirectory { .. } | Step::ChangeDirectoryTo { .. } => Stage::Directory,
        Step::Hooks | Step::CheckProgram { .. } => Stage::Hook,
        Step::Exec | Step::ExecFd { .. } | Step::Run => Stage::Exec,
        Step::JoinCgroup { .. }
        | Step::DefaultHandlers
        | Step::DefaultSignals { .. }
        | Step::IgnoreSignals { .. }
        | Step::NewSession
        | Step::JoinGroup { .. }
        | Step::ControllingTerminal { .. }
        | Step::Foreground { .. }
        | Step::OomScoreAdj { .. }
        | Step::Scheduler { .. }
        | Step::Nice { .. }
        | Step::Affinity { .. }
        | Step::Umask { .. }
        | Step::Limit { .. }
        | Step::SetGroups { .. }
        | Step::DropGroups { .. }
        | Step::SetGid { .. }
        | Step::ChangeRoot { .. }
        | Step::SetUid { .. }
        | Step::ParentDeathSignal { .. }
        | Step::CheckParent { .. }
        | Step::NoNewPrivs
        | Step::SignalMask
        | Step::BlockSignals { .. } => Stage::Attribute,
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Parent => "parent",
            Self::Launch => "launch",
            Self::Descriptors => "descriptors",
            Self::Attribute => "attribute",
            Self::Directory => "directory",
            Self::Hook => "hook",
            Self::Exec => "exec",
            Self::Running => "running",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Problem, Subject, Text};
    use super::*;
    use crate::plan::Refusal;
    use crate::platform::Launcher;
    use std::os::unix::process::ExitStatusExt;
    use std::path::PathBuf;
    use std::process::ExitStatus;

    /// Failures that have no error number of a system call, with the one that they get instead.
    fn failures() -> Vec<(Failure, Stage, i32)> {
        let status = ExitStatus::from_raw(9);
        let (parent, launch, descriptors, attribute) =
            (Stage::Parent, Stage::Launch, Stage::Descriptors, Stage::Attribute);
        let step = |step, stage| (Failure::Child(step), stage, libc::EIO);
        let path = || PathBuf::from("script");
        vec![
            (Failure::NulByte(Text::Program), parent, libc::EINVAL),
            (Failure::VariableName("".into()), parent, libc::EINVAL),
            (Failure::HookNeedsFork, parent, libc::EINVAL),
            (Failure::FunctionNeedsFork, parent, libc::EINVAL),
            (Failure::HooksNotCopied, parent, libc::EINVAL),
            (Failure::FunctionNotCopied, parent, libc::EINVAL),
            (Failure::CloneUnavailable, launch, libc::EOPNOTSUPP),
            (Failure::Open { target: 3, what: "a pipe" }, parent, libc::EIO),
            (Failure::ParentOpen { what: "a pipe" }, parent, libc::EIO),
            (Failure::CheckFd { fd: 3 }, parent, libc::EIO),
            (Failure::NotRestored { what: String::new(), exec: String::new() }, parent, libc::EIO),
            (Failure::Flush, parent, libc::EIO),
            (Failure::NothingToInherit, parent, libc::EINVAL),
            (Failure::Thread, parent, libc::EIO),
            (Failure::PrivateTable, parent, libc::EIO),
            (Failure::SendFds, parent, libc::EIO),
            (Failure::AfterFork, parent, libc::EOPNOTSUPP),
            (Failure::Launch(Launcher::Fork), launch, libc::EIO),
            (Failure::SignalMask, launch, libc::EIO),
            step(Step::UnshareFiles { first: 3 }, descriptors),
            step(Step::CloseFrom { first: 3 }, descriptors),
            step(Step::Close { first: 3, last: 4 }, descriptors),
            step(Step::SetCloexec { first: 3, last: 4 }, descriptors),
            step(Step::ClearCloexec { fd: 3 }, descriptors),
            step(Step::Dup2 { source: 3, target: 4, close_on_exec: false }, descriptors),
            step(Step::DefaultHandlers, attribute),
            step(Step::NewSession, attribute),
            step(Step::SetUid { uid: 5 }, attribute),
            step(Step::DropGroups { user: 5 }, attribute),
            (Failure::CredentialsNeedFork, parent, libc::EINVAL),
            (Failure::OomGroupNeedsFork, parent, libc::EINVAL),
            (Failure::CheckIds, parent, libc::EIO),
            (Failure::Cgroup { fd: 3, file: "cgroup.procs" }, parent, libc::EIO),
            (Failure::NoCgroup, parent, libc::EOPNOTSUPP),
            (Failure::CgroupNotDelegated(path()), parent, libc::EIO),
            (Failure::NotACgroup(path()), parent, libc::EBADF),
            (Failure::CgroupDirectory(path()), parent, libc::EIO),
            (Failure::CgroupFile { file: "cgroup.procs" }, parent, libc::EIO),
            (Failure::CgroupController { controller: "memory" }, parent, libc::EOPNOTSUPP),
            (Failure::CgroupNotEmpty, Stage::Running, libc::EBUSY),
            (Failure::OwnCgroup, Stage::Running, libc::EINVAL),
            (Failure::ChangeRoot(path()), attribute, libc::EIO),
            (Failure::Groups(vec![5]), attribute, libc::EIO),
            (Failure::Affinity(vec![5]), attribute, libc::EIO),
            (Failure::ExecDescriptor { fd: 3 }, Stage::Exec, libc::EIO),
            (Failure::Candidates, Stage::Exec, libc::EIO),
            (Failure::ScriptByDescriptor, Stage::Exec, libc::EIO),
            step(Step::ExecFd { fd: 3 }, Stage::Exec),
            step(Step::SignalMask, attribute),
            step(Step::ChangeDirectoryTo { fd: 3 }, Stage::Directory),
            step(Step::Hooks, Stage::Hook),
            step(Step::CheckProgram { fd: 3 }, Stage::Hook),
            (Failure::ProgramReplaced, Stage::Hook, libc::EIO),
            step(Step::Exec, Stage::Exec),
            step(Step::Run, Stage::Exec),
            (Failure::WorkingDirectory(None), Stage::Directory, libc::EIO),
            (Failure::Exec, Stage::Exec, libc::EIO),
            (Failure::Interpreter { script: path(), interpreter: None }, Stage::Exec, libc::EIO),
            (Failure::Hook { index: 0, message: Some(String::new()) }, Stage::Hook, libc::EINVAL),
            (Failure::HookPanicked { index: 0 }, Stage::Hook, libc::ECANCELED),
            (Failure::HookEnded(status), Stage::Hook, libc::ECANCELED),
            (Failure::Killed(status), launch, libc::ECANCELED),
            (Failure::Reaped(status), Stage::Running, libc::ECHILD),
            (Failure::NotAChild, Stage::Running, libc::ECHILD),
            (Failure::Wait, Stage::Running, libc::EIO),
            (Failure::Signal, Stage::Running, libc::EIO),
            (Failure::Shared, Stage::Running, libc::EBUSY),
            (Failure::NoGroup, Stage::Running, libc::EINVAL),
            (Failure::OwnGroup, Stage::Running, libc::EINVAL),
            (Failure::GroupGone, Stage::Parent, libc::ECHILD),
            (Failure::GroupIsLaunching, Stage::Parent, libc::EDEADLK),
            (Failure::NoSession, Stage::Running, libc::EINVAL),
            (Failure::NotInCgroup, Stage::Running, libc::EINVAL),
            (Failure::NoProcessList, Stage::Running, libc::EIO),
            (Failure::StillRuns, Stage::Running, libc::ETIMEDOUT),
            (Failure::Read, Stage::Running, libc::EIO),
            (Failure::Write, Stage::Running, libc::EIO),
            (Failure::Status { status, stderr: String::new() }, Stage::Running, libc::EIO),
            (Failure::TimedOut, Stage::Running, libc::ETIMEDOUT),
            (Failure::OutputLimit, Stage::Running, libc::EFBIG),
        ]
    }

    #[test]
    fn each_failure_has_a_stage_and_an_error_number() {
        for (failure, stage, number) in failures() {
            let error = Problem::from(failure).of(Subject::Run);
            assert_eq!((error.stage(), error.raw_os_error()), (stage, Some(number)), "{error:?}");
        }
    }

    #[test]
    fn each_refusal_is_one_of_the_parent_and_has_the_error_number_of_a_call_that_refuses_the_same() {
        let (target, limit, source, same_as, number) = (3, 4, 5, 6, 7);
        for (refusal, number) in [
            (Refusal::NegativeTarget { target }, libc::EBADF),
            (Refusal::TargetBeyondLimit { target, limit }, libc::EBADF),
            (Refusal::TargetTwice { target }, libc::EINVAL),
            (Refusal::KeepCollides { target }, libc::EINVAL),
            (Refusal::SourceNotOpen { target, source }, libc::EBADF),
            (Refusal::SourceSpent { target }, libc::EBADF),
            (Refusal::SourceMoved { target }, libc::EINVAL),
            (Refusal::SameAsNothing { target, same_as }, libc::EBADF),
            (Refusal::SameAsItself { target }, libc::EINVAL),
            (Refusal::PipedWhere { target }, libc::EINVAL),
            (Refusal::TargetInUse { target }, libc::EBUSY),
            (Refusal::InheritWhere { target }, libc::EINVAL),
            (Refusal::NotInheritedWhere { number }, libc::EINVAL),
            (Refusal::NoScratch { limit }, libc::EMFILE),
            (Refusal::NotACgroup { fd: 3 }, libc::EBADF),
            (Refusal::FrozenCgroup { fd: 3 }, libc::EBUSY),
            (Refusal::SessionAndGroup, libc::EINVAL),
            (Refusal::NegativeGroup { group: -1 }, libc::EINVAL),
            (Refusal::DropReachesNoGroup, libc::EINVAL),
            (Refusal::DropReachesNoSession, libc::EINVAL),
            (Refusal::DropReachesNoCgroup, libc::EINVAL),
            (Refusal::TerminalWithoutSession, libc::EINVAL),
            (Refusal::ForegroundWithoutTerminal, libc::EINVAL),
            (Refusal::OomScore { value: 1001 }, libc::EINVAL),
            (Refusal::Priority { priority: 0 }, libc::EINVAL),
            (Refusal::NoCpus, libc::EINVAL),
            (Refusal::Umask { mask: 0o1000 }, libc::EINVAL),
            (Refusal::SoftAboveHard { resource: rustix::process::Resource::Core, soft: 2, hard: 1 }, libc::EINVAL),
            (Refusal::NotAnId { id: u32::MAX }, libc::EINVAL),
            (Refusal::TooManyGroups { count: 65_537, limit: 65_536 }, libc::EINVAL),
            (Refusal::CannotIgnore { signal: libc::SIGKILL }, libc::EINVAL),
            (Refusal::NoPrograms, libc::EINVAL),
            (Refusal::TwoPrograms, libc::EINVAL),
            (Refusal::FunctionWithArguments, libc::EINVAL),
        ] {
            let error = Problem::from(refusal).of(Subject::Run);
            assert_eq!((error.stage(), error.raw_os_error()), (Stage::Parent, Some(number)), "{error}");
            assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        }
    }

    #[test]
    fn number_of_a_system_call_is_kept() {
        for (failure, ..) in failures() {
            let error = Problem::system(failure, rustix::io::Errno::NOSPC).of(Subject::Run);
            assert_eq!(error.raw_os_error(), Some(libc::ENOSPC));
        }
    }
}
