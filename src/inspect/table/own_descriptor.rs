//! Asks the system about a descriptor of the calling thread by its number. The calls open no descriptor, so they also
//! work at the limit of descriptors, and without `/proc`.
#![allow(unsafe_code, reason = "the table is read by number, and may change at the same time")]

use super::classify::FileSystem;
use super::sockets::Socket;
use super::status::{self, FileStatus};
use crate::inspect::access::EntryFlags;
use crate::inspect::fdinfo::FdInfo;
use rustix::io::Errno;
use std::os::fd::{BorrowedFd, RawFd};

/// Runs `ask` on a number that may be closed. It must not be negative.
fn with<T>(number: RawFd, ask: impl FnOnce(BorrowedFd<'_>) -> T) -> T {
    // SAFETY: the number may be closed or reused; the calls in `ask` change nothing.
    ask(unsafe { BorrowedFd::borrow_raw(number) })
}

/// Reads the flags of a descriptor.
pub(super) fn flags(number: RawFd) -> Result<EntryFlags, Errno> {
    with(number, |fd| {
        let close_on_exec = rustix::io::fcntl_getfd(fd)?.contains(rustix::io::FdFlags::CLOEXEC);
        let status = rustix::fs::fcntl_getfl(fd)?.bits() as i32;
        Ok(EntryFlags { status: status & !libc::O_CLOEXEC, close_on_exec })
    })
}

/// Reads the status of a descriptor's file.
pub(super) fn status(number: RawFd) -> Result<FileStatus, Errno> {
    with(number, status::of_descriptor)
}

/// Adds the flags and the offset to `info`, if fdinfo did not have them.
pub(super) fn complete(info: &mut FdInfo, number: RawFd, flags: EntryFlags) {
    info.flags = info.flags.or(Some(flags));
    // lseek(2) by 0 bytes from the current offset, which changes nothing.
    info.offset = info.offset.or_else(|| with(number, |fd| rustix::fs::tell(fd)).ok());
}

/// Asks a socket for its addresses and its state. `None` if the descriptor is no socket.
pub(super) fn socket(number: RawFd) -> Option<Socket> {
    with(number, Socket::of)
}

/// The kind of file system that has the descriptor's file.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn file_system(number: RawFd) -> Option<FileSystem> {
    with(number, |fd| rustix::fs::fstatfs(fd)).ok().map(|stat| FileSystem::from_magic(stat.f_type as u32))
}

/// Returns `None`: these file systems are Linux's.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn file_system(_: RawFd) -> Option<FileSystem> {
    None
}

/// Whether a descriptor refers to a terminal. Linux has a list of terminal drivers instead.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn is_terminal(number: RawFd) -> bool {
    with(number, |fd| std::io::IsTerminal::is_terminal(&fd))
}
