//! What a descriptor refers to.

use super::sockets::Socket;
use crate::inspect::escape::Escaped;
use std::fmt;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What a descriptor refers to.
///
/// A path is the one that the system remembers: the file may have been replaced there, be reached by another path in
/// the process's own view, or be unknown (`None`) where the path is longer than the system can say, or where there is
/// no `/proc`. `deleted` tells that the file is no longer at the path. Names in `Display` are escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A regular file.
    File {
        /// Where it was opened.
        path: Option<PathBuf>,
        /// Whether it is gone from there.
        deleted: bool,
    },
    /// A directory.
    Directory {
        /// Where it was opened.
        path: Option<PathBuf>,
        /// Whether it is gone from there.
        deleted: bool,
    },
    /// A terminal, a pseudo-terminal or a serial line; either end.
    #[doc(alias = "tty")]
    Terminal {
        /// The device's path.
        path: Option<PathBuf>,
        /// Whether the device is gone: a pseudo-terminal whose other end is closed.
        deleted: bool,
    },
    /// Any other character device, such as `/dev/null`.
    CharacterDevice {
        /// The device's path.
        path: Option<PathBuf>,
        /// Whether it is gone from there.
        deleted: bool,
        /// The major number: which driver.
        major: u32,
        /// The minor number: which of its devices.
        minor: u32,
    },
    /// A block device.
    BlockDevice {
        /// The device's path.
        path: Option<PathBuf>,
        /// Whether it is gone from there.
        deleted: bool,
        /// The major number: which driver.
        major: u32,
        /// The minor number: which of its devices.
        minor: u32,
    },
    /// One end of a pipe: `pipe(2)`. On systems other than Linux, it may also be a named one.
    Pipe {
        /// The number that both ends have.
        inode: u64,
    },
    /// One end of a pipe that has a name: `mkfifo(3)`.
    #[doc(alias = "mkfifo")]
    Fifo {
        /// Where it was opened.
        path: Option<PathBuf>,
        /// Whether it is gone from there.
        deleted: bool,
    },
    /// A socket.
    Socket {
        /// The socket's number.
        inode: u64,
        /// Its addresses. `None` where the system does not tell of such a socket, or not at this moment.
        socket: Option<Socket>,
    },
    /// Memory with a descriptor: `memfd_create(2)`.
    #[doc(alias = "memfd")]
    Memory {
        /// The name that it was given; it need not be unique.
        name: PathBuf,
    },
    /// Memory that not even the kernel reads: `memfd_secret(2)`.
    #[doc(alias = "memfd_secret")]
    SecretMemory,
    /// A process: `pidfd_open(2)`.
    Pidfd {
        /// The process. `None` once it is reaped, and where it has no number that could be seen here.
        pid: Option<u32>,
    },
    /// An event counter: `eventfd(2)`.
    #[doc(alias = "eventfd")]
    Event {
        /// Its count.
        count: Option<u64>,
    },
    /// An epoll: `epoll_create(2)`.
    Epoll {
        /// The numbers under which the watched descriptors were added, in order. One may since be closed or be
        /// another's, and is then here still; one that was added twice is here twice.
        watched: Vec<RawFd>,
    },
    /// A timer: `timerfd_create(2)`.
    #[doc(alias = "timerfd")]
    Timer,
    /// Signals to be read: `signalfd(2)`.
    #[doc(alias = "signalfd")]
    Signal,
    /// Changes of files: `inotify_init(2)`.
    Inotify,
    /// Uses of files: `fanotify_init(2)`.
    Fanotify,
    /// A message queue: `mq_open(3)`.
    #[doc(alias = "mq_open")]
    Queue {
        /// Its name, which starts with a slash. `None` without `/proc`.
        name: Option<PathBuf>,
    },
    /// A namespace: `namespaces(7)`.
    #[doc(alias = "nsfs")]
    Namespace {
        /// Its kind as in `/proc/PID/ns`: `net`, `mnt`. `None` without `/proc`.
        name: Option<String>,
        /// The namespace's number.
        inode: u64,
    },
    /// A symbolic link itself, opened with `O_PATH` and `O_NOFOLLOW`.
    SymbolicLink {
        /// Where it was opened.
        path: Option<PathBuf>,
        /// Whether it is gone from there.
        deleted: bool,
    },
    /// The name of a Unix socket in the file system, opened with `O_PATH`; not the socket.
    SocketFile {
        /// Where it was opened.
        path: Option<PathBuf>,
        /// Whether it is gone from there.
        deleted: bool,
    },
    /// Any other that has no place in the file system: io_uring, userfaultfd, performance counters, BPF and so on.
    #[doc(alias = "anon_inode")]
    Anonymous {
        /// The kernel's name for its kind: `io_uring`, `bpf-map`. `None` without `/proc`.
        name: Option<String>,
    },
    /// None of these.
    Other {
        /// What `/proc/PID/fd` says that it is.
        link: PathBuf,
    },
    /// It is open, but the system does not tell what it is.
    Unreadable {
        /// What `/proc/PID/fd` says that it is, where that much was told.
        link: Option<PathBuf>,
        /// The system's error number.
        error: i32,
    },
}

impl Kind {
    /// The path of what has a place in the file system.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File { path, .. }
            | Self::Directory { path, .. }
            | Self::Terminal { path, .. }
            | Self::CharacterDevice { path, .. }
            | Self::BlockDevice { path, .. }
            | Self::Fifo { path, .. }
            | Self::SymbolicLink { path, .. }
            | Self::SocketFile { path, .. } => path.as_deref(),
            _ => None,
        }
    }

    /// Whether an offset means something here.
    pub(super) fn has_offset(&self) -> bool {
        matches!(self, Self::File { .. } | Self::Directory { .. } | Self::BlockDevice { .. } | Self::Memory { .. })
    }

    /// The kernel's name for a kind that has no place in the file system, and maybe no file of its own.
    pub(super) fn anonymous_name(&self) -> Option<&str> {
        match self {
            Self::Pidfd { .. } => Some("pidfd"),
            Self::Event { .. } => Some("eventfd"),
            Self::Epoll { .. } => Some("eventpoll"),
            Self::Timer => Some("timerfd"),
            Self::Signal => Some("signalfd"),
            Self::Inotify => Some("inotify"),
            Self::Fanotify => Some("fanotify"),
            Self::Anonymous { name } => name.as_deref(),
            _ => None,
        }
    }

    fn text(&self, f: &mut fmt::Formatter<'_>, what: &str, path: &Option<PathBuf>, deleted: bool) -> fmt::Result {
        // In front, since a name may end in " (deleted)".
        f.write_str(if deleted { "deleted " } else { "" })?;
        match path {
            Some(path) => write!(f, "{what} {}", Escaped(path.as_os_str().as_bytes())),
            None => write!(f, "{what} of unknown name"),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, deleted } => self.text(f, "file", path, *deleted),
            Self::Directory { path, deleted } => self.text(f, "directory", path, *deleted),
            Self::Terminal { path, deleted } => self.text(f, "terminal", path, *deleted),
            Self::CharacterDevice { path, deleted, major, minor } => {
                self.text(f, "character device", path, *deleted)?;
                write!(f, " {major}:{minor}")
            }
            Self::BlockDevice { path, deleted, major, minor } => {
                self.text(f, "block device", path, *deleted)?;
                write!(f, " {major}:{minor}")
            }
            Self::Fifo { path, deleted } => self.text(f, "fifo", path, *deleted),
            Self::SymbolicLink { path, deleted } => self.text(f, "symbolic link", path, *deleted),
            Self::SocketFile { path, deleted } => self.text(f, "socket file", path, *deleted),
            Self::Pipe { inode } => write!(f, "pipe:[{inode}]"),
            // The number first: the other end of a Unix socket is named by it.
            Self::Socket { inode, socket: Some(socket) } => write!(f, "socket:[{inode}] {socket}"),
            Self::Socket { inode, socket: None } => write!(f, "socket:[{inode}]"),
            Self::Memory { name } if name.as_os_str().is_empty() => f.write_str("memfd"),
            Self::Memory { name } => write!(f, "memfd {}", Escaped(name.as_os_str().as_bytes())),
            Self::SecretMemory => f.write_str("secret memory"),
            Self::Pidfd { pid: Some(pid) } => write!(f, "pidfd of process {pid}"),
            Self::Event { count: Some(count) } => write!(f, "eventfd of count {count}"),
            Self::Epoll { watched } if !watched.is_empty() => {
                /// So many are printed.
                const SHOWN: usize = 8;
                f.write_str("epoll of")?;
                watched.iter().take(SHOWN).try_for_each(|number| write!(f, " {number}"))?;
                match watched.len().saturating_sub(SHOWN) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
            Self::Pidfd { pid: None } => f.write_str("pidfd"),
            Self::Event { count: None } => f.write_str("eventfd"),
            Self::Epoll { .. } => f.write_str("epoll"),
            Self::Timer => f.write_str("timerfd"),
            Self::Signal => f.write_str("signalfd"),
            Self::Inotify => f.write_str("inotify"),
            Self::Fanotify => f.write_str("fanotify"),
            Self::Queue { name: Some(name) } => write!(f, "message queue {}", Escaped(name.as_os_str().as_bytes())),
            Self::Queue { name: None } => f.write_str("message queue"),
            Self::Namespace { name: Some(name), inode } => {
                write!(f, "namespace {}:[{inode}]", Escaped(name.as_bytes()))
            }
            Self::Namespace { name: None, inode } => write!(f, "namespace [{inode}]"),
            Self::Anonymous { name: Some(name) } => write!(f, "anonymous {}", Escaped(name.as_bytes())),
            Self::Anonymous { name: None } => f.write_str("anonymous"),
            Self::Other { link } => write!(f, "{}", Escaped(link.as_os_str().as_bytes())),
            Self::Unreadable { link, error } => {
                f.write_str("unreadable")?;
                if let Some(link) = link {
                    write!(f, " {}", Escaped(link.as_os_str().as_bytes()))?;
                }
                write!(f, ": {}", std::io::Error::from_raw_os_error(*error))
            }
        }
    }
}
