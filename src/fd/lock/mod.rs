//! Locks that belong to descriptions.

mod acquire;
mod error;
mod guard;
mod hold;
mod kind;
mod range;
mod request;

pub use self::acquire::{lock, try_lock};
pub use self::error::{LockError, TryLockError};
pub use self::guard::LockGuard;
pub use self::kind::{Lock, RangeLock};
pub use self::request::LockKind;
