//! Directories of `/proc`, which the library does not read on these systems.

use rustix::io::Errno;
use std::ffi::CStr;
use std::os::fd::RawFd;

/// Fails: the library reads no list of descriptors on these systems.
pub(crate) fn open_directory(_: &CStr) -> Result<RawFd, Errno> {
    Err(Errno::NOSYS)
}

/// Returns `false`: see [`open_directory`].
pub(crate) fn is_in_proc(_: RawFd) -> bool {
    false
}

/// Fails: see [`open_directory`].
pub(crate) fn read_directory(_: RawFd, _: &mut [u8]) -> Result<usize, Errno> {
    Err(Errno::NOSYS)
}
