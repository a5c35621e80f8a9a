//! The other families; other namespaces; no descriptor left.

use super::super::diag::Family;
use super::super::{Socket, SocketAddress, SocketKind, SocketType, Sockets};
use super::{THREAD, answers, found, inode, listed, said, socket, unshared};
use rustix::net::netlink::SocketAddrNetlink;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

/// The link to a descriptor of this thread.
fn link(fd: impl AsFd) -> PathBuf {
    format!("{THREAD}/fd/{}", fd.as_fd().as_raw_fd()).into()
}

#[test]
fn netlink_socket_has_a_family_a_port_and_groups() {
    const KOBJECT_UEVENT: i32 = 15;
    for (protocol, text) in [(0, "netlink route"), (KOBJECT_UEVENT, "netlink kobject-uevent")] {
        let socket = socket(libc::AF_NETLINK, libc::SOCK_RAW, protocol).unwrap();
        rustix::net::bind(&socket, &SocketAddrNetlink::new(0, 1)).unwrap();
        let found = found(&socket);
        assert_eq!(found.to_string(), text);
        assert_eq!(found.kind(), &SocketKind::Netlink(Some(protocol as u32)));
        let name = SocketAddrNetlink::try_from(rustix::net::getsockname(&socket).unwrap()).unwrap();
        assert_eq!(found.local(), Some(&SocketAddress::Netlink { port: name.pid(), groups: 1 }));
    }
}

#[test]
fn packet_socket_has_a_protocol_and_a_device() {
    const ALL_FRAMES: u16 = 3;
    let Some(socket) = socket(libc::AF_PACKET, libc::SOCK_RAW, ALL_FRAMES.to_be().into()) else { return };
    assert_eq!(found(&socket).to_string(), "packet protocol 0x0003 any interface");
    assert_eq!(found(&socket).local(), Some(&SocketAddress::Interface(0)));
}

/// `bind(2)` or `connect(2)` to an address of vsock, for which there are no safe calls.
fn with_vsock_address(
    call: unsafe extern "C" fn(i32, *const libc::sockaddr, libc::socklen_t) -> i32,
    fd: &OwnedFd,
    cid: u32,
    port: u32,
) -> bool {
    // SAFETY: all zeros is valid, and the address has the length that is passed.
    unsafe {
        let mut address: libc::sockaddr_vm = std::mem::zeroed();
        address.svm_family = libc::AF_VSOCK as libc::sa_family_t;
        (address.svm_cid, address.svm_port) = (cid, port);
        let length = size_of_val(&address) as libc::socklen_t;
        call(fd.as_raw_fd(), (&raw const address).cast(), length) == 0
    }
}

#[test]
fn vsock_socket_has_its_addresses() {
    let stream = || socket(libc::AF_VSOCK, libc::SOCK_STREAM, 0);
    let (Some(listener), Some(client)) = (stream(), stream()) else { return };
    assert_eq!(said(&client).kind(), &SocketKind::Vsock(SocketType::Stream));
    assert_eq!(said(&client).to_string(), "vsock stream any:any");
    assert!(with_vsock_address(libc::bind, &listener, libc::VMADDR_CID_ANY, libc::VMADDR_PORT_ANY));
    rustix::net::listen(&listener, 1).unwrap();
    let Some(SocketAddress::Vsock { port, .. }) = said(&listener).local().cloned() else { panic!("no address") };
    assert_eq!(said(&listener).to_string(), format!("vsock stream any:{port} listening"));
    if answers(Family::Vsock) {
        assert_eq!(found(&listener), said(&listener));
        if !with_vsock_address(libc::connect, &client, libc::VMADDR_CID_LOCAL, port) {
            return eprintln!("skipped: there is no loopback for vsock");
        }
        let accepted = rustix::net::accept(&listener).unwrap();
        let Some(SocketAddress::Vsock { port: own, .. }) = said(&client).local().cloned() else { panic!("no address") };
        // The client has not bound its context identifier, so that is any.
        assert_eq!(found(&client).to_string(), format!("vsock stream any:{own} -> 1:{port}"));
        assert_eq!(found(&accepted).to_string(), format!("vsock stream 1:{port} -> 1:{own}"));
    }
}

#[test]
fn socket_of_another_family_has_its_name() {
    for (family, kind, protocol, name) in [(44, libc::SOCK_RAW, 0, "xdp"), (38, libc::SOCK_SEQPACKET, 0, "alg")] {
        let Some(socket) = socket(family, kind, protocol) else { continue };
        assert_eq!(said(&socket), Socket::new(SocketKind::Other(name.into())));
        assert_eq!(Socket::behind(&link(&socket)).unwrap().to_string(), name);
    }
}

#[test]
fn protocol_is_known_of_any_socket_behind_a_link() {
    let tcp = socket(libc::AF_INET6, libc::SOCK_STREAM, 0).unwrap();
    assert_eq!(Socket::behind(&link(&tcp)), Some(Socket::new(SocketKind::Tcp)));
    let (unix, _other) = UnixStream::pair().unwrap();
    assert!(matches!(Socket::behind(&link(&unix)).unwrap().kind(), SocketKind::Unix(_)));
    assert_eq!(Socket::behind(Path::new("/proc/0/fd/0")), None);
}

#[test]
fn sockets_of_another_network_namespace_are_known_but_not_their_peers() {
    let (sender, receiver) = mpsc::channel::<(PathBuf, u64, u64, mpsc::Sender<()>)>();
    let read = std::thread::scope(|scope| {
        let read = scope.spawn(move || {
            let (thread, tcp, unix, done) = receiver.recv().ok()?;
            let sockets = Sockets::read(&thread);
            // The lists do not have the sockets of the caller's own namespace.
            let own = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            assert_eq!(sockets.get(inode(&own)), None);
            done.send(()).unwrap();
            Some((sockets.get(tcp), sockets.get(unix)))
        });
        unshared(libc::CLONE_NEWNET, move || {
            // The loopback device is down, but any address is an address.
            let tcp = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
            let (unix, other) = UnixStream::pair().unwrap();
            let (done, wait) = mpsc::channel();
            let thread = Path::new("/proc").join(std::fs::read_link(THREAD).unwrap());
            sender.send((thread, inode(&tcp), inode(&unix), done)).unwrap();
            wait.recv().unwrap();
            assert_eq!(found(&tcp).local().unwrap().internet(), Some(tcp.local_addr().unwrap()));
            if answers(Family::Unix) {
                assert_eq!(found(&unix).peer_inode(), Some(inode(&other)));
            }
        });
        read.join().unwrap()
    });
    let Some((tcp, unix)) = read else { return };
    assert!(tcp.unwrap().to_string().ends_with(" listening"));
    assert_eq!(unix.unwrap().to_string(), "unix stream connected");
}

#[test]
fn lists_are_empty_at_the_limit_of_descriptors_but_a_socket_answers() {
    unshared(libc::CLONE_FILES, || {
        let (socket, _other) = UnixStream::pair().unwrap();
        let mut all = Vec::new();
        while let Ok(fd) = rustix::io::fcntl_dupfd_cloexec(&socket, 0) {
            all.push(fd);
        }
        assert_eq!(listed(&socket), None);
        assert_eq!(said(&socket).to_string(), "unix stream connected");
        drop(all);
        assert!(listed(&socket).is_some());
    });
}
