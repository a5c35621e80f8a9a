//! What stands for `probe.rs` on systems without clone: there the launcher is always fork.

use crate::platform::Features;
use rustix::io::Errno;

/// The features that are missing here.
pub(crate) fn missing() -> Result<Features, Errno> {
    Ok(known_missing())
}

/// The features that are known to be missing.
pub(crate) const fn known_missing() -> Features {
    Features::CLONE
}

/// Does nothing: the kernel refuses no more than what is missing anyway.
pub(crate) fn remember_missing(_: Features) {}

/// The kernel refuses no more than what is missing anyway.
pub(super) fn is_refusal(_: Errno) -> bool {
    false
}
