//! What is in a table.

#[allow(dead_code, unused_imports, reason = "the table asks for sockets")]
mod sockets;

pub use self::sockets::{Socket, SocketAddress, SocketKind, SocketState, SocketType};
