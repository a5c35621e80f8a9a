//! Which descriptors a process has, what they refer to, and which processes hold the ends of a pipe.
//!
//! - [`DescriptorTable`] lists the descriptors of a process, as `lsof` does, and finds leaks.
//! - [`Socket`] says what a socket is bound and connected to.
//! - [`pipe_holders`] finds the processes that keep a pipe open.

mod escape;
mod pipe_holders;
mod table;

pub use self::pipe_holders::{PipeHolder, PipeHolders, Unreadable, pipe_holders};
pub use self::table::{
    Access, DescriptorTable, Difference, Entry, HeldLock, HeldLockKind, Kind, Socket, SocketAddress, SocketKind,
    SocketState, SocketType,
};
