//! What a caller asks for.

use super::range::{Bounds, Written};
use std::fmt;
use std::ops::RangeBounds;

/// A lock of a whole file, by `flock(2)`.
///
/// One description can hold an exclusive lock of a file, or any number of descriptions a shared one. It is advisory:
/// it keeps out those who ask for it, not those who read and write.
///
/// # Which lock
///
/// | | `Lock` | [`RangeLock`] | record lock: not offered |
/// |---|---|---|---|
/// | call | `flock(2)` | `fcntl(2)`, `F_OFD_SETLK` | `fcntl(2)`, `F_SETLK`; `lockf(3)` |
/// | locks | the whole file | a range of bytes | a range of bytes |
/// | belongs to | the description | the description | the process |
/// | excludes threads | that open the file for themselves | that open the file for themselves | never |
/// | a child with a duplicate | holds it too | holds it too | does not |
/// | ends | when it is released, or at the **last** close of the description, in whatever process | the same | when it is released, or at the **first** close of any descriptor of the file by the process |
/// | descriptor | open in any way | exclusive: open for writing; shared: for reading | the same |
/// | where | every Unix system but Solaris | Linux 3.15, Android, macOS; illumos for whole files | every Unix system |
///
/// All who lock a file have to use the same kind: on Linux a `flock` lock and a lock of bytes do not see each other.
/// (On the BSDs, macOS and illumos they do.)
///
/// # Why record locks are not offered
///
/// A record lock (`F_SETLK`, `lockf`) belongs to the process and the file, not to what was opened:
///
/// - It is gone as soon as the process closes *any* descriptor of the file: a duplicate, or one that a library opened
///   and closed to have a look. No code can know that, and nothing tells it.
/// - Two threads do not exclude each other, since the process already has the lock.
/// - A child does not inherit it, and so it cannot be handed to one.
///
/// A guard over such a lock would promise what nobody can keep. So where locks of bytes that belong to the description
/// are missing, [`RangeLock`] is an error, [`io::ErrorKind::Unsupported`], and never a record lock in disguise.
///
/// # Network file systems
///
/// On NFS (since Linux 2.6.12) and CIFS (since 5.5), `flock` is a lock of all bytes on the server. Then the two kinds
/// see each other; on NFS an exclusive lock needs a descriptor that is open for writing, and a shared one for reading
/// (or EBADF); and on CIFS locks are mandatory: reading and writing through other descriptions fails with EACCES. See
/// `flock(2)`, `nfs(5)` (`local_lock`) and `fcntl_locking(2)`. A lock that is lost because the server was away is not
/// told of before the next read or write (EIO), if at all.
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
///     Err(TryLockError::Held(_file)) => {} // given back, to try again
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
    pub(super) mode: Mode,
}

impl Lock {
    /// Nobody else has a lock at the same time.
    pub const fn exclusive() -> Self {
        Self { mode: Mode::Exclusive }
    }

    /// Others may have shared locks at the same time, and nobody an exclusive one.
    pub const fn shared() -> Self {
        Self { mode: Mode::Shared }
    }
}

/// A lock of a range of bytes that belongs to the description, by `fcntl(2)` with `F_OFD_SETLK`.
///
/// The range is in bytes from the beginning of the file, whatever the description's offset is. It may lie beyond the
/// end of the file: the lock is of the numbers, whether or not there are bytes. `..` is the whole file, and a range
/// without an end covers whatever the file grows to. A range without bytes is refused, and so is one that goes beyond
/// the largest offset, 2^63 - 1.
///
/// [`Lock`] says how it differs from a `flock` lock and from a record lock. It conflicts with record locks, those of
/// the same process too.
///
/// One description can hold many ranges, and each guard releases its own. Where two guards of *one* description
/// overlap, their locks are one: the second converts the bytes of the first to its own kind, and the release of either
/// unlocks the bytes for both. Descriptions of their own exclude each other.
///
/// # Platform notes
///
/// Linux 3.15, Android, macOS. On illumos only `..`, the whole file. Elsewhere, as on the BSDs, taking it is an error of
/// the kind [`Unsupported`](std::io::ErrorKind::Unsupported).
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
    pub(super) mode: Mode,
    pub(super) bounds: Bounds,
}

impl RangeLock {
    /// Nobody else has a lock of any of these bytes. The descriptor has to be open for writing.
    pub fn exclusive(range: impl RangeBounds<u64>) -> Self {
        Self { mode: Mode::Exclusive, bounds: (range.start_bound().cloned(), range.end_bound().cloned()) }
    }

    /// Others may have shared locks of these bytes, and nobody an exclusive one. The descriptor has to be open for
    /// reading.
    pub fn shared(range: impl RangeBounds<u64>) -> Self {
        Self { mode: Mode::Shared, bounds: (range.start_bound().cloned(), range.end_bound().cloned()) }
    }
}

/// Whether others may hold it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Mode {
    Shared,
    Exclusive,
}

/// What [`lock`](super::lock) and [`try_lock`](super::try_lock) can be asked for: a [`Lock`] or a [`RangeLock`].
pub trait LockKind: sealed::Sealed {}

impl LockKind for Lock {}
impl LockKind for RangeLock {}

/// Either kind.
#[derive(Clone, Copy, Debug)]
pub enum Asked {
    Whole(Lock),
    Bytes(RangeLock),
}

mod sealed {
    pub trait Sealed {
        fn asked(self) -> super::Asked;
    }

    impl Sealed for super::Lock {
        fn asked(self) -> super::Asked {
            super::Asked::Whole(self)
        }
    }

    impl Sealed for super::RangeLock {
        fn asked(self) -> super::Asked {
            super::Asked::Bytes(self)
        }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Whole(Lock { mode }) | Self::Bytes(RangeLock { mode, .. })) = self;
        f.write_str(match mode {
            Mode::Shared => "a shared ",
            Mode::Exclusive => "an exclusive ",
        })?;
        match self {
            Self::Whole(_) => f.write_str("flock lock"),
            Self::Bytes(lock) => write!(f, "lock of bytes {}", Written(lock.bounds)),
        }
    }
}
