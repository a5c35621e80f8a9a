//! One descriptor of every kind, and what a table has to show of each.

use super::entry;
use crate::support::forked::Forked;
use fdspawn::inspect::DescriptorTable;
use fdspawn::inspect::{Access, Kind};
use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// A descriptor that stays open until the test's process ends.
pub struct Held {
    pub number: RawFd,
    pub kind: Kind,
    /// `None` if the kind has no offset.
    pub offset: Option<u64>,
}

/// The descriptors, and what they need for as long as they are open.
pub struct EveryKind {
    pub held: Vec<Held>,
    /// The text that a table prints for each socket.
    pub sockets: Vec<(RawFd, String)>,
    _directory: tempfile::TempDir,
    _process: Forked,
}

/// The status of the file that is open at `number`, by `fstat(2)`.
pub fn stat(number: RawFd) -> libc::stat {
    // SAFETY: all zeros is a valid stat, and one is written.
    unsafe {
        let mut stat = std::mem::zeroed();
        assert_eq!(libc::fstat(number, &raw mut stat), 0, "{number}");
        stat
    }
}

fn flags(number: RawFd) -> (i32, i32) {
    // SAFETY: the calls only read flags.
    unsafe { (libc::fcntl(number, libc::F_GETFD), libc::fcntl(number, libc::F_GETFL)) }
}

/// The new descriptor that a system call has made, or its error.
fn made(result: impl TryInto<RawFd>) -> std::io::Result<OwnedFd> {
    match result.try_into() {
        // SAFETY: the call has made the descriptor.
        Ok(number @ 0..) => Ok(unsafe { OwnedFd::from_raw_fd(number) }),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// Opens a path with any flags.
pub fn open(path: &Path, flags: i32) -> OwnedFd {
    let path = CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: the path is NUL-terminated.
    made(unsafe { libc::open(path.as_ptr(), flags, 0o600) }).unwrap()
}

fn file(path: &Path, deleted: bool) -> Kind {
    Kind::File { path: Some(path.into()), deleted }
}

impl EveryKind {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let process = Forked::new(|| {});
        let root = directory.path().canonicalize().unwrap();
        let mut every = Self { held: Vec::new(), sockets: Vec::new(), _directory: directory, _process: process };
        every.files(&root);
        every.devices();
        every.pipes_and_sockets(&root);
        every.anonymous();
        every.processes();
        every
    }

    fn add(&mut self, fd: impl Into<OwnedFd>, kind: Kind) -> RawFd {
        let number = fd.into().into_raw_fd();
        self.held.push(Held { number, kind, offset: None });
        number
    }

    /// Adds a descriptor that this kernel, or a filter, may refuse.
    fn add_if_there(&mut self, fd: std::io::Result<OwnedFd>, kind: Kind) {
        match fd {
            Ok(fd) => {
                self.add(fd, kind);
            }
            Err(error) => println!("not here: {kind}: {error}"),
        }
    }

    fn add_with_offset(&mut self, fd: impl Into<OwnedFd>, kind: Kind, offset: u64) {
        let number = self.add(fd, kind);
        // SAFETY: a descriptor of the test's own.
        let is = unsafe { libc::lseek(number, offset.cast_signed(), libc::SEEK_SET) };
        assert_eq!(is, offset.cast_signed());
        self.held.last_mut().unwrap().offset = Some(offset);
    }

    fn files(&mut self, root: &Path) {
        let create = libc::O_CREAT | libc::O_RDWR;
        let plain = root.join("plain");
        self.add_with_offset(open(&plain, create | libc::O_CLOEXEC), file(&plain, false), 1 << 40);
        self.add_with_offset(open(&plain, libc::O_WRONLY | libc::O_APPEND), file(&plain, false), 0);
        self.add_with_offset(open(&plain, libc::O_RDONLY | libc::O_NONBLOCK), file(&plain, false), 3);
        self.add(open(&plain, libc::O_PATH), file(&plain, false));
        for name in [&b"new\nline"[..], b"x (deleted)", b"\xff\xfe", b"pipe:[5]", b"\x1b[31m", b" "] {
            let path = root.join(OsStr::from_bytes(name));
            self.add_with_offset(open(&path, create), file(&path, false), 1);
        }
        for name in ["gone", "gone (deleted)", "memfd:x"] {
            let path = root.join(name);
            self.add_with_offset(open(&path, create), file(&path, true), 2);
            std::fs::remove_file(path).unwrap();
        }
        // The file is gone from the path at which it was opened, but it has another name.
        let (first, second) = (root.join("first"), root.join("second"));
        self.add_with_offset(open(&first, create), file(&first, true), 0);
        std::fs::hard_link(&first, second).unwrap();
        std::fs::remove_file(first).unwrap();
        // The file was renamed, and /proc shows its new path.
        let (old, new) = (root.join("old"), root.join("new"));
        self.add_with_offset(open(&old, create), file(&new, false), 0);
        std::fs::rename(old, new).unwrap();

        self.add_with_offset(
            open(root, libc::O_RDONLY | libc::O_DIRECTORY),
            Kind::Directory { path: Some(root.into()), deleted: false },
            0,
        );
        let gone = root.join("gone directory");
        std::fs::create_dir(&gone).unwrap();
        let directory = open(&gone, libc::O_RDONLY);
        self.add_with_offset(directory, Kind::Directory { path: Some(gone.clone()), deleted: true }, 0);
        std::fs::remove_dir(&gone).unwrap();
        let path = root.join("symlink");
        symlink("to nowhere", &path).unwrap();
        self.add(
            open(&path, libc::O_PATH | libc::O_NOFOLLOW),
            Kind::SymbolicLink { path: Some(path.clone()), deleted: false },
        );
        for name in ["memory", "", "x (deleted)", "a/b\n"] {
            let text = CString::new(name).unwrap();
            // SAFETY: the name is NUL-terminated.
            let memory = made(unsafe { libc::memfd_create(text.as_ptr(), 0) }).unwrap();
            self.add_with_offset(memory, Kind::Memory { name: PathBuf::from(name) }, 5);
        }
        // SAFETY: only numbers are passed.
        let secret = made(unsafe { libc::syscall(libc::SYS_memfd_secret, 0) });
        self.add_if_there(secret, Kind::SecretMemory);
        // SAFETY: the name is NUL-terminated.
        let huge = made(unsafe { libc::memfd_create(c"huge".as_ptr(), libc::MFD_HUGETLB) });
        let found = huge.is_ok();
        self.add_if_there(huge, Kind::Memory { name: "huge".into() });
        if found {
            self.held.last_mut().unwrap().offset = Some(0);
        }
    }

    fn devices(&mut self) {
        let null = |deleted| Kind::CharacterDevice { path: Some("/dev/null".into()), deleted, major: 1, minor: 3 };
        self.add(open(Path::new("/dev/null"), libc::O_RDWR), null(false));
        // Access mode 3 opens the device only for its controls (`ioctl(2)`).
        self.add(open(Path::new("/dev/null"), 3), null(false));
        let block = Path::new("/dev/loop0");
        if block.exists() {
            let block_device = Kind::BlockDevice { path: Some(block.into()), deleted: false, major: 7, minor: 0 };
            self.add_with_offset(open(block, libc::O_RDONLY), block_device, 0);
        }
        for close_slave in [false, true] {
            let (mut master, mut slave) = (-1, -1);
            let mut name = [0; 64];
            // SAFETY: two descriptors and a name are made, which has room.
            let name = unsafe {
                let none = std::ptr::null_mut::<libc::termios>();
                assert_eq!(
                    libc::openpty(&raw mut master, &raw mut slave, name.as_mut_ptr(), none.cast(), none.cast()),
                    0
                );
                CStr::from_ptr(name.as_ptr())
            };
            let path = PathBuf::from(OsStr::from_bytes(name.to_bytes()));
            self.add(made(slave).unwrap(), Kind::Terminal { path: Some(path), deleted: close_slave });
            let master = made(master).unwrap();
            if !close_slave {
                let multiplexer = std::fs::read_link(format!("/proc/self/fd/{}", master.as_raw_fd())).unwrap();
                assert!(multiplexer.ends_with("ptmx"), "{multiplexer:?}");
                self.add(master, Kind::Terminal { path: Some(multiplexer), deleted: false });
            }
        }
    }

    fn pipes_and_sockets(&mut self, root: &Path) {
        let (reader, writer) = std::io::pipe().unwrap();
        let inode = stat(reader.as_raw_fd()).st_ino;
        self.add(reader, Kind::Pipe { inode });
        self.add(writer, Kind::Pipe { inode });
        let path = root.join("fifo");
        let name = CString::new(path.as_os_str().as_bytes()).unwrap();
        // SAFETY: the name is NUL-terminated.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        self.add(open(&path, libc::O_RDWR | libc::O_NONBLOCK), Kind::Fifo { path: Some(path), deleted: false });

        let path = root.join("socket");
        let (left, right) = UnixStream::pair().unwrap();
        let inode = |socket: &dyn AsRawFd| stat(socket.as_raw_fd()).st_ino;
        let to = |peer| format!("unix stream -> socket:[{}]", inode(peer));
        let (of_left, of_right) = (to(&right), to(&left));
        let unix = UnixListener::bind(&path).unwrap();
        let tcp = TcpListener::bind("[::1]:0").or_else(|_| TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = tcp.local_addr().unwrap();
        let client = TcpStream::connect(address).unwrap();
        let (server, from) = tcp.accept().unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let of_udp = format!("udp {}", udp.local_addr().unwrap());
        // SAFETY: all zeros but the family is an address, which is read.
        let netlink = unsafe {
            let mut address: libc::sockaddr_nl = std::mem::zeroed();
            address.nl_family = libc::AF_NETLINK as u16;
            let socket = made(libc::socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE)).unwrap();
            let size = size_of_val(&address) as u32;
            assert_eq!(libc::bind(socket.as_raw_fd(), (&raw const address).cast(), size), 0);
            socket
        };
        let sockets: [(OwnedFd, String); 9] = [
            (left.into(), of_left),
            (right.into(), of_right),
            (unix.into(), format!("unix stream {} listening", path.display())),
            (UnixDatagram::unbound().unwrap().into(), "unix dgram".to_owned()),
            (tcp.into(), format!("tcp {address} listening")),
            (client.into(), format!("tcp {from} -> {address}")),
            (server.into(), format!("tcp {address} -> {from}")),
            (udp.into(), of_udp),
            (netlink, "netlink route".to_owned()),
        ];
        for (socket, text) in sockets {
            let inode = inode(&socket);
            let number = self.add(socket, Kind::Socket { inode, socket: None });
            self.sockets.push((number, format!("socket:[{inode}] {text}")));
        }
        self.add(open(&path, libc::O_PATH), Kind::SocketFile { path: Some(path), deleted: false });
    }

    fn anonymous(&mut self) {
        // SAFETY: the calls make descriptors, and read and write what is on this stack.
        unsafe {
            let event = self.add(
                made(libc::eventfd(u32::MAX, libc::EFD_NONBLOCK)).unwrap(),
                Kind::Event { count: Some(u64::from(u32::MAX)) },
            );
            let timer = made(libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_CLOEXEC)).unwrap();
            let timer = self.add(timer, Kind::Timer);
            let epoll = made(libc::epoll_create1(0)).unwrap();
            for number in [timer, event] {
                let mut wanted = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 77 };
                let epoll = epoll.as_raw_fd();
                assert_eq!(libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, number, &raw mut wanted), 0);
            }
            let mut watched = vec![timer, event];
            watched.sort_unstable();
            self.add(epoll, Kind::Epoll { watched });
            self.add(made(libc::epoll_create1(libc::EPOLL_CLOEXEC)).unwrap(), Kind::Epoll { watched: vec![] });
            let mut set = std::mem::zeroed();
            libc::sigaddset(&raw mut set, libc::SIGUSR1);
            self.add(made(libc::signalfd(-1, &raw const set, 0)).unwrap(), Kind::Signal);
            let inotify = made(libc::inotify_init1(libc::IN_NONBLOCK)).unwrap();
            assert!(libc::inotify_add_watch(inotify.as_raw_fd(), c"/".as_ptr(), libc::IN_CREATE) >= 0);
            self.add(inotify, Kind::Inotify);
            self.add_if_there(made(libc::fanotify_init(0, libc::O_RDONLY as u32)), Kind::Fanotify);
            let anonymous = |name: &str| Kind::Anonymous { name: Some(name.to_owned()) };
            let mut parameters = [0_u8; 120];
            let ring = made(libc::syscall(libc::SYS_io_uring_setup, 4, parameters.as_mut_ptr()));
            self.add_if_there(ring, anonymous("io_uring"));
            self.add_if_there(made(libc::syscall(libc::SYS_userfaultfd, 1)), anonymous("userfaultfd"));
            let rules = 1_u64;
            let landlock = libc::syscall(libc::SYS_landlock_create_ruleset, &raw const rules, 8, 0);
            self.add_if_there(made(landlock), anonymous("landlock-ruleset"));
            let map = [2_u32, 4, 8, 1, 0];
            let bpf = libc::syscall(libc::SYS_bpf, 0, map.as_ptr(), size_of_val(&map));
            self.add_if_there(made(bpf), anonymous("bpf-map"));
            let name = CString::new(format!("/fdspawn-{}", std::process::id())).unwrap();
            let queue = made(libc::mq_open(name.as_ptr(), libc::O_CREAT | libc::O_RDWR, 0o600, std::ptr::null::<u8>()));
            libc::mq_unlink(name.as_ptr());
            self.add_if_there(queue, Kind::Queue { name: Some(name.into_string().unwrap().into()) });
        }
        for name in ["net", "mnt", "user"] {
            let namespace = File::open(format!("/proc/self/ns/{name}")).unwrap();
            let inode = stat(namespace.as_raw_fd()).st_ino;
            self.add(namespace, Kind::Namespace { name: Some(name.to_owned()), inode });
        }
    }

    fn processes(&mut self) {
        let pidfd = |pid: u32| {
            // SAFETY: only numbers are passed.
            made(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })
        };
        let (living, ended, reaped) = (self._process.0, Forked::new(|| {}), Forked::new(|| {}));
        self.add_if_there(pidfd(living), Kind::Pidfd { pid: Some(living) });
        ended.kill();
        self.add_if_there(pidfd(ended.0), Kind::Pidfd { pid: Some(ended.0) });
        self.add_if_there(pidfd(reaped.0), Kind::Pidfd { pid: None });
        drop(reaped);
        std::mem::forget(ended); // The child stays a zombie.
    }

    /// Compares a table of this process, or of a fork of it, with the descriptors.
    #[track_caller]
    pub fn check(&self, table: &DescriptorTable) {
        for held in &self.held {
            let entry = entry(table, &held.number);
            let what = format!("{entry} is not {}", held.kind);
            match (entry.kind(), &held.kind) {
                (Kind::Socket { inode: found, .. }, Kind::Socket { inode: expected, .. }) => {
                    assert_eq!(found, expected, "{what}");
                }
                (found, expected) => assert_eq!(found, expected, "{what}"),
            }
            assert_eq!(entry.offset(), held.offset, "{what}");
            self.check_flags(table, held.number);
            let stat = stat(held.number);
            assert_eq!(entry.device_and_inode(), Some((stat.st_dev, stat.st_ino)), "{what}");
            assert_eq!(entry.locks(), Some(&[][..]), "{what}");
        }
    }

    /// Compares the sockets, if the kernel shows their addresses.
    #[track_caller]
    pub fn check_sockets(&self, table: &DescriptorTable) {
        for (number, text) in &self.sockets {
            let shown = entry(table, number).kind().to_string();
            // Some kernels do not show the other end.
            let without_peer = text.split_once(" -> socket:").map(|(text, _)| format!("{text} connected"));
            assert!(shown == *text || Some(&shown) == without_peer.as_ref(), "{shown} is not {text}");
        }
    }

    #[track_caller]
    pub fn check_flags(&self, table: &DescriptorTable, number: RawFd) {
        let entry = entry(table, &number);
        let (descriptor, status) = flags(number);
        assert_eq!(entry.close_on_exec(), Some(descriptor & libc::FD_CLOEXEC != 0), "{entry}");
        assert_eq!(entry.status_flags(), Some(status), "{entry}");
        assert_eq!(entry.append(), Some(status & libc::O_APPEND != 0), "{entry}");
        assert_eq!(entry.nonblocking(), Some(status & libc::O_NONBLOCK != 0), "{entry}");
        let access = match status & (libc::O_PATH | libc::O_ACCMODE) {
            libc::O_RDONLY => Access::Read,
            libc::O_WRONLY => Access::Write,
            libc::O_RDWR => Access::ReadWrite,
            3 => Access::Neither,
            _ => Access::Path,
        };
        assert_eq!(entry.access(), Some(access), "{entry}");
    }
}
