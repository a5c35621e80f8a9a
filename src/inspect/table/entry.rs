//! One descriptor of a table.

use super::fdinfo::Info;
use super::kind::Kind;
use super::lock::HeldLock;
use super::status::{FileId, FileStatus};
use std::os::fd::RawFd;

/// One descriptor: its number, what it refers to, and how.
///
/// What could not be found out is `None`. Its `Display` is one line, the entry's part of a [`Difference`].
///
/// [`Difference`]: super::Difference
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub(super) number: RawFd,
    pub(super) kind: Kind,
    pub(super) flags: Option<EntryFlags>,
    pub(super) offset: Option<u64>,
    pub(super) locks: Option<Vec<HeldLock>>,
    pub(super) file: Option<FileId>,
    /// The kernel's number of an eventfd: all of them have one file.
    pub(super) id: Option<u64>,
}

/// What may be done through a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Access {
    /// Reading only.
    #[doc(alias = "O_RDONLY")]
    Read,
    /// Writing only.
    #[doc(alias = "O_WRONLY")]
    Write,
    /// Reading and writing.
    #[doc(alias = "O_RDWR")]
    ReadWrite,
    /// Neither: the descriptor stands for a place in the file system.
    #[doc(alias = "O_PATH")]
    Path,
    /// Neither: the descriptor is for a device's controls only, which Linux opens with the access mode 3.
    Neither,
}

impl Entry {
    /// An entry from all that was found out.
    pub(super) fn new(number: RawFd, kind: Kind, status: Option<&FileStatus>, info: Info) -> Self {
        let path_only = info.flags.is_some_and(|flags| flags.access() == Access::Path);
        Self {
            number,
            offset: info.offset.filter(|_| kind.has_offset() && !path_only),
            kind,
            flags: info.flags,
            locks: info.locks,
            file: status.map(|status| status.id),
            id: info.id,
        }
    }

    /// The descriptor's number.
    pub fn number(&self) -> RawFd {
        self.number
    }

    /// What it refers to.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// What may be done through it.
    pub fn access(&self) -> Option<Access> {
        self.flags.map(EntryFlags::access)
    }

    /// The offset of its description, in bytes: where the next read or write begins. For a directory it is a mark of
    /// the file system's own.
    ///
    /// Only files, directories, block devices and memory have one that means something.
    pub fn offset(&self) -> Option<u64> {
        self.offset
    }

    /// Whether exec closes it.
    #[doc(alias = "FD_CLOEXEC")]
    pub fn close_on_exec(&self) -> Option<bool> {
        self.flags.map(|flags| flags.close_on_exec)
    }

    /// Whether each write goes to the end of the file.
    #[doc(alias = "O_APPEND")]
    pub fn append(&self) -> Option<bool> {
        self.flags.map(EntryFlags::append)
    }

    /// Whether reads and writes fail instead of waiting. It is a flag of the description, which duplicates in other
    /// processes share.
    #[doc(alias = "O_NONBLOCK")]
    pub fn nonblocking(&self) -> Option<bool> {
        self.flags.map(EntryFlags::nonblocking)
    }

    /// The status flags and the access mode as the system has them: what `fcntl(2)` answers to `F_GETFL`.
    #[doc(alias = "F_GETFL")]
    pub fn status_flags(&self) -> Option<i32> {
        self.flags.map(|flags| flags.status)
    }

    /// The locks that are held through it, in the system's order.
    ///
    /// `None` where they are not known: on systems other than Linux, and where fdinfo cannot be read.
    pub fn locks(&self) -> Option<&[HeldLock]> {
        self.locks.as_deref()
    }

    /// The device and the inode number of the file, as `fstat(2)` has them: two descriptors of one file have the same.
    ///
    /// On Linux, all descriptors of some kinds share one file (eventfd, epoll, timers, signals, inotify).
    #[doc(alias = "st_ino")]
    pub fn device_and_inode(&self) -> Option<(u64, u64)> {
        self.file.map(|file| (file.device, file.inode))
    }
}

/// The flags of a descriptor and of its description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EntryFlags {
    /// Without close-on-exec.
    pub(super) status: i32,
    pub(super) close_on_exec: bool,
}

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
const PATH: Option<i32> = Some(libc::O_PATH);
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
const PATH: Option<i32> = None;

impl EntryFlags {
    /// The `flags` of fdinfo, which has close-on-exec among them.
    pub(super) fn from_fdinfo(flags: i32) -> Self {
        Self { status: flags & !libc::O_CLOEXEC, close_on_exec: flags & libc::O_CLOEXEC != 0 }
    }

    pub(super) fn access(self) -> Access {
        if PATH.is_some_and(|path| self.status & path != 0) {
            return Access::Path;
        }
        match self.status & libc::O_ACCMODE {
            libc::O_RDONLY => Access::Read,
            libc::O_WRONLY => Access::Write,
            libc::O_RDWR => Access::ReadWrite,
            _ => Access::Neither,
        }
    }

    pub(super) fn append(self) -> bool {
        self.status & libc::O_APPEND != 0
    }

    pub(super) fn nonblocking(self) -> bool {
        self.status & libc::O_NONBLOCK != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_tell_access_and_status() {
        let flags = |status| EntryFlags { status, close_on_exec: false };
        assert_eq!(flags(libc::O_RDONLY).access(), Access::Read);
        assert_eq!(flags(libc::O_WRONLY | libc::O_APPEND).access(), Access::Write);
        assert_eq!(flags(libc::O_RDWR | libc::O_NONBLOCK).access(), Access::ReadWrite);
        assert_eq!(flags(3).access(), Access::Neither);
        assert!(flags(libc::O_WRONLY | libc::O_APPEND).append() && !flags(libc::O_WRONLY).append());
        assert!(flags(libc::O_NONBLOCK).nonblocking() && !flags(libc::O_APPEND).nonblocking());
        #[cfg(any(target_os = "linux", target_os = "android"))]
        assert_eq!(flags(libc::O_PATH | libc::O_DIRECTORY).access(), Access::Path);
    }

    #[test]
    fn close_on_exec_is_no_status_flag() {
        let flags = EntryFlags::from_fdinfo(libc::O_RDWR | libc::O_CLOEXEC | libc::O_APPEND);
        assert_eq!(flags, EntryFlags { status: libc::O_RDWR | libc::O_APPEND, close_on_exec: true });
    }
}
