//! Sends queries, and receives the answers.

use super::families::Family;
use super::message::{DONE, ERROR, SOCK_DIAG_BY_FAMILY, array_at, dump_request, messages};
use crate::inspect::table::sockets::socket::Socket;
use rustix::io::Errno;
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use std::os::fd::OwnedFd;

/// A netlink socket for queries.
pub(in crate::inspect::table::sockets) struct SockDiag {
    socket: OwnedFd,
    sequence: u32,
}

impl SockDiag {
    /// Opens the socket. `None` if the kernel does not have `sock_diag`, if the caller may not use it, and at the limit
    /// of descriptors.
    pub(in crate::inspect::table::sockets) fn open() -> Option<Self> {
        let protocol = Some(netlink::SOCK_DIAG);
        let socket =
            rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol).ok()?;
        Some(Self { socket, sequence: 0 })
    }

    /// Queries all sockets of a family. Returns their inode numbers and the sockets. `None` if the answer is not
    /// complete.
    pub(in crate::inspect::table::sockets) fn dump(&mut self, family: Family) -> Option<Vec<(u64, Socket)>> {
        /// The kernel's datagrams have at most half of this length.
        const ROOM: usize = 1 << 16;
        self.sequence += 1;
        let request = dump_request(self.sequence, &family.request());
        rustix::net::send(&self.socket, &request, SendFlags::empty()).ok()?;
        let mut buffer = vec![0; ROOM];
        let mut found = Vec::new();
        loop {
            // The kernel has queued the first answer when send(2) returns, and queues the next one during each recv(2).
            // So a wait is never needed, and could last forever.
            let flags = RecvFlags::DONTWAIT | RecvFlags::TRUNC;
            let (length, sender) = match rustix::net::recvfrom(&self.socket, &mut buffer[..], flags) {
                Ok((_, length, sender)) => (length, sender),
                Err(Errno::INTR) => continue,
                Err(_) => return None,
            };
            let kernel =
                sender.and_then(|sender| SocketAddrNetlink::try_from(sender).ok()).is_some_and(|it| it.pid() == 0);
            if !kernel {
                continue;
            }
            // If the datagram was longer than the buffer, its last message is cut off: then `get` returns `None`.
            for message in messages(buffer.get(..length)?).filter(|message| message.sequence == self.sequence) {
                match message.kind {
                    SOCK_DIAG_BY_FAMILY => found.extend(family.parse(message.body)),
                    DONE => {
                        let failed = array_at(message.body, 0).map(i32::from_ne_bytes).is_some_and(|code| code < 0);
                        return (!failed).then_some(found);
                    }
                    ERROR => return None,
                    _ => {}
                }
            }
        }
    }
}
