//! Prints sockets.

use super::names::{internet_protocol, netlink_family};
use super::socket::{Socket, SocketAddress, SocketKind, SocketState, SocketType};
use crate::escape::Escaped;
use std::fmt;
use std::os::unix::ffi::OsStrExt;

impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if let Some(local) = &self.local {
            self.write_address(f, local)?;
        }
        let has_peer = self.peer.is_some() || self.peer_inode.is_some();
        if has_peer {
            f.write_str(" ->")?;
        }
        if let Some(inode) = self.peer_inode {
            write!(f, " socket:[{inode}]")?;
        }
        if let Some(peer) = &self.peer {
            self.write_address(f, peer)?;
        }
        match self.state {
            None | Some(SocketState::Unconnected) => Ok(()),
            Some(SocketState::Connected) if has_peer => Ok(()),
            Some(state) => write!(f, " {state}"),
        }
    }
}

impl Socket {
    /// Prints an address of the socket, if it tells the reader something.
    fn write_address(&self, f: &mut fmt::Formatter<'_>, address: &SocketAddress) -> fmt::Result {
        match (&self.kind, address) {
            (SocketKind::Raw(_), SocketAddress::Internet(address)) => write!(f, " {}", address.ip()),
            // A netlink port is usually the pid of the process.
            (SocketKind::Netlink(_), _) => Ok(()),
            _ => write!(f, " {address}"),
        }
    }
}

impl fmt::Display for SocketAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Internet(address) => write!(f, "{address}"),
            Self::Path(path) => {
                let bytes = path.as_os_str().as_bytes();
                // `./` does not change which file it is, and tells the path from an abstract name.
                let prefix = if bytes.starts_with(b"@") { "./" } else { "" };
                write!(f, "{prefix}{}", Escaped(bytes))
            }
            Self::Abstract(name) => write!(f, "@{}", Escaped(name)),
            Self::Netlink { port, groups: 0 } => write!(f, "port {port}"),
            Self::Netlink { port, groups } => write!(f, "port {port} groups {groups:#x}"),
            Self::Interface(0) => f.write_str("any interface"),
            Self::Interface(index) => write!(f, "interface {index}"),
            Self::Vsock { cid, port } => write!(f, "{}:{}", VsockNumber(*cid), VsockNumber(*port)),
        }
    }
}

/// Prints the context identifier or the port of a `vsock` address.
struct VsockNumber(u32);

impl fmt::Display for VsockNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            u32::MAX => f.write_str("any"),
            number => write!(f, "{number}"),
        }
    }
}

impl fmt::Display for SocketKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named =
            |f: &mut fmt::Formatter<'_>, family: &str, name: Option<&str>, number: Option<u32>| match (name, number) {
                (Some(name), _) => write!(f, "{family} {name}"),
                (None, Some(number)) => write!(f, "{family} protocol {number}"),
                (None, None) => f.write_str(family),
            };
        match self {
            Self::Unix(SocketType::Unknown) => f.write_str("unix"),
            Self::Unix(kind) => write!(f, "unix {kind}"),
            Self::Tcp => f.write_str("tcp"),
            Self::Mptcp => f.write_str("mptcp"),
            Self::Udp => f.write_str("udp"),
            Self::UdpLite => f.write_str("udplite"),
            Self::Icmp => f.write_str("icmp"),
            Self::Raw(protocol) => named(f, "raw", protocol.and_then(internet_protocol), protocol.map(u32::from)),
            Self::Netlink(protocol) => named(f, "netlink", protocol.and_then(netlink_family), *protocol),
            Self::Packet(Some(protocol)) => write!(f, "packet protocol {protocol:#06x}"),
            Self::Packet(None) => f.write_str("packet"),
            Self::Vsock(SocketType::Unknown) => f.write_str("vsock"),
            Self::Vsock(kind) => write!(f, "vsock {kind}"),
            Self::Other(name) => write!(f, "{}", Escaped(name.as_bytes())),
        }
    }
}

impl fmt::Display for SocketType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stream => "stream",
            Self::Datagram => "dgram",
            Self::Seqpacket => "seqpacket",
            Self::Unknown => "of unknown type",
        })
    }
}

impl fmt::Display for SocketState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unconnected => "unconnected",
            Self::Listening => "listening",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::HungUp => "hung up",
            Self::Closing => "closing",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Option<SocketAddress> {
        Some(SocketAddress::Internet(text.parse().unwrap()))
    }

    #[test]
    fn socket_reads_as_a_line() {
        use SocketKind as Kind;
        use SocketState as State;
        let path = |text: &str| Some(SocketAddress::Path(text.into()));
        let name = |bytes: &[u8]| Some(SocketAddress::Abstract(bytes.to_vec()));
        let socket = |kind, local, peer, peer_inode, state| Socket { kind, local, peer, peer_inode, state };
        let stream = || Kind::Unix(SocketType::Stream);
        let (to, listening) = (Some(State::Connected), Some(State::Listening));
        let cases = [
            (
                socket(Kind::Tcp, address("127.0.0.1:80"), address("127.0.0.1:5000"), None, to),
                "tcp 127.0.0.1:80 -> 127.0.0.1:5000",
            ),
            (socket(Kind::Tcp, address("[::1]:80"), None, None, listening), "tcp [::1]:80 listening"),
            (
                socket(Kind::Tcp, address("127.0.0.1:80"), address("127.0.0.1:5000"), None, Some(State::HungUp)),
                "tcp 127.0.0.1:80 -> 127.0.0.1:5000 hung up",
            ),
            (socket(Kind::Udp, address("0.0.0.0:53"), None, None, Some(State::Unconnected)), "udp 0.0.0.0:53"),
            (socket(stream(), name(b"name"), None, None, Some(State::Unconnected)), "unix stream @name"),
            (socket(stream(), path("/run/x"), None, Some(123), to), "unix stream /run/x -> socket:[123]"),
            (socket(stream(), None, path("/run/x"), Some(123), to), "unix stream -> socket:[123] /run/x"),
            (socket(stream(), None, None, None, to), "unix stream connected"),
            (socket(Kind::Unix(SocketType::Datagram), None, path("/dev/log"), None, to), "unix dgram -> /dev/log"),
            (
                socket(Kind::Unix(SocketType::Seqpacket), path("@a\nb"), None, None, listening),
                "unix seqpacket ./@a\\nb listening",
            ),
            (socket(stream(), name(b"a\0\xff"), None, None, None), "unix stream @a\\0\\xff"),
            (socket(Kind::Raw(Some(1)), address("127.0.0.1:0"), None, None, None), "raw icmp 127.0.0.1"),
            (socket(Kind::Raw(Some(200)), address("[::]:0"), None, None, None), "raw protocol 200 ::"),
            (
                socket(Kind::Netlink(Some(0)), Some(SocketAddress::Netlink { port: 7, groups: 1 }), None, None, None),
                "netlink route",
            ),
            (socket(Kind::Netlink(Some(31)), None, None, None, None), "netlink protocol 31"),
            (
                socket(Kind::Packet(Some(3)), Some(SocketAddress::Interface(2)), None, None, None),
                "packet protocol 0x0003 interface 2",
            ),
            (
                socket(
                    Kind::Vsock(SocketType::Stream),
                    Some(SocketAddress::Vsock { cid: u32::MAX, port: 1024 }),
                    None,
                    None,
                    listening,
                ),
                "vsock stream any:1024 listening",
            ),
            (Socket::new(Kind::Other("alg".into())), "alg"),
        ];
        for (socket, text) in cases {
            assert_eq!(socket.to_string(), text);
        }
    }
}
