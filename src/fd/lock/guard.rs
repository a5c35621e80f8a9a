//! A lock that is held.

use super::error::{Attempt, Cause, LockError};
use super::hold::Hold;
use std::fmt;
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd};

/// A lock that is held, with the file. It is released when the guard is dropped.
///
/// The guard dereferences to the file, for reading and writing through a shared reference (`&*guard`). The file cannot
/// be replaced in it by another, which would not be locked.
///
/// # When the lock ends
///
/// A lock belongs to the description. It ends in one of two ways:
///
/// - It is *released*: [`unlock`](Self::unlock), or the guard is dropped. That is at once and for **all** duplicates of
///   the description, those of children too: whoever inherited the descriptor still has it, unlocked.
/// - The **last** descriptor of the description is closed: all duplicates, in every process that has one by `fork(2)`,
///   by a spawn or by a message on a socket. The close of one of them changes nothing. This is the only way that is
///   left after [`into_inner`](Self::into_inner).
///
/// The guard releases and does not merely close, because the close may not be the last: any thread may be between fork
/// and exec of a child, which has a duplicate of everything until then, whatever its flags.
///
/// So a child that must not hold the lock must not have the descriptor. A [`Command`](crate::Command) does not leak it
/// ([`Rest::Close`](crate::Rest::Close)), even without close-on-exec. With [`Rest::Inherit`](crate::Rest::Inherit) it
/// does, and one with close-on-exec may still be open in the child for a moment after the spawn has returned.
///
/// A child that is to hold the lock gets the descriptor, and the parent gives up the guard with
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
/// drop(guard.into_inner()); // closed here; without `into_inner` it would be released
/// assert!(matches!(try_lock(File::open(&path)?, Lock::exclusive()), Err(TryLockError::Held(_))));
///
/// drop(child.stdin.take()); // the child ends, and with it the last descriptor
/// child.wait()?;
/// let free = lock(File::open(&path)?, Lock::exclusive())?;
/// # drop(free);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// The same in one move is `command.fd(9, guard.into_inner())`: the spawn closes the parent's descriptor.
///
/// # After fork
///
/// A process forked without exec has a copy of the guard, but the lock is that of the process that took it. There the
/// drop of the copy only closes the file, if it owns it, and does not release the lock; only
/// [`unlock`](Self::unlock) does. A daemon that locks and then forks itself into the background so keeps its lock when
/// the process in the foreground leaves by `_exit(2)`. (The guard compares process ids. A child that is process 1 of a
/// new PID namespace, of a parent that is process 1 too, looks the same to it.)
///
/// # Errors
///
/// The drop cannot return an error: it logs it as a warning. [`unlock`](Self::unlock) says which there are.
#[must_use = "the lock is released when the guard is dropped"]
pub struct LockGuard<F: AsFd> {
    /// `None` only once a consuming method has taken it.
    file: Option<F>,
    hold: Hold,
    /// The process that took the lock.
    owner: u32,
}

impl<F: AsFd> LockGuard<F> {
    pub(super) fn new(file: F, hold: Hold) -> Self {
        Self { file: Some(file), hold, owner: std::process::id() }
    }

    /// Releases the lock for all duplicates of the description, and gives the file back.
    ///
    /// # Errors
    ///
    /// EIO, ENOLCK and the like, where the file system keeps its locks elsewhere (NFS, CIFS, FUSE), or has no memory to
    /// split a range. The lock may then still be held. The error gives the file back; its close, if it is the last,
    /// ends the lock.
    #[doc(alias = "LOCK_UN", alias = "F_UNLCK")]
    pub fn unlock(mut self) -> Result<F, LockError<F>> {
        let file = self.take();
        match self.hold.release(file.as_fd()) {
            Ok(()) => Ok(file),
            Err(errno) => Err(LockError::new(file, Attempt::Release, Cause::Call(errno))),
        }
    }

    /// Gives the file back, still locked.
    ///
    /// The lock then lives until the last close of the description, in whatever process that is. This is how a child
    /// gets it: see above. It also can be locked again from there, which converts the lock: see [`lock`](super::lock).
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
        if self.owner != std::process::id() {
            return; // In a forked child: the lock is the parent's, who counts on it.
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
