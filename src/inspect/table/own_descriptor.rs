//! Asks the system about a descriptor of the calling thread by its number. The calls open no descriptor, so they also
//! work at the limit of descriptors, and without `/proc`.

use super::classify::FileSystem;
use super::sockets::Socket;
use super::status::{self, FileStatus};
use crate::fd::with_number;
use crate::inspect::access::EntryFlags;
use crate::inspect::fdinfo::FdInfo;
use rustix::io::Errno;
use std::os::fd::RawFd;

/// Reads the flags of a descriptor.
pub(super) fn flags(number: RawFd) -> Result<EntryFlags, Errno> {
    with_number(number, |fd| {
        let close_on_exec = rustix::io::fcntl_getfd(fd)?.contains(rustix::io::FdFlags::CLOEXEC);
        let status = rustix::fs::fcntl_getfl(fd)?.bits() as i32;
        Ok(EntryFlags { status: status & !libc::O_CLOEXEC, close_on_exec })
    })
}

/// Reads the status of a descriptor's file.
pub(super) fn status(number: RawFd) -> Result<FileStatus, Errno> {
    with_number(number, status::of_descriptor)
}

/// Adds the flags and the offset to `info`, if fdinfo did not have them.
pub(super) fn complete(info: &mut FdInfo, number: RawFd, flags: EntryFlags) {
    info.flags = info.flags.or(Some(flags));
    // lseek(2) by 0 bytes from the current offset, which changes nothing.
    info.offset = info.offset.or_else(|| with_number(number, |fd| rustix::fs::tell(fd)).ok());
}

/// Asks a socket for its addresses and its state. `None` if the descriptor is no socket.
pub(super) fn socket(number: RawFd) -> Option<Socket> {
    with_number(number, Socket::of)
}

/// The kind of file system that has the descriptor's file.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn file_system(number: RawFd) -> Option<FileSystem> {
    with_number(number, |fd| rustix::fs::fstatfs(fd)).ok().map(|stat| FileSystem::from_magic(stat.f_type as u32))
}

/// Returns `None`: these file systems are Linux's.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn file_system(_: RawFd) -> Option<FileSystem> {
    None
}

/// Whether a descriptor refers to a terminal. Linux has a list of terminal drivers instead.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn is_terminal(number: RawFd) -> bool {
    with_number(number, |fd| std::io::IsTerminal::is_terminal(&fd))
}
