//! Asks a socket of the calling thread (`getsockname(2)`, `getpeername(2)`, `getsockopt(2)`). The calls open no
//! descriptor.

use super::names;
use super::socket::{Socket, SocketAddress, SocketKind, SocketState, SocketType};
use crate::sys;
use rustix::net::sockopt;
use std::mem::offset_of;
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::BorrowedFd;

impl Socket {
    /// The socket that a descriptor refers to. `None` if the descriptor is no socket. The peer's inode number is
    /// unknown.
    pub(crate) fn of(fd: BorrowedFd<'_>) -> Option<Self> {
        let number = i32::try_from(sockopt::socket_type(fd).ok()?.as_raw()).ok()?;
        let local = sys::local_name(fd).ok();
        let local = local.as_ref().map_or(&[][..], sys::SocketName::bytes);
        let peer = sys::peer_name(fd).ok();
        let family = domain(fd).or_else(|| family(local)).unwrap_or(libc::AF_UNSPEC);
        let mut socket = Self::new(kind(family, number, protocol(fd)));
        if let SocketKind::Packet(protocol) = &mut socket.kind {
            *protocol = array_at(local, 2).map(u16::from_be_bytes);
        }
        socket.local = address(&socket.kind, local);
        // Every netlink socket has a peer address. Usually that is the kernel's.
        if !matches!(socket.kind, SocketKind::Netlink(_)) {
            socket.peer = peer.as_ref().and_then(|peer| address(&socket.kind, peer.bytes()));
        }
        socket.state = state(fd, &socket.kind, peer.is_some());
        Some(socket)
    }
}

/// The address family of a socket (`SO_DOMAIN`).
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd", target_os = "openbsd"))]
fn domain(fd: BorrowedFd<'_>) -> Option<i32> {
    sockopt::socket_domain(fd).ok().map(|family| family.as_raw().into())
}

/// Returns `None`: the system does not have `SO_DOMAIN`.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd", target_os = "openbsd")))]
fn domain(_: BorrowedFd<'_>) -> Option<i32> {
    None
}

/// The protocol that a socket was created with (`SO_PROTOCOL`). Often 0, which means the family's default.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd", target_os = "openbsd"))]
fn protocol(fd: BorrowedFd<'_>) -> Option<u32> {
    sockopt::socket_protocol(fd).ok().map(|protocol| protocol.map_or(0, |protocol| protocol.as_raw().get()))
}

/// Returns `None`: the system does not have `SO_PROTOCOL`.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd", target_os = "openbsd")))]
fn protocol(_: BorrowedFd<'_>) -> Option<u32> {
    None
}

/// The kind of a socket of this family, type and protocol.
fn kind(family: i32, number: i32, protocol: Option<u32>) -> SocketKind {
    const UDP_LITE: u32 = 136;
    let kind = match number {
        libc::SOCK_STREAM => SocketType::Stream,
        libc::SOCK_DGRAM => SocketType::Datagram,
        libc::SOCK_SEQPACKET => SocketType::Seqpacket,
        _ => SocketType::Unknown,
    };
    match (family, number, protocol) {
        (libc::AF_UNIX, _, _) => SocketKind::Unix(kind),
        (libc::AF_INET | libc::AF_INET6, libc::SOCK_RAW, protocol) => {
            SocketKind::Raw(protocol.and_then(|protocol| u8::try_from(protocol).ok()))
        }
        (libc::AF_INET | libc::AF_INET6, libc::SOCK_STREAM, None | Some(0 | 6)) => SocketKind::Tcp,
        (libc::AF_INET | libc::AF_INET6, libc::SOCK_STREAM, Some(262)) => SocketKind::Mptcp,
        (libc::AF_INET | libc::AF_INET6, libc::SOCK_DGRAM, None | Some(0 | 17)) => SocketKind::Udp,
        (libc::AF_INET | libc::AF_INET6, libc::SOCK_DGRAM, Some(UDP_LITE)) => SocketKind::UdpLite,
        (libc::AF_INET | libc::AF_INET6, libc::SOCK_DGRAM, Some(1 | 58)) => SocketKind::Icmp,
        (libc::AF_INET | libc::AF_INET6, _, protocol) => {
            SocketKind::Other(names::of_internet_protocol(protocol.unwrap_or(0)))
        }
        #[cfg(any(target_os = "linux", target_os = "android"))]
        (libc::AF_NETLINK, _, protocol) => SocketKind::Netlink(protocol),
        #[cfg(any(target_os = "linux", target_os = "android"))]
        (libc::AF_PACKET, _, _) => SocketKind::Packet(None),
        #[cfg(any(target_os = "linux", target_os = "android"))]
        (libc::AF_VSOCK, _, _) => SocketKind::Vsock(kind),
        _ => SocketKind::Other(names::of_family(family)),
    }
}

/// The address family in a `sockaddr`.
fn family(name: &[u8]) -> Option<i32> {
    const OFFSET: usize = offset_of!(libc::sockaddr, sa_family);
    match size_of::<libc::sa_family_t>() {
        1 => name.get(OFFSET).map(|&byte| byte.into()),
        _ => array_at(name, OFFSET).map(u16::from_ne_bytes).map(i32::from),
    }
}

/// The address in a `sockaddr` of a socket of this kind.
fn address(kind: &SocketKind, name: &[u8]) -> Option<SocketAddress> {
    const PATH: usize = offset_of!(libc::sockaddr_un, sun_path);
    let word = |offset| array_at(name, offset).map(u32::from_ne_bytes);
    match kind {
        SocketKind::Unix(_) => SocketAddress::unix(name.get(PATH..)?),
        SocketKind::Netlink(_) => Some(SocketAddress::Netlink { port: word(4)?, groups: word(8)? }),
        SocketKind::Packet(_) => word(4).map(SocketAddress::Interface),
        SocketKind::Vsock(_) => Some(SocketAddress::Vsock { cid: word(8)?, port: word(4)? }),
        SocketKind::Raw(_) => internet(name).map(|address| SocketAddress::without_port(address.ip())),
        _ => internet(name).map(SocketAddress::Internet),
    }
}

/// The address in a `sockaddr_in` or `sockaddr_in6`. Their layouts are the same on all systems, except the family.
fn internet(name: &[u8]) -> Option<SocketAddr> {
    let port = u16::from_be_bytes(array_at(name, 2)?);
    match family(name)? {
        libc::AF_INET => Some(SocketAddrV4::new(array_at::<4>(name, 4)?.into(), port).into()),
        libc::AF_INET6 => {
            let (flow, ip) = (u32::from_ne_bytes(array_at(name, 4)?), array_at::<16>(name, 8)?);
            let scope = u32::from_ne_bytes(array_at(name, 24)?);
            Some(SocketAddrV6::new(ip.into(), port, flow, scope).into())
        }
        _ => None,
    }
}

/// The `N` bytes at an offset.
fn array_at<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk().copied()
}

/// The state of a socket.
fn state(fd: BorrowedFd<'_>, kind: &SocketKind, has_peer: bool) -> Option<SocketState> {
    match kind {
        SocketKind::Netlink(_) | SocketKind::Packet(_) | SocketKind::Other(_) => return None,
        #[cfg(any(target_os = "linux", target_os = "android"))]
        SocketKind::Tcp => {
            if let Some(code) = sys::tcp_state(fd) {
                return super::inet::state(code);
            }
        }
        _ => {}
    }
    Some(match has_peer {
        true if matches!(kind, SocketKind::Unix(_)) && has_hung_up(fd) => SocketState::HungUp,
        true => SocketState::Connected,
        false if listens(fd) => SocketState::Listening,
        false => SocketState::Unconnected,
    })
}

/// Whether both directions of a socket are shut down.
fn has_hung_up(fd: BorrowedFd<'_>) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut polls = [PollFd::from_borrowed_fd(fd, PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut polls, Some(&now)).is_ok() && polls[0].revents().contains(PollFlags::HUP)
}

/// Whether a socket listens (`SO_ACCEPTCONN`).
#[cfg(not(target_vendor = "apple"))]
fn listens(fd: BorrowedFd<'_>) -> bool {
    sockopt::socket_acceptconn(fd).unwrap_or(false)
}

/// Returns `false`: Apple's systems define `SO_ACCEPTCONN`, but do not answer it.
#[cfg(target_vendor = "apple")]
fn listens(_: BorrowedFd<'_>) -> bool {
    false
}
