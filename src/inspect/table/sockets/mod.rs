//! What the sockets in a table are.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod diag;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod inet;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod link;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod list;
mod names;
mod own;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod protocol;
mod socket;
#[cfg(all(test, target_os = "linux"))]
mod tests;
mod text;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod unix;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod words;

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use self::list::Sockets;
pub use self::socket::{Socket, SocketAddress, SocketKind, SocketState, SocketType};
