//! Replaces `own_environment.rs` on systems where no system call reads the process's own memory: there the program always gets the
//! environment as it is after the hooks.

use std::ffi::c_char;

/// Stands for a comparison of `environ` with the parent's copy, which these systems do not make.
pub(super) struct Sight;

/// Whether hooks have changed the environment. It counts as changed.
pub(super) fn is_changed(_: Sight, _: Sight) -> bool {
    true
}

/// Does nothing.
///
/// # Safety
///
/// There is no condition.
pub(super) unsafe fn look(_: *const *const c_char) -> Sight {
    Sight
}
