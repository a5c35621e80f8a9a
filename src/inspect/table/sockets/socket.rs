//! `Socket`, as it is shown.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// What a socket is: what it speaks, between which addresses, and how far it has got.
///
/// It is a picture of one moment. What the kernel does not tell is `None`, and never an error: which facts are known
/// depends on where the picture was taken from.
///
/// - Linux lists the sockets of a network namespace (`/proc/PID/net`), and tells more of those in the caller's own
///   namespace (`sock_diag(7)`): the peers of Unix sockets, `vsock` and MPTCP.
/// - A socket that is neither bound nor connected is in none of these lists. Its protocol may still be known.
/// - For the caller's own descriptors the socket itself is asked (`getsockname(2)`, `getpeername(2)`), on every system.
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
    /// A socket of which no more is known.
    pub(super) const fn new(kind: SocketKind) -> Self {
        Self { kind, local: None, peer: None, peer_inode: None, state: None }
    }

    /// What it speaks.
    pub const fn kind(&self) -> &SocketKind {
        &self.kind
    }

    /// The address it is bound to; for a Unix socket its path or abstract name. `None` where it has none, or where it
    /// is not known.
    #[doc(alias = "getsockname")]
    pub const fn local(&self) -> Option<&SocketAddress> {
        self.local.as_ref()
    }

    /// The address it is connected to; for a Unix socket the path or abstract name of its peer. `None` where it is not
    /// connected, where the peer has no name, or where that is not known.
    #[doc(alias = "getpeername")]
    pub const fn peer(&self) -> Option<&SocketAddress> {
        self.peer.as_ref()
    }

    /// The inode of the socket that a Unix socket is connected to, which tells who holds it. `None` for other sockets,
    /// where nobody holds it (it was closed, or waits to be accepted), and where it is not known.
    pub const fn peer_inode(&self) -> Option<u64> {
        self.peer_inode
    }

    /// How far it has got. `None` for sockets that have no such thing, and where it is not known.
    pub const fn state(&self) -> Option<SocketState> {
        self.state
    }
}

/// What a [`Socket`] speaks.
///
/// A number inside is the protocol that the socket was made with (the third argument of `socket(2)`), where it is
/// known.
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
    /// ICMP echo without privileges: the sockets of `ping`. The port of the address is the identifier.
    Icmp,
    /// Raw IP (`raw(7)`), with the protocol's number.
    Raw(Option<u8>),
    /// Netlink (`netlink(7)`), with the family's number, such as 0 for `route`.
    Netlink(Option<u32>),
    /// Frames of a network device (`packet(7)`), with the frames' protocol.
    Packet(Option<u16>),
    /// Between a virtual machine and its host (`vsock(7)`).
    Vsock(SocketType),
    /// Anything else, by the kernel's name, or as `family 99`.
    Other(String),
}

/// The type of a socket (`SO_TYPE`), where its family has several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SocketType {
    /// A connected stream of bytes.
    Stream,
    /// Single messages, which may go to many.
    Datagram,
    /// A connected stream of messages.
    Seqpacket,
    /// Not known.
    Unknown,
}

/// How far a [`Socket`] has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SocketState {
    /// Not connected; perhaps bound.
    Unconnected,
    /// Waits for connections.
    Listening,
    /// Waits for its connection to be made.
    Connecting,
    /// Connected.
    Connected,
    /// Connected, but the other side has closed its end or shut it down (TCP's `CLOSE_WAIT`), or both directions are
    /// shut: what holds it open is on this side.
    HungUp,
    /// Closed or shut down on this side, while the other has still to agree.
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
    /// An IP address and a port. A raw socket has no port: it is 0.
    Internet(SocketAddr),
    /// The path that a Unix socket was bound to, as it was given: it may be relative, and the file may be gone.
    Path(PathBuf),
    /// A name in Linux's abstract namespace, without the NUL byte before it; it may have others inside. Where only
    /// `/proc` was there to read, a NUL byte inside reads as `@`, and a path that begins with `@` as such a name.
    Abstract(Vec<u8>),
    /// A netlink port, which is often the pid of the process that made the socket, and the multicast groups up to 32
    /// as bits.
    Netlink {
        /// The port.
        port: u32,
        /// The groups.
        groups: u32,
    },
    /// The index of a network device; 0 is any.
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
    /// The IP address and port, if it is such an address.
    pub const fn internet(&self) -> Option<SocketAddr> {
        match self {
            Self::Internet(address) => Some(*address),
            _ => None,
        }
    }

    /// The path, if it is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Path(path) => Some(path),
            _ => None,
        }
    }

    /// The abstract name, if it is one.
    pub fn abstract_name(&self) -> Option<&[u8]> {
        match self {
            Self::Abstract(name) => Some(name),
            _ => None,
        }
    }

    /// The address of a Unix socket, from the bytes of `sun_path`. `None` for a socket without a name.
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

    /// An address of an internet socket that is connected; `None` for the one that stands for no peer.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) fn internet_peer(address: SocketAddr) -> Option<Self> {
        let none = address.port() == 0 && address.ip().is_unspecified();
        (!none).then_some(Self::Internet(address))
    }

    /// An address of a raw socket, where the kernel has the protocol in the place of the port.
    pub(super) fn without_port(ip: IpAddr) -> Self {
        Self::Internet(SocketAddr::new(ip, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn name_is_a_path_or_abstract_or_none() {
        assert_eq!(SocketAddress::unix(b""), None);
        assert_eq!(SocketAddress::unix(b"/run/x\0"), Some(SocketAddress::Path("/run/x".into())));
        assert_eq!(SocketAddress::unix(b"/run/x"), Some(SocketAddress::Path("/run/x".into())));
        assert_eq!(SocketAddress::unix(b"@x\0"), Some(SocketAddress::Path("@x".into())));
        assert_eq!(SocketAddress::unix(b"\0"), Some(SocketAddress::Abstract(vec![])));
        assert_eq!(SocketAddress::unix(b"\0a\0b\0"), Some(SocketAddress::Abstract(b"a\0b\0".to_vec())));
    }

    #[test]
    fn nobody_is_connected_to_the_unspecified_address_at_port_0() {
        let peer = |text: &str| SocketAddress::internet_peer(text.parse().unwrap());
        assert_eq!(peer("0.0.0.0:0"), None);
        assert_eq!(peer("[::]:0"), None);
        assert!(peer("0.0.0.0:1").is_some() && peer("10.0.0.1:0").is_some() && peer("[::1]:5").is_some());
    }
}
