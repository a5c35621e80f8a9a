//! Unix sockets.

use super::super::diag::Family;
use super::super::{Socket, SocketAddress, SocketKind, SocketState, SocketType, Sockets};
use super::{THREAD, answers, found, inode, listed, said, socket};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, bind, connect, listen, socketpair};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

fn pair(kind: rustix::net::SocketType) -> (OwnedFd, OwnedFd) {
    socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).unwrap()
}

fn stream() -> OwnedFd {
    socket(libc::AF_UNIX, libc::SOCK_STREAM, 0).unwrap()
}

#[test]
fn both_ends_of_a_pair_know_each_other() {
    if !answers(Family::Unix) {
        return;
    }
    use rustix::net::SocketType as Type;
    for (kind, expected, text) in [
        (Type::STREAM, SocketType::Stream, "stream"),
        (Type::DGRAM, SocketType::Datagram, "dgram"),
        (Type::SEQPACKET, SocketType::Seqpacket, "seqpacket"),
    ] {
        let (one, other) = pair(kind);
        for (one, other) in [(&one, &other), (&other, &one)] {
            let socket = found(one);
            assert_eq!(socket.kind(), &SocketKind::Unix(expected));
            assert_eq!((socket.local(), socket.peer()), (None, None));
            assert_eq!((socket.peer_inode(), socket.state()), (Some(inode(other)), Some(SocketState::Connected)));
            assert_eq!(socket.to_string(), format!("unix {text} -> socket:[{}]", inode(other)));
        }
    }
}

#[test]
fn client_knows_the_name_of_its_server() {
    if !answers(Family::Unix) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a b\n\u{1b}");
    let listener = UnixListener::bind(&path).unwrap();
    let client = UnixStream::connect(&path).unwrap();
    // Until the connection is accepted, no descriptor refers to the other end, but it has a name already.
    let waiting = listed(&client).unwrap();
    assert_eq!((waiting.peer_inode(), waiting.state()), (None, Some(SocketState::Connected)));
    assert_eq!(said(&client).peer().and_then(SocketAddress::path), Some(path.as_path()));
    assert_eq!(Sockets::read(Path::new(THREAD)).get(0), None);
    let (accepted, _) = listener.accept().unwrap();
    let name = format!("{}/a b\\n\\u{{1b}}", directory.path().display());
    let address = SocketAddress::Path(path);
    assert_eq!(found(&listener).local(), Some(&address));
    assert_eq!(found(&listener).to_string(), format!("unix stream {name} listening"));
    assert_eq!(found(&client).peer(), Some(&address));
    assert_eq!(found(&client).to_string(), format!("unix stream -> socket:[{}] {name}", inode(&accepted)));
    assert_eq!(found(&accepted).to_string(), format!("unix stream {name} -> socket:[{}]", inode(&client)));
}

#[test]
fn end_whose_other_side_has_closed_has_hung_up() {
    if !answers(Family::Unix) {
        return;
    }
    for kind in [rustix::net::SocketType::STREAM, rustix::net::SocketType::SEQPACKET] {
        let (one, other) = pair(kind);
        drop(other);
        let socket = found(&one);
        assert_eq!((socket.peer_inode(), socket.state()), (None, Some(SocketState::HungUp)));
        assert!(socket.to_string().ends_with(" hung up"));
    }
}

#[test]
fn names_are_known_byte_for_byte() {
    if !answers(Family::Unix) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    // The longest possible path, which no NUL byte ends.
    let longest = format!("{}/", directory.path().display());
    let longest = longest.clone() + &"x".repeat(108 - longest.len());
    let unique = format!("fdspawn {}", std::process::id());
    let odd = [unique.as_bytes(), b"\0\xff\n@"].concat();
    let cases = [
        (SocketAddrUnix::new(&longest).unwrap(), SocketAddress::Path(longest.into())),
        (SocketAddrUnix::new_abstract_name(&odd).unwrap(), SocketAddress::Abstract(odd)),
    ];
    for (address, expected) in cases {
        let socket = stream();
        bind(&socket, &address).unwrap();
        assert_eq!(found(&socket).local(), Some(&expected));
        assert_eq!(found(&socket).state(), Some(SocketState::Unconnected));
        listen(&socket, 1).unwrap();
        let client = stream();
        connect(&client, &address).unwrap();
        assert_eq!(said(&client).peer(), Some(&expected));
    }
}

#[test]
fn name_that_the_kernel_chose_is_abstract() {
    let socket = stream();
    bind(&socket, &SocketAddrUnix::new_unnamed()).unwrap();
    let found = found(&socket);
    let name = found.local().and_then(SocketAddress::abstract_name).unwrap();
    assert!(name.len() == 5 && name.iter().all(u8::is_ascii_hexdigit), "{name:?}");
    assert_eq!(found.to_string(), format!("unix stream @{}", str::from_utf8(name).unwrap()));
}

#[test]
fn name_cannot_pass_a_socket_off_as_another() {
    if !answers(Family::Unix) {
        return;
    }
    let (victim, _other) = pair(rustix::net::SocketType::STREAM);
    let forged = format!("x\n0: 2 0 10000 1 1 {} /run/forged\n", inode(&victim));
    let forger = stream();
    bind(&forger, &SocketAddrUnix::new_abstract_name(forged.as_bytes()).unwrap()).unwrap();
    assert_eq!(found(&victim).local(), None);
    assert_eq!(found(&forger).local().and_then(SocketAddress::abstract_name), Some(forged.as_bytes()));
}

#[test]
fn list_in_proc_has_the_same_but_for_peers() {
    if !answers(Family::Unix) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a b");
    let listener = UnixListener::bind(&path).unwrap();
    let client = UnixStream::connect(&path).unwrap();
    let (accepted, _) = listener.accept().unwrap();
    let (datagram, _other) = pair(rustix::net::SocketType::DGRAM);
    let unconnected = stream();
    bind(&unconnected, &SocketAddrUnix::new_unnamed()).unwrap();
    let text = std::fs::read(format!("{THREAD}/net/unix")).unwrap();
    for fd in [listener.as_fd(), client.as_fd(), accepted.as_fd(), datagram.as_fd(), unconnected.as_fd()] {
        let mut lines = text.split(|&byte| byte == b'\n').filter_map(super::super::unix::parse);
        let (_, socket) = lines.find(|(its, _)| *its == inode(fd)).unwrap();
        assert_eq!(socket, Socket { peer: None, peer_inode: None, ..found(fd) });
    }
}

#[test]
fn many_sockets_are_all_found() {
    if !answers(Family::Unix) {
        return;
    }
    let pairs: Vec<_> = (0..200).map(|_| pair(rustix::net::SocketType::STREAM)).collect();
    let sockets = Sockets::read(Path::new(THREAD));
    for (one, other) in &pairs {
        assert_eq!(sockets.get(inode(one)).and_then(|socket| socket.peer_inode()), Some(inode(other)));
        assert_eq!(sockets.get(inode(other)).and_then(|socket| socket.peer_inode()), Some(inode(one)));
    }
}

#[test]
fn what_is_no_socket_is_none() {
    let (reader, _writer) = std::io::pipe().unwrap();
    assert_eq!(Socket::of(reader.as_fd()), None);
    assert_eq!(listed(&reader), None);
    let path = format!("{THREAD}/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader));
    assert_eq!(Socket::behind(Path::new(&path)), None);
    assert_eq!(Sockets::read(Path::new("/proc/0")).get(0), None);
}
