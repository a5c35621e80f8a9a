//! `ForAll`: what a graph has set for all of its stages, for those that are added later.

#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::cgroup::Cgroup;
use crate::command::Command;
use crate::group::Group;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::os::fd::BorrowedFd;

/// What stages have that are added later.
#[derive(Debug, Default)]
pub(super) struct ForAll<'fd> {
    pub(super) group: Option<&'fd Group>,
    pub(super) setsid: Option<bool>,
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) cgroup: Option<SharedCgroup<'fd>>,
}

/// The cgroup of all stages: one of the caller, or one that the library has made.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[derive(Debug)]
pub(super) enum SharedCgroup<'fd> {
    Lent(BorrowedFd<'fd>),
    Own(Cgroup),
}

impl<'fd> ForAll<'fd> {
    /// Gives a stage that is added what all have.
    pub(super) fn apply(&self, command: &mut Command<'fd>) {
        if let Some(group) = self.group {
            command.group(group);
        }
        if let Some(setsid) = self.setsid {
            command.setsid(setsid);
        }
        #[cfg(any(target_os = "linux", target_os = "android"))]
        match &self.cgroup {
            None => {}
            Some(SharedCgroup::Lent(directory)) => _ = command.cgroup(*directory),
            Some(SharedCgroup::Own(cgroup)) => _ = command.own_cgroup(cgroup),
        }
    }
}
