//! The descriptors of one thread, as `/proc` shows them.

use super::proc_file::{open_directory, read_start};
use crate::fd::proc_numbers::proc_numbers;
use crate::inspect::access::EntryFlags;
use crate::inspect::fdinfo::FdInfo;
use rustix::fs::{AtFlags, RawMode, Stat};
use rustix::io::Errno;
use rustix::path::DecInt;
use std::os::fd::{OwnedFd, RawFd};

/// The descriptor table of one thread.
pub(super) struct ThreadTable<'proc> {
    /// The directory that has the thread's directory.
    threads: &'proc OwnedFd,
    /// The name of the thread's directory.
    thread: &'proc str,
    /// The directory `fd` of the thread.
    links: OwnedFd,
}

impl<'proc> ThreadTable<'proc> {
    /// Opens the table of the thread whose directory is `thread` in `threads`.
    pub(super) fn open(threads: &'proc OwnedFd, thread: &'proc str) -> Result<Self, Errno> {
        Ok(Self { threads, thread, links: open_directory(threads, format!("{thread}/fd"))? })
    }

    /// The open numbers.
    pub(super) fn numbers(&self) -> Result<Vec<RawFd>, Errno> {
        proc_numbers(&self.links)
    }

    /// The text of a descriptor's link, or its first 64 bytes.
    pub(super) fn link<'buffer>(&self, number: RawFd, buffer: &'buffer mut [u8; 64]) -> Result<&'buffer [u8], Errno> {
        let length = rustix::fs::readlinkat_raw(&self.links, DecInt::new(number), &mut *buffer)?;
        Ok(&buffer[..length])
    }

    /// The first lines of a descriptor's fdinfo, with its flags and its inode. `None` if the descriptor has been
    /// closed.
    pub(super) fn info(&self, number: RawFd) -> Result<Option<FdInfo>, Errno> {
        /// The lines that every descriptor has come first, and fit.
        const ROOM: usize = 256;
        let mut buffer = [0; ROOM];
        let info = match read_start(self.threads, format!("{}/fdinfo/{number}", self.thread), &mut buffer) {
            // Before Linux 5.14, a process that has changed its user may read its links, but not its fdinfo.
            Err(Errno::ACCESS | Errno::PERM) => {
                let link = rustix::fs::statat(&self.links, DecInt::new(number), AtFlags::SYMLINK_NOFOLLOW);
                link.map(|link| FdInfo { flags: Some(flags_of_link(link.st_mode)), ..FdInfo::default() })
            }
            text => text.map(FdInfo::parse),
        };
        match info {
            Err(Errno::NOENT | Errno::SRCH) => Ok(None),
            info => info.map(Some),
        }
    }

    /// Whether a descriptor refers to the file with this device and inode number.
    pub(super) fn refers_to(&self, number: RawFd, expected: (u64, u64)) -> bool {
        let stat = rustix::fs::statat(&self.links, DecInt::new(number), AtFlags::empty());
        stat.is_ok_and(|stat| file(&stat) == expected)
    }
}

/// The flags of a descriptor, from the mode of its link in `/proc/PID/fd`: its permissions are the access mode.
fn flags_of_link(mode: RawMode) -> EntryFlags {
    let may = |bit: RawMode| mode & bit != 0;
    let status = match (may(0o400), may(0o200)) {
        (true, true) => libc::O_RDWR,
        (true, false) => libc::O_RDONLY,
        (false, true) => libc::O_WRONLY,
        (false, false) => libc::O_PATH,
    };
    EntryFlags { status, close_on_exec: false }
}

/// The device and the inode number of a file.
#[allow(clippy::unnecessary_cast, reason = "other architectures have other types")]
pub(super) fn file(stat: &Stat) -> (u64, u64) {
    (stat.st_dev as u64, stat.st_ino as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::access::Access;

    #[test]
    fn permissions_of_a_link_are_the_access_mode() {
        for (mode, access) in [
            (0o120500, Access::Read),
            (0o120300, Access::Write),
            (0o120700, Access::ReadWrite),
            (0o120000, Access::Path),
        ] {
            assert_eq!(flags_of_link(mode).access(), access);
        }
    }
}
