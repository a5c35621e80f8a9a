//! Opens and reads files of `/proc`.

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;
use std::os::fd::OwnedFd;

/// Opens the directory `name` of another directory.
pub(super) fn open_directory(parent: &OwnedFd, name: impl rustix::path::Arg) -> Result<OwnedFd, Errno> {
    openat(parent, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// Reads the beginning of a file, as much as the buffer takes. Returns what was read.
pub(super) fn read_start<'buffer>(
    directory: &OwnedFd,
    name: impl rustix::path::Arg,
    buffer: &'buffer mut [u8],
) -> Result<&'buffer [u8], Errno> {
    let file = openat(directory, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let length = rustix::io::read(&file, &mut *buffer)?;
    Ok(&buffer[..length])
}
