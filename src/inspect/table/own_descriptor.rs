//! What the system tells of a descriptor of this thread's own table by its number. That needs no other descriptor, so
//! it works where nothing can be opened any more, and where there is no `/proc`.
#![allow(unsafe_code, reason = "the system is asked by number, of whatever is open there")]

use super::classify::FileSystem;
use super::sockets::Socket;
use super::status::{self, FileStatus};
use crate::inspect::access::EntryFlags;
use crate::inspect::fdinfo::FdInfo;
use rustix::io::Errno;
use std::os::fd::{BorrowedFd, RawFd};

/// Runs `ask` on whatever is open at `number`, which is not negative.
fn with<T>(number: RawFd, ask: impl FnOnce(BorrowedFd<'_>) -> T) -> T {
    // SAFETY: the number may be closed or another's; only questions are asked.
    ask(unsafe { BorrowedFd::borrow_raw(number) })
}

pub(super) fn flags(number: RawFd) -> Result<EntryFlags, Errno> {
    with(number, |fd| {
        let close_on_exec = rustix::io::fcntl_getfd(fd)?.contains(rustix::io::FdFlags::CLOEXEC);
        let status = rustix::fs::fcntl_getfl(fd)?.bits() as i32;
        Ok(EntryFlags { status: status & !libc::O_CLOEXEC, close_on_exec })
    })
}

pub(super) fn status(number: RawFd) -> Result<FileStatus, Errno> {
    with(number, status::of_descriptor)
}

/// Adds what is not known of an own descriptor and can be asked.
pub(super) fn complete(info: &mut FdInfo, number: RawFd, flags: EntryFlags) {
    info.flags = info.flags.or(Some(flags));
    // Where it stands; it is not moved.
    info.offset = info.offset.or_else(|| with(number, |fd| rustix::fs::tell(fd)).ok());
}

/// What a socket says of itself.
pub(super) fn socket(number: RawFd) -> Option<Socket> {
    with(number, Socket::of)
}

/// Which kind of file system the file is in, where the system has such kinds.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn file_system(number: RawFd) -> Option<FileSystem> {
    with(number, |fd| rustix::fs::fstatfs(fd)).ok().map(|stat| FileSystem::from_magic(stat.f_type as u32))
}

/// Which kind of file system the file is in, where the system has such kinds.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn file_system(_: RawFd) -> Option<FileSystem> {
    None
}

/// Whether it is a terminal, where no list of drivers says so.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn is_terminal(number: RawFd) -> bool {
    with(number, |fd| std::io::IsTerminal::is_terminal(&fd))
}
