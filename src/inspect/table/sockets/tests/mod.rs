//! Real sockets: what the kernel's lists have of them by their inode numbers, and what the sockets themselves answer.
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

/// A socket of this thread, from the kernel's lists.
fn listed(fd: impl AsFd) -> Option<Socket> {
    Sockets::read(Path::new(THREAD)).get(inode(fd))
}

/// A socket of this thread, from its own answers.
fn said(fd: impl AsFd) -> Socket {
    Socket::of(fd.as_fd()).unwrap()
}

/// A socket from the kernel's lists. Checks that the socket's own answers are the same.
fn found(fd: impl AsFd) -> Socket {
    let (listed, said) = (listed(&fd).unwrap(), said(&fd));
    assert_eq!(Socket { peer_inode: None, ..listed.clone() }, said);
    listed
}

/// Whether the kernel answers queries for a family. It may lack the kernel module.
fn answers(family: Family) -> bool {
    let answers = SockDiag::open().and_then(|mut diag| diag.dump(family)).is_some();
    if !answers {
        eprintln!("skipped: the kernel does not answer about {family:?}");
    }
    answers
}

/// Creates a socket. `None`, with a message, if the kernel or the user may not have one.
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

/// Runs `body` in a new thread, after `unshare(2)` with these flags. `None` if the kernel refuses that.
fn unshared<T: Send>(flags: i32, body: impl FnOnce() -> T + Send) -> Option<T> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // SAFETY: the thread has no descriptor before the call, and passes none to other threads afterwards.
            if unsafe { libc::unshare(flags) } != 0 {
                eprintln!("skipped: unshare({flags:#x}): {}", std::io::Error::last_os_error());
                return None;
            }
            Some(body())
        });
        thread.join().unwrap()
    })
}
