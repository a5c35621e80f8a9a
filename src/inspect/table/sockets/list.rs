//! `Sockets`: all sockets of a network namespace, by inode.

use super::diag::{Family, SockDiag};
use super::inet::{self, ByteOrder, InternetList};
use super::socket::{Socket, SocketKind};
use super::{netlink_packet, unix, words};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs;
use std::path::Path;

/// What the kernel tells of the sockets in a process's network namespace, at one moment.
///
/// Not all sockets are in it: one that is neither bound nor connected is in no list, and some families have none, or
/// have one only in the caller's own namespace.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    by_inode: HashMap<u64, Socket>,
}

/// The lists of internet sockets.
const INTERNET: [(&str, InternetList); 10] = [
    ("tcp", InternetList::Tcp),
    ("tcp6", InternetList::Tcp),
    ("udp", InternetList::Udp),
    ("udp6", InternetList::Udp),
    ("udplite", InternetList::UdpLite),
    ("udplite6", InternetList::UdpLite),
    ("raw", InternetList::Raw),
    ("raw6", InternetList::Raw),
    ("icmp", InternetList::Icmp),
    ("icmp6", InternetList::Icmp),
];

impl Sockets {
    /// Reads the lists of a process, or of a thread: `process` is its directory in `/proc`.
    ///
    /// What cannot be read is unknown. At the limit of descriptors nothing can be read, and there are none.
    pub(crate) fn read(process: &Path) -> Self {
        let mut sockets = Self::default();
        let net = process.join("net");
        for (name, list) in INTERNET {
            sockets.read_list(&net.join(name), |line| inet::parse(list, line, ByteOrder::NATIVE));
        }
        sockets.read_list(&net.join("netlink"), netlink_packet::netlink);
        sockets.read_list(&net.join("packet"), netlink_packet::packet);
        let mut diag = if is_namespace_of_caller(process) { SockDiag::open() } else { None };
        match diag.as_mut().and_then(|diag| diag.dump(Family::Unix)) {
            Some(found) => found.into_iter().for_each(|(inode, socket)| sockets.add(inode, socket)),
            None => sockets.read_list(&net.join("unix"), unix::parse),
        }
        if let Some(diag) = &mut diag {
            sockets.ask_for_others(diag, &fs::read(net.join("protocols")).unwrap_or_default());
        }
        sockets
    }

    /// The socket that an inode is, if it is known: the number in `socket:[123]`.
    pub(crate) fn get(&self, inode: u64) -> Option<Socket> {
        let mut socket = self.by_inode.get(&inode)?.clone();
        if let (None, Some(peer)) = (&socket.peer, socket.peer_inode) {
            socket.peer = self.by_inode.get(&peer).and_then(|peer| peer.local.clone());
        }
        Some(socket)
    }

    fn read_list(&mut self, path: &Path, parse: impl Fn(&[u8]) -> Option<(u64, Socket)>) {
        let text = fs::read(path).unwrap_or_default();
        for (inode, socket) in text.split(|&byte| byte == b'\n').filter_map(parse) {
            self.add(inode, socket);
        }
    }

    /// Asks for those that have no list, where the kernel has such sockets: a question would load a module otherwise.
    fn ask_for_others(&mut self, diag: &mut SockDiag, protocols: &[u8]) {
        let has =
            |name: &[u8]| protocols.split(|&byte| byte == b'\n').any(|line| words::words(line).next() == Some(name));
        for (name, family) in
            [(&b"MPTCP"[..], Family::Mptcp), (b"MPTCPv6", Family::Mptcp6), (b"AF_VSOCK", Family::Vsock)]
        {
            for (inode, socket) in has(name).then(|| diag.dump(family)).flatten().unwrap_or_default() {
                self.add(inode, socket);
            }
        }
    }

    /// Adds a socket, if somebody holds it: others have no inode. The first that is said of an inode holds, but the TCP
    /// connections under an MPTCP socket have its inode.
    fn add(&mut self, inode: u64, socket: Socket) {
        match self.by_inode.entry(inode) {
            Entry::Vacant(entry) if inode != 0 => {
                entry.insert(socket);
            }
            Entry::Occupied(mut entry) if socket.kind == SocketKind::Mptcp => {
                entry.insert(socket);
            }
            _ => {}
        }
    }
}

/// Whether a process has the calling thread's network namespace, which is the one that `sock_diag(7)` answers for.
fn is_namespace_of_caller(process: &Path) -> bool {
    let namespace = |process: &Path| fs::read_link(process.join("ns/net")).ok();
    namespace(process).is_some_and(|its| Some(its) == namespace(Path::new("/proc/thread-self")))
}
