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
            | Refusal::SameAsNothing { .. } => Errno::BADF,
            Refusal::NoScratch { .. } => Errno::MFILE,
            Refusal::TargetInUse { .. } => Errno::BUSY,
            Refusal::TargetTwice { .. }
            | Refusal::KeepCollides { .. }
            | Refusal::SameAsItself { .. }
            | Refusal::PipedWhere { .. }
            | Refusal::InheritWhere { .. } => Errno::INVAL,
        },
        Failure::NulByte(_)
        | Failure::VariableName(_)
        | Failure::HookNeedsFork
        | Failure::NothingToInherit
        | Failure::Hook { .. } => Errno::INVAL,
        Failure::CloneUnavailable | Failure::AfterFork => Errno::OPNOTSUPP,
        Failure::HookPanicked { .. } | Failure::HookEnded(_) | Failure::Killed(_) => Errno::CANCELED,
        // Each has the number of its system call.
        _ => Errno::IO,
    }
}

/// The kind of a failure that is not one of a system call.
pub(super) fn kind_without_a_call(failure: &Failure) -> io::ErrorKind {
    match failure {
        Failure::Refused(_)
        | Failure::NulByte(_)
        | Failure::VariableName(_)
        | Failure::HookNeedsFork
        | Failure::NothingToInherit => io::ErrorKind::InvalidInput,
        Failure::CloneUnavailable | Failure::AfterFork => io::ErrorKind::Unsupported,
        _ => io::ErrorKind::Other,
    }
}
