//! `Entry`.

use super::kind::Kind;
use super::status::{FileId, FileStatus};
use crate::inspect::access::{Access, EntryFlags};
use crate::inspect::fdinfo::FdInfo;
use crate::inspect::held_lock::HeldLock;
use std::os::fd::RawFd;

/// One descriptor of a table: its number, what it refers to, its access mode and its flags.
///
/// Facts that the system does not tell are `None`. `Display` prints one line, as a [`Difference`] does.
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
    /// The kernel's number of an eventfd. All eventfds have the same file.
    pub(super) id: Option<u64>,
}

impl Entry {
    /// Makes an entry.
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

    /// The access mode: which operations the descriptor was opened for.
    pub fn access(&self) -> Option<Access> {
        self.flags.map(EntryFlags::access)
    }

    /// The offset of its description, in bytes: the position of the next read or write. For a directory the file system
    /// chooses the meaning.
    ///
    /// `None` for kinds other than files, directories, block devices and memory, whose offsets mean nothing.
    pub fn offset(&self) -> Option<u64> {
        self.offset
    }

    /// Whether exec closes the descriptor.
    #[doc(alias = "FD_CLOEXEC")]
    pub fn close_on_exec(&self) -> Option<bool> {
        self.flags.map(|flags| flags.close_on_exec)
    }

    /// Whether each write appends to the end of the file.
    #[doc(alias = "O_APPEND")]
    pub fn append(&self) -> Option<bool> {
        self.flags.map(EntryFlags::append)
    }

    /// Whether reads and writes fail instead of waiting. The flag belongs to the description: duplicates in other
    /// processes share it.
    #[doc(alias = "O_NONBLOCK")]
    pub fn nonblocking(&self) -> Option<bool> {
        self.flags.map(EntryFlags::nonblocking)
    }

    /// The status flags and the access mode, as `fcntl(2)` returns them for `F_GETFL`.
    #[doc(alias = "F_GETFL")]
    pub fn status_flags(&self) -> Option<i32> {
        self.flags.map(|flags| flags.status)
    }

    /// The locks that are held through the descriptor, in the system's order.
    ///
    /// `None` if they are unknown: on systems other than Linux, and if fdinfo cannot be read.
    pub fn locks(&self) -> Option<&[HeldLock]> {
        self.locks.as_deref()
    }

    /// The device and the inode number of the file, as `fstat(2)` returns them. Two descriptors of one file have the
    /// same.
    ///
    /// On Linux, all descriptors of some kinds have the same file (eventfd, epoll, timers, signals, inotify).
    #[doc(alias = "st_ino")]
    pub fn device_and_inode(&self) -> Option<(u64, u64)> {
        self.file.map(|file| (file.device, file.inode))
    }
}
