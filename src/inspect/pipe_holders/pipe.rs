//! The pipe that is asked about, and how it is recognised.

use super::Access;
use super::text::{Info, access, is_in_no_file_system};
use rustix::fs::{AtFlags, FileType, OFlags, RawMode, Stat};
use rustix::io::Errno;
use rustix::path::DecInt;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// A pipe or a FIFO.
pub(super) struct Pipe {
    pub(super) access: Access,
    /// The text of the links to it, if it is in no file system.
    link: Option<Vec<u8>>,
    file: (u64, u64),
    inode: Option<u64>,
}

impl Pipe {
    /// Looks at the descriptor, of which `proc` tells more.
    pub(super) fn look_at(proc: &OwnedFd, fd: BorrowedFd<'_>) -> io::Result<Self> {
        let stat = rustix::fs::fstat(fd)?;
        let number = fd.as_raw_fd();
        if FileType::from_raw_mode(stat.st_mode) != FileType::Fifo {
            let text =
                format!("descriptor {number} is not a pipe: only a pipe or a FIFO has ends that others may hold");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let flags = rustix::fs::fcntl_getfl(fd)?;
        let thread = Table::open(proc, "thread-self")?;
        let mut buffer = [0; 64];
        let link = thread.link(number, &mut buffer)?;
        Ok(Self {
            access: access(flags.bits().into()),
            link: is_in_no_file_system(link).then(|| link.to_vec()),
            file: file(&stat),
            inode: thread.info(number)?.and_then(|info| info.inode),
        })
    }

    /// What a descriptor of a table is open for, if it refers to this pipe. `None` too if it has been closed meanwhile.
    pub(super) fn access_at(&self, table: &Table<'_>, number: RawFd) -> Result<Option<Access>, Errno> {
        // Longer links are cut off, and are not to a pipe.
        let mut buffer = [0; 64];
        let link = match table.link(number, &mut buffer) {
            Err(Errno::NOENT) => return Ok(None),
            link => link?,
        };
        let candidate = match &self.link {
            Some(own) => own == link,
            None => !is_in_no_file_system(link),
        };
        if !candidate {
            return Ok(None);
        }
        let Some(info) = table.info(number)? else { return Ok(None) };
        // To ask more of a file on a dead server could take for ever.
        if self.inode.is_some() && info.inode.is_some() && self.inode != info.inode {
            return Ok(None);
        }
        if self.link.is_none() && !table.refers_to(number, self.file) {
            return Ok(None);
        }
        Ok(Some(info.access))
    }
}

impl Access {
    /// The permissions of a link are what its descriptor is open for.
    fn of_link(mode: RawMode) -> Self {
        let may = |bit: RawMode| mode & bit != 0;
        match (may(0o400), may(0o200)) {
            (true, true) => Self::Both,
            (true, false) => Self::Read,
            (false, true) => Self::Write,
            (false, false) => Self::Neither,
        }
    }
}

/// Device and inode.
#[allow(clippy::unnecessary_cast, reason = "other architectures have other types")]
fn file(stat: &Stat) -> (u64, u64) {
    (stat.st_dev as u64, stat.st_ino as u64)
}

/// What `/proc` shows of a thread's table.
pub(super) struct Table<'proc> {
    /// The directory that the thread's own is in.
    threads: &'proc OwnedFd,
    thread: &'proc str,
    links: OwnedFd,
}

impl<'proc> Table<'proc> {
    pub(super) fn open(threads: &'proc OwnedFd, thread: &'proc str) -> Result<Self, Errno> {
        Ok(Self { threads, thread, links: open_directory(threads, &format!("{thread}/fd"))? })
    }

    /// The open numbers.
    pub(super) fn numbers(&self) -> Result<Vec<RawFd>, Errno> {
        numbers(&self.links)
    }

    fn link<'buffer>(&self, number: RawFd, buffer: &'buffer mut [u8; 64]) -> Result<&'buffer [u8], Errno> {
        let length = rustix::fs::readlinkat_raw(&self.links, DecInt::new(number), &mut *buffer)?;
        Ok(&buffer[..length])
    }

    /// What is said of a descriptor; `None` if it has been closed meanwhile.
    fn info(&self, number: RawFd) -> Result<Option<Info>, Errno> {
        /// The lines that all descriptors have come first.
        const ROOM: usize = 256;
        let mut buffer = [0; ROOM];
        let info = match read(self.threads, format!("{}/fdinfo/{number}", self.thread), &mut buffer) {
            // Before Linux 5.14 a process that has changed its user may not read this of itself, but its links.
            Err(Errno::ACCESS | Errno::PERM) => {
                let link = rustix::fs::statat(&self.links, DecInt::new(number), AtFlags::SYMLINK_NOFOLLOW);
                link.map(|link| Some(Info { access: Access::of_link(link.st_mode), inode: None }))
            }
            text => text.map(Info::parse),
        };
        match info {
            Err(Errno::NOENT | Errno::SRCH) => Ok(None),
            info => info,
        }
    }

    fn refers_to(&self, number: RawFd, expected: (u64, u64)) -> bool {
        let stat = rustix::fs::statat(&self.links, DecInt::new(number), AtFlags::empty());
        stat.is_ok_and(|stat| file(&stat) == expected)
    }
}

pub(super) fn open_directory(parent: &OwnedFd, name: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(parent, name, flags, rustix::fs::Mode::empty())
}

/// The entries of a directory that are numbers.
pub(super) fn numbers(directory: &OwnedFd) -> Result<Vec<i32>, Errno> {
    let mut buffer = Vec::with_capacity(8192);
    let mut entries = rustix::fs::RawDir::new(directory, buffer.spare_capacity_mut());
    let mut numbers = Vec::new();
    while let Some(entry) = entries.next() {
        numbers.extend(entry?.file_name().to_str().ok().and_then(|name| name.parse::<i32>().ok()));
    }
    Ok(numbers)
}

/// The beginning of a file.
pub(super) fn read<'buffer>(
    directory: &OwnedFd,
    name: impl rustix::path::Arg,
    buffer: &'buffer mut [u8],
) -> Result<&'buffer [u8], Errno> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(directory, name, flags, rustix::fs::Mode::empty())?;
    let length = rustix::io::read(&file, &mut *buffer)?;
    Ok(&buffer[..length])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_of_a_link_are_what_its_descriptor_is_open_for() {
        for (mode, access) in
            [(0o120500, Access::Read), (0o120300, Access::Write), (0o120700, Access::Both), (0o120000, Access::Neither)]
        {
            assert_eq!(Access::of_link(mode), access);
        }
    }
}
