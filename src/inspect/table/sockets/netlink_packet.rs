//! The lines of `/proc/PID/net/netlink` and `/proc/PID/net/packet`: sockets to the kernel and to network devices.

use super::socket::{Socket, SocketAddress, SocketKind};
use super::words::{number, words};

/// Parses a line of `netlink`. Returns the inode number and the socket.
///
/// ```text
/// sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode
/// 00000000506a1bf7 0   4242       00000001 0        0        0     2        0        1430
/// ```
pub(super) fn netlink(line: &[u8]) -> Option<(u64, Socket)> {
    const INODE_AFTER_GROUPS: usize = 5;
    let mut words = words(line).skip(1);
    let protocol = u32::try_from(number(words.next()?, 10)?).ok()?;
    let port = port(words.next()?)?;
    let groups = u32::try_from(number(words.next()?, 16)?).ok()?;
    let inode = number(words.nth(INODE_AFTER_GROUPS)?, 10)?;
    let mut socket = Socket::new(SocketKind::Netlink(Some(protocol)));
    socket.local = Some(SocketAddress::Netlink { port, groups });
    Some((inode, socket))
}

/// Parses a netlink port. The first port of a process is its pid; the kernel chooses numbers above `i32::MAX` for its
/// other ports, which older kernels print as negative numbers.
fn port(word: &[u8]) -> Option<u32> {
    match word {
        [b'-', digits @ ..] => u32::try_from(number(digits, 10)?).ok().map(u32::wrapping_neg),
        digits => u32::try_from(number(digits, 10)?).ok(),
    }
}

/// Parses a line of `packet`. Returns the inode number and the socket.
///
/// ```text
/// sk               RefCnt Type Proto  Iface R Rmem   User   Inode
/// 00000000506a1bf7 3      3    0003   2     1 0      0      20486
/// ```
pub(super) fn packet(line: &[u8]) -> Option<(u64, Socket)> {
    const INODE_AFTER_INTERFACE: usize = 3;
    let mut words = words(line).skip(3);
    let protocol = u16::try_from(number(words.next()?, 16)?).ok()?;
    let interface = u32::try_from(number(words.next()?, 10)?).ok()?;
    let inode = number(words.nth(INODE_AFTER_INTERFACE)?, 10)?;
    let mut socket = Socket::new(SocketKind::Packet(Some(protocol)));
    socket.local = Some(SocketAddress::Interface(interface));
    Some((inode, socket))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_netlink() {
        let line = b"00000000506a1bf7 15  4242       00000002 0        0        0     2        0        1430    ";
        let (inode, socket) = netlink(line).unwrap();
        assert_eq!((inode, socket.to_string().as_str()), (1430, "netlink kobject-uevent"));
        assert_eq!(socket.local(), Some(&SocketAddress::Netlink { port: 4242, groups: 2 }));
        let (_, socket) = netlink(b"f6d1e000 0   -4123      00000000 0        0        (null) 2 0 7").unwrap();
        assert_eq!(socket.local(), Some(&SocketAddress::Netlink { port: 0u32.wrapping_sub(4123), groups: 0 }));
        for line in [
            &b"sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode"[..],
            b"00000000506a1bf7 0 0 00000000 0 0 0 2 0",
            b"00000000506a1bf7 0 - 00000000 0 0 0 2 0 4",
            b"",
        ] {
            assert_eq!(netlink(line), None);
        }
    }

    #[test]
    fn lines_of_packet() {
        let (inode, socket) = packet(b"00000000506a1bf7 3      3    0003   2     1 0      0      20486 ").unwrap();
        assert_eq!((inode, socket.to_string().as_str()), (20486, "packet protocol 0x0003 interface 2"));
        for line in [
            &b"sk               RefCnt Type Proto  Iface R Rmem   User   Inode"[..],
            b"00000000506a1bf7 3 3 0003 2 1 0 0",
            b"00000000506a1bf7 3 3 10003 2 1 0 0 5",
        ] {
            assert_eq!(packet(line), None);
        }
    }
}
