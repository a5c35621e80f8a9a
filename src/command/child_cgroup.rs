//! `ChildCgroup`: the cgroup in which a command starts its child.

use crate::cgroup::Cgroup;
use std::os::fd::{AsFd, BorrowedFd};

/// The cgroup in which a command starts its child.
#[derive(Clone, Debug)]
pub(crate) enum ChildCgroup<'fd> {
    /// The directory of a cgroup that the caller has.
    Lent(BorrowedFd<'fd>),
    /// One that the library has made. The child keeps it.
    Own(Cgroup),
}

impl ChildCgroup<'_> {
    /// The cgroup that the child keeps.
    pub(crate) fn own(&self) -> Option<&Cgroup> {
        match self {
            Self::Lent(_) => None,
            Self::Own(cgroup) => Some(cgroup),
        }
    }
}

impl AsFd for ChildCgroup<'_> {
    /// The cgroup's directory.
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Lent(directory) => *directory,
            Self::Own(cgroup) => cgroup.as_fd(),
        }
    }
}
