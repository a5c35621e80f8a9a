//! A process's directories in `/proc`.

use super::classify::FileSystem;
use super::sockets::Socket;
use super::status::{self, FileStatus};
use crate::fd::proc_numbers::{is_in_proc, proc_numbers};
use crate::inspect::fdinfo::FdInfo;
use rustix::fs::{CWD, Mode, OFlags, PROC_SUPER_MAGIC, openat};
use rustix::io::Errno;
use rustix::path::DecInt;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The directory of a process or of a thread in `/proc`.
pub(super) struct Proc {
    path: PathBuf,
    links: ProcDirectory,
    /// `None` if it cannot be read, or is not in a proc file system.
    infos: Option<ProcDirectory>,
    /// Whether it is the calling thread's. Its directories can be closed and used by their paths: the paths stay valid.
    own: bool,
}

/// A directory with an entry for each descriptor, `fd` or `fdinfo`. It is open, or known only by its path at the limit
/// of descriptors.
struct ProcDirectory {
    path: PathBuf,
    open: Option<OwnedFd>,
}

impl ProcDirectory {
    /// Opens the directory `name` of a process. `ENOSYS` if it is not in a proc file system.
    fn open(process: BorrowedFd<'_>, path: &Path, name: &str) -> Result<Self, Errno> {
        let open = openat(process, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        if !is_in_proc(&open) {
            return Err(Errno::NOSYS);
        }
        Ok(Self { path: path.join(name), open: Some(open) })
    }

    /// The directory by its path. `None` if it is not in a proc file system.
    fn named(path: &Path, name: &str) -> Option<Self> {
        let path = path.join(name);
        is_proc(&path).then_some(Self { path, open: None })
    }

    /// Runs `look` on the entry of `number`: a directory and a name in it.
    fn at<T>(&self, number: RawFd, look: impl FnOnce(BorrowedFd<'_>, &CStr) -> Result<T, Errno>) -> Result<T, Errno> {
        match &self.open {
            Some(open) => look(open.as_fd(), DecInt::new(number).as_c_str()),
            None => {
                let path = self.path.join(number.to_string());
                look(CWD, &CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::INVAL)?)
            }
        }
    }

    /// The numbers that the directory lists.
    fn numbers(&self) -> Result<Vec<RawFd>, Errno> {
        proc_numbers(self.open.as_ref().ok_or(Errno::BADF)?)
    }
}

/// Whether the file at a path is in a proc file system.
fn is_proc(path: &Path) -> bool {
    rustix::fs::statfs(path).is_ok_and(|stat| stat.f_type == PROC_SUPER_MAGIC)
}

/// Whether an open has failed at the limit of descriptors, of the process or of the system.
fn is_at_limit(errno: Errno) -> bool {
    matches!(errno, Errno::MFILE | Errno::NFILE)
}

impl Proc {
    /// Opens the calling thread's directories. Returns also its numbers, except those of the directories.
    pub(super) fn of_thread() -> Result<(Self, Vec<RawFd>), Errno> {
        let path = Path::new("/proc/thread-self");
        let links = ProcDirectory::open(CWD, path, "/proc/thread-self/fd")?;
        let infos = ProcDirectory::open(CWD, path, "/proc/thread-self/fdinfo");
        let at_limit = infos.as_ref().is_err_and(|&errno| is_at_limit(errno));
        let mut this = Self { path: path.into(), links, infos: infos.ok(), own: true };
        let mut numbers = this.links.numbers()?;
        // The list is of the table that has the directories, so these numbers are theirs.
        let opened: Vec<RawFd> = this.opened().map(|open| open.as_raw_fd()).collect();
        numbers.retain(|number| !opened.contains(number));
        if at_limit {
            this.close_directories();
            this.infos = ProcDirectory::named(path, "fdinfo");
        }
        Ok((this, numbers))
    }

    /// The calling thread's directories by their paths, at the limit of descriptors.
    pub(super) fn of_thread_by_name() -> Option<Self> {
        let path = Path::new("/proc/thread-self");
        let links = ProcDirectory::named(path, "fd")?;
        Some(Self { path: path.into(), links, infos: ProcDirectory::named(path, "fdinfo"), own: true })
    }

    /// Opens a process's directories. Returns also its numbers. `ENOENT` if there is no such process, and `ENOSYS` if
    /// there is no proc file system.
    pub(super) fn of(pid: u32) -> Result<(Self, Vec<RawFd>), Errno> {
        if !is_proc(Path::new("/proc")) {
            return Err(Errno::NOSYS);
        }
        let path = Path::new("/proc").join(pid.to_string());
        // From here on `process` is this process's directory, even if the process ends and another one gets its pid.
        let process = openat(CWD, &path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let links = ProcDirectory::open(process.as_fd(), &path, "fd")?;
        let infos = match ProcDirectory::open(process.as_fd(), &path, "fdinfo") {
            Err(errno) if is_at_limit(errno) => return Err(errno),
            result => result.ok(),
        };
        drop(process);
        let this = Self { path, links, infos, own: false };
        let mut numbers = this.links.numbers()?;
        // If the process has the calling thread's table, the list has the directories' own numbers.
        for open in this.opened() {
            let here = status::of_descriptor(open.as_fd());
            let there = this.status(open.as_raw_fd());
            if here.is_ok_and(|here| there.is_ok_and(|there| here.id.may_be(there.id))) {
                numbers.retain(|&number| number != open.as_raw_fd());
            }
        }
        Ok((this, numbers))
    }

    /// The path of the directory.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The directories that are open.
    fn opened(&self) -> impl Iterator<Item = &OwnedFd> {
        [Some(&self.links), self.infos.as_ref()].into_iter().flatten().filter_map(|each| each.open.as_ref())
    }

    /// Closes the directories. From then on they are used by their paths.
    fn close_directories(&mut self) {
        self.links.open = None;
        if let Some(infos) = &mut self.infos {
            infos.open = None;
        }
    }

    /// The text of a descriptor's link.
    pub(super) fn link<'a>(&self, number: RawFd, text: &'a mut Vec<u8>) -> Result<&'a [u8], Errno> {
        self.links.at(number, |directory, name| {
            loop {
                text.clear();
                let length = rustix::fs::readlinkat_raw(directory, name, rustix::buffer::spare_capacity(text))?;
                if length < text.capacity() {
                    return Ok(());
                }
                text.reserve(text.capacity() * 2); // The text fills the buffer: the kernel may have cut it off.
            }
        })?;
        Ok(text)
    }

    /// Reads and parses a descriptor's fdinfo.
    pub(super) fn info(&mut self, number: RawFd, text: &mut Vec<u8>) -> Result<FdInfo, Errno> {
        match self.read_info(number, text) {
            Err(errno) if is_at_limit(errno) && self.own && self.links.open.is_some() => {
                self.close_directories();
                self.read_info(number, text)
            }
            result => result,
        }?;
        Ok(FdInfo::parse(text))
    }

    /// Reads a descriptor's fdinfo into `text`.
    fn read_info(&self, number: RawFd, text: &mut Vec<u8>) -> Result<(), Errno> {
        let infos = self.infos.as_ref().ok_or(Errno::NOSYS)?;
        let file = infos
            .at(number, |directory, name| openat(directory, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()))?;
        text.clear();
        loop {
            text.reserve(1024);
            match rustix::io::read(&file, rustix::buffer::spare_capacity(text)) {
                Ok(0) => return Ok(()),
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    /// The status of a descriptor's file, through its link.
    pub(super) fn status(&self, number: RawFd) -> Result<FileStatus, Errno> {
        self.links.at(number, |directory, name| status::of_name(directory, name, true))
    }

    /// The protocol of a socket, through its link.
    pub(super) fn socket(&self, number: RawFd) -> Option<Socket> {
        Socket::behind(&self.links.path.join(number.to_string()))
    }

    /// The file system of a descriptor's file, through its link.
    pub(super) fn file_system(&self, number: RawFd) -> Option<FileSystem> {
        let stat = rustix::fs::statfs(self.links.path.join(number.to_string())).ok()?;
        Some(FileSystem::from_magic(stat.f_type as u32))
    }

    /// Whether the path leads to this file, from the root directory of the process or of the caller. The kernel shows a
    /// path from the caller's root directory if there is one, or else a path of the process's mount namespace.
    pub(super) fn is_at(&self, path: &[u8], status: &FileStatus) -> bool {
        let root = self.path.join("root");
        [&[root.as_os_str().as_bytes(), path].concat(), path].into_iter().any(|path| {
            CString::new(path)
                .is_ok_and(|path| status::of_name(CWD, &path, false).is_ok_and(|found| found.id.may_be(status.id)))
        })
    }
}

/// The device of the root directory's file system.
pub(super) fn root_device() -> Option<u64> {
    status::of_name(CWD, c"/", true).ok().map(|status| status.id.device)
}
