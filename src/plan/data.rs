//! `Plan`: what a child's descriptor table has to be, as plain data.

use super::mapping::Mapping;
use std::os::fd::RawFd;

/// What becomes of the rest: the descriptors that the caller's map, or a plan, does not name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rest {
    /// The child closes them, even if close-on-exec is not set. The default.
    #[default]
    Close,
    /// The child inherits those that do not have close-on-exec set, as with `std::process`.
    Inherit,
}

/// The descriptor table on which the steps work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Start {
    /// A private copy of the parent's table, as `fork(2)` makes it.
    #[default]
    Copied,
    /// The parent's own table (`CLONE_FILES`). The first step leaves it for a private one.
    Shared,
    /// The calling process's own table, for `Command::exec`. The steps close nothing. Before them, the library sets
    /// close-on-exec of the rest.
    InPlace,
}

/// A descriptor that the library itself needs in the child until exec. It closes at exec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InternalFd {
    /// Its number, in the parent and in the child.
    pub fd: RawFd,
    /// Its purpose.
    pub role: Role,
}

/// The purpose of a descriptor of the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// The write end of the pipe on which a forked child reports an error.
    Errpipe,
    /// The directory that the child changes to.
    WorkingDirectory,
    /// The program's file.
    Program,
    /// The terminal that becomes the controlling terminal, or whose foreground the child becomes.
    Terminal,
    /// The `cgroup.procs` file of the cgroup that the child joins.
    Cgroup,
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Errpipe => "the library's report of errors, until exec",
            Self::WorkingDirectory => "the working directory, until exec",
            Self::Program => "the program, until exec",
            Self::Terminal => "the terminal, until exec",
            Self::Cgroup => "the cgroup, until exec",
        })
    }
}

/// What a child's descriptor table has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The child's descriptors. No two have the same target.
    pub mappings: Vec<Mapping>,
    /// Numbers that must be closed in the child. With [`Rest::Close`] that is so for all numbers that are not targets.
    pub closed: Vec<RawFd>,
    /// The library's own descriptors in the child. Their numbers are neither targets nor in `closed`.
    pub internal_fds: Vec<InternalFd>,
    /// What becomes of all other descriptors.
    pub rest: Rest,
    /// The table on which the steps work.
    pub start: Start,
    /// Whether hooks run after the duplicates and before the closes. Hooks find the parent's descriptors open, other than
    /// those that targets have replaced. So the compiler does not know which numbers are free, and the parent has to reserve a
    /// scratch number.
    pub hooks: bool,
    /// The soft limit of descriptors (`RLIMIT_NOFILE`). `dup2(2)` fails for numbers that are not below it.
    pub limit: RawFd,
    /// A number for the extra duplicate of a cycle. It has no other use, and closes at exec. With [`Rest::Close`] the compiler
    /// chooses one itself. With [`Rest::Inherit`] the compiler cannot know which numbers are free, so the parent has to
    /// reserve one.
    pub scratch: Option<RawFd>,
}

impl Plan {
    /// A plan that closes the rest and starts with a copied table. It has no limit and no internal descriptors.
    pub fn new(mappings: impl IntoIterator<Item = Mapping>) -> Self {
        Self {
            mappings: mappings.into_iter().collect(),
            closed: Vec::new(),
            internal_fds: Vec::new(),
            rest: Rest::Close,
            start: Start::Copied,
            hooks: false,
            limit: RawFd::MAX,
            scratch: None,
        }
    }

    /// How many bytes of memory the plan has.
    pub(crate) fn size(&self) -> usize {
        self.mappings.capacity() * size_of::<Mapping>()
            + self.closed.capacity() * size_of::<RawFd>()
            + self.internal_fds.capacity() * size_of::<InternalFd>()
    }

    /// Removes everything from the plan, and keeps its memory.
    pub(crate) fn clear(&mut self) {
        let Self { mappings, closed, internal_fds, rest, start, hooks, limit, scratch } = self;
        mappings.clear();
        closed.clear();
        internal_fds.clear();
        (*rest, *start, *hooks, *limit, *scratch) = (Rest::Close, Start::Copied, false, RawFd::MAX, None);
    }

    /// Whether the plan decides about `number`: it is a target, or in [`Plan::closed`].
    pub fn decides(&self, number: RawFd) -> bool {
        self.mappings.iter().any(|mapping| mapping.target == number) || self.closed.contains(&number)
    }

    /// Whether the parent has to reserve the scratch number, since the compiler does not know which numbers are free.
    pub(crate) fn needs_reserved_scratch(&self) -> bool {
        self.rest == Rest::Inherit || self.start == Start::InPlace || self.hooks
    }
}

impl Default for Plan {
    /// A plan of no descriptors.
    fn default() -> Self {
        Self::new([])
    }
}
