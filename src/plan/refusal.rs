//! `Refusal`: why the library refuses a map or a plan of descriptors, or an attribute.

use super::limit_names::{LimitValue, ResourceName};
use super::signals::SignalName;
use rustix::process::Resource;
use std::fmt;
use std::os::fd::RawFd;

/// Why the library refuses a map or a plan of descriptors, or an attribute of the child. It has started no child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// The command has both a new session and a process group. The leader of a session leads a group, too, and cannot leave it.
    SessionAndGroup,
    /// The number of a process group is below zero.
    NegativeGroup {
        /// The number.
        group: i32,
    },
    /// The drop of the child should end its process group ([`Reach::Group`](crate::Reach::Group)), and the command gives it none:
    /// `process_group(0)`, `setsid` or `group`.
    DropReachesNoGroup,
    /// The drop of the child should end its session ([`Reach::Session`](crate::Reach::Session)), and the command makes none (`setsid`).
    DropReachesNoSession,
    /// The drop of the child should end its cgroup (`Reach::Cgroup`), and the command starts it in none that the library has made
    /// (`own_cgroup`).
    DropReachesNoCgroup,
    /// The command has a controlling terminal, but no new session. Only the leader of a session can get a controlling terminal.
    TerminalWithoutSession,
    /// The command puts the child in the foreground and has a new session, which has no terminal, and no controlling terminal.
    ForegroundWithoutTerminal,
    /// The descriptor of a cgroup is no directory of a cgroup file system, version 2.
    NotACgroup {
        /// The descriptor in the parent.
        fd: RawFd,
    },
    /// The cgroup is frozen. A child in it would not run, and the parent would wait for it.
    FrozenCgroup {
        /// The descriptor in the parent.
        fd: RawFd,
    },
    /// An `oom_score_adj` is not from -1000 to 1000.
    OomScore {
        /// The value.
        value: i32,
    },
    /// The priority of a real-time scheduler is not from 1 to 99.
    Priority {
        /// The priority.
        priority: u8,
    },
    /// The set of CPUs is empty.
    NoCpus,
    /// A umask has other bits than the nine of the permissions.
    Umask {
        /// The mask.
        mask: u32,
    },
    /// A soft limit is above the hard limit.
    SoftAboveHard {
        /// The resource.
        resource: Resource,
        /// The soft limit; the highest value stands for no limit.
        soft: u64,
        /// The hard limit; the highest value stands for no limit.
        hard: u64,
    },
    /// The highest value of an id is none: to the kernel it means "no change".
    NotAnId {
        /// The value.
        id: u32,
    },
    /// There are more supplementary groups than the system takes.
    TooManyGroups {
        /// How many.
        count: usize,
        /// How many the system takes.
        limit: usize,
    },
    /// No process can ignore this signal.
    CannotIgnore {
        /// The number of the signal.
        signal: i32,
    },
    /// The list of programs is empty.
    NoPrograms,
    /// The command has both a program given by a descriptor and a list of programs.
    TwoPrograms,
    /// The command runs a function in place of a program, and has arguments, which no function gets.
    FunctionWithArguments,
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
            Self::SessionAndGroup => f.write_str("a new session and a process group exclude each other"),
            Self::NegativeGroup { group } => write!(f, "process group {group} is below zero"),
            Self::DropReachesNoGroup => f.write_str(
                "on_drop reaches a process group, and the command makes none (process_group(0), setsid or group)",
            ),
            Self::DropReachesNoCgroup => f.write_str(
                "on_drop reaches a cgroup, and the command starts the child in none of its own (own_cgroup)",
            ),
            Self::DropReachesNoSession => f.write_str("on_drop reaches a session, and the command makes none (setsid)"),
            Self::TerminalWithoutSession => f.write_str("a controlling terminal needs a new session (setsid)"),
            Self::ForegroundWithoutTerminal => {
                f.write_str("a new session has no foreground without a controlling terminal (controlling_terminal)")
            }
            Self::NotACgroup { fd } => write!(f, "descriptor {fd} is no directory of a cgroup, version 2"),
            Self::FrozenCgroup { fd } => {
                write!(f, "the cgroup of descriptor {fd} is frozen, so no child can run in it")
            }
            Self::OomScore { value } => write!(f, "oom_score_adj {value} is not from -1000 to 1000"),
            Self::Priority { priority } => write!(f, "real-time priority {priority} is not from 1 to 99"),
            Self::NoCpus => f.write_str("the set of CPUs is empty"),
            Self::Umask { mask } => write!(f, "umask {mask:#o} has more than the nine bits of the permissions"),
            Self::SoftAboveHard { resource, soft, hard } => {
                let soft = LimitValue::of(soft);
                write!(f, "the soft limit {soft} of {} is above the hard limit {hard}", ResourceName(resource))
            }
            Self::NotAnId { id } => write!(f, "{id} is no id of a user or a group"),
            Self::TooManyGroups { count, limit } => {
                write!(f, "{count} supplementary groups are more than the system takes, {limit}")
            }
            Self::CannotIgnore { signal } => write!(f, "no process can ignore {}", SignalName(signal)),
            Self::NoPrograms => f.write_str("the list of programs is empty"),
            Self::TwoPrograms => {
                f.write_str("a program given as a descriptor and a list of programs exclude each other")
            }
            Self::FunctionWithArguments => f.write_str("a function gets no arguments"),
        }
    }
}

impl std::error::Error for Refusal {}
