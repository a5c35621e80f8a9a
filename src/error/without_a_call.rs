//! The error number and the kind of a failure for which no system call returned one.

use super::failure::Failure;
use crate::plan::Refusal;
use rustix::io::Errno;
use std::io;

/// The error number of a failure that is not one of a system call.
pub(super) fn errno_without_a_call(failure: &Failure) -> Errno {
    match failure {
        Failure::Refused(refusal) => match refusal {
            Refusal::NegativeTarget { .. }
            | Refusal::TargetBeyondLimit { .. }
            | Refusal::SourceNotOpen { .. }
            | Refusal::SourceSpent { .. }
            | Refusal::SameAsNothing { .. }
            | Refusal::NotACgroup { .. } => Errno::BADF,
            Refusal::NoScratch { .. } => Errno::MFILE,
            Refusal::TargetInUse { .. } | Refusal::FrozenCgroup { .. } => Errno::BUSY,
            Refusal::TargetTwice { .. }
            | Refusal::KeepCollides { .. }
            | Refusal::SameAsItself { .. }
            | Refusal::PipedWhere { .. }
            | Refusal::InheritWhere { .. }
            | Refusal::SessionAndGroup
            | Refusal::NegativeGroup { .. }
            | Refusal::DropReachesNoGroup
            | Refusal::DropReachesNoSession
            | Refusal::DropReachesNoCgroup
            | Refusal::TerminalWithoutSession
            | Refusal::ForegroundWithoutTerminal
            | Refusal::OomScore { .. }
            | Refusal::Priority { .. }
            | Refusal::NoCpus
            | Refusal::Umask { .. }
            | Refusal::SoftAboveHard { .. }
            | Refusal::NotAnId { .. }
            | Refusal::TooManyGroups { .. }
            | Refusal::CannotIgnore { .. }
            | Refusal::NoPrograms
            | Refusal::TwoPrograms
            | Refusal::FunctionWithArguments
            | Refusal::NotInheritedWhere { .. }
            | Refusal::SourceMoved { .. } => Errno::INVAL,
        },
        Failure::Graph(_)
        | Failure::NulByte(_)
        | Failure::VariableName(_)
        | Failure::HookNeedsFork
        | Failure::FunctionNeedsFork
        | Failure::CredentialsNeedFork
        | Failure::OomGroupNeedsFork
        | Failure::HooksNotCopied
        | Failure::FunctionNotCopied
        | Failure::NothingToInherit
        | Failure::NoGroup
        | Failure::OwnGroup
        | Failure::NoSession
        | Failure::NotInCgroup
        | Failure::OwnCgroup
        | Failure::Hook { .. } => Errno::INVAL,
        Failure::CloneUnavailable | Failure::AfterFork | Failure::NoCgroup | Failure::CgroupController { .. } => {
            Errno::OPNOTSUPP
        }
        Failure::NotACgroup(_) => Errno::BADF,
        Failure::HookPanicked { .. } | Failure::HookEnded(_) | Failure::Killed(_) => Errno::CANCELED,
        Failure::Reaped(_) | Failure::NotAChild | Failure::GroupGone => Errno::CHILD,
        Failure::GroupIsLaunching => Errno::DEADLK,
        Failure::Shared | Failure::CgroupNotEmpty => Errno::BUSY,
        Failure::StillRuns | Failure::TimedOut => Errno::TIMEDOUT,
        Failure::OutputLimit => Errno::FBIG,
        // Each of these has the number of its system call. EIO is for an error of std that has no number.
        Failure::Open { .. }
        | Failure::ParentOpen { .. }
        | Failure::CheckFd { .. }
        | Failure::CheckIds
        | Failure::Cgroup { .. }
        | Failure::CgroupNotDelegated(_)
        | Failure::CgroupDirectory(_)
        | Failure::CgroupFile { .. }
        | Failure::NotRestored { .. }
        | Failure::Flush
        | Failure::Thread
        | Failure::PrivateTable
        | Failure::SendFds
        | Failure::Launch(_)
        | Failure::SignalMask
        | Failure::Child(_)
        | Failure::WorkingDirectory(_)
        | Failure::ChangeRoot(_)
        | Failure::Groups(_)
        | Failure::Affinity(_)
        | Failure::ExecDescriptor { .. }
        | Failure::ScriptByDescriptor
        | Failure::ProgramReplaced
        | Failure::Candidates
        | Failure::Exec
        | Failure::Interpreter { .. }
        | Failure::NoProcessList
        | Failure::Wait
        | Failure::Signal
        | Failure::Read
        | Failure::Write
        | Failure::Events
        | Failure::Status { .. } => Errno::IO,
    }
}

/// The kind of a failure that is not one of a system call.
pub(super) fn kind_without_a_call(failure: &Failure) -> io::ErrorKind {
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
        | Failure::NotACgroup(_)
        | Failure::NothingToInherit => io::ErrorKind::InvalidInput,
        Failure::CloneUnavailable | Failure::AfterFork | Failure::NoCgroup | Failure::CgroupController { .. } => {
            io::ErrorKind::Unsupported
        }
        Failure::CgroupNotEmpty => io::ErrorKind::ResourceBusy,
        _ => io::ErrorKind::Other,
    }
}
