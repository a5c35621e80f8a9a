//! One descriptor of a table.

use super::kind::Kind;
use super::status::{FileId, FileStatus};
use crate::inspect::access::{Access, EntryFlags};
use crate::inspect::fdinfo::FdInfo;
use crate::inspect::held_lock::HeldLock;
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

impl Entry {
    /// An entry from all that was found out.
    pub(super) fn new(number: RawFd, kind: Kind, status: Option<&FileStatus>, info: FdInfo) -> Self {
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
