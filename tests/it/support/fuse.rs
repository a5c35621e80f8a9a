//! A file system (FUSE) whose files answer with the errors in their names.
//!
//! A file `flush=28,fsync=5` answers each FLUSH, which the kernel sends at a close, with error 28 (ENOSPC), and each
//! FSYNC with error 5 (EIO). `first-fsync=4` answers only the first FSYNC with an error. `getattr=5` answers each
//! GETATTR of the open file with one. A file of any other name has no errors. All files exist.
//!
//! The server is the test binary as a helper, in a process of its own, and speaks the kernel's protocol itself. It ends
//! with the mount or with the test's process. When it has ended, the kernel fails the requests that it has not
//! answered.

use super::{Planned, helper, mounts};
use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, PipeReader, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::path::{Path, PathBuf};

/// The mounted file system, as the test uses it.
pub struct Files {
    directory: tempfile::TempDir,
    server: fdspawn::Child,
    log: BufReader<PipeReader>,
}

/// The server logs the look-up of this name, which marks the end of a log.
const END: &str = "end";

impl Files {
    /// Mounts the file system for this process, which is a test's own. `None`, with a message, if that cannot be done.
    pub fn mount() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let device = match Self::mount_on(directory.path()) {
            Ok(device) => device,
            Err(error) => {
                eprintln!("skipped: a FUSE file system cannot be mounted: {error}");
                return None;
            }
        };
        let mut command = helper("fuse-server");
        command.fd(DEVICE, device).stdin(fdspawn::Stdio::piped()).stdout(fdspawn::Stdio::piped());
        let mut server = command.planned().spawn().unwrap();
        let log = BufReader::new(server.stdout.take().unwrap());
        Some(Self { directory, server, log })
    }

    fn mount_on(directory: &Path) -> io::Result<File> {
        let device = OpenOptions::new().read(true).write(true).open("/dev/fuse")?;
        mounts::private()?;
        let options = format!("fd={},rootmode=40755,user_id=0,group_id=0", device.as_raw_fd());
        mounts::mount(c"fuse", directory, &CString::new(options).unwrap())?;
        Ok(device)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn open(&self, name: &str) -> File {
        OpenOptions::new().write(true).open(self.path(name)).unwrap()
    }

    /// The requests that the server got since the last call: `WRITE`, `FLUSH`, `FSYNC` and `RELEASE`, each with a name.
    ///
    /// The kernel sends RELEASE after a close and does not wait for the answer. Requests keep their order, so a request
    /// that was sent before this call is in the log.
    pub fn log(&mut self) -> Vec<String> {
        std::fs::metadata(self.path(END)).unwrap();
        let lines = self.log.by_ref().lines().map(Result::unwrap);
        lines.take_while(|line| *line != format!("LOOKUP {END}")).collect()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // Either of these two ends the server.
        self.server.stdin = None;
        let unmounted = mounts::unmount(self.directory.path());
        let ended = self.server.wait();
        if !std::thread::panicking() {
            unmounted.unwrap();
            assert!(ended.unwrap().success());
        }
    }
}

/// The number of /dev/fuse in the server.
const DEVICE: RawFd = 3;

/// The largest write that the server accepts, and the least buffer that the kernel wants.
const MOST: u32 = 64 << 10;
const ROOM: usize = MOST as usize + 8192;

const LOOKUP: u32 = 1;
const FORGET: u32 = 2;
const GETATTR: u32 = 3;
const SETATTR: u32 = 4;
const OPEN: u32 = 14;
const WRITE: u32 = 16;
const RELEASE: u32 = 18;
const FSYNC: u32 = 20;
const FLUSH: u32 = 25;
const INIT: u32 = 26;
const INTERRUPT: u32 = 36;
const DESTROY: u32 = 38;
const BATCH_FORGET: u32 = 42;

/// The server: answers until the file system is unmounted or the test's process has ended.
pub fn serve() {
    // SAFETY: the number is the helper's own, and no other code uses it.
    let mut device = unsafe { File::from_raw_fd(DEVICE) };
    let mut nodes = Vec::new();
    let mut buffer = vec![0; ROOM];
    while is_readable(&device) {
        let length = match device.read(&mut buffer) {
            Ok(length) => length,
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => return,
            // The request was withdrawn, and there will be another.
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => continue,
            Err(error) => panic!("{error}"),
        };
        let request = Request(&buffer[..length]);
        if let Some(answer) = answer(&mut nodes, &request) {
            let (error, body) = match answer {
                Ok(body) => (0, body),
                Err(errno) => (-errno, vec![]),
            };
            let mut message = (16 + body.len() as u32).to_ne_bytes().to_vec();
            message.extend(i32::to_ne_bytes(error));
            message.extend(request.unique().to_ne_bytes());
            message.extend(body);
            assert_eq!(device.write(&message).unwrap(), message.len());
        }
    }
}

/// Waits for a request. False if the test's process has closed its end of standard input.
fn is_readable(device: &File) -> bool {
    let poll = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    let mut polls = [poll(device.as_raw_fd()), poll(0)];
    // SAFETY: the structures are read and written.
    assert!(unsafe { libc::poll(polls.as_mut_ptr(), 2, -1) } > 0, "{}", io::Error::last_os_error());
    polls[1].revents == 0
}

/// A request of the kernel: a header of 40 bytes, then the body of the operation.
struct Request<'a>(&'a [u8]);

impl Request<'_> {
    fn word(&self, offset: usize) -> u32 {
        u32::from_ne_bytes(self.0[offset..offset + 4].try_into().unwrap())
    }

    fn long(&self, offset: usize) -> u64 {
        u64::from_ne_bytes(self.0[offset..offset + 8].try_into().unwrap())
    }

    fn operation(&self) -> u32 {
        self.word(4)
    }

    fn unique(&self) -> u64 {
        self.long(8)
    }

    fn node(&self) -> u64 {
        self.long(16)
    }

    fn body(&self) -> &[u8] {
        &self.0[40..]
    }
}

/// A file. The directory is node 1; the first file is node 2.
struct Node {
    name: String,
    size: u64,
    syncs: usize,
}

impl Node {
    /// The error that the name asks for at an operation.
    fn error(&self, operation: &str) -> Option<i32> {
        let errors = self.name.split(',').filter_map(|part| part.split_once('='));
        errors.filter(|(name, _)| *name == operation).find_map(|(_, errno)| errno.parse().ok())
    }
}

/// The answer to a request: none, a body, or an error.
fn answer(nodes: &mut Vec<Node>, request: &Request<'_>) -> Option<Result<Vec<u8>, i32>> {
    let done = Some(Ok(vec![]));
    let failed_or_done = |errno: Option<i32>| Some(errno.map_or(Ok(vec![]), Err));
    match request.operation() {
        FORGET | BATCH_FORGET | INTERRUPT => return None,
        INIT => return Some(Ok(protocol())),
        DESTROY => return done,
        LOOKUP => return Some(Ok(look_up(nodes, request.body()))),
        _ => {}
    }
    let id = request.node();
    let Some(node) = id.checked_sub(2).and_then(|index| nodes.get_mut(index as usize)) else {
        return Some(if request.operation() == GETATTR { Ok(attributes_of(id, None)) } else { Err(libc::ENOSYS) });
    };
    match request.operation() {
        GETATTR => Some(node.error("getattr").map_or_else(|| Ok(attributes_of(id, Some(node))), Err)),
        SETATTR => Some(Ok(attributes_of(id, Some(node)))),
        OPEN => Some(Ok(vec![0; 16])),
        WRITE => {
            let (offset, size) = (request.long(48), request.word(56));
            node.size = node.size.max(offset + u64::from(size));
            println!("WRITE {}", node.name);
            Some(Ok([size.to_ne_bytes(), [0; 4]].concat()))
        }
        FLUSH => {
            println!("FLUSH {}", node.name);
            failed_or_done(node.error("flush"))
        }
        FSYNC => {
            println!("FSYNC {}", node.name);
            node.syncs += 1;
            failed_or_done(node.error("fsync").or(node.error("first-fsync").filter(|_| node.syncs == 1)))
        }
        RELEASE => {
            println!("RELEASE {}", node.name);
            done
        }
        _ => Some(Err(libc::ENOSYS)),
    }
}

/// The server's protocol version, 7.31, without options.
fn protocol() -> Vec<u8> {
    let mut body = [7_u32, 31, 0, 0, 0, MOST, 1].map(u32::to_ne_bytes).concat();
    body.resize(64, 0);
    body
}

/// The attributes of a node, which the kernel asks for again each time.
fn look_up(nodes: &mut Vec<Node>, name: &[u8]) -> Vec<u8> {
    let name = String::from_utf8(name.strip_suffix(b"\0").unwrap().to_vec()).unwrap();
    if name == END {
        println!("LOOKUP {END}");
    }
    let index = nodes.iter().position(|node| node.name == name).unwrap_or_else(|| {
        nodes.push(Node { name, size: 0, syncs: 0 });
        nodes.len() - 1
    });
    let id = index as u64 + 2;
    let mut body = id.to_ne_bytes().to_vec();
    body.resize(40, 0);
    body.extend(attributes(id, Some(&nodes[index])));
    body
}

fn attributes_of(id: u64, node: Option<&Node>) -> Vec<u8> {
    let mut body = vec![0; 16];
    body.extend(attributes(id, node));
    body
}

/// The attributes of a file, or of the directory.
fn attributes(id: u64, node: Option<&Node>) -> Vec<u8> {
    let (mode, links) = if node.is_some() { (libc::S_IFREG | 0o644, 1) } else { (libc::S_IFDIR | 0o755, 2) };
    let size = node.map_or(0, |node| node.size);
    // inode, size, blocks, three times; their nanoseconds, mode, links, owner, group, device, block size, flags
    let mut body = [id, size, 0, 0, 0, 0].map(u64::to_ne_bytes).concat();
    body.extend([0, 0, 0, mode, links, 0, 0, 0, 4096, 0].map(u32::to_ne_bytes).concat());
    body
}
