//! Sockets: their protocols, addresses and states.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod diag;
mod display;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod inet;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod list;
mod names;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod netlink_packet;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod protocol;
mod socket;
mod sockopt;
#[cfg(all(test, target_os = "linux"))]
mod tests;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod unix;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod words;

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use self::list::Sockets;
pub use self::socket::{Socket, SocketAddress, SocketKind, SocketState, SocketType};
