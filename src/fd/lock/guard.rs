//! The guard of a lock.

use super::error::{Attempt, LockError, LockFailure};
use super::hold::Hold;
use crate::sys;
use std::fmt;
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd};

/// A lock and its file. The drop of the guard releases the lock, and drops the file.
///
/// The guard dereferences to the file, which can be read and written through a shared reference (`&*guard`). The guard
/// gives out no mutable reference: with one, the caller could put another file in its place, which is not locked.
///
/// # When the lock ends
///
/// A lock belongs to the description. It ends in one of two ways:
///
/// - [`unlock`](Self::unlock) or the drop of the guard *releases* it, at once and for **all** duplicates of the
///   descriptor, also those of children: a child that has inherited the descriptor still has it, but not the lock.
/// - The **last** descriptor of the description is closed: all duplicates, in every process that got one by `fork(2)`,
///   by a spawn, or by a message on a socket. The close of one duplicate changes nothing. After
///   [`into_inner`](Self::into_inner) this is the only way.
///
/// The guard releases the lock and does not only close its descriptor, because that close may not be the last: another
/// thread may have a child between fork and exec, and that child has a duplicate of every descriptor, also of those
/// with close-on-exec.
///
/// So a child that must not hold the lock must not have the descriptor. A child of a [`Command`](crate::Command) does
/// not get it ([`Rest::Close`](crate::Rest::Close)), even without close-on-exec. With
/// [`Rest::Inherit`](crate::Rest::Inherit) the child does get it; and if close-on-exec is set, it may be open in the
/// child for a moment after the spawn has returned.
///
/// To let a child hold the lock, give it the descriptor, and give up the parent's guard with
/// [`into_inner`](Self::into_inner):
///
/// ```
/// use fdspawn::fd::{Lock, TryLockError, lock, try_lock};
/// use fdspawn::{Command, Stdio};
/// use std::fs::File;
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("lock");
/// let guard = lock(File::create(&path)?, Lock::exclusive())?;
/// let mut child = Command::new("cat").fd(9, &guard).stdin(Stdio::piped()).spawn()?;
/// drop(guard.into_inner()); // this closes the file; a drop of the guard would release the lock
/// assert!(matches!(try_lock(File::open(&path)?, Lock::exclusive()), Err(TryLockError::Held(_))));
///
/// drop(child.stdin.take()); // the child ends, and with it the last descriptor
/// child.wait()?;
/// let free = lock(File::open(&path)?, Lock::exclusive())?;
/// # drop(free);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// `command.fd(9, guard.into_inner())` does the same: the spawn closes the parent's descriptor.
///
/// # After fork
///
/// A process that was forked and has not called exec has a copy of the guard, but the guard of the process that took
/// the lock decides. The drop of the copy only drops the file, and does not release the lock; [`unlock`](Self::unlock)
/// does. So a daemon that takes a lock and then forks into the background keeps its lock, if the foreground process
/// ends by `_exit(2)`. (The guard compares process ids. If the parent is process 1 of its PID namespace, and the child
/// is process 1 of a new one, the guard cannot tell them apart.)
///
/// # Errors
///
/// The drop cannot return an error; it logs a warning. [`unlock`](Self::unlock) lists the errors.
#[must_use = "the lock is released when the guard is dropped"]
pub struct LockGuard<F: AsFd> {
    /// `None` only in a method that consumes the guard.
    file: Option<F>,
    hold: Hold,
    /// The process that took the lock.
    owner: u32,
}

impl<F: AsFd> LockGuard<F> {
    pub(super) fn new(file: F, hold: Hold) -> Self {
        Self { file: Some(file), hold, owner: sys::own_pid() }
    }

    /// Releases the lock for all duplicates of the descriptor, and returns the file.
    ///
    /// # Errors
    ///
    /// EIO, ENOLCK and similar errors, if a server keeps the locks of the file system (NFS, CIFS, FUSE), or if the
    /// system has no memory to split a range. The lock may still be held. The error contains the file; the last close
    /// of the description ends the lock.
    #[doc(alias = "LOCK_UN", alias = "F_UNLCK")]
    pub fn unlock(mut self) -> Result<F, LockError<F>> {
        let file = self.take();
        match self.hold.release(file.as_fd()) {
            Ok(()) => Ok(file),
            Err(errno) => Err(LockError::new(file, Attempt::Release, LockFailure::Call(errno))),
        }
    }

    /// Returns the file, which stays locked.
    ///
    /// The lock then ends at the last close of the description, in any process. Use this to let a child hold the lock:
    /// see above. To lock the returned file again converts the lock: see [`lock`](super::lock).
    pub fn into_inner(mut self) -> F {
        self.take()
    }

    fn take(&mut self) -> F {
        self.file.take().expect("each method that takes the file consumes the guard")
    }
}

impl<F: AsFd> Drop for LockGuard<F> {
    fn drop(&mut self) {
        let Some(file) = &self.file else { return };
        if self.owner != sys::own_pid() {
            return; // This is a forked child, and the parent needs its lock.
        }
        if let Err(error) = self.hold.release(file.as_fd()) {
            tracing::warn!(%error, "a lock could not be released");
        }
    }
}

impl<F: AsFd> Deref for LockGuard<F> {
    type Target = F;

    fn deref(&self) -> &F {
        self.file.as_ref().expect("each method that takes the file consumes the guard")
    }
}

impl<F: AsFd> AsFd for LockGuard<F> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        (**self).as_fd()
    }
}

impl<F: AsFd + fmt::Debug> fmt::Debug for LockGuard<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockGuard").field("file", &**self).field("hold", &self.hold).finish_non_exhaustive()
    }
}
