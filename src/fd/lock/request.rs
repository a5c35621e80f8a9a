//! A request for a lock of either kind.

use super::kind::{Lock, LockMode, RangeLock};
use super::range::DisplayBounds;
use std::fmt;

/// The kinds of locks that [`lock`](super::lock) and [`try_lock`](super::try_lock) take: [`Lock`] and [`RangeLock`].
///
/// The trait is sealed.
pub trait LockKind: IntoRequest {}

impl LockKind for Lock {}
impl LockKind for RangeLock {}

/// Converts a lock into a request. The trait is private, so no other crate can implement [`LockKind`].
pub trait IntoRequest {
    fn request(self) -> LockRequest;
}

impl IntoRequest for Lock {
    fn request(self) -> LockRequest {
        LockRequest::Whole(self)
    }
}

impl IntoRequest for RangeLock {
    fn request(self) -> LockRequest {
        LockRequest::Bytes(self)
    }
}

/// A lock of either kind.
#[derive(Clone, Copy, Debug)]
pub enum LockRequest {
    Whole(Lock),
    Bytes(RangeLock),
}

impl fmt::Display for LockRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Whole(Lock { mode }) | Self::Bytes(RangeLock { mode, .. })) = self;
        f.write_str(match mode {
            LockMode::Shared => "a shared ",
            LockMode::Exclusive => "an exclusive ",
        })?;
        match self {
            Self::Whole(_) => f.write_str("flock lock"),
            Self::Bytes(lock) => write!(f, "lock of bytes {}", DisplayBounds(lock.bounds)),
        }
    }
}
