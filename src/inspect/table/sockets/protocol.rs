//! The protocol of a socket that is in no list.

use super::socket::{Socket, SocketKind, SocketType};
use std::path::Path;

impl Socket {
    /// The socket behind a link such as `/proc/123/fd/4`, with its protocol only. `None` if the link is not to a
    /// socket, or if the caller may not follow it.
    ///
    /// Every socket has the attribute `system.sockprotoname`, in any network namespace. Use it for a socket that
    /// [`Sockets`](super::Sockets) does not have.
    pub(crate) fn behind(link: &Path) -> Option<Self> {
        /// The kernel's names have at most 32 bytes.
        const ROOM: usize = 64;
        let mut buffer = [0; ROOM];
        let length = rustix::fs::getxattr(link, "system.sockprotoname", &mut buffer).ok()?;
        let name = buffer.get(..length)?.split(|&byte| byte == 0).next()?;
        (!name.is_empty()).then(|| Self::new(kind(&String::from_utf8_lossy(name))))
    }
}

/// The kind of a socket whose protocol has this name in the kernel (`struct proto`).
fn kind(name: &str) -> SocketKind {
    match name {
        "UNIX-STREAM" => SocketKind::Unix(SocketType::Stream),
        "UNIX" => SocketKind::Unix(SocketType::Unknown),
        "TCP" | "TCPv6" => SocketKind::Tcp,
        "MPTCP" | "MPTCPv6" => SocketKind::Mptcp,
        "UDP" | "UDPv6" => SocketKind::Udp,
        "UDP-Lite" | "UDPLITEv6" => SocketKind::UdpLite,
        "PING" | "PINGv6" => SocketKind::Icmp,
        "RAW" | "RAWv6" => SocketKind::Raw(None),
        "NETLINK" => SocketKind::Netlink(None),
        "PACKET" => SocketKind::Packet(None),
        "AF_VSOCK" => SocketKind::Vsock(SocketType::Unknown),
        name => SocketKind::Other(name.to_ascii_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocol_that_is_not_known_keeps_the_kernels_name() {
        assert_eq!(kind("L2CAP"), SocketKind::Other("l2cap".into()));
        assert_eq!(kind("UDPLITEv6").to_string(), "udplite");
        assert_eq!(kind("RAW").to_string(), "raw");
    }
}
