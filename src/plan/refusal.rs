//! Why a plan is refused.

use std::fmt;
use std::os::fd::RawFd;

/// Why a plan is refused, before anything is cloned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// A target is below zero.
    NegativeTarget {
        /// The number asked for.
        target: RawFd,
    },
    /// A target is at the soft limit of descriptors (`RLIMIT_NOFILE`) or above.
    TargetBeyondLimit {
        /// The number asked for.
        target: RawFd,
        /// The soft limit: the first number that cannot be used.
        limit: RawFd,
    },
    /// A target was given twice.
    TargetTwice {
        /// The number asked for.
        target: RawFd,
    },
    /// A descriptor to keep has the number of a target.
    KeepCollides {
        /// The number asked for.
        target: RawFd,
    },
    /// The source of a target is not open in the parent.
    SourceNotOpen {
        /// The number asked for.
        target: RawFd,
        /// The number that is not open.
        source: RawFd,
    },
    /// The source of a target was moved into the command, and an earlier spawn gave it away.
    SourceSpent {
        /// The number asked for.
        target: RawFd,
    },
    /// `Stdio::same_as` names a number that the plan does not open.
    SameAsNothing {
        /// The number asked for.
        target: RawFd,
        /// The number that it should be the same as.
        same_as: RawFd,
    },
    /// `Stdio::same_as` comes back to its own target.
    SameAsItself {
        /// The number asked for.
        target: RawFd,
    },
    /// `Stdio::piped` on a number other than 0, 1 and 2, where the direction is not known.
    PipedWhere {
        /// The number asked for.
        target: RawFd,
    },
    /// No number below the limit is free for breaking a cycle.
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
                "the source of target {target} was given away by an earlier spawn; lend it (a reference) or share it \
                 (an Arc) to spawn again"
            ),
            Self::SameAsNothing { target, same_as } => {
                write!(f, "target {target} is to be the same as {same_as}, which the plan does not open")
            }
            Self::SameAsItself { target } => write!(f, "target {target} is to be the same as itself"),
            Self::PipedWhere { target } => {
                write!(f, "target {target} is piped without a direction; use Command::reader or Command::writer")
            }
            Self::NoScratch { limit } => {
                write!(f, "no number below the limit of open descriptors, {limit}, is free to break a cycle")
            }
        }
    }
}

impl std::error::Error for Refusal {}
