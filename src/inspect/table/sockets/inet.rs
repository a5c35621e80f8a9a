//! The lines of `/proc/PID/net/{tcp,tcp6,udp,udp6,udplite,udplite6,raw,raw6,icmp,icmp6}`.

use super::socket::{Socket, SocketAddress, SocketKind, SocketState};
use super::words::{number, words};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The byte order of the machine that has written a line. The kernel prints the bytes of an address as a number in its
/// own byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ByteOrder {
    Little,
    Big,
}

impl ByteOrder {
    pub(super) const NATIVE: Self = if cfg!(target_endian = "little") { Self::Little } else { Self::Big };
}

/// The protocol of a list, which decides how its lines are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InternetList {
    Tcp,
    Udp,
    UdpLite,
    Raw,
    Icmp,
}

/// Parses a line. Returns the inode number and the socket.
///
/// ```text
///   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
///    0: 00000000:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 207 1 ...
/// ```
pub(super) fn parse(list: InternetList, line: &[u8], order: ByteOrder) -> Option<(u64, Socket)> {
    const INODE_AFTER_STATE: usize = 5;
    let mut words = words(line);
    let _slot = words.next()?;
    let (local, remote) = (address(words.next()?, order)?, address(words.next()?, order)?);
    let code = u8::try_from(number(words.next()?, 16)?).ok()?;
    let inode = number(words.nth(INODE_AFTER_STATE)?, 10)?;
    let mut socket = Socket::new(match list {
        InternetList::Tcp => SocketKind::Tcp,
        InternetList::Udp => SocketKind::Udp,
        InternetList::UdpLite => SocketKind::UdpLite,
        InternetList::Raw => SocketKind::Raw(u8::try_from(local.port()).ok()),
        InternetList::Icmp => SocketKind::Icmp,
    });
    if list == InternetList::Raw {
        socket.local = Some(SocketAddress::without_port(local.ip()));
        socket.peer = (!remote.ip().is_unspecified()).then(|| SocketAddress::without_port(remote.ip()));
    } else {
        socket.local = Some(SocketAddress::Internet(local));
        socket.peer = SocketAddress::internet_peer(remote);
    }
    socket.state = state(code);
    Some((inode, socket))
}

/// The state with this number: the kernel's states of TCP, of which other protocols use two.
pub(super) fn state(code: u8) -> Option<SocketState> {
    Some(match code {
        1 => SocketState::Connected,
        2 | 3 | 12 => SocketState::Connecting,
        4 | 5 | 6 | 9 | 11 => SocketState::Closing,
        7 | 13 => SocketState::Unconnected,
        8 => SocketState::HungUp,
        10 => SocketState::Listening,
        _ => return None,
    })
}

/// Parses an address and a port in hexadecimal digits, such as `0100007F:0050`.
fn address(word: &[u8], order: ByteOrder) -> Option<SocketAddr> {
    let colon = word.iter().position(|&byte| byte == b':')?;
    let (digits, port) = (&word[..colon], u16::try_from(number(&word[colon + 1..], 16)?).ok()?);
    let ip = match digits.len() {
        8 => IpAddr::from(Ipv4Addr::from(quarter(digits, order)?)),
        32 => {
            let mut bytes = [0; 16];
            for (bytes, digits) in bytes.chunks_exact_mut(4).zip(digits.chunks_exact(8)) {
                bytes.copy_from_slice(&quarter(digits, order)?);
            }
            IpAddr::from(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// Parses four bytes of an address.
fn quarter(digits: &[u8], order: ByteOrder) -> Option<[u8; 4]> {
    let value = u32::try_from(number(digits, 16)?).ok()?;
    Some(match order {
        ByteOrder::Little => value.to_le_bytes(),
        ByteOrder::Big => value.to_be_bytes(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(list: InternetList, line: &str, order: ByteOrder) -> Option<(u64, String)> {
        parse(list, line.as_bytes(), order).map(|(inode, socket)| (inode, socket.to_string()))
    }

    #[test]
    fn lines_of_a_little_endian_machine() {
        let cases = [
            (
                InternetList::Tcp,
                "   0: 0100007F:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 207 1 \
                 00000000448ff295 100 0 0 10 0                       ",
                (207, "tcp 127.0.0.1:2024 listening"),
            ),
            (
                InternetList::Tcp,
                "   1: 0100007F:0050 0100007F:1388 01 00000000:00000000 00:00000000 00000000  1000        0 5551 1 \
                 0000000000000000 20 4 30 10 -1",
                (5551, "tcp 127.0.0.1:80 -> 127.0.0.1:5000"),
            ),
            (
                InternetList::Tcp,
                "   2: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A \
                 00000000:00000000 00:00000000 00000000     0        0 77 1 0000000000000000 100 0 0 10 0",
                (77, "tcp [::1]:80 listening"),
            ),
            (
                InternetList::Tcp,
                "   3: B80D0120000000000000000001000000:0050 0000000000000000FFFF00000200000A:C350 08 \
                 00000000:00000000 00:00000000 00000000     0        0 78 1 0000000000000000 100 0 0 10 0",
                (78, "tcp [2001:db8::1]:80 -> [::ffff:10.0.0.2]:50000 hung up"),
            ),
            (
                InternetList::Udp,
                "  294: 00000000:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000   101        0 18823 2 \
                 0000000000000000 0         ",
                (18823, "udp 0.0.0.0:53"),
            ),
            (
                InternetList::Raw,
                "    1: 00000000:0001 0200000A:0000 01 00000000:00000000 00:00000000 00000000     0        0 91 2 \
                 0000000000000000 0",
                (91, "raw icmp 0.0.0.0 -> 10.0.0.2"),
            ),
            (
                InternetList::Icmp,
                "   34: 0100007F:0022 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 92 2 \
                 0000000000000000 0",
                (92, "icmp 127.0.0.1:34"),
            ),
        ];
        for (list, line, (inode, socket)) in cases {
            assert_eq!(text(list, line, ByteOrder::Little), Some((inode, socket.to_owned())), "{line}");
        }
    }

    #[test]
    fn lines_of_a_big_endian_machine() {
        let line = "   0: 7F000001:0050 0A000002:1388 01 00000000:00000000 00:00000000 00000000     0        0 9 1";
        let found = text(InternetList::Tcp, line, ByteOrder::Big);
        assert_eq!(found, Some((9, "tcp 127.0.0.1:80 -> 10.0.0.2:5000".to_owned())));
        let line = "   0: 20010DB8000000000000000000000001:0050 00000000000000000000000000000000:0000 0A \
                    00000000:00000000 00:00000000 00000000     0        0 10 1";
        let found = text(InternetList::Tcp, line, ByteOrder::Big);
        assert_eq!(found, Some((10, "tcp [2001:db8::1]:80 listening".to_owned())));
    }

    #[test]
    fn every_state_of_the_kernel_has_a_name_and_no_other_number_has() {
        assert!((1..=13).all(|code| state(code).is_some()));
        assert!([0, 14, 255].iter().all(|&code| state(code).is_none()));
    }

    #[test]
    fn malformed_lines_are_no_sockets() {
        let good = "0: 0100007F:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 207";
        assert!(text(InternetList::Tcp, good, ByteOrder::Little).is_some());
        for length in 0..good.len() - 3 {
            assert_eq!(text(InternetList::Tcp, &good[..length], ByteOrder::Little), None, "{}", &good[..length]);
        }
        for (from, to) in [
            ("0100007F:07E8", "0100007F"),
            ("0100007F:07E8", "0100007F:17E80"),
            ("0100007F:07E8", "0100007:07E8"),
            ("0100007F:07E8", "+100007F:07E8"),
            ("0100007F:07E8", ":07E8"),
            (" 0A ", " 1FF "),
            (" 207", " -1"),
            (" 207", " 99999999999999999999"),
        ] {
            assert_eq!(text(InternetList::Tcp, &good.replacen(from, to, 1), ByteOrder::Little), None, "{to}");
        }
        let header = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
        assert_eq!(text(InternetList::Tcp, header, ByteOrder::Little), None);
    }
}
