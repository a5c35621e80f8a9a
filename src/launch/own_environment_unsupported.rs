//! Replaces `own_environment.rs` on systems where no system call reads the process's own memory: there the program always gets what the
//! hooks have left of the environment.

use std::ffi::c_char;

/// What `environ` is beside the parent's copy: that is not known.
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
