//! The lines of `/proc/PID/net/unix`.

use super::socket::{Socket, SocketAddress, SocketKind, SocketState, SocketType};
use super::words::number;

/// The kernel's flag `__SO_ACCEPTCON`: the socket listens.
const LISTENS: u64 = 1 << 16;

/// Parses a line. Returns the inode number and the socket.
///
/// The kernel prints the name as it was passed to `bind(2)`, with `@` for each NUL byte. If the name contains a line
/// feed, the rest of the name is on a line of its own, which may look like the line of another socket. `sock_diag(7)`
/// does not have this problem.
///
/// ```text
/// Num       RefCount Protocol Flags    Type St Inode Path
/// 00000000df087628: 00000003 00000000 00000000 0001 03   204 /run/x
/// ```
pub(super) fn parse(line: &[u8]) -> Option<(u64, Socket)> {
    let mut rest = line;
    let [_number, _count, _protocol, flags, kind, state, inode] = [(); 7].map(|()| word(&mut rest));
    let (flags, state, inode) = (number(flags, 16)?, number(state, 16)?, number(inode, 10)?);
    let mut socket = Socket::new(SocketKind::Unix(socket_type(number(kind, 16)?)));
    socket.state = match state {
        _ if flags & LISTENS != 0 => Some(SocketState::Listening),
        1 => Some(SocketState::Unconnected),
        2 => Some(SocketState::Connecting),
        3 => Some(SocketState::Connected),
        4 => Some(SocketState::Closing),
        _ => None,
    };
    socket.local = match rest {
        [b' ', b'@', name @ ..] => Some(SocketAddress::Abstract(name.to_vec())),
        [b' ', path @ ..] => SocketAddress::unix(path),
        _ => None,
    };
    Some((inode, socket))
}

/// Takes the first word from `rest`, and leaves the text after it, with its blanks. Empty at the end of the line.
fn word<'line>(rest: &mut &'line [u8]) -> &'line [u8] {
    let trimmed = rest.trim_ascii_start();
    let end = trimmed.iter().position(|&byte| byte == b' ').unwrap_or(trimmed.len());
    let (word, after) = trimmed.split_at(end);
    *rest = after;
    word
}

/// The type with this number. MIPS has other numbers than the other architectures.
pub(super) fn socket_type(number: u64) -> SocketType {
    let is = |constant: i32| u64::try_from(constant) == Ok(number);
    if is(libc::SOCK_STREAM) {
        SocketType::Stream
    } else if is(libc::SOCK_DGRAM) {
        SocketType::Datagram
    } else if is(libc::SOCK_SEQPACKET) {
        SocketType::Seqpacket
    } else {
        SocketType::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(line: &[u8]) -> Option<(u64, String)> {
        parse(line).map(|(inode, socket)| (inode, socket.to_string()))
    }

    #[test]
    #[cfg(not(any(target_arch = "mips", target_arch = "mips64")))]
    fn lines_of_the_kernel() {
        let cases: [(&[u8], u64, &str); 7] = [
            (b"00000000df087628: 00000003 00000000 00000000 0001 03   204", 204, "unix stream connected"),
            (
                b"0000000000000000: 00000002 00000000 00010000 0001 01 20486 /run/x",
                20486,
                "unix stream /run/x listening",
            ),
            (b"0000000000000000: 00000002 00000000 00000000 0002 01 7 @a b@", 7, "unix dgram @a b@"),
            (b"0000000000000000: 00000002 00000000 00000000 0002 01 7 @", 7, "unix dgram @"),
            (b"f6d1e000: 00000002 00000000 00000000 0005 01    18  x ", 18, "unix seqpacket  x "),
            (b"0000000000000000: 00000003 00000000 00000000 0002 03 9 /tmp/\xff", 9, "unix dgram /tmp/\\xff connected"),
            (b"0000000000000000: 00000003 00000000 00000000 0063 09 9", 9, "unix"),
        ];
        for (line, inode, socket) in cases {
            assert_eq!(text(line), Some((inode, socket.to_owned())), "{}", line.escape_ascii());
        }
    }

    #[test]
    fn malformed_lines_are_no_sockets() {
        for line in [
            &b""[..],
            b"Num       RefCount Protocol Flags    Type St Inode Path",
            b"0000000000000000: 00000003 00000000 00000000 0001 03",
            b"0000000000000000: 00000003 00000000 00000000 0001 03 ",
            b"0000000000000000: 00000003 00000000 0000000x 0001 03 204",
            b"rest of a name with a line feed",
            b"a b c d e f g h i",
        ] {
            assert_eq!(text(line), None, "{}", line.escape_ascii());
        }
    }
}
