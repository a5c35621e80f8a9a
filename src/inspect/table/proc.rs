//! What `/proc` tells of a process's descriptors.

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

/// A process's or a thread's directory in a proc file system.
pub(super) struct Proc {
    path: PathBuf,
    links: ProcDirectory,
    /// `None` where it cannot be read, or is not the kernel's.
    infos: Option<ProcDirectory>,
    /// The calling thread's: its directories may be let go, since their names stay good.
    own: bool,
}

/// A directory with an entry for each descriptor: open, or known by its name where nothing more can be opened.
struct ProcDirectory {
    path: PathBuf,
    open: Option<OwnedFd>,
}

impl ProcDirectory {
    /// Opens `name` of a process, and makes sure that it is the kernel's.
    fn open(process: BorrowedFd<'_>, path: &Path, name: &str) -> Result<Self, Errno> {
        let open = openat(process, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        if !is_in_proc(&open) {
            return Err(Errno::NOSYS);
        }
        Ok(Self { path: path.join(name), open: Some(open) })
    }

    /// The directory by its name, if it is the kernel's.
    fn named(path: &Path, name: &str) -> Option<Self> {
        let path = path.join(name);
        is_proc(&path).then_some(Self { path, open: None })
    }

    /// Runs `look` on the entry of `number`.
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

/// Whether a path leads into a proc file system.
fn is_proc(path: &Path) -> bool {
    rustix::fs::statfs(path).is_ok_and(|stat| stat.f_type == PROC_SUPER_MAGIC)
}

/// Whether there are not enough descriptors left to open another.
fn none_left(errno: Errno) -> bool {
    matches!(errno, Errno::MFILE | Errno::NFILE)
}

impl Proc {
    /// The calling thread's, and all its numbers but those that are opened here.
    pub(super) fn of_thread() -> Result<(Self, Vec<RawFd>), Errno> {
        let path = Path::new("/proc/thread-self");
        let links = ProcDirectory::open(CWD, path, "/proc/thread-self/fd")?;
        let infos = ProcDirectory::open(CWD, path, "/proc/thread-self/fdinfo");
        let few_left = infos.as_ref().is_err_and(|&errno| none_left(errno));
        let mut this = Self { path: path.into(), links, infos: infos.ok(), own: true };
        let mut numbers = this.links.numbers()?;
        // In this table no other descriptor can have these numbers.
        let opened: Vec<RawFd> = this.opened().map(|open| open.as_raw_fd()).collect();
        numbers.retain(|number| !opened.contains(number));
        if few_left {
            this.let_go();
            this.infos = ProcDirectory::named(path, "fdinfo");
        }
        Ok((this, numbers))
    }

    /// The calling thread's by its name, where nothing can be opened.
    pub(super) fn of_thread_by_name() -> Option<Self> {
        let path = Path::new("/proc/thread-self");
        let links = ProcDirectory::named(path, "fd")?;
        Some(Self { path: path.into(), links, infos: ProcDirectory::named(path, "fdinfo"), own: true })
    }

    /// A process's, and all its numbers. `ENOENT` where there is no such process, and `ENOSYS` where there is no proc
    /// file system.
    pub(super) fn of(pid: u32) -> Result<(Self, Vec<RawFd>), Errno> {
        if !is_proc(Path::new("/proc")) {
            return Err(Errno::NOSYS);
        }
        let path = Path::new("/proc").join(pid.to_string());
        // From here on it is this process, even if it ends and another gets its number.
        let process = openat(CWD, &path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let links = ProcDirectory::open(process.as_fd(), &path, "fd")?;
        let infos = match ProcDirectory::open(process.as_fd(), &path, "fdinfo") {
            Err(errno) if none_left(errno) => return Err(errno),
            result => result.ok(),
        };
        drop(process);
        let this = Self { path, links, infos, own: false };
        let mut numbers = this.links.numbers()?;
        // Where the process has this thread's table, the directories are in it.
        for open in this.opened() {
            let here = status::of_descriptor(open.as_fd());
            let there = this.status(open.as_raw_fd());
            if here.is_ok_and(|here| there.is_ok_and(|there| here.id.may_be(there.id))) {
                numbers.retain(|&number| number != open.as_raw_fd());
            }
        }
        Ok((this, numbers))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn opened(&self) -> impl Iterator<Item = &OwnedFd> {
        [Some(&self.links), self.infos.as_ref()].into_iter().flatten().filter_map(|each| each.open.as_ref())
    }

    /// Closes the directories, and goes on with their names.
    fn let_go(&mut self) {
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
                text.reserve(text.capacity() * 2); // It may have been cut off.
            }
        })?;
        Ok(text)
    }

    /// A descriptor's fdinfo.
    pub(super) fn info(&mut self, number: RawFd, text: &mut Vec<u8>) -> Result<FdInfo, Errno> {
        match self.read_info(number, text) {
            Err(errno) if none_left(errno) && self.own && self.links.open.is_some() => {
                self.let_go();
                self.read_info(number, text)
            }
            result => result,
        }?;
        Ok(FdInfo::parse(text))
    }

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

    /// The file behind a descriptor, through its link.
    pub(super) fn status(&self, number: RawFd) -> Result<FileStatus, Errno> {
        self.links.at(number, |directory, name| status::of_name(directory, name, true))
    }

    /// What a socket speaks, through its link.
    pub(super) fn socket(&self, number: RawFd) -> Option<Socket> {
        Socket::behind(&self.links.path.join(number.to_string()))
    }

    /// The file system behind a descriptor, through its link.
    pub(super) fn file_system(&self, number: RawFd) -> Option<FileSystem> {
        let stat = rustix::fs::statfs(self.links.path.join(number.to_string())).ok()?;
        Some(FileSystem::from_magic(stat.f_type as u32))
    }

    /// Whether the path leads to this file, from the process's root directory or from the reader's: the kernel makes
    /// the path for the reader, but may have to show one that only the process has.
    pub(super) fn is_at(&self, path: &[u8], status: &FileStatus) -> bool {
        let root = self.path.join("root");
        [&[root.as_os_str().as_bytes(), path].concat(), path].into_iter().any(|path| {
            CString::new(path)
                .is_ok_and(|path| status::of_name(CWD, &path, false).is_ok_and(|found| found.id.may_be(status.id)))
        })
    }
}

/// Whether the file is in the same file system as the root directory; its path then leads there.
pub(super) fn root_device() -> Option<u64> {
    status::of_name(CWD, c"/", true).ok().map(|status| status.id.device)
}
