//! Opens and reads files of `/proc`.

use crate::fd::standard::open_above_stdio;
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;
use std::os::fd::{AsFd, OwnedFd};

/// Opens a file of a directory, with a number above 2 and close-on-exec. No lock is held from one file to the next: a spawn of another thread
/// would wait for all of the search.
pub(super) fn open(directory: impl AsFd, name: impl rustix::path::Arg, flags: OFlags) -> Result<OwnedFd, Errno> {
    open_above_stdio(|| openat(directory, name, flags | OFlags::CLOEXEC, Mode::empty()))
}

/// Opens the directory `name` of another directory.
pub(super) fn open_directory(parent: impl AsFd, name: impl rustix::path::Arg) -> Result<OwnedFd, Errno> {
    open(parent, name, OFlags::RDONLY | OFlags::DIRECTORY)
}

/// Reads the beginning of a file, as much as the buffer takes. Returns what was read.
pub(super) fn read_start<'buffer>(
    directory: &OwnedFd,
    name: impl rustix::path::Arg,
    buffer: &'buffer mut [u8],
) -> Result<&'buffer [u8], Errno> {
    let file = open(directory, name, OFlags::RDONLY)?;
    let length = rustix::io::read(&file, &mut *buffer)?;
    Ok(&buffer[..length])
}
