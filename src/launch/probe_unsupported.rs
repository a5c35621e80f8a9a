//! Replaces `probe.rs` on systems without clone, where the launcher is always fork.

use crate::platform::Features;
use rustix::io::Errno;

/// The missing features.
pub(crate) fn missing() -> Result<Features, Errno> {
    Ok(known_missing())
}

/// The features that are known to be missing.
pub(crate) const fn known_missing() -> Features {
    Features::CLONE
}

/// Does nothing: fork needs no feature that the kernel could refuse.
pub(crate) fn remember_missing(_: Features) {}

/// Always false: fork has no fallback.
pub(super) fn is_refusal(_: Errno) -> bool {
    false
}
