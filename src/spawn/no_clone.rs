//! What stands for `clone.rs` and `probe.rs` on systems without clone: the launcher is always fork.

use super::Cloned;
use super::child::Orders;
use crate::platform::Features;
use rustix::io::Errno;

/// The rungs that are missing here.
pub(super) fn missing() -> Result<Features, Errno> {
    Ok(known_missing())
}

/// The rungs known to be missing.
pub(super) const fn known_missing() -> Features {
    Features::CLONE
}

/// Nothing is refused here but what is missing anyway.
pub(super) fn lost(_: Features) {}

/// Nothing is refused here but what is missing anyway.
pub(super) fn is_refusal(_: Errno) -> bool {
    false
}

/// Never called, since [`missing`] says so.
///
/// # Safety
///
/// None is needed.
pub(super) unsafe fn child(_: bool, _: bool, _: bool, _: &Orders<'_>) -> Result<Cloned, Errno> {
    Err(Errno::NOSYS)
}
