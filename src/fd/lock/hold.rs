//! The system calls that lock and unlock.

use super::error::Cause;
use super::kind::{Asked, Mode};
use super::range::Extent;
use crate::sys::{self, RangeState};
use rustix::fs::FlockOperation;
#[cfg(not(target_os = "solaris"))]
use rustix::fs::flock;
use rustix::io::{Errno, retry_on_intr};
use std::os::fd::{AsRawFd, BorrowedFd};

/// What is locked, as far as its release needs to know.
#[derive(Clone, Copy, Debug)]
pub(super) enum Hold {
    Whole,
    Bytes(Extent),
}

impl Hold {
    /// Takes a lock, and waits for it or not. A network file system may take its time, and be interrupted, without a
    /// wait too.
    pub(super) fn take(fd: BorrowedFd<'_>, asked: Asked, wait: bool) -> Result<Self, Cause> {
        match asked {
            Asked::Whole(lock) => {
                let operation = match (lock.mode, wait) {
                    (Mode::Shared, true) => FlockOperation::LockShared,
                    (Mode::Shared, false) => FlockOperation::NonBlockingLockShared,
                    (Mode::Exclusive, true) => FlockOperation::LockExclusive,
                    (Mode::Exclusive, false) => FlockOperation::NonBlockingLockExclusive,
                };
                retry_on_intr(|| flock(fd, operation)).map_err(Cause::Call)?;
                Ok(Self::Whole)
            }
            Asked::Bytes(lock) => {
                let extent = Extent::new(lock.bounds).map_err(Cause::Refused)?;
                let state = match lock.mode {
                    Mode::Shared => RangeState::Shared,
                    Mode::Exclusive => RangeState::Exclusive,
                };
                set(fd, extent, state, wait).map_err(Cause::Call)?;
                Ok(Self::Bytes(extent))
            }
        }
    }

    /// Releases it, for all duplicates of the description.
    pub(super) fn release(self, fd: BorrowedFd<'_>) -> Result<(), Errno> {
        match self {
            Self::Whole => retry_on_intr(|| flock(fd, FlockOperation::Unlock)),
            Self::Bytes(extent) => set(fd, extent, RangeState::Unlocked, false),
        }
    }
}

fn set(fd: BorrowedFd<'_>, extent: Extent, state: RangeState, wait: bool) -> Result<(), Errno> {
    retry_on_intr(|| sys::lock_range(fd.as_raw_fd(), state, extent.start, extent.length, wait))
}

/// Old Solaris has none, and rustix follows it.
#[cfg(target_os = "solaris")]
fn flock(_: BorrowedFd<'_>, _: FlockOperation) -> Result<(), Errno> {
    Err(Errno::NOSYS)
}
