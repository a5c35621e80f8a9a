//! What a child's descriptor table has to be, as plain data.

use super::mapping::Mapping;
use std::os::fd::RawFd;

/// What becomes of the rest: the descriptors that a plan does not name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rest {
    /// Close them in the child, whether close-on-exec is set or not. The default.
    #[default]
    Close,
    /// Leave them to close-on-exec, as `std::process` does: the child inherits each that does not have it set.
    Inherit,
}

/// The descriptor table on which the steps work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Start {
    /// A private copy of the parent's table, as fork makes it.
    #[default]
    Copied,
    /// The parent's own table, until the first step replaces it by a private one.
    Shared,
    /// The calling process's own table, for `Command::exec`. The steps close nothing there: the rest has close-on-exec
    /// set beforehand.
    InPlace,
}

/// A descriptor that the library itself needs in the child until exec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InternalFd {
    /// Its number, in the parent and in the child.
    pub fd: RawFd,
    /// What the library needs it for.
    pub role: Role,
}

/// What the library needs a descriptor for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// The write end of the pipe on which a forked child reports an error.
    Errpipe,
    /// The directory that the child changes to.
    WorkingDirectory,
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Errpipe => "the library's report of errors, until exec",
            Self::WorkingDirectory => "the working directory, until exec",
        })
    }
}

/// What a child's descriptor table has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The child's descriptors; no target is named twice.
    pub mappings: Vec<Mapping>,
    /// Numbers that must not be open in the child. They matter if the rest is inherited.
    pub closed: Vec<RawFd>,
    /// Descriptors that the child needs before exec and that close at exec. None of them is a target or closed.
    pub internal_fds: Vec<InternalFd>,
    /// What becomes of all other descriptors.
    pub rest: Rest,
    /// The table on which the steps work.
    pub start: Start,
    /// The soft limit of the child's numbers: a duplicate can only be made below it.
    pub limit: RawFd,
    /// A number that is used for nothing else and closes at exec, for breaking cycles. If the rest is closed, the
    /// compiler chooses one itself. If it is inherited, only the parent can reserve one.
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

    /// Makes it a plan of no descriptor, and keeps its memory.
    pub(crate) fn clear(&mut self) {
        let Self { mappings, closed, internal_fds, rest, start, limit, scratch } = self;
        mappings.clear();
        closed.clear();
        internal_fds.clear();
        (*rest, *start, *limit, *scratch) = (Rest::Close, Start::Copied, RawFd::MAX, None);
    }

    /// Whether the plan decides about `number`: it is a target, or closed.
    pub fn decides(&self, number: RawFd) -> bool {
        self.mappings.iter().any(|mapping| mapping.target == number) || self.closed.contains(&number)
    }

    /// Whether only the parent can reserve a scratch number, since any free number may be in use.
    pub(crate) fn needs_reserved_scratch(&self) -> bool {
        self.rest == Rest::Inherit || self.start == Start::InPlace
    }
}

impl Default for Plan {
    /// A plan of no descriptor at all.
    fn default() -> Self {
        Self::new([])
    }
}
