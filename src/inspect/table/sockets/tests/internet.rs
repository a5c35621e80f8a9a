//! TCP, UDP, raw IP and their kin.

use super::super::diag::Family;
use super::super::{SocketAddress, SocketKind, SocketState};
use super::{answers, found, listed, said, socket, unshared};
use rustix::io::Errno;
use rustix::net::SocketAddrAny;
use std::io::Read;
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;

/// Loopback addresses of both versions of IP, as far as there are any.
fn loopbacks() -> impl Iterator<Item = SocketAddr> {
    let both = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))];
    both.into_iter().filter(|&address| UdpSocket::bind(address).is_ok())
}

fn name(fd: impl AsFd) -> SocketAddr {
    rustix::net::getsockname(fd).map(|name: SocketAddrAny| name.try_into().unwrap()).unwrap()
}

#[test]
fn tcp_sockets_are_what_std_says() {
    for address in loopbacks() {
        let listener = TcpListener::bind(address).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        let socket = found(&listener);
        assert_eq!(socket.local().and_then(SocketAddress::internet), Some(listener.local_addr().unwrap()));
        assert_eq!((socket.peer(), socket.state()), (None, Some(SocketState::Listening)));
        assert_eq!(socket.to_string(), format!("tcp {} listening", listener.local_addr().unwrap()));
        for stream in [&client, &accepted] {
            let (local, peer) = (stream.local_addr().unwrap(), stream.peer_addr().unwrap());
            let socket = found(stream);
            assert_eq!(socket.kind(), &SocketKind::Tcp);
            assert_eq!(socket.peer().and_then(SocketAddress::internet), Some(peer));
            assert_eq!(socket.state(), Some(SocketState::Connected));
            assert_eq!(socket.to_string(), format!("tcp {local} -> {peer}"));
        }
    }
}

#[test]
fn tcp_end_whose_other_side_has_closed_has_hung_up() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut accepted, _) = listener.accept().unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(accepted.read(&mut [0]).unwrap(), 0);
    assert_eq!(found(&accepted).state(), Some(SocketState::HungUp));
    assert_eq!(found(&client).state(), Some(SocketState::Closing));
}

#[test]
fn tcp_connection_that_is_not_answered_is_connecting() {
    let listener = socket(libc::AF_INET, libc::SOCK_STREAM, 0).unwrap();
    rustix::net::bind(&listener, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    // At most one connection can wait to be accepted.
    rustix::net::listen(&listener, 0).unwrap();
    let address = name(&listener);
    let _waits = TcpStream::connect(address).unwrap();
    let client = socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_NONBLOCK, 0).unwrap();
    assert_eq!(rustix::net::connect(&client, &address), Err(Errno::INPROGRESS));
    let socket = listed(&client).unwrap();
    assert_eq!(socket.to_string(), format!("tcp {} -> {address} connecting", name(&client)));
    assert_eq!(said(&client).state(), Some(SocketState::Connecting));
}

#[test]
fn socket_without_an_address_is_in_no_list_but_answers() {
    for (kind, text) in [(libc::SOCK_STREAM, "tcp 0.0.0.0:0"), (libc::SOCK_DGRAM, "udp 0.0.0.0:0")] {
        let socket = socket(libc::AF_INET, kind, 0).unwrap();
        assert_eq!(listed(&socket), None);
        assert_eq!(said(&socket).to_string(), text);
    }
}

#[test]
fn udp_sockets_are_what_std_says() {
    for address in loopbacks() {
        let (one, other) = (UdpSocket::bind(address).unwrap(), UdpSocket::bind(address).unwrap());
        let local = one.local_addr().unwrap();
        let socket = found(&one);
        assert_eq!((socket.to_string(), socket.peer()), (format!("udp {local}"), None));
        assert_eq!(socket.state(), Some(SocketState::Unconnected));
        one.connect(other.local_addr().unwrap()).unwrap();
        assert_eq!(found(&one).to_string(), format!("udp {local} -> {}", other.local_addr().unwrap()));
    }
}

#[test]
fn udp_lite_is_not_udp() {
    let Some(socket) = socket(libc::AF_INET, libc::SOCK_DGRAM, 136) else { return };
    rustix::net::bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    assert_eq!(found(&socket).to_string(), format!("udplite {}", name(&socket)));
}

#[test]
fn raw_sockets_have_a_protocol_and_no_port() {
    for (family, protocol, any, loopback, text) in [
        (libc::AF_INET, 1, "0.0.0.0", "127.0.0.1:7", "raw icmp"),
        (libc::AF_INET, 200, "0.0.0.0", "127.0.0.1:7", "raw protocol 200"),
        (libc::AF_INET6, 58, "::", "[::1]:7", "raw icmpv6"),
    ] {
        let Some(socket) = socket(family, libc::SOCK_RAW, protocol) else { continue };
        assert_eq!(found(&socket).to_string(), format!("{text} {any}"));
        let address: SocketAddr = loopback.parse().unwrap();
        rustix::net::connect(&socket, &address).unwrap();
        assert_eq!(found(&socket).to_string(), format!("{text} {ip} -> {ip}", ip = address.ip()));
    }
}

#[test]
fn socket_of_ping_has_its_identifier_as_the_port() {
    unshared(libc::CLONE_NEWNET, || {
        // The namespace has a setting for the groups that may create such a socket.
        if std::fs::write("/proc/sys/net/ipv4/ping_group_range", "0 0").is_err() {
            return eprintln!("skipped: sockets of ping cannot be allowed");
        }
        let Some(socket) = socket(libc::AF_INET, libc::SOCK_DGRAM, 1) else { return };
        rustix::net::bind(&socket, &SocketAddr::from((Ipv4Addr::UNSPECIFIED, 4321))).unwrap();
        assert_eq!(found(&socket).to_string(), "icmp 0.0.0.0:4321");
    });
}

#[test]
fn mptcp_is_not_tcp() {
    for address in loopbacks() {
        let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
        let Some(listener) = socket(family, libc::SOCK_STREAM, 262) else { return };
        if !answers(if address.is_ipv4() { Family::Mptcp } else { Family::Mptcp6 }) {
            return;
        }
        rustix::net::bind(&listener, &address).unwrap();
        rustix::net::listen(&listener, 1).unwrap();
        let client = socket(family, libc::SOCK_STREAM, 262).unwrap();
        rustix::net::connect(&client, &name(&listener)).unwrap();
        let accepted = rustix::net::accept(&listener).unwrap();
        assert_eq!(found(&listener).to_string(), format!("mptcp {} listening", name(&listener)));
        assert_eq!(found(&client).to_string(), format!("mptcp {} -> {}", name(&client), name(&listener)));
        assert_eq!(found(&accepted).to_string(), format!("mptcp {} -> {}", name(&listener), name(&client)));
    }
}
