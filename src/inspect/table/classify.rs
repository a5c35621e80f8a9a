//! Finds the kind of a descriptor from the system's answers about it.

use super::kind::Kind;
use super::link::{Link, without_deleted_suffix};
use super::sockets::Socket;
use super::status::FileStatus;
use crate::inspect::fdinfo::FdInfo;
use rustix::fs::FileType;
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// The system's answers about one descriptor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    /// The text of its link in `/proc/PID/fd`.
    pub(super) link: Result<&'a [u8], Errno>,
    pub(super) status: Result<&'a FileStatus, Errno>,
    pub(super) info: &'a FdInfo,
}

/// Questions that only some kinds need. Each may take system calls.
pub(super) trait Lookup {
    /// Whether a character device is a terminal.
    fn is_terminal(&mut self, major: u32, minor: u32) -> bool;
    /// The socket with this inode number.
    fn socket(&mut self, inode: u64) -> Option<Socket>;
    /// Whether the path leads to this file.
    fn is_at(&mut self, path: &[u8], status: &FileStatus) -> bool;
    /// Whether the file is in the file system of the root directory.
    fn is_in_root(&mut self, status: &FileStatus) -> bool;
    /// The kind of file system that has the descriptor's file.
    fn file_system(&mut self) -> Option<FileSystem>;
}

/// The kernel's internal file systems, which have its own objects as files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), allow(dead_code, reason = "only Linux tells"))]
pub(super) enum FileSystem {
    Pipes,
    Sockets,
    Namespaces,
    Pidfds,
    Anonymous,
    Queues,
    Other,
}

impl FileSystem {
    /// The file system with this `f_type` (`statfs(2)`).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) fn from_magic(magic: u32) -> Self {
        match magic {
            0x5049_5045 => Self::Pipes,
            0x534f_434b => Self::Sockets,
            0x6e73_6673 => Self::Namespaces,
            0x5049_4446 => Self::Pidfds,
            0x0904_1934 => Self::Anonymous,
            0x1980_0202 => Self::Queues,
            _ => Self::Other,
        }
    }
}

/// Finds the kind of a descriptor.
pub(super) fn classify(facts: &Facts<'_>, lookup: &mut impl Lookup) -> Kind {
    match (facts.link, facts.status) {
        (Ok(link), _) => by_link(link, facts, lookup),
        (Err(_), Ok(status)) => by_file_system(status, facts.info, lookup),
        (Err(error), Err(_)) => Kind::Unreadable { link: None, error: error.raw_os_error() },
    }
}

/// Finds the kind of a descriptor whose link is known.
fn by_link(text: &[u8], facts: &Facts<'_>, lookup: &mut impl Lookup) -> Kind {
    match (Link::parse(text), facts.status) {
        (Link::Pipe(inode), _) => Kind::Pipe { inode },
        (Link::Socket(inode), _) => Kind::Socket { inode, socket: lookup.socket(inode) },
        (Link::Namespace(name, inode), _) => Kind::Namespace { name: Some(name.to_owned()), inode },
        (Link::Anonymous(name), _) => by_anonymous_name(name, facts.info),
        (Link::Path(path), Ok(status)) => by_path(path, status, lookup),
        (Link::Path(path), Err(errno)) => Kind::Unreadable { link: Some(path_buf(path)), error: errno.raw_os_error() },
        (Link::Other, _) => Kind::Other { link: path_buf(text) },
    }
}

/// Finds the kind of an anonymous inode by its name.
fn by_anonymous_name(name: &[u8], info: &FdInfo) -> Kind {
    match name {
        b"eventfd" => Kind::Event { count: info.count },
        b"eventpoll" => Kind::Epoll { watched: info.watched.clone() },
        b"timerfd" => Kind::Timer,
        b"signalfd" => Kind::Signal,
        b"inotify" => Kind::Inotify,
        b"fanotify" => Kind::Fanotify,
        b"pidfd" => Kind::Pidfd { pid: info.pid },
        _ => Kind::Anonymous { name: Some(String::from_utf8_lossy(name).into_owned()) },
    }
}

/// Finds the kind of a descriptor whose link is a path.
fn by_path(text: &[u8], status: &FileStatus, lookup: &mut impl Lookup) -> Kind {
    // The kernel appends " (deleted)" to the path of a deleted file, but a file name may also end so. The file is
    // deleted if it has no links, or if the whole text is not its path (it may have other links).
    let deleted_path = without_deleted_suffix(text).filter(|_| status.links == 0 || !lookup.is_at(text, status));
    let path = deleted_path.unwrap_or(text);
    if status.file_type == FileType::RegularFile {
        // The kernel also makes paths with one component for files that are in no directory. Such a file is never in
        // the file system of the root directory.
        if deleted_path.is_some() && path == b"/secretmem" && !lookup.is_in_root(status) {
            return Kind::SecretMemory;
        }
        if let Some(name) =
            path.strip_prefix(b"/memfd:").filter(|_| deleted_path.is_some() && !lookup.is_in_root(status))
        {
            return Kind::Memory { name: path_buf(name) };
        }
        let is_one_component = !path.iter().skip(1).any(|&byte| byte == b'/');
        if is_one_component && !lookup.is_in_root(status) && lookup.file_system() == Some(FileSystem::Queues) {
            return Kind::Queue { name: Some(path_buf(path)) };
        }
    }
    by_type(Some(path_buf(path)), deleted_path.is_some(), status, lookup)
        .unwrap_or_else(|| Kind::Other { link: path_buf(text) })
}

/// Finds the kind of a file by its type. `None` if the type is unknown.
fn by_type(path: Option<PathBuf>, deleted: bool, status: &FileStatus, lookup: &mut impl Lookup) -> Option<Kind> {
    let (major, minor) = status.special;
    Some(match status.file_type {
        FileType::RegularFile => Kind::File { path, deleted },
        FileType::Directory => Kind::Directory { path, deleted },
        FileType::CharacterDevice if lookup.is_terminal(major, minor) => Kind::Terminal { path, deleted },
        FileType::CharacterDevice => Kind::CharacterDevice { path, deleted, major, minor },
        FileType::BlockDevice => Kind::BlockDevice { path, deleted, major, minor },
        FileType::Fifo => Kind::Fifo { path, deleted },
        FileType::Symlink => Kind::SymbolicLink { path, deleted },
        FileType::Socket => Kind::SocketFile { path, deleted },
        FileType::Unknown => return None,
    })
}

/// Finds the kind of a descriptor whose link cannot be read (there is no `/proc`, or the path is too long), by the file
/// system of its file.
fn by_file_system(status: &FileStatus, info: &FdInfo, lookup: &mut impl Lookup) -> Kind {
    let inode = status.id.inode;
    match (lookup.file_system(), status.file_type) {
        (Some(FileSystem::Pipes), _) | (None, FileType::Fifo) => Kind::Pipe { inode },
        (Some(FileSystem::Sockets), _) | (None, FileType::Socket) => {
            Kind::Socket { inode, socket: lookup.socket(inode) }
        }
        (Some(FileSystem::Namespaces), _) => Kind::Namespace { name: None, inode },
        (Some(FileSystem::Pidfds), _) => Kind::Pidfd { pid: info.pid },
        (Some(FileSystem::Queues), FileType::RegularFile) => Kind::Queue { name: None },
        (Some(FileSystem::Anonymous), _) => Kind::Anonymous { name: None },
        _ => by_type(None, status.links == 0, status, lookup).unwrap_or(Kind::Anonymous { name: None }),
    }
}

/// A path of these bytes.
fn path_buf(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::super::status::FileId;
    use super::*;

    /// Answers that a test has fixed.
    #[derive(Default)]
    struct FixedAnswers {
        terminal: bool,
        at: bool,
        in_root: bool,
        file_system: Option<FileSystem>,
    }

    impl Lookup for FixedAnswers {
        fn is_terminal(&mut self, _: u32, _: u32) -> bool {
            self.terminal
        }
        fn socket(&mut self, _: u64) -> Option<Socket> {
            None
        }
        fn is_at(&mut self, _: &[u8], _: &FileStatus) -> bool {
            self.at
        }
        fn is_in_root(&mut self, _: &FileStatus) -> bool {
            self.in_root
        }
        fn file_system(&mut self) -> Option<FileSystem> {
            self.file_system
        }
    }

    fn status(file_type: FileType, links: u64) -> FileStatus {
        let id = FileId { device: 1, inode: 5, born: None };
        FileStatus { id, file_type, links, special: (1, 3) }
    }

    fn kind(link: &str, status: &FileStatus, mut answers: FixedAnswers) -> String {
        let facts = Facts { link: Ok(link.as_bytes()), status: Ok(status), info: &FdInfo::default() };
        classify(&facts, &mut answers).to_string()
    }

    #[test]
    fn suffix_of_the_kernel_is_distinguished_from_a_name_that_ends_so() {
        let file = |link, links, at| {
            kind(
                link,
                &status(FileType::RegularFile, links),
                FixedAnswers { at, in_root: true, ..FixedAnswers::default() },
            )
        };
        assert_eq!(file("/d/x", 1, true), "file /d/x");
        assert_eq!(file("/d/x (deleted)", 0, false), "deleted file /d/x");
        assert_eq!(file("/d/x (deleted)", 1, true), "file /d/x (deleted)");
        assert_eq!(file("/d/x (deleted)", 1, false), "deleted file /d/x", "it has another name");
        assert_eq!(file("/d/x (deleted) (deleted)", 0, false), "deleted file /d/x (deleted)");
        assert_eq!(file("/d/x", 0, false), "file /d/x", "some file systems do not count names");
    }

    #[test]
    fn memory_is_distinguished_from_a_deleted_file_in_the_root_directory() {
        let file = |link, in_root, file_system| {
            kind(
                link,
                &status(FileType::RegularFile, 0),
                FixedAnswers { in_root, file_system, ..FixedAnswers::default() },
            )
        };
        assert_eq!(file("/memfd:a b (deleted)", false, None), "memfd a b");
        assert_eq!(file("/memfd: (deleted) (deleted)", false, None), "memfd  (deleted)");
        assert_eq!(file("/memfd:a/b (deleted)", false, None), "memfd a/b");
        assert_eq!(file("/memfd:a (deleted)", true, None), "deleted file /memfd:a");
        assert_eq!(file("/secretmem (deleted)", false, None), "secret memory");
        assert_eq!(file("/secretmem (deleted)", true, None), "deleted file /secretmem");
        assert_eq!(file("/secretmem", false, None), "file /secretmem");
        assert_eq!(file("/queue", false, Some(FileSystem::Queues)), "message queue /queue");
        assert_eq!(file("/file", false, Some(FileSystem::Other)), "file /file");
        assert_eq!(file("/d/file", false, Some(FileSystem::Queues)), "file /d/file");
    }

    #[test]
    fn each_type_of_file_is_a_kind_of_its_own() {
        let of = |file_type| kind("/d/x", &status(file_type, 1), FixedAnswers::default());
        assert_eq!(of(FileType::Directory), "directory /d/x");
        assert_eq!(of(FileType::CharacterDevice), "character device /d/x 1:3");
        assert_eq!(of(FileType::BlockDevice), "block device /d/x 1:3");
        assert_eq!(of(FileType::Fifo), "fifo /d/x");
        assert_eq!(of(FileType::Symlink), "symbolic link /d/x");
        assert_eq!(of(FileType::Socket), "socket file /d/x");
        assert_eq!(of(FileType::Unknown), "/d/x");
        let terminal = FixedAnswers { terminal: true, ..FixedAnswers::default() };
        assert_eq!(
            kind("/dev/pts/1 (deleted)", &status(FileType::CharacterDevice, 0), terminal),
            "deleted terminal /dev/pts/1"
        );
    }

    #[test]
    fn links_that_are_no_paths_need_no_status() {
        let of = |link: &str| {
            let info = FdInfo { count: Some(3), pid: Some(7), watched: (0..10).collect(), ..FdInfo::default() };
            let facts = Facts { link: Ok(link.as_bytes()), status: Err(Errno::ACCESS), info: &info };
            classify(&facts, &mut FixedAnswers::default()).to_string()
        };
        assert_eq!(of("pipe:[5]"), "pipe:[5]");
        assert_eq!(of("socket:[5]"), "socket:[5]");
        assert_eq!(of("mnt:[5]"), "namespace mnt:[5]");
        assert_eq!(of("anon_inode:[eventfd]"), "eventfd of count 3");
        assert_eq!(of("anon_inode:[eventpoll]"), "epoll of 0 1 2 3 4 5 6 7 and 2 more");
        assert_eq!(of("anon_inode:[pidfd]"), "pidfd of process 7");
        assert_eq!(of("anon_inode:[timerfd]"), "timerfd");
        assert_eq!(of("anon_inode:[signalfd]"), "signalfd");
        assert_eq!(of("anon_inode:inotify"), "inotify");
        assert_eq!(of("anon_inode:[fanotify]"), "fanotify");
        assert_eq!(of("anon_inode:[io_uring]"), "anonymous io_uring");
        assert_eq!(of("what:ever"), "what:ever");
        assert_eq!(of("/d/x\n"), "unreadable /d/x\\n: Permission denied (os error 13)");
    }

    #[test]
    fn without_a_link_the_file_system_tells() {
        let of = |file_type, file_system| {
            let status = status(file_type, 1);
            let facts = Facts { link: Err(Errno::NOSYS), status: Ok(&status), info: &FdInfo::default() };
            classify(&facts, &mut FixedAnswers { file_system, ..FixedAnswers::default() }).to_string()
        };
        assert_eq!(of(FileType::Fifo, Some(FileSystem::Pipes)), "pipe:[5]");
        assert_eq!(of(FileType::Fifo, Some(FileSystem::Other)), "fifo of unknown name");
        assert_eq!(of(FileType::Fifo, None), "pipe:[5]");
        assert_eq!(of(FileType::Socket, Some(FileSystem::Sockets)), "socket:[5]");
        assert_eq!(of(FileType::Socket, Some(FileSystem::Other)), "socket file of unknown name");
        assert_eq!(of(FileType::RegularFile, Some(FileSystem::Namespaces)), "namespace [5]");
        assert_eq!(of(FileType::Unknown, Some(FileSystem::Anonymous)), "anonymous");
        assert_eq!(of(FileType::Unknown, Some(FileSystem::Pidfds)), "pidfd");
        assert_eq!(of(FileType::Unknown, None), "anonymous");
        assert_eq!(of(FileType::RegularFile, Some(FileSystem::Queues)), "message queue");
        assert_eq!(of(FileType::Directory, Some(FileSystem::Queues)), "directory of unknown name");
        assert_eq!(of(FileType::RegularFile, None), "file of unknown name");
    }

    #[test]
    fn what_tells_nothing_is_unreadable_with_its_error() {
        let facts = Facts { link: Err(Errno::ACCESS), status: Err(Errno::PERM), info: &FdInfo::default() };
        let kind = classify(&facts, &mut FixedAnswers::default());
        assert_eq!(kind, Kind::Unreadable { link: None, error: libc::EACCES });
        assert_eq!(kind.to_string(), "unreadable: Permission denied (os error 13)");
    }
}
