//! Descriptors themselves: closing them, their flags, their duplicates, what they are, who has the other end, and a
//! process's list of them.

mod close;
mod close_error;
mod ends;
mod escape;
mod flags;
pub(crate) mod ladder;
mod lock;
mod ranges;
pub(crate) mod standard;
pub mod table;

pub use self::close::{close, close_all, sync_and_close};
pub use self::close_error::{CloseAllError, CloseCause, CloseError, SyncAndCloseError};
pub use self::ends::{Ends, Holder, Unreadable, ends_of};
pub use self::flags::{Flags, duplicate_from, with_close_on_exec};
pub(crate) use self::flags::{close_on_exec, set_close_on_exec};
pub use self::lock::{Lock, LockError, LockGuard, LockKind, RangeLock, TryLockError, lock, try_lock};
pub use self::ranges::{CloseRange, close_from, close_ranges_except, set_close_on_exec_from};
pub use self::table::{Socket, SocketAddress, SocketKind, SocketState, SocketType};
