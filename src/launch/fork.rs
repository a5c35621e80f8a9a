//! The fork launcher: a child with a copy of the parent's memory.

use super::child::{ChildArgs, child_main};
use crate::sys;
use rustix::io::Errno;

/// Forks a child that does its steps. Returns its pid.
///
/// # Safety
///
/// All signals are blocked, and the steps are sound to run in a forked child.
pub(super) unsafe fn fork(args: &ChildArgs<'_, '_>) -> Result<i32, Errno> {
    // SAFETY: the child does nothing but run its steps. Without code of the caller, these make system calls only directly.
    let pid = unsafe { if args.image.has_callers_code() { sys::fork() } else { sys::fork_to_exec() } }?;
    if pid != 0 {
        return Ok(pid);
    }
    if let Some(release) = args.release {
        release.register();
    }
    child_main(args)
}
