//! `Step`: one thing that the child does.

use std::fmt;
use std::os::fd::RawFd;

/// One step of the child between clone and exec.
///
/// The numbers are descriptors in the child. [`Plan::compile`] makes the steps for descriptors; a spawn adds those of the
/// command's attributes. [`Explanation`] and errors show steps.
///
/// [`Plan::compile`]: crate::plan::Plan::compile
/// [`Explanation`]: crate::Explanation
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
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
    /// Give SIGPIPE its default disposition.
    DefaultSigpipe,
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
    /// Set the program's signal mask: the one that the caller had at the spawn.
    SignalMask,
    /// Run the `pre_exec` hooks, in the order in which the caller added them.
    Hooks,
    /// Execute the program (`execve(2)`).
    Exec,
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

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
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
            Self::DefaultSigpipe => f.write_str("reset SIGPIPE"),
            Self::ChangeDirectory { .. } => f.write_str("change the working directory"),
            Self::ChangeDirectoryTo { fd } => write!(f, "change the working directory to that of descriptor {fd}"),
            Self::SignalMask => f.write_str("restore the signal mask"),
            Self::Hooks => f.write_str("run the hooks"),
            Self::Exec => f.write_str("exec the program"),
            Self::Run => f.write_str("run the function"),
        }
    }
}
