//! The queries and the answers of each family: `<linux/unix_diag.h>`, `<linux/inet_diag.h>`,
//! `<linux/vm_sockets_diag.h>`.

use super::message::{array_at, attribute, attributes, u32_at};
use crate::inspect::table::sockets::inet;
use crate::inspect::table::sockets::socket::{Socket, SocketAddress, SocketKind, SocketState};
use crate::inspect::table::sockets::unix::socket_type;
use std::net::{IpAddr, SocketAddr};

/// The families that can be queried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::inspect::table::sockets) enum Family {
    Unix,
    Mptcp,
    Mptcp6,
    Vsock,
}

/// The set of all states.
const ALL: u32 = u32::MAX;

const UDIAG_SHOW_NAME: u32 = 1;
const UDIAG_SHOW_PEER: u32 = 4;
const UNIX_DIAG_NAME: u16 = 0;
const UNIX_DIAG_PEER: u16 = 2;
const UNIX_DIAG_SHUTDOWN: u16 = 6;
const INET_DIAG_REQ_PROTOCOL: u16 = 3;
const IPPROTO_MPTCP: u32 = 262;
const AF_VSOCK: i32 = 40;

impl Family {
    /// The body of a request for all sockets of the family.
    pub(super) fn request(self) -> Vec<u8> {
        /// The end of `inet_diag_req_v2`: an address, which the kernel ignores in a dump.
        const ADDRESS: [u8; 48] = [0; 48];
        match self {
            Self::Unix => simple_request(libc::AF_UNIX, UDIAG_SHOW_NAME | UDIAG_SHOW_PEER),
            Self::Vsock => simple_request(AF_VSOCK, 0),
            Self::Mptcp | Self::Mptcp6 => {
                let family = if self == Self::Mptcp { libc::AF_INET } else { libc::AF_INET6 };
                let mut bytes = vec![family as u8, 0, 0, 0];
                bytes.extend(ALL.to_ne_bytes());
                bytes.extend(ADDRESS);
                // The protocol's number does not fit into the one byte of its field in the structure.
                bytes.extend(attribute(INET_DIAG_REQ_PROTOCOL, &IPPROTO_MPTCP.to_ne_bytes()));
                bytes
            }
        }
    }

    /// Parses the body of an answer. Returns the inode number and the socket.
    pub(super) fn parse(self, body: &[u8]) -> Option<(u64, Socket)> {
        match self {
            Self::Unix => unix(body),
            Self::Mptcp | Self::Mptcp6 => mptcp(body),
            Self::Vsock => vsock(body),
        }
    }
}

/// `unix_diag_req` and `vsock_diag_req`: family, protocol, states, inode, what to show, cookie.
fn simple_request(family: i32, show: u32) -> Vec<u8> {
    let mut bytes = vec![family as u8, 0, 0, 0];
    for word in [ALL, 0, show, 0, 0] {
        bytes.extend(word.to_ne_bytes());
    }
    bytes
}

/// `unix_diag_msg`: family, type, state, padding, inode, cookie; then attributes.
fn unix(body: &[u8]) -> Option<(u64, Socket)> {
    const LENGTH: usize = 16;
    const BOTH_DIRECTIONS: u8 = 3;
    let [_family, kind, code, _] = array_at(body, 0)?;
    let mut socket = Socket::new(SocketKind::Unix(socket_type(kind.into())));
    let mut shut = 0;
    for (kind, value) in attributes(body.get(LENGTH..)?) {
        match kind {
            UNIX_DIAG_NAME => socket.local = SocketAddress::unix(value),
            // 0 means that no descriptor refers to the peer.
            UNIX_DIAG_PEER => socket.peer_inode = u32_at(value, 0).filter(|&inode| inode != 0).map(u64::from),
            UNIX_DIAG_SHUTDOWN => shut = value.first().copied().unwrap_or_default(),
            _ => {}
        }
    }
    socket.state = match inet::state(code) {
        Some(SocketState::Connected) if shut == BOTH_DIRECTIONS => Some(SocketState::HungUp),
        state => state,
    };
    Some((u64::from(u32_at(body, 4)?), socket))
}

/// `inet_diag_msg`: family, state, timer, retransmissions, ports, addresses, device, cookie, and counters to the inode.
fn mptcp(body: &[u8]) -> Option<(u64, Socket)> {
    let [family, code, _, _] = array_at(body, 0)?;
    let address = |port: usize, ip: usize| {
        let ip = match i32::from(family) {
            libc::AF_INET => IpAddr::from(array_at::<4>(body, ip)?),
            libc::AF_INET6 => IpAddr::from(array_at::<16>(body, ip)?),
            _ => return None,
        };
        Some(SocketAddr::new(ip, u16::from_be_bytes(array_at(body, port)?)))
    };
    let mut socket = Socket::new(SocketKind::Mptcp);
    socket.local = Some(SocketAddress::Internet(address(4, 8)?));
    socket.peer = SocketAddress::internet_peer(address(6, 24)?);
    socket.state = inet::state(code);
    Some((u64::from(u32_at(body, 68)?), socket))
}

/// `vsock_diag_msg`: family, type, state, shut directions, both addresses, inode, cookie.
fn vsock(body: &[u8]) -> Option<(u64, Socket)> {
    let [_family, kind, code, _] = array_at(body, 0)?;
    let address = |at| Some(SocketAddress::Vsock { cid: u32_at(body, at)?, port: u32_at(body, at + 4)? });
    let mut socket = Socket::new(SocketKind::Vsock(socket_type(kind.into())));
    socket.local = Some(address(4)?);
    socket.state = inet::state(code);
    let connected = !matches!(socket.state, Some(SocketState::Listening | SocketState::Unconnected));
    let peer = address(12)?;
    socket.peer = connected.then_some(peer);
    Some((u64::from(u32_at(body, 20)?), socket))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    fn text((inode, socket): (u64, Socket)) -> (u64, String) {
        (inode, socket.to_string())
    }

    #[test]
    fn unix_socket_has_its_name_and_its_peer() {
        let stream = libc::SOCK_STREAM as u8;
        let body = |code: u8, attributes: &[Vec<u8>]| {
            [vec![libc::AF_UNIX as u8, stream, code, 0], words(&[204, 1, 0]), attributes.concat()].concat()
        };
        let peer = |inode: u32| attribute(UNIX_DIAG_PEER, &inode.to_ne_bytes());
        let shut = |directions| attribute(UNIX_DIAG_SHUTDOWN, &[directions]);
        let name = attribute(UNIX_DIAG_NAME, b"\0a\0b");
        let cases = [
            (body(1, &[name.clone(), peer(205), shut(0)]), "unix stream @a\\0b -> socket:[205]"),
            (body(1, &[name, peer(0), shut(3)]), "unix stream @a\\0b hung up"),
            (body(1, &[peer(0), shut(0)]), "unix stream connected"),
            (body(10, &[attribute(UNIX_DIAG_NAME, b"/run/x\0"), shut(0)]), "unix stream /run/x listening"),
            (body(7, &[attribute(99, b"?")]), "unix stream"),
        ];
        for (body, expected) in cases {
            assert_eq!(Family::Unix.parse(&body).map(text), Some((204, expected.to_owned())));
        }
        let whole = body(7, &[]);
        for length in 0..whole.len() {
            assert_eq!(Family::Unix.parse(&whole[..length]), None, "{length} bytes");
        }
    }

    #[test]
    fn mptcp_socket_has_its_addresses() {
        let mut body = vec![libc::AF_INET as u8, 1, 0, 0, 0, 80, 0x13, 0x88];
        body.extend([127, 0, 0, 1]);
        body.resize(24, 0);
        body.extend([10, 0, 0, 2]);
        body.resize(68, 0);
        body.extend(7_u32.to_ne_bytes());
        assert_eq!(Family::Mptcp.parse(&body).map(text), Some((7, "mptcp 127.0.0.1:80 -> 10.0.0.2:5000".to_owned())));
        for length in 0..body.len() {
            assert_eq!(Family::Mptcp.parse(&body[..length]), None, "{length} bytes");
        }
        body[0] = libc::AF_INET6 as u8;
        body[1] = 10;
        body[8..24].copy_from_slice(&std::net::Ipv6Addr::LOCALHOST.octets());
        body[24..40].fill(0);
        body[6..8].fill(0);
        assert_eq!(Family::Mptcp6.parse(&body).map(text), Some((7, "mptcp [::1]:80 listening".to_owned())));
    }

    #[test]
    fn vsock_socket_has_its_addresses() {
        let body = |code: u8| {
            let kind = libc::SOCK_STREAM as u8;
            [vec![AF_VSOCK as u8, kind, code, 0], words(&[3, 1024, 2, 5000, 204, 0, 0])].concat()
        };
        let cases =
            [(1, "vsock stream 3:1024 -> 2:5000"), (7, "vsock stream 3:1024"), (10, "vsock stream 3:1024 listening")];
        for (code, expected) in cases {
            assert_eq!(Family::Vsock.parse(&body(code)).map(text), Some((204, expected.to_owned())));
        }
        assert_eq!(Family::Vsock.parse(&body(1)[..23]), None);
    }

    #[test]
    fn requests_have_the_length_of_the_kernels_structures() {
        assert_eq!(Family::Unix.request().len(), 24);
        assert_eq!(Family::Vsock.request().len(), 24);
        assert_eq!(Family::Mptcp.request().len(), 56 + 8);
    }
}
