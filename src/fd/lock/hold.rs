//! Takes and releases locks with `flock(2)` and `fcntl(2)`.

use super::error::LockFailure;
use super::kind::LockMode;
use super::range::Extent;
use super::request::LockRequest;
use crate::sys::{self, RangeState};
use rustix::fs::FlockOperation;
#[cfg(not(target_os = "solaris"))]
use rustix::fs::flock;
use rustix::io::{Errno, retry_on_intr};
use std::os::fd::{AsRawFd, BorrowedFd};

/// The lock that was taken, as its release needs it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Hold {
    Whole,
    Bytes(Extent),
}

impl Hold {
    /// Takes a lock. If `wait` is false, the call fails if another description holds a lock that conflicts; a network
    /// file system may still take long, so the function repeats an interrupted call in both cases.
    pub(super) fn take(fd: BorrowedFd<'_>, request: LockRequest, wait: bool) -> Result<Self, LockFailure> {
        match request {
            LockRequest::Whole(lock) => {
                let operation = match (lock.mode, wait) {
                    (LockMode::Shared, true) => FlockOperation::LockShared,
                    (LockMode::Shared, false) => FlockOperation::NonBlockingLockShared,
                    (LockMode::Exclusive, true) => FlockOperation::LockExclusive,
                    (LockMode::Exclusive, false) => FlockOperation::NonBlockingLockExclusive,
                };
                retry_on_intr(|| flock(fd, operation)).map_err(LockFailure::Call)?;
                Ok(Self::Whole)
            }
            LockRequest::Bytes(lock) => {
                let extent = Extent::new(lock.bounds).map_err(LockFailure::Range)?;
                let state = match lock.mode {
                    LockMode::Shared => RangeState::Shared,
                    LockMode::Exclusive => RangeState::Exclusive,
                };
                set(fd, extent, state, wait).map_err(LockFailure::Call)?;
                Ok(Self::Bytes(extent))
            }
        }
    }

    /// Releases the lock, for all duplicates of the descriptor.
    pub(super) fn release(self, fd: BorrowedFd<'_>) -> Result<(), Errno> {
        match self {
            Self::Whole => retry_on_intr(|| flock(fd, FlockOperation::Unlock)),
            Self::Bytes(extent) => set(fd, extent, RangeState::Unlocked, false),
        }
    }
}

/// Locks or unlocks bytes, again if a signal interrupts the call.
fn set(fd: BorrowedFd<'_>, extent: Extent, state: RangeState, wait: bool) -> Result<(), Errno> {
    retry_on_intr(|| sys::lock_range(fd.as_raw_fd(), state, extent.start, extent.length, wait))
}

/// Fails: rustix has no `flock` for Solaris, whose older versions do not have it.
#[cfg(target_os = "solaris")]
fn flock(_: BorrowedFd<'_>, _: FlockOperation) -> Result<(), Errno> {
    Err(Errno::NOSYS)
}
