//! The directory of a cgroup, by descriptors: its files, and the cgroups in it.

use crate::fd::standard::{lock_stdio_numbers, open_above_stdio};
use rustix::fs::{CWD, FileType, Mode, OFlags, RawDir, fstatfs, openat};
use rustix::io::Errno;
use rustix::path::Arg;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::Read;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// The type of the file system of version 2 (`CGROUP2_SUPER_MAGIC`).
const CGROUP2: u32 = 0x6367_7270;

/// Whether a directory is in a file system of cgroups, version 2.
pub(crate) fn is_cgroup(directory: BorrowedFd<'_>) -> Result<bool, Errno> {
    #[allow(clippy::unnecessary_cast, reason = "the type differs between architectures")]
    fstatfs(directory).map(|found| found.f_type as u32 == CGROUP2)
}

/// The text of a file, or `None` if there is no such file. If a standard stream is closed, the file gets its number for a moment, so the
/// caller holds the lock of 0 to 2.
pub(crate) fn read_file(directory: BorrowedFd<'_>, file: &str) -> Result<Option<String>, Errno> {
    let opened = match openat(directory, file, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
        Ok(opened) => opened,
        // The second error: the cgroup has been removed between the lookup of the file and its open.
        Err(Errno::NOENT | Errno::NODEV) => return Ok(None),
        Err(errno) => return Err(errno),
    };
    let mut text = String::new();
    match File::from(opened).read_to_string(&mut text) {
        Ok(_) => Ok(Some(text)),
        // The cgroup has been removed since the open, so its file is gone.
        Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(None),
        Err(error) => Err(Errno::from_io_error(&error).unwrap_or(Errno::IO)),
    }
}

/// The text of a file, or `None` if there is no such file.
pub(super) fn read(directory: BorrowedFd<'_>, file: &str) -> Result<Option<String>, Errno> {
    let _guard = lock_stdio_numbers();
    read_file(directory, file)
}

/// Writes a text to a file by one write, as the files of a cgroup demand.
pub(super) fn write(directory: BorrowedFd<'_>, file: &str, text: &str) -> Result<(), Errno> {
    let opened = open(directory, file, OFlags::WRONLY)?;
    rustix::io::write(&opened, text.as_bytes()).map(drop)
}

/// Opens a file, with a number above 2 and close-on-exec.
pub(super) fn open(directory: BorrowedFd<'_>, file: impl Arg, flags: OFlags) -> Result<OwnedFd, Errno> {
    open_above_stdio(|| openat(directory, file, flags | OFlags::CLOEXEC, Mode::empty()))
}

/// Opens a directory that is no symbolic link, with a number above 2 and close-on-exec.
pub(super) fn open_directory(directory: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    open(directory, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW)
}

/// Opens the directory at a path, with a number above 2 and close-on-exec.
pub(super) fn open_path(path: &Path) -> Result<OwnedFd, Errno> {
    open(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY)
}

/// A place on a [`walk`].
pub(super) enum Visit<'a> {
    /// The directory of a cgroup, before the cgroups in it.
    Before(BorrowedFd<'a>),
    /// A cgroup, after those in it: the directory that it is in, and its name there. The cgroup at which the walk starts has no such visit.
    After(BorrowedFd<'a>, &'a CStr),
}

/// Goes through a cgroup and all cgroups in it. The walk ends at the first error of a visit.
///
/// The walk has one directory open at a time, however deep the cgroups are, since a member may make them. It goes up by `..`, which is safe
/// because the kernel does not rename cgroups of version 2.
pub(super) fn walk(top: BorrowedFd<'_>, mut visit: impl FnMut(Visit<'_>) -> Result<(), Errno>) -> Result<(), Errno> {
    // A directory of its own, since threads that read `top` at the same time would share one offset.
    let mut here = match open_directory(top, c".") {
        Err(Errno::NOENT) => return Ok(()), // It has been removed.
        opened => opened?,
    };
    visit(Visit::Before(here.as_fd()))?;
    // The way from `top` to `here`: the name of each cgroup, and those in it that the walk has still to enter.
    let mut levels = vec![(CString::default(), names(here.as_fd())?)];
    while let Some((_, inside)) = levels.last_mut() {
        if let Some(name) = inside.pop() {
            here = match open_directory(here.as_fd(), &name) {
                Err(Errno::NOENT) => continue, // It has been removed since the names were read.
                opened => opened?,
            };
            visit(Visit::Before(here.as_fd()))?;
            levels.push((name, names(here.as_fd())?));
        } else {
            let Some((name, _)) = levels.pop().filter(|_| !levels.is_empty()) else { break };
            here = open_directory(here.as_fd(), c"..")?;
            visit(Visit::After(here.as_fd(), &name))?;
        }
    }
    Ok(())
}

/// The names of the cgroups in a cgroup: its directories.
fn names(directory: BorrowedFd<'_>) -> Result<Vec<CString>, Errno> {
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut entries = RawDir::new(directory, &mut buffer);
    let mut names = Vec::new();
    while let Some(entry) = entries.next() {
        match entry {
            Ok(entry) if entry.file_type() == FileType::Directory => {
                if ![c".", c".."].contains(&entry.file_name()) {
                    names.push(entry.file_name().to_owned());
                }
            }
            Ok(_) => {}
            Err(Errno::NOENT) => break, // The directory has been removed.
            Err(errno) => return Err(errno),
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walk_visits_each_directory_before_and_after_those_in_it() {
        let top = tempfile::tempdir().unwrap();
        for path in ["a/b/c", "a/d", "e"] {
            std::fs::create_dir_all(top.path().join(path)).unwrap();
        }
        std::fs::write(top.path().join("a/file"), "").unwrap();
        let directory = File::open(top.path()).unwrap();
        let (mut depth, mut deepest, mut left) = (0, 0, Vec::new());
        walk(directory.as_fd(), |visit| {
            match visit {
                Visit::Before(_) => depth += 1,
                Visit::After(parent, name) => {
                    depth -= 1;
                    left.push(name.to_str().unwrap().to_owned());
                    rustix::fs::unlinkat(parent, name, rustix::fs::AtFlags::REMOVEDIR).or_else(|errno| {
                        assert_eq!((errno, name), (Errno::NOTEMPTY, c"a"), "it has a file");
                        Ok::<_, Errno>(())
                    })?;
                }
            }
            deepest = deepest.max(depth);
            Ok(())
        })
        .unwrap();
        assert_eq!((depth, deepest, left.len()), (1, 4, 5));
        let place = |name| left.iter().position(|each| each == name).unwrap();
        assert!(place("c") < place("b") && place("b") < place("a") && place("d") < place("a"), "{left:?}");
        assert!(!top.path().join("e").exists());
    }

    #[test]
    fn walk_goes_deeper_than_the_limit_of_descriptors_and_of_paths() {
        let top = tempfile::tempdir().unwrap();
        let directory = File::open(top.path()).unwrap();
        let name = CString::new("d".repeat(200)).unwrap();
        let mut deepest: OwnedFd = File::open(top.path()).unwrap().into();
        for _ in 0..2000 {
            rustix::fs::mkdirat(&deepest, name.as_c_str(), Mode::from_raw_mode(0o700)).unwrap();
            deepest = open_directory(deepest.as_fd(), &name).unwrap();
        }
        let mut removed = 0;
        walk(directory.as_fd(), |visit| {
            let Visit::After(parent, name) = visit else { return Ok(()) };
            removed += 1;
            rustix::fs::unlinkat(parent, name, rustix::fs::AtFlags::REMOVEDIR)
        })
        .unwrap();
        assert_eq!(removed, 2000);
    }
}
