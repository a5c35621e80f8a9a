//! `Sockets`.

use super::diag::{Family, SockDiag};
use super::inet::{self, ByteOrder, InternetList};
use super::socket::{Socket, SocketKind};
use super::{netlink_packet, unix, words};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;
use std::path::Path;

/// The sockets of a process's network namespace, by their inode numbers, at one moment.
///
/// The kernel does not list all sockets: not those that are neither bound nor connected, and not those of some
/// families. It lists some families only for the caller's own namespace.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    by_inode: BTreeMap<u64, Socket>,
}

/// The lists of internet sockets: the names of their files in `/proc/PID/net`, and the formats.
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
    /// Reads the lists of a process or of a thread, whose directory in `/proc` is `process`.
    ///
    /// The result does not have the sockets of a list that cannot be read. At the limit of descriptors it is empty.
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

    /// The socket with this inode number, such as 123 in `socket:[123]`. `None` if it is in no list.
    pub(crate) fn get(&self, inode: u64) -> Option<Socket> {
        let mut socket = self.by_inode.get(&inode)?.clone();
        if let (None, Some(peer)) = (&socket.peer, socket.peer_inode) {
            socket.peer = self.by_inode.get(&peer).and_then(|peer| peer.local.clone());
        }
        Some(socket)
    }

    /// Adds the sockets of a list in `/proc`.
    fn read_list(&mut self, path: &Path, parse: impl Fn(&[u8]) -> Option<(u64, Socket)>) {
        let text = fs::read(path).unwrap_or_default();
        for (inode, socket) in text.split(|&byte| byte == b'\n').filter_map(parse) {
            self.add(inode, socket);
        }
    }

    /// Adds the sockets of the families that have no list in `/proc`, if the kernel has loaded the family: otherwise
    /// the query would load a kernel module.
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

    /// Adds a socket. A socket that no descriptor refers to has the inode number 0, and is skipped. If a number is
    /// listed again, the first socket stays, except that an MPTCP socket replaces its TCP connections, which have its
    /// number.
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

/// Whether a process is in the calling thread's network namespace, the only one that `sock_diag(7)` lists.
fn is_namespace_of_caller(process: &Path) -> bool {
    let namespace = |process: &Path| fs::read_link(process.join("ns/net")).ok();
    namespace(process).is_some_and(|its| Some(its) == namespace(Path::new("/proc/thread-self")))
}
