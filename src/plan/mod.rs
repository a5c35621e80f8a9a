//! Decisions about descriptors, as data: nothing here makes a system call.
//!
//! A [`Plan`] says what the child's descriptor table has to be. [`Plan::compile`] turns it
//! into a flat list of [`Step`]s. [`Table`] is a descriptor table as data: it runs the same steps without a
//! child, and tells what the plan has to end in, by another way than the compiler's.
//!
//! ```
//! use fdspawn::plan::{Mapping, Plan, Step};
//!
//! // Swap 1 and 2, keep 0, close the rest.
//! let plan = Plan::new([
//!     Mapping::new(0, 0),
//!     Mapping::new(1, 2),
//!     Mapping::new(2, 1),
//! ]);
//! assert_eq!(
//!     plan.compile()?,
//!     [
//!         Step::CloseFrom { first: 4 },
//!         Step::Dup2 { source: 1, target: 3, close_on_exec: true },
//!         Step::Dup2 { source: 2, target: 1, close_on_exec: false },
//!         Step::Dup2 { source: 3, target: 2, close_on_exec: false },
//!         Step::Close { first: 3, last: 3 },
//!     ],
//! );
//! # Ok::<(), fdspawn::plan::Refusal>(())
//! ```

mod check;
mod compile;
mod model;
mod renumber;
mod step;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod travel;

use std::os::fd::RawFd;

pub(crate) use self::check::{Want, Wish, check};
pub(crate) use self::compile::Compiler;
pub use self::model::{NotOpen, Open, Table};
pub use self::step::Step;

/// What becomes of the rest: the descriptors that a plan does not name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rest {
    /// Close them in the child, whether close-on-exec is set or not. The default.
    #[default]
    Close,
    /// Leave them to close-on-exec, as `std::process` does: the child inherits each that does not have it set.
    Inherit,
}

/// Whose descriptor table the child starts with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Start {
    /// A private copy of the parent's table: what fork gives.
    #[default]
    Copied,
    /// The parent's own table, until the first step replaces it by a private one.
    Shared,
}

/// One descriptor of the child: its number there, and the parent's descriptor that it is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mapping {
    /// The number in the child.
    pub target: RawFd,
    /// The number in the parent.
    pub source: RawFd,
    /// Whether the source has close-on-exec set. It matters only where source and target are one number, since
    /// a duplicate never has the flag.
    pub close_on_exec: bool,
}

impl Mapping {
    /// Connects `target` in the child to the parent's `source`.
    pub const fn new(target: RawFd, source: RawFd) -> Self {
        Self { target, source, close_on_exec: false }
    }

    /// The child's `number` is the parent's, where close-on-exec may be set.
    pub const fn kept(number: RawFd, close_on_exec: bool) -> Self {
        Self { target: number, source: number, close_on_exec }
    }
}

/// What a child's descriptor table has to be, as plain data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The child's descriptors; no target is named twice.
    pub mappings: Vec<Mapping>,
    /// Numbers that must not be open in the child. They matter where the rest is inherited.
    pub closed: Vec<RawFd>,
    /// Descriptors that the child needs before exec and that close at exec. No target or hole is among them.
    pub internal_fds: Vec<RawFd>,
    /// What becomes of all other descriptors.
    pub rest: Rest,
    /// Whose table the child starts with.
    pub start: Start,
    /// The soft limit of the child's numbers: a duplicate cannot be made at it or above.
    pub limit: RawFd,
    /// A number that nobody else uses and that closes at exec, for breaking cycles. Where the rest is closed the
    /// plan chooses one itself; where it is inherited only the parent can reserve one.
    pub scratch: Option<RawFd>,
}

impl Plan {
    /// A plan that closes the rest and starts with a copied table, with no limit and nothing internal_fds.
    pub fn new(mappings: impl IntoIterator<Item = Mapping>) -> Self {
        Self {
            mappings: mappings.into_iter().collect(),
            closed: Vec::new(),
            internal_fds: Vec::new(),
            rest: Rest::Close,
            start: Start::Copied,
            limit: RawFd::MAX,
            scratch: None,
        }
    }

    /// How many bytes of memory it has.
    pub(crate) fn size(&self) -> usize {
        let numbers = self.closed.capacity() + self.internal_fds.capacity();
        self.mappings.capacity() * size_of::<Mapping>() + numbers * size_of::<RawFd>()
    }

    /// Makes it the plan of no descriptor, in the same memory.
    pub(crate) fn clear(&mut self) {
        let Self { mappings, closed, internal_fds, rest, start, limit, scratch } = self;
        mappings.clear();
        closed.clear();
        internal_fds.clear();
        (*rest, *start, *limit, *scratch) = (Rest::Close, Start::Copied, RawFd::MAX, None);
    }

    /// Whether `number` is one that the plan decides about: a target or a hole.
    pub fn decides(&self, number: RawFd) -> bool {
        self.mappings.iter().any(|connection| connection.target == number) || self.closed.contains(&number)
    }
}

impl Default for Plan {
    /// A plan of no descriptor at all.
    fn default() -> Self {
        Self::new([])
    }
}

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
