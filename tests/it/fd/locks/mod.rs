//! Locks of files.
//!
//! A test that ends a lock by its last close runs in a process of its own: in the shared test process, a child of
//! another test may be between fork and exec, with a duplicate of every descriptor.

mod errors;
mod exclusion;
mod lifetime;
mod waiting;

use fdspawn::fd::{Lock, LockError, LockGuard, RangeLock, TryLockError, lock, try_lock};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

/// Both kinds of lock, for tests of what is true of both.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Whole,
    Bytes,
}

const KINDS: [Kind; 2] = [Kind::Whole, Kind::Bytes];

impl Kind {
    fn lock<F: AsFd>(self, file: F) -> Result<LockGuard<F>, LockError<F>> {
        match self {
            Self::Whole => lock(file, Lock::exclusive()),
            Self::Bytes => lock(file, RangeLock::exclusive(..)),
        }
    }

    fn try_lock<F: AsFd>(self, file: F) -> Result<LockGuard<F>, TryLockError<F>> {
        match self {
            Self::Whole => try_lock(file, Lock::exclusive()),
            Self::Bytes => try_lock(file, RangeLock::exclusive(..)),
        }
    }

    fn try_shared<F: AsFd>(self, file: F) -> Result<LockGuard<F>, TryLockError<F>> {
        match self {
            Self::Whole => try_lock(file, Lock::shared()),
            Self::Bytes => try_lock(file, RangeLock::shared(..)),
        }
    }

    /// Whether a new description gets the lock now. The lock is released again.
    fn is_free(self, target: &Target) -> bool {
        match self.try_lock(target.open()) {
            Ok(guard) => {
                drop(guard);
                true
            }
            Err(TryLockError::Held(_)) => false,
            Err(error) => panic!("{error}"),
        }
    }

    /// Waits until the last duplicate of the description that has the lock is closed: for the moment of its look, another test may have one
    /// that looks at this process in `/proc`.
    fn wait_until_free(self, target: &Target) {
        let start = Instant::now();
        while !self.is_free(target) {
            assert!(start.elapsed() < Duration::from_secs(60), "{self:?} is held");
            std::thread::yield_now();
        }
    }
}

/// A file to lock, in a directory of its own.
struct Target {
    directory: tempfile::TempDir,
}

impl Target {
    fn new() -> Self {
        let target = Self { directory: tempfile::tempdir().unwrap() };
        File::create(target.path()).unwrap();
        target
    }

    fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("file")
    }

    /// A new description of the file, for reading and writing.
    fn open(&self) -> File {
        File::options().read(true).write(true).open(self.path()).unwrap()
    }
}

/// Takes a record lock (`F_SETLK`) of the whole file, which this library never does.
fn record_lock(file: &File) {
    // SAFETY: all zeros is a valid value, and one record is read.
    unsafe {
        let mut record: libc::flock = std::mem::zeroed();
        record.l_type = libc::F_WRLCK as i16;
        assert_eq!(libc::fcntl(file.as_raw_fd(), libc::F_SETLK, &raw mut record), 0);
    }
}

/// Whether a record lock, or a lock of bytes by another description, is in the way.
fn is_locked(file: &File) -> bool {
    // SAFETY: all zeros is a valid value, and one record is read and written.
    unsafe {
        let mut record: libc::flock = std::mem::zeroed();
        record.l_type = libc::F_WRLCK as i16;
        assert_eq!(libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut record), 0);
        record.l_type != libc::F_UNLCK as i16
    }
}
