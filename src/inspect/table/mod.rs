//! The list of a process's descriptors: what `lsof` and `/proc/PID/fd` show, as data.

mod classify;
mod descriptor_table;
mod difference;
mod display;
mod entry;
mod kind;
mod link;
mod own_descriptor;
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), path = "no_proc.rs")]
mod proc;
mod read;
mod sockets;
mod status;
#[cfg_attr(
    not(any(target_os = "linux", target_os = "android")),
    allow(dead_code, reason = "only Linux has such texts")
)]
mod terminal;

pub use self::descriptor_table::DescriptorTable;
pub use self::difference::Difference;
pub use self::entry::Entry;
pub use self::kind::Kind;
pub use self::sockets::{Socket, SocketAddress, SocketKind, SocketState, SocketType};
