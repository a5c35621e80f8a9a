//! Works on descriptors themselves, with or without a child: closes, flags, duplicates, locks.
//!
//! - [`close()`], [`close_all`] and [`sync_and_close`] return the errors that a drop ignores.
//! - [`close_from`], [`close_ranges_except`] and [`set_close_on_exec_from`] act on many descriptors by number.
//! - [`Flags`], [`with_close_on_exec`] and [`duplicate_from`] set close-on-exec and make duplicates.
//! - [`lock()`] and [`try_lock`] take locks that belong to a description (`flock(2)`, open file description locks).

pub(crate) mod by_number;
mod close;
mod close_all_error;
mod close_error;
pub(crate) mod fdinfo;
mod flags;
pub(crate) mod kept;
mod lock;
pub(crate) mod proc_numbers;
mod ranges;
pub(crate) mod ready;
pub(crate) mod standard;
mod sync_and_close_error;

pub use self::close::{close, close_all, sync_and_close};
pub use self::close_all_error::CloseAllError;
pub use self::close_error::{CloseCause, CloseError};
pub use self::flags::{Flags, duplicate_from, with_close_on_exec};
pub(crate) use self::flags::{close_on_exec, set_close_on_exec, with_number};
pub use self::lock::{Lock, LockError, LockGuard, LockKind, RangeLock, TryLockError, lock, try_lock};
pub use self::ranges::{CloseRange, close_from, close_ranges_except, set_close_on_exec_from};
pub use self::sync_and_close_error::SyncAndCloseError;
