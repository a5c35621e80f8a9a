//! Which file a descriptor refers to.

use rustix::fs::fstat;
use rustix::io::Errno;
use std::os::fd::{BorrowedFd, RawFd};

/// A file, as its device and its inode number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct FileIdentity {
    device: u64,
    inode: u64,
}

/// The file that a number refers to (`fstat(2)`).
#[allow(clippy::unnecessary_cast, reason = "the types differ between systems")]
pub(crate) fn file_identity(fd: RawFd) -> Result<FileIdentity, Errno> {
    if fd < 0 {
        return Err(Errno::BADF);
    }
    // SAFETY: the number is not below zero, and the borrow ends with this call, which only reads. A number that is not open is EBADF.
    let status = fstat(unsafe { BorrowedFd::borrow_raw(fd) })?;
    Ok(FileIdentity { device: status.st_dev as u64, inode: status.st_ino as u64 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn descriptors_of_one_file_have_one_id() {
        let open = |path| std::fs::File::open(path).unwrap();
        let [file, same, other] = [open("/dev/null"), open("/dev/null"), open("/dev/zero")];
        let id = |file: &std::fs::File| file_identity(file.as_raw_fd()).unwrap();
        assert_eq!(id(&file), id(&same));
        assert_ne!(id(&file), id(&other));
        assert_eq!(file_identity(-1), Err(Errno::BADF));
        assert_eq!(file_identity(RawFd::MAX), Err(Errno::BADF));
    }
}
