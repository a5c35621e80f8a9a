//! `Kind`.

use super::sockets::Socket;
use crate::escape::Escaped;
use std::fmt;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What a descriptor refers to.
///
/// A path is the one that the system shows for the file. Another file may have replaced the file there, and in the
/// process's own mount namespace the file may have another path. The path is `None` if it is longer than the system can
/// show, or if there is no `/proc`. `deleted` says that the file is no longer at the path. `Display` escapes names.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A regular file.
    File {
        /// Its path.
        path: Option<PathBuf>,
        /// Whether it is no longer at that path.
        deleted: bool,
    },
    /// A directory.
    Directory {
        /// Its path.
        path: Option<PathBuf>,
        /// Whether it is no longer at that path.
        deleted: bool,
    },
    /// A terminal: a console, a serial line, or either end of a pseudo-terminal.
    #[doc(alias = "tty")]
    Terminal {
        /// The device's path.
        path: Option<PathBuf>,
        /// Whether the device no longer exists: the other end of the pseudo-terminal is closed.
        deleted: bool,
    },
    /// Any other character device, such as `/dev/null`.
    CharacterDevice {
        /// The device's path.
        path: Option<PathBuf>,
        /// Whether it is no longer at that path.
        deleted: bool,
        /// The major number, which denotes the driver.
        major: u32,
        /// The minor number, which denotes one of the driver's devices.
        minor: u32,
    },
    /// A block device.
    BlockDevice {
        /// The device's path.
        path: Option<PathBuf>,
        /// Whether it is no longer at that path.
        deleted: bool,
        /// The major number, which denotes the driver.
        major: u32,
        /// The minor number, which denotes one of the driver's devices.
        minor: u32,
    },
    /// One end of a pipe: `pipe(2)`. On systems other than Linux, it may also be a FIFO.
    Pipe {
        /// The inode number, which both ends have.
        inode: u64,
    },
    /// One end of a FIFO, a named pipe: `mkfifo(3)`.
    #[doc(alias = "mkfifo")]
    Fifo {
        /// Its path.
        path: Option<PathBuf>,
        /// Whether it is no longer at that path.
        deleted: bool,
    },
    /// A socket.
    Socket {
        /// The inode number of the socket.
        inode: u64,
        /// Its protocol, its addresses and its state. `None` if the system does not list such sockets, or if the list
        /// could not be read.
        socket: Option<Socket>,
    },
    /// An anonymous file in memory: `memfd_create(2)`.
    #[doc(alias = "memfd")]
    Memory {
        /// The name from `memfd_create(2)`. It need not be unique.
        name: PathBuf,
    },
    /// Memory that the kernel cannot read: `memfd_secret(2)`.
    #[doc(alias = "memfd_secret")]
    SecretMemory,
    /// A pidfd, which refers to a process: `pidfd_open(2)`.
    Pidfd {
        /// The process. `None` if it has been reaped, or if it has no pid in the PID namespace of `/proc`.
        pid: Option<u32>,
    },
    /// An eventfd, a counter of events: `eventfd(2)`.
    #[doc(alias = "eventfd")]
    Event {
        /// Its count.
        count: Option<u64>,
    },
    /// An epoll: `epoll_create(2)`.
    Epoll {
        /// The numbers under which the watched descriptors were added, in order. A number stays in the list after its
        /// descriptor is closed or replaced. A number that was added twice, for two files, is in the list twice.
        watched: Vec<RawFd>,
    },
    /// A timerfd, a timer: `timerfd_create(2)`.
    #[doc(alias = "timerfd")]
    Timer,
    /// A signalfd, from which a process reads signals: `signalfd(2)`.
    #[doc(alias = "signalfd")]
    Signal,
    /// An inotify instance, which reports changes of files: `inotify_init(2)`.
    Inotify,
    /// A fanotify group, which reports accesses of files: `fanotify_init(2)`.
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
        /// Its kind, as in `/proc/PID/ns`: `net`, `mnt`. `None` without `/proc`.
        name: Option<String>,
        /// The inode number of the namespace.
        inode: u64,
    },
    /// A symbolic link itself, opened with `O_PATH` and `O_NOFOLLOW`.
    SymbolicLink {
        /// Its path.
        path: Option<PathBuf>,
        /// Whether it is no longer at that path.
        deleted: bool,
    },
    /// The file that a Unix socket is bound to, opened with `O_PATH`. It is not the socket.
    SocketFile {
        /// Its path.
        path: Option<PathBuf>,
        /// Whether it is no longer at that path.
        deleted: bool,
    },
    /// Any other object of the kernel without a path: io_uring, userfaultfd, performance counters, BPF and others.
    #[doc(alias = "anon_inode")]
    Anonymous {
        /// The kernel's name for its kind: `io_uring`, `bpf-map`. `None` without `/proc`.
        name: Option<String>,
    },
    /// Another kind.
    Other {
        /// The text of its link in `/proc/PID/fd`.
        link: PathBuf,
    },
    /// The descriptor is open, but the system does not tell what it refers to.
    Unreadable {
        /// The text of its link in `/proc/PID/fd`, if that could be read.
        link: Option<PathBuf>,
        /// The system's error number.
        error: i32,
    },
}

impl Kind {
    /// The path of a file. `None` for kinds that have no path, and if the path is unknown.
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

    /// Whether the offset of such a description has a meaning.
    pub(super) fn has_offset(&self) -> bool {
        matches!(self, Self::File { .. } | Self::Directory { .. } | Self::BlockDevice { .. } | Self::Memory { .. })
    }

    /// The kernel's name for a kind of anonymous inode. Descriptors of several such kinds may have one and the same
    /// file.
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

    /// Prints the word for a kind, and the path.
    fn text(&self, f: &mut fmt::Formatter<'_>, what: &str, path: &Option<PathBuf>, deleted: bool) -> fmt::Result {
        // The word comes before the path, because a path may end in " (deleted)".
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
            // The inode number comes first: the socket at the other end of a Unix socket is printed by that number.
            Self::Socket { inode, socket: Some(socket) } => write!(f, "socket:[{inode}] {socket}"),
            Self::Socket { inode, socket: None } => write!(f, "socket:[{inode}]"),
            Self::Memory { name } if name.as_os_str().is_empty() => f.write_str("memfd"),
            Self::Memory { name } => write!(f, "memfd {}", Escaped(name.as_os_str().as_bytes())),
            Self::SecretMemory => f.write_str("secret memory"),
            Self::Pidfd { pid: Some(pid) } => write!(f, "pidfd of process {pid}"),
            Self::Event { count: Some(count) } => write!(f, "eventfd of count {count}"),
            Self::Epoll { watched } if !watched.is_empty() => {
                /// At most this many numbers are printed.
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
