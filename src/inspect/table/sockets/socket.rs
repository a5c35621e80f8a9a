//! `Socket` and its parts.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// A socket: its protocol, its addresses and its state, at one moment.
///
/// Facts that the system does not tell are `None`. Which facts are known depends on their source:
///
/// - Linux lists the sockets of a network namespace (`/proc/PID/net`). For the caller's own namespace it has more facts
///   (`sock_diag(7)`): the peers of Unix sockets, and the sockets of `vsock` and MPTCP.
/// - No list has a socket that is neither bound nor connected. Its protocol may still be known.
/// - On every system the library can ask a socket of the calling thread (`getsockname(2)`, `getpeername(2)`).
///
/// `Display` gives one line, such as `tcp 127.0.0.1:80 -> 127.0.0.1:5000`, `tcp [::1]:80 listening`,
/// `unix stream @name`, `unix stream /run/x -> socket:[123]`, `udp 0.0.0.0:53` or `netlink route`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    pub(super) kind: SocketKind,
    pub(super) local: Option<SocketAddress>,
    pub(super) peer: Option<SocketAddress>,
    pub(super) peer_inode: Option<u64>,
    pub(super) state: Option<SocketState>,
}

impl Socket {
    /// A socket of which only the kind is known.
    pub(super) const fn new(kind: SocketKind) -> Self {
        Self { kind, local: None, peer: None, peer_inode: None, state: None }
    }

    /// The protocol.
    pub const fn kind(&self) -> &SocketKind {
        &self.kind
    }

    /// The address that the socket is bound to; for a Unix socket its path or abstract name. `None` if it has no
    /// address, or if that is unknown.
    #[doc(alias = "getsockname")]
    pub const fn local(&self) -> Option<&SocketAddress> {
        self.local.as_ref()
    }

    /// The address that the socket is connected to; for a Unix socket the path or abstract name of its peer. `None` if
    /// the socket is not connected, if the peer has no name, or if that is unknown.
    #[doc(alias = "getpeername")]
    pub const fn peer(&self) -> Option<&SocketAddress> {
        self.peer.as_ref()
    }

    /// The inode number of the socket that a Unix socket is connected to. Search the descriptors of processes for it to
    /// find those that hold the peer. `None` for other sockets, if no descriptor refers to the peer (it was closed, or
    /// waits to be accepted), and if it is unknown.
    pub const fn peer_inode(&self) -> Option<u64> {
        self.peer_inode
    }

    /// The state. `None` for sockets that have no state, and if it is unknown.
    pub const fn state(&self) -> Option<SocketState> {
        self.state
    }
}

/// The protocol of a [`Socket`].
///
/// A number in a variant is the third argument of `socket(2)`. `None` if it is unknown.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SocketKind {
    /// A Unix socket (`unix(7)`).
    Unix(SocketType),
    /// TCP over IPv4 or IPv6; the local address says which.
    Tcp,
    /// Multipath TCP.
    Mptcp,
    /// UDP.
    Udp,
    /// UDP-Lite.
    UdpLite,
    /// ICMP echo without privileges, as `ping` uses it. The port of the address is the echo identifier.
    Icmp,
    /// Raw IP (`raw(7)`), with the protocol's number.
    Raw(Option<u8>),
    /// Netlink (`netlink(7)`), with the family's number, such as 0 for `route`.
    Netlink(Option<u32>),
    /// Frames of a network device (`packet(7)`), with the protocol of the frames.
    Packet(Option<u16>),
    /// A connection between a virtual machine and its host (`vsock(7)`).
    Vsock(SocketType),
    /// Another protocol: the kernel's name for it, or a text such as `family 99`.
    Other(String),
}

/// The type of a socket (`SO_TYPE`), for families that have several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SocketType {
    /// A connected stream of bytes.
    Stream,
    /// Separate messages, each of which may have another destination.
    Datagram,
    /// A connected stream of messages.
    Seqpacket,
    /// Unknown.
    Unknown,
}

/// The state of a [`Socket`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SocketState {
    /// Not connected. The socket may be bound.
    Unconnected,
    /// Listens: it waits for connections.
    Listening,
    /// Waits until its connection is established.
    Connecting,
    /// Connected.
    Connected,
    /// Connected, but the peer has closed its end or shut it down (TCP's `CLOSE_WAIT`), or both directions are shut
    /// down. Only the descriptors of this end keep the connection.
    HungUp,
    /// Closed or shut down on this end. The peer has not confirmed it yet.
    Closing,
}

/// An address of a [`Socket`].
///
/// ```
/// use fdspawn::inspect::SocketAddress;
///
/// let address = SocketAddress::Abstract(b"name".to_vec());
/// assert_eq!(address.to_string(), "@name");
/// assert_eq!(address.abstract_name(), Some(&b"name"[..]));
/// assert_eq!(address.path(), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SocketAddress {
    /// An IP address and a port. The port of a raw socket is 0, because it has none.
    Internet(SocketAddr),
    /// The path of a Unix socket, as it was passed to `bind(2)`. It may be relative, and the file may be deleted.
    Path(PathBuf),
    /// A name in Linux's abstract namespace, without its first NUL byte. It may contain other NUL bytes. If the address
    /// comes from `/proc`, each of these is `@`, and a path that begins with `@` looks like an abstract name.
    Abstract(Vec<u8>),
    /// A netlink port, which is often the pid of the process that created the socket, and the multicast groups 1 to 32
    /// as bits.
    Netlink {
        /// The port.
        port: u32,
        /// The groups.
        groups: u32,
    },
    /// The index of a network device. 0 means any device.
    Interface(u32),
    /// A virtual machine's context identifier and a port.
    Vsock {
        /// The context identifier.
        cid: u32,
        /// The port.
        port: u32,
    },
}

impl SocketAddress {
    /// The IP address and the port. `None` for other addresses.
    pub const fn internet(&self) -> Option<SocketAddr> {
        match self {
            Self::Internet(address) => Some(*address),
            _ => None,
        }
    }

    /// The path. `None` for other addresses.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Path(path) => Some(path),
            _ => None,
        }
    }

    /// The abstract name. `None` for other addresses.
    pub fn abstract_name(&self) -> Option<&[u8]> {
        match self {
            Self::Abstract(name) => Some(name),
            _ => None,
        }
    }

    /// The address of a Unix socket, from the bytes of `sun_path`. `None` if the socket has no name.
    pub(super) fn unix(name: &[u8]) -> Option<Self> {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        match name {
            [] => None,
            [0, name @ ..] if cfg!(any(target_os = "linux", target_os = "android")) => {
                Some(Self::Abstract(name.to_vec()))
            }
            _ => {
                let length = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
                (length > 0).then(|| Self::Path(PathBuf::from(OsStr::from_bytes(&name[..length]))))
            }
        }
    }

    /// The address of an internet socket's peer. `None` for the unspecified address with port 0, which means no peer.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) fn internet_peer(address: SocketAddr) -> Option<Self> {
        let none = address.port() == 0 && address.ip().is_unspecified();
        (!none).then_some(Self::Internet(address))
    }

    /// The address of a raw socket. The kernel prints the protocol in the place of the port.
    pub(super) fn without_port(ip: IpAddr) -> Self {
        Self::Internet(SocketAddr::new(ip, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_is_a_path_or_none() {
        assert_eq!(SocketAddress::unix(b""), None);
        assert_eq!(SocketAddress::unix(b"/run/x\0"), Some(SocketAddress::Path("/run/x".into())));
        assert_eq!(SocketAddress::unix(b"/run/x"), Some(SocketAddress::Path("/run/x".into())));
        assert_eq!(SocketAddress::unix(b"@x\0"), Some(SocketAddress::Path("@x".into())));
    }

    #[test]
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn name_that_begins_with_a_nul_byte_is_abstract() {
        assert_eq!(SocketAddress::unix(b"\0"), Some(SocketAddress::Abstract(vec![])));
        assert_eq!(SocketAddress::unix(b"\0a\0b\0"), Some(SocketAddress::Abstract(b"a\0b\0".to_vec())));
    }

    #[test]
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn unspecified_address_at_port_0_is_no_peer() {
        let peer = |text: &str| SocketAddress::internet_peer(text.parse().unwrap());
        assert_eq!(peer("0.0.0.0:0"), None);
        assert_eq!(peer("[::]:0"), None);
        assert!(peer("0.0.0.0:1").is_some() && peer("10.0.0.1:0").is_some() && peer("[::1]:5").is_some());
    }
}
