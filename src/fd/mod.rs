//! Descriptors themselves, with or without a child: closing them, their flags, duplicates and locks.
//!
//! - [`close`], [`close_all`] and [`sync_and_close`] tell the errors that a drop hides.
//! - [`close_from`], [`close_ranges_except`] and [`set_close_on_exec_from`] work on many descriptors, by number.
//! - [`Flags`], [`with_close_on_exec`] and [`duplicate_from`] are about close-on-exec and duplicates.
//! - [`lock()`] and [`try_lock`] lock files for a description (`flock(2)` and open file description locks).

pub(crate) mod by_number;
mod close;
mod close_error;
mod flags;
mod lock;
mod ranges;
pub(crate) mod standard;

pub use self::close::{close, close_all, sync_and_close};
pub use self::close_error::{CloseAllError, CloseCause, CloseError, SyncAndCloseError};
pub use self::flags::{Flags, duplicate_from, with_close_on_exec};
pub(crate) use self::flags::{close_on_exec, set_close_on_exec};
pub use self::lock::{Lock, LockError, LockGuard, LockKind, RangeLock, TryLockError, lock, try_lock};
pub use self::ranges::{CloseRange, close_from, close_ranges_except, set_close_on_exec_from};
