//! Which numbers the library gives descriptors that it keeps.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// The first number above those that a launch copies in any case: for a child that starts with the parent's table, Linux copies the table up to
/// the child's highest source, in words of 64 numbers.
pub(crate) const HIGH: RawFd = 64;

/// No descriptor that the library keeps stays at a number from here to [`HIGH`]: they are for the sources of the next launch, and enough for three
/// pipes and a pidfd.
const RESERVED: RawFd = HIGH - 8;

/// Whether a descriptor that the library keeps should not have this number.
pub(crate) fn is_reserved(number: RawFd) -> bool {
    (RESERVED..HIGH).contains(&number)
}

/// Moves a descriptor that the library keeps, if it has a reserved number. It stays if the limit of descriptors allows no higher number.
pub(crate) fn keep(fd: OwnedFd) -> OwnedFd {
    if is_reserved(fd.as_raw_fd()) { raise(fd) } else { fd }
}

/// Moves a descriptor to the first free number from [`HIGH`] on. It stays if the limit of descriptors allows no such number.
pub(crate) fn raise(fd: OwnedFd) -> OwnedFd {
    rustix::io::fcntl_dupfd_cloexec(&fd, HIGH).unwrap_or(fd)
}
