//! Inspects processes: which descriptors they have, what these refer to, and which processes hold the ends of a pipe.
//!
//! - [`DescriptorTable`] lists the descriptors of a process, as `lsof` does, and finds leaks.
//! - [`Socket`] describes a socket: its protocol, its addresses, its state.
//! - [`pipe_holders()`] finds the processes that keep a pipe open.

mod access;
#[cfg_attr(
    not(any(target_os = "linux", target_os = "android")),
    allow(dead_code, reason = "only Linux has such texts")
)]
mod fdinfo;
#[cfg_attr(
    not(any(target_os = "linux", target_os = "android")),
    allow(dead_code, reason = "only Linux has such texts")
)]
mod held_lock;
mod pipe_holders;
mod table;

pub use self::access::Access;
pub use self::held_lock::{HeldLock, HeldLockKind};
pub use self::pipe_holders::{PipeHolder, PipeHolders, Unreadable, pipe_holders};
pub use self::table::{
    DescriptorTable, Difference, Entry, Kind, Socket, SocketAddress, SocketKind, SocketState, SocketType,
};
