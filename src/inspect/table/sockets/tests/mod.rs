//! Real sockets, found in the kernel's lists by inode and asked themselves.
#![allow(unsafe_code, reason = "namespaces and tables of one thread have no safe calls")]

mod internet;
mod others;
mod unix;

use super::diag::{Family, SockDiag};
use super::{Socket, Sockets};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

const THREAD: &str = "/proc/thread-self";

fn inode(fd: impl AsFd) -> u64 {
    rustix::fs::fstat(fd).unwrap().st_ino
}

/// What is listed of a socket of this thread.
fn listed(fd: impl AsFd) -> Option<Socket> {
    Sockets::read(Path::new(THREAD)).get(inode(fd))
}

/// What a socket says itself.
fn said(fd: impl AsFd) -> Socket {
    Socket::of(fd.as_fd()).unwrap()
}

/// What is listed, after a check that the socket itself says no other.
fn found(fd: impl AsFd) -> Socket {
    let (listed, said) = (listed(&fd).unwrap(), said(&fd));
    assert_eq!(Socket { peer_inode: None, ..listed.clone() }, said);
    listed
}

/// Whether the kernel answers questions about a family; a module that it needs may be missing.
fn answers(family: Family) -> bool {
    let answers = SockDiag::open().and_then(|mut diag| diag.dump(family)).is_some();
    if !answers {
        eprintln!("skipped: the kernel does not answer about {family:?}");
    }
    answers
}

/// A socket; `None`, with a word about it, where the kernel or the user has none.
fn socket(family: i32, kind: i32, protocol: i32) -> Option<OwnedFd> {
    use rustix::net::{AddressFamily, Protocol, SocketFlags, SocketType};
    let made = rustix::net::socket_with(
        AddressFamily::from_raw(family as u16),
        SocketType::from_raw(kind as u32),
        SocketFlags::CLOEXEC,
        std::num::NonZeroU32::new(protocol as u32).map(Protocol::from_raw),
    );
    made.inspect_err(|errno| eprintln!("skipped: socket({family}, {kind}, {protocol}): {errno}")).ok()
}

/// Runs in a thread of which the parts named by the flags of `unshare(2)` are its own; `None` where that is refused.
fn unshared<T: Send>(flags: i32, body: impl FnOnce() -> T + Send) -> Option<T> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // SAFETY: the thread has descriptors of its own before it has others, and ends with them.
            if unsafe { libc::unshare(flags) } != 0 {
                eprintln!("skipped: unshare({flags:#x}): {}", std::io::Error::last_os_error());
                return None;
            }
            Some(body())
        });
        thread.join().unwrap()
    })
}
