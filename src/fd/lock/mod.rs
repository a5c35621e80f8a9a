//! Locks of descriptions.

mod error;
mod guard;
mod hold;
mod kind;
mod range;

pub use self::error::{LockError, TryLockError};
pub use self::guard::LockGuard;
pub use self::kind::{Lock, LockKind, RangeLock};

use self::error::{Attempt, Cause};
use self::hold::Hold;
use rustix::io::Errno;
use std::os::fd::AsFd;

/// Locks the description that `file` refers to, and waits for it as long as that takes.
///
/// `file` is whatever owns or lends a descriptor: a `File`, an `OwnedFd`, a reference to either, an `Arc`. It is in the
/// guard until that is dropped (which releases the lock), or gives it back: [`LockGuard`] says when a lock ends, and
/// how a child gets it. A failed attempt gives `file` back in the error, and does not close it. [`Lock`] says which
/// kinds there are and how they differ.
///
/// A signal handler that runs meanwhile does not end the wait (EINTR). Nothing does: a caller who must not wait for
/// ever calls [`try_lock`]. Linux does not notice a deadlock between locks of descriptions.
///
/// # Locking what is locked
///
/// The lock belongs to the *description*. Another `open` of the same file makes another description, and is kept out;
/// a duplicate (`try_clone`, `dup(2)`, a child's) is the same description. To lock that again is no conflict: it
/// *converts* the lock, from shared to exclusive or back, and the release of either guard is the release of both. To
/// convert on purpose, give up the guard: `lock(guard.into_inner(), ...)`.
///
/// - A [`Lock`] is not converted at once: the system releases the old lock first, and somebody else may get one in
///   between. An attempt that fails then leaves nothing locked.
/// - A [`RangeLock`] is converted at once, or stays as it was when the attempt fails. Two who both hold a shared lock
///   and both wait for an exclusive one wait for ever.
///
/// # Errors
///
/// The [`kind`](LockError::kind) is that of the error number, but for EINVAL at a [`RangeLock`].
///
/// - Unsupported: locks of this kind do not exist here, or not for this file (EINVAL at a [`RangeLock`], ENOSYS,
///   EOPNOTSUPP). Nothing falls back to record locks.
/// - InvalidInput: the range has no bytes or goes beyond the largest offset, and no system call was made; or, at a
///   [`Lock`], EINVAL: what is open there cannot be locked.
/// - EBADF: for a [`RangeLock`], the descriptor is not open for writing (exclusive) or for reading (shared); for a
///   [`Lock`] so on NFS, and elsewhere where it was opened with `O_PATH`.
/// - ENOLCK: the system has no room for another lock, or the lock server of the file system does not answer.
/// - PermissionDenied, EACCES: a security policy, or on CIFS a lock that somebody else holds: the two look the same.
/// - Deadlock, EDEADLK: the wait would never end, on systems that notice.
///
/// # Example
///
/// ```
/// use fdspawn::fd::{Lock, lock};
/// use std::fs::File;
/// use std::io::Write;
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("log");
/// let log = lock(File::create(&path)?, Lock::exclusive())?;
/// writeln!(&*log, "nobody else writes now")?;
/// let file = log.unlock()?; // or drop it; here an error is seen, and the file is kept
/// # drop(file);
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias = "flock", alias = "LOCK_EX", alias = "LOCK_SH", alias = "F_OFD_SETLKW")]
pub fn lock<F: AsFd>(file: F, lock: impl LockKind) -> Result<LockGuard<F>, LockError<F>> {
    let asked = lock.asked();
    match Hold::take(file.as_fd(), asked, true) {
        Ok(hold) => Ok(LockGuard::new(file, hold)),
        Err(cause) => Err(LockError::new(file, Attempt::Take(asked), cause)),
    }
}

/// Locks the description that `file` refers to, if nobody is in the way.
///
/// It is [`lock`] without the wait.
///
/// # Errors
///
/// [`TryLockError::Held`]: another description holds a lock that conflicts, EWOULDBLOCK. All others as for [`lock`]:
/// [`TryLockError::Failed`]. Both give `file` back.
///
/// ```
/// use fdspawn::fd::{Lock, TryLockError, try_lock};
/// use std::fs::File;
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("only-one.lock");
/// let _running = match try_lock(File::create(&path)?, Lock::exclusive()) {
///     Ok(guard) => guard,
///     Err(TryLockError::Held(_)) => return Err(std::io::Error::other("it runs already")),
///     Err(TryLockError::Failed(error)) => return Err(error.into()),
/// };
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias = "flock", alias = "LOCK_NB", alias = "F_OFD_SETLK")]
pub fn try_lock<F: AsFd>(file: F, lock: impl LockKind) -> Result<LockGuard<F>, TryLockError<F>> {
    let asked = lock.asked();
    match Hold::take(file.as_fd(), asked, false) {
        Ok(hold) => Ok(LockGuard::new(file, hold)),
        Err(Cause::Call(Errno::WOULDBLOCK)) => Err(TryLockError::Held(file)),
        Err(cause) => Err(TryLockError::Failed(LockError::new(file, Attempt::Take(asked), cause))),
    }
}
