//! The status of a descriptor's file (`stat(2)`, `statx(2)`).

use rustix::fs::{FileType, Stat};
use rustix::io::Errno;
use std::os::fd::BorrowedFd;

/// The fields of a file's status that the table needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileStatus {
    pub(super) id: FileId,
    pub(super) file_type: FileType,
    /// The number of hard links.
    pub(super) links: u64,
    /// The major and minor number of a device file.
    pub(super) special: (u32, u32),
}

/// The identity of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileId {
    pub(super) device: u64,
    pub(super) inode: u64,
    /// The time of birth, if the file system stores it. It tells a file from a deleted one that had the same inode
    /// number.
    pub(super) born: Option<(i64, u32)>,
}

impl FileId {
    /// Whether both may be the same file. A time of birth that only one of them has decides nothing.
    pub(super) fn may_be(self, other: Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
            && (self.born == other.born || self.born.is_none() || other.born.is_none())
    }
}

/// The status of a descriptor's file.
pub(super) fn of_descriptor(fd: BorrowedFd<'_>) -> Result<FileStatus, Errno> {
    #[cfg(target_os = "linux")]
    match extended(fd, c"", rustix::fs::AtFlags::EMPTY_PATH) {
        Err(Errno::NOSYS | Errno::PERM) => {} // An old kernel, or a seccomp filter that refuses the call.
        result => return result,
    }
    rustix::fs::fstat(fd).map(|stat| plain(&stat))
}

/// The status of the file that `name` in `directory` refers to. If `follow` is false, of a symbolic link itself.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn of_name(directory: BorrowedFd<'_>, name: &std::ffi::CStr, follow: bool) -> Result<FileStatus, Errno> {
    use rustix::fs::AtFlags;
    let flags = if follow { AtFlags::empty() } else { AtFlags::SYMLINK_NOFOLLOW };
    #[cfg(target_os = "linux")]
    match extended(directory, name, flags) {
        Err(Errno::NOSYS | Errno::PERM) => {}
        result => return result,
    }
    rustix::fs::statat(directory, name, flags).map(|stat| plain(&stat))
}

/// The status from `statx(2)` with `AT_STATX_DONT_SYNC`: the kernel answers from its cache, and does not wait for a
/// network server that is unreachable.
///
/// Not on Android, where a seccomp filter may kill the process for this call.
#[cfg(target_os = "linux")]
fn extended(directory: BorrowedFd<'_>, name: &std::ffi::CStr, flags: rustix::fs::AtFlags) -> Result<FileStatus, Errno> {
    use rustix::fs::{AtFlags, StatxFlags, makedev, statx};
    let wanted = StatxFlags::TYPE | StatxFlags::NLINK | StatxFlags::INO | StatxFlags::BTIME;
    let status = statx(directory, name, flags | AtFlags::STATX_DONT_SYNC, wanted)?;
    let born = (status.stx_mask & StatxFlags::BTIME.bits() != 0)
        .then_some((status.stx_btime.tv_sec, status.stx_btime.tv_nsec));
    Ok(FileStatus {
        id: FileId { device: makedev(status.stx_dev_major, status.stx_dev_minor), inode: status.stx_ino, born },
        file_type: FileType::from_raw_mode(status.stx_mode.into()),
        links: status.stx_nlink.into(),
        special: (status.stx_rdev_major, status.stx_rdev_minor),
    })
}

/// The status from `stat(2)`, without a time of birth.
#[allow(clippy::unnecessary_cast, reason = "other systems have other types")]
pub(super) fn plain(stat: &Stat) -> FileStatus {
    FileStatus {
        id: FileId { device: stat.st_dev as u64, inode: stat.st_ino as u64, born: None },
        file_type: FileType::from_raw_mode(stat.st_mode as _),
        links: stat.st_nlink as u64,
        special: (rustix::fs::major(stat.st_rdev as _) as u32, rustix::fs::minor(stat.st_rdev as _) as u32),
    }
}
