//! Replaces `vfork.rs` on systems without clone, where the launcher is always fork.

use super::child::ChildArgs;
use rustix::io::Errno;
use std::os::fd::{OwnedFd, RawFd};

/// How to clone. No code reads it on these systems.
#[expect(dead_code, reason = "the launch code that all systems share makes one")]
pub(super) struct CloneOptions {
    pub(super) clone3: bool,
    pub(super) shared_table: bool,
    pub(super) pidfd: bool,
    pub(super) cgroup: Option<RawFd>,
}

/// Always fails. No mode uses it on these systems.
///
/// # Safety
///
/// There is no condition.
pub(super) unsafe fn clone_child(_: CloneOptions, _: &ChildArgs<'_, '_>) -> Result<(i32, Option<OwnedFd>), Errno> {
    Err(Errno::NOSYS)
}
