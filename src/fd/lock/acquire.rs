//! Taking a lock.

use super::error::{Attempt, LockError, LockFailure, TryLockError};
use super::guard::LockGuard;
use super::hold::Hold;
use super::request::LockKind;
use rustix::io::Errno;
use std::os::fd::AsFd;

/// Locks the description that `file` refers to, and waits until it can.
///
/// `file` is any value that owns or lends a descriptor: a `File`, an `OwnedFd`, a reference to either, an `Arc`. The
/// returned guard holds it. [`LockGuard`] says when the lock ends, and how a child can hold it. If the call fails, the
/// error contains `file`, which is still open. [`Lock`] compares the kinds of locks.
///
/// If a signal handler interrupts the wait (EINTR), the function waits again. The wait has no limit: a caller that must
/// not wait calls [`try_lock`]. Linux does not detect deadlocks between locks of descriptions.
///
/// # Locking a locked file
///
/// The lock belongs to the *description*. Another `open` of the same file makes another description, which has to wait.
/// A duplicate (by `try_clone`, by `dup(2)`, in a child) refers to the same description. To lock a duplicate is no
/// conflict: it *converts* the lock, from shared to exclusive or back, and if either guard releases the lock, it is
/// released for both. To convert a lock on purpose, give up the guard: `lock(guard.into_inner(), ...)`.
///
/// - The system does not convert a [`Lock`] in one step: it releases the old lock first, and another description may
///   get a lock in between. If the call then fails, the description has no lock.
/// - The system converts a [`RangeLock`] in one step. If the call fails, the old lock stays. If two descriptions hold a
///   shared lock and both wait for an exclusive one, they wait forever.
///
/// # Errors
///
/// The [`kind`](LockError::kind) is that of the error number, except for EINVAL at a [`RangeLock`].
///
/// - `Unsupported`: the system, or the file system, does not have locks of this kind (EINVAL at a [`RangeLock`],
///   ENOSYS, EOPNOTSUPP). The function never takes a record lock instead.
/// - `InvalidInput`: the range has no bytes or goes beyond the largest offset, and the function has made no system
///   call; or, for a [`Lock`], EINVAL: this type of file cannot be locked.
/// - EBADF: for a [`RangeLock`], the descriptor is not open for writing (exclusive) or for reading (shared). For a
///   [`Lock`] the same on NFS; on other file systems, the descriptor was opened with `O_PATH`.
/// - ENOLCK: the system has no memory for another lock, or the lock server of the file system does not answer.
/// - `PermissionDenied`, EACCES: a security policy forbids the lock; or, on CIFS, another process holds a lock. The two
///   cannot be told apart.
/// - `Deadlock`, EDEADLK: the wait would never end, on systems that detect this.
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
/// writeln!(&*log, "no other holder of the lock writes now")?;
/// let file = log.unlock()?; // or drop the guard, which ignores errors and closes the file
/// # drop(file);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// [`Lock`]: super::Lock
/// [`RangeLock`]: super::RangeLock
#[doc(alias = "flock", alias = "LOCK_EX", alias = "LOCK_SH", alias = "F_OFD_SETLKW")]
pub fn lock<F: AsFd>(file: F, lock: impl LockKind) -> Result<LockGuard<F>, LockError<F>> {
    let request = lock.request();
    match Hold::take(file.as_fd(), request, true) {
        Ok(hold) => Ok(LockGuard::new(file, hold)),
        Err(failure) => Err(LockError::new(file, Attempt::Take(request), failure)),
    }
}

/// Locks the description that `file` refers to, or fails at once if another description holds a lock that conflicts.
///
/// In all else it is as [`lock`].
///
/// # Errors
///
/// Both errors contain `file`, which is still open.
///
/// - [`TryLockError::Held`]: another description holds a lock that conflicts (EWOULDBLOCK).
/// - [`TryLockError::Failed`]: the errors of [`lock`].
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
    let request = lock.request();
    match Hold::take(file.as_fd(), request, false) {
        Ok(hold) => Ok(LockGuard::new(file, hold)),
        Err(LockFailure::Call(Errno::WOULDBLOCK)) => Err(TryLockError::Held(file)),
        Err(failure) => Err(TryLockError::Failed(LockError::new(file, Attempt::Take(request), failure))),
    }
}
