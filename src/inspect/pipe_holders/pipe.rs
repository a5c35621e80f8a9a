//! The pipe whose holders are searched.

use super::thread_table::ThreadTable;
use crate::inspect::access::{Access, EntryFlags};
use rustix::fs::FileType;
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// A pipe or a FIFO.
pub(super) struct Pipe {
    /// The access mode of the descriptor that the caller has passed.
    pub(super) access: Access,
    /// The text of the links to a pipe. `None` for a FIFO, whose links are paths.
    link: Option<Vec<u8>>,
    /// The device and the inode number.
    file: (u64, u64),
    /// The kernel's own inode number, if it tells it: see [`FdInfo`](crate::inspect::fdinfo::FdInfo).
    inode: Option<u64>,
}

impl Pipe {
    /// The pipe that a descriptor of the calling thread refers to. `proc` is the directory `/proc`.
    pub(super) fn of(proc: &OwnedFd, fd: BorrowedFd<'_>) -> io::Result<Self> {
        let stat = rustix::fs::fstat(fd)?;
        let number = fd.as_raw_fd();
        if FileType::from_raw_mode(stat.st_mode) != FileType::Fifo {
            let text =
                format!("descriptor {number} is not a pipe: only a pipe or a FIFO has ends that others may hold");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let status = rustix::fs::fcntl_getfl(fd)?.bits() as i32;
        let thread = ThreadTable::open(proc, "thread-self")?;
        let mut buffer = [0; 64];
        let link = thread.link(number, &mut buffer)?;
        Ok(Self {
            access: EntryFlags { status, close_on_exec: false }.access(),
            link: is_in_no_file_system(link).then(|| link.to_vec()),
            file: super::thread_table::file(&stat),
            inode: thread.info(number)?.and_then(|info| info.inode),
        })
    }

    /// The access mode of a descriptor of a table, if the descriptor refers to this pipe. `None` also if the descriptor
    /// has been closed since it was listed.
    pub(super) fn access_at(&self, table: &ThreadTable<'_>, number: RawFd) -> Result<Option<Access>, Errno> {
        // A longer link is cut off. It is not that of a pipe.
        let mut buffer = [0; 64];
        let link = match table.link(number, &mut buffer) {
            Err(Errno::NOENT) => return Ok(None),
            link => link?,
        };
        let may_be_this = match &self.link {
            Some(own) => own == link,
            None => !is_in_no_file_system(link),
        };
        if !may_be_this {
            return Ok(None);
        }
        let Some(info) = table.info(number)? else { return Ok(None) };
        // Compare the inode numbers first: the stat below would wait for a network server that does not answer.
        if self.inode.is_some() && info.inode.is_some() && self.inode != info.inode {
            return Ok(None);
        }
        if self.link.is_none() && !table.refers_to(number, self.file) {
            return Ok(None);
        }
        Ok(info.flags.map(EntryFlags::access))
    }
}

/// Whether a link of `/proc/PID/fd` names a file that is in no file system, and so is no FIFO.
fn is_in_no_file_system(link: &[u8]) -> bool {
    [&b"pipe:["[..], b"socket:[", b"anon_inode:"].iter().any(|kind| link.starts_with(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipes_and_sockets_are_in_no_file_system() {
        for link in [&b"pipe:[1]"[..], b"socket:[1]", b"anon_inode:[eventfd]", b"anon_inode:inotify"] {
            assert!(is_in_no_file_system(link));
        }
        for link in [&b"/tmp/fifo"[..], b"/pipe:[1] (deleted)", b"", b"/"] {
            assert!(!is_in_no_file_system(link));
        }
    }
}
