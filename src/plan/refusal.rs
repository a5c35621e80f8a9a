//! `Refusal`: why the library refuses a map or a plan of descriptors.

use std::fmt;
use std::os::fd::RawFd;

/// Why the library refuses a map or a plan of descriptors. It has started no child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// A target is below zero.
    NegativeTarget {
        /// The number in the child.
        target: RawFd,
    },
    /// A target is at the soft limit of descriptors (`RLIMIT_NOFILE`) or above.
    TargetBeyondLimit {
        /// The number in the child.
        target: RawFd,
        /// The soft limit: the first number that cannot be used.
        limit: RawFd,
    },
    /// The map has two sources for one target, of which one or both belong to a slot; or a plan has two mappings for it.
    TargetTwice {
        /// The number in the child.
        target: RawFd,
    },
    /// A descriptor to keep has the number of a target.
    KeepCollides {
        /// The number in the child.
        target: RawFd,
    },
    /// The source of a target is not open in the parent.
    SourceNotOpen {
        /// The number in the child.
        target: RawFd,
        /// The number that is not open.
        source: RawFd,
    },
    /// The source of a target was moved into the command, and an earlier spawn has closed it in the parent.
    SourceSpent {
        /// The number in the child.
        target: RawFd,
    },
    /// The source of a target was moved into a command, so that no copy of the command can have it.
    SourceMoved {
        /// The number in the child.
        target: RawFd,
    },
    /// `Stdio::same_as` names a number that the map does not have, or that is closed in the child.
    SameAsNothing {
        /// The number in the child.
        target: RawFd,
        /// The number that it should be the same as.
        same_as: RawFd,
    },
    /// `Stdio::same_as` names its own target, or names targets in a circle.
    SameAsItself {
        /// The number in the child.
        target: RawFd,
    },
    /// `Stdio::piped` is for 0, 1 and 2 only. For other numbers it does not say which process writes.
    PipedWhere {
        /// The number in the child.
        target: RawFd,
    },
    /// `Command::exec` got a target above 2 whose number is open in this process, and is not the command's own.
    TargetInUse {
        /// The number.
        target: RawFd,
    },
    /// `Stdio::inherit` on a number other than 0, 1 and 2, whose descriptor may belong to any part of the process.
    InheritWhere {
        /// The number.
        target: RawFd,
    },
    /// `Command::not_inherited` got a number other than 0, 1 and 2. No child inherits such a number as a standard stream.
    NotInheritedWhere {
        /// The number.
        number: RawFd,
    },
    /// The targets form a cycle, which needs one more number, and no number below the limit is free.
    NoScratch {
        /// The soft limit.
        limit: RawFd,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NegativeTarget { target } => write!(f, "target {target} is below zero"),
            Self::TargetBeyondLimit { target, limit } => {
                write!(f, "target {target} is not below the limit of open descriptors (RLIMIT_NOFILE), {limit}")
            }
            Self::TargetTwice { target } => write!(f, "target {target} is given twice"),
            Self::KeepCollides { target } => {
                write!(f, "descriptor {target} cannot be kept: a target has the same number")
            }
            Self::SourceNotOpen { target, source } if target == source => {
                write!(f, "descriptor {target} is not open in the parent")
            }
            Self::SourceNotOpen { target, source } => {
                write!(f, "the source of target {target}, descriptor {source}, is not open in the parent")
            }
            Self::SourceSpent { target } => write!(
                f,
                "an earlier spawn has closed the source of target {target}, which was moved into the command; lend it (a \
                 reference) or share it (an Arc) to spawn again"
            ),
            Self::SourceMoved { target } => {
                write!(f, "the source of target {target} was moved into it; lend it (a reference) or share it (an Arc)")
            }
            Self::SameAsNothing { target, same_as } => {
                write!(f, "target {target} is to be the same as {same_as}, which is not open in the child")
            }
            Self::SameAsItself { target } => write!(f, "target {target} is to be the same as itself"),
            Self::PipedWhere { target } => {
                write!(f, "target {target} is piped without a direction; use Command::reader or Command::writer")
            }
            Self::TargetInUse { target } => write!(
                f,
                "target {target} is in use in this process; move that descriptor into the command, or use \
                 Command::exec_any_target"
            ),
            Self::InheritWhere { target } => write!(
                f,
                "target {target} cannot be inherited by its number alone; lend the descriptor (a reference, or \
                 Command::keep), or use the unsafe Stdio::inherit_from"
            ),
            Self::NotInheritedWhere { number } => write!(
                f,
                "descriptor {number} is no standard stream, so Command::not_inherited does not apply to it; use \
                 Stdio::closed, or Rest::Close"
            ),
            Self::NoScratch { limit } => {
                write!(f, "no number below the limit of open descriptors, {limit}, is free to break a cycle")
            }
        }
    }
}

impl std::error::Error for Refusal {}
