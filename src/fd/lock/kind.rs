//! The kinds of locks that a caller can ask for.

use super::range::Bounds;
use std::ops::RangeBounds;

/// A lock of a whole file, by `flock(2)`.
///
/// Either one description holds an exclusive lock of a file, or any number of descriptions hold a shared one. The lock
/// is advisory: it excludes other locks, and does not hinder reads and writes.
///
/// # Which lock
///
/// | | `Lock` | [`RangeLock`] | record lock: not offered |
/// |---|---|---|---|
/// | call | `flock(2)` | `fcntl(2)`, `F_OFD_SETLK` | `fcntl(2)`, `F_SETLK`; `lockf(3)` |
/// | locks | the whole file | a range of bytes | a range of bytes |
/// | belongs to | the description | the description | the process |
/// | excludes other threads | if they have opened the file themselves | if they have opened the file themselves | never |
/// | a child with a duplicate | holds the lock too | holds the lock too | does not hold it |
/// | ends | when it is released, or at the **last** close of the description, in any process | the same | when it is released, or at the **first** close of any descriptor of the file by the process |
/// | descriptor | open in any mode | exclusive: open for writing; shared: for reading | the same |
/// | systems | every Unix system except Solaris | Linux 3.15, Android, macOS; illumos for whole files | every Unix system |
///
/// All programs that lock a file must use the same kind: on Linux a `flock` lock and a lock of bytes never conflict.
/// (On the BSDs, macOS and illumos they do.)
///
/// # Why record locks are not offered
///
/// A record lock (`F_SETLK`, `lockf`) belongs to the process and the file, not to a description:
///
/// - It ends when the process closes *any* descriptor of the file: a duplicate, or a descriptor that a library has
///   opened and closed to read the file. The holder of the lock cannot prevent or notice that.
/// - Two threads do not exclude each other, because the lock belongs to their process.
/// - A child does not inherit it, so the parent cannot give it to a child.
///
/// A guard of a record lock could not promise that the lock is still held. So if a system does not have locks of bytes
/// that belong to the description, taking a [`RangeLock`] is an error, [`io::ErrorKind::Unsupported`], and never takes
/// a record lock instead.
///
/// # Network file systems
///
/// On NFS (since Linux 2.6.12) and CIFS (since 5.5), the kernel turns a `flock` lock into a lock of all bytes on the
/// server. So there the two kinds conflict. On NFS an exclusive lock needs a descriptor that is open for writing, and a
/// shared lock one that is open for reading (otherwise EBADF). On CIFS the locks are mandatory: reads and writes
/// through other descriptions fail with EACCES. See `flock(2)`, `nfs(5)` (`local_lock`) and `fcntl_locking(2)`. If a
/// lock is lost because the server was unreachable, the next read or write may fail with EIO; no other call reports the
/// loss.
///
/// ```
/// use fdspawn::fd::{Lock, TryLockError, lock, try_lock};
/// use std::fs::File;
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("database");
/// let one = lock(File::create(&path)?, Lock::shared())?;
/// let two = lock(File::open(&path)?, Lock::shared())?;
/// match try_lock(File::open(&path)?, Lock::exclusive()) {
///     Err(TryLockError::Held(_file)) => {} // contains the file, to try again with
///     other => panic!("{other:?}"),
/// }
/// drop((one, two));
/// let alone = try_lock(File::open(&path)?, Lock::exclusive())?;
/// # drop(alone);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// [`io::ErrorKind::Unsupported`]: std::io::ErrorKind::Unsupported
#[doc(alias = "flock", alias = "LOCK_SH", alias = "LOCK_EX", alias = "F_SETLK", alias = "lockf")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lock {
    pub(super) mode: LockMode,
}

impl Lock {
    /// An exclusive lock: while a description holds it, no other description holds any lock of the file.
    pub const fn exclusive() -> Self {
        Self { mode: LockMode::Exclusive }
    }

    /// A shared lock: while a description holds it, others can hold shared locks of the file, but no exclusive one.
    pub const fn shared() -> Self {
        Self { mode: LockMode::Shared }
    }
}

/// A lock of a range of bytes that belongs to the description, by `fcntl(2)` with `F_OFD_SETLK`.
///
/// The range counts bytes from the beginning of the file; the description's offset does not matter. It may lie beyond
/// the end of the file. `..` is the whole file. A range without an end also covers the bytes by which the file grows
/// later. To take a lock of a range without bytes, or of one beyond the largest offset, 2^63 - 1, is an error.
///
/// [`Lock`] compares this kind with `flock` locks and record locks. A lock of bytes conflicts with record locks, also
/// with those of the same process.
///
/// One description can hold locks of many ranges, and each guard releases its own range. If the ranges of two guards of
/// *one* description overlap, they share the lock of the common bytes: the second lock converts these bytes to its own
/// mode, and the release of either unlocks them for both. Different descriptions exclude each other.
///
/// # Platform notes
///
/// Linux 3.15, Android, macOS. On illumos only `..`, the whole file. On other systems, such as the BSDs, taking the
/// lock is an error of the kind [`Unsupported`](std::io::ErrorKind::Unsupported).
///
/// ```
/// use fdspawn::fd::{RangeLock, TryLockError, lock, try_lock};
/// use std::fs::File;
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("database");
/// # File::create(&path)?;
/// let open = || File::options().read(true).write(true).open(&path);
/// let header = lock(open()?, RangeLock::exclusive(0..512))?;
/// let body = try_lock(open()?, RangeLock::exclusive(512..))?;
/// assert!(matches!(try_lock(open()?, RangeLock::shared(511..513)), Err(TryLockError::Held(_))));
/// # drop((header, body));
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias = "F_OFD_SETLK", alias = "F_OFD_SETLKW", alias = "fcntl", alias = "F_SETLK", alias = "lockf")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RangeLock {
    pub(super) mode: LockMode,
    pub(super) bounds: Bounds,
}

impl RangeLock {
    /// An exclusive lock: while a description holds it, no other description holds a lock of any of these bytes. The
    /// descriptor must be open for writing.
    pub fn exclusive(range: impl RangeBounds<u64>) -> Self {
        Self { mode: LockMode::Exclusive, bounds: (range.start_bound().cloned(), range.end_bound().cloned()) }
    }

    /// A shared lock: while a description holds it, others can hold shared locks of these bytes, but no exclusive one.
    /// The descriptor must be open for reading.
    pub fn shared(range: impl RangeBounds<u64>) -> Self {
        Self { mode: LockMode::Shared, bounds: (range.start_bound().cloned(), range.end_bound().cloned()) }
    }
}

/// Whether other descriptions can hold a lock at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum LockMode {
    Shared,
    Exclusive,
}
