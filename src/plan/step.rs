//! What the child does, one step at a time.

use std::fmt;
use std::os::fd::RawFd;

/// One step of the child between the clone and the exec.
///
/// The numbers are descriptors in the child. The library's compiler makes all steps: those of [`Plan::compile`], and at a
/// spawn those of the command's attributes. [`Explanation`] and errors show them.
///
/// [`Plan::compile`]: crate::plan::Plan::compile
/// [`Explanation`]: crate::Explanation
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// Leave the table shared with the parent for a private one that holds only the numbers below `first`.
    UnshareFiles {
        /// The first number that the private table does not hold.
        first: RawFd,
    },
    /// Close all numbers from `first` up.
    CloseFrom {
        /// The first number that is closed.
        first: RawFd,
    },
    /// Close all numbers from `first` to `last`; those that are not open are passed over.
    Close {
        /// The first number that is closed.
        first: RawFd,
        /// The last number that is closed.
        last: RawFd,
    },
    /// Clear close-on-exec.
    ClearCloexec {
        /// The descriptor.
        fd: RawFd,
    },
    /// Make `target` a duplicate of `source`, closing what `target` was.
    Dup2 {
        /// The descriptor that is duplicated.
        source: RawFd,
        /// The number of the duplicate.
        target: RawFd,
        /// Whether the duplicate closes at exec.
        close_on_exec: bool,
    },
    /// Give each signal that the parent handles its default disposition.
    DefaultHandlers,
    /// Give SIGPIPE its default disposition.
    DefaultSigpipe,
    /// Change the working directory to the command's path.
    ChangeDirectory {
        /// Which string of the launch the path is.
        path: StringId,
    },
    /// Change the working directory to the one that `fd` refers to.
    ChangeDirectoryTo {
        /// A descriptor of the directory.
        fd: RawFd,
    },
    /// Take the caller's signal mask.
    SignalMask,
    /// Run the command's hooks, in the order in which they were added.
    Hooks,
    /// Become the program.
    Exec,
    /// Run the function of a `fork_run`.
    Run,
}

/// A string that a step names: its index among the strings that the parent prepares for one launch.
///
/// A step does not have the string itself, so that it stays plain data that can be copied into any child.
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
