//! Closing, with the errors that a destructor has nobody to tell.

use super::close_error::{CloseAllError, CloseError, SyncAndCloseError};
use crate::sys;
use rustix::io::Errno;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd};

/// Closes a descriptor, and returns the error that dropping it would throw away.
///
/// It takes whatever owns a descriptor (a `File`, a `PipeWriter`, a `UnixStream`), and makes one `close(2)`. The number
/// is free afterwards, also where there is an error; nothing is closed twice, since the owner is gone:
///
/// ```compile_fail,E0382
/// let file = std::fs::File::open("/dev/null")?;
/// fdspawn::fd::close(file)?;
/// fdspawn::fd::close(file)?; // error: use of moved value
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Close, drop, or sync
///
/// - **Drop** what was only read. The destructor of an [`OwnedFd`] ignores the error, having nobody to tell.
/// - **`close`** what was written. Where a file system sends what was written only at a close (NFS, SMB, FUSE), the
///   server's "no space" or "quota exceeded" comes back from here and from nowhere else.
/// - **[`sync_and_close`]** what has to be there after a crash. A `close` without an error does not say that anything is
///   on a disk: local file systems write later, and report nothing of it to `close`.
///
/// What a `BufWriter` still holds has never been written. Take the file out with [`BufWriter::into_inner`], which
/// flushes and returns the error of that; a `BufWriter` that is dropped loses it.
///
/// ```
/// use std::fs::File;
/// use std::io::{BufWriter, Write};
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("report");
/// let mut writer = BufWriter::new(File::create(&path)?);
/// writeln!(writer, "all is well")?;
/// fdspawn::fd::close(writer.into_inner()?)?;
/// # assert_eq!(std::fs::read_to_string(path)?, "all is well\n");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Each descriptor of a description has a close of its own, and an error may come back from any of them, not only from
/// the last.
///
/// # Errors
///
/// [`CloseError`], whose [`cause`](CloseError::cause) tells what it means. None is a reason to close again.
///
/// - `EIO`, `ENOSPC`, `EDQUOT`, and others that a file system may have: what was written may be lost. Write it again,
///   to another file.
/// - `EINTR`: a signal came in between. See below.
/// - `EBADF`: the number was not open. An owned descriptor always is, so something else has closed it (code that closes
///   a number which it does not own), and the number may have been another file's meanwhile: look for that bug first.
///   But a file server's answer comes through unchanged, and FUSE or NFS may answer `EBADF` when it is the *server* that
///   does not know the file any more. So it is no proof, and `close` returns it; it does not panic.
///
/// # Interrupted closes
///
/// An interrupted `close` is never made again. On Linux and Android the number is free before anything is waited for, so
/// another thread may have it already, and a second `close` would close *that* file. On FreeBSD, NetBSD, OpenBSD, illumos
/// and macOS the number is free too when the error comes back. (The kernel of macOS also returns `EINTR` before it
/// closes, but only to a thread that `pthread_cancel` has cancelled.) HP-UX and QNX document that the number stays open;
/// there it is open until the process ends, which is the lesser harm.
///
/// POSIX.1-2024 lets a system choose: `EINTR` for a descriptor that is still open, `EINPROGRESS` for one that is closed.
/// Linux says `EINTR` of one that is closed. musl's own `close` hides it; this one asks the kernel itself, and returns
/// both as [`CloseCause::Interrupted`](super::CloseCause::Interrupted).
///
/// [`BufWriter::into_inner`]: std::io::BufWriter::into_inner
#[doc(alias = "posix_close")]
pub fn close(fd: impl Into<OwnedFd>) -> Result<(), CloseError> {
    close_owned(fd.into())
}

/// Closes every descriptor of an iterator, and returns all errors.
///
/// An error does not stop it: whatever the iterator yields is closed, each as by [`close`], and before the next is asked
/// for. Where the iterator panics, what it has yielded is closed.
///
/// ```
/// use std::fs::File;
///
/// # let directory = tempfile::tempdir()?;
/// let shards: Vec<File> =
///     (0..3).map(|index| File::create(directory.path().join(index.to_string()))).collect::<Result<_, _>>()?;
/// if let Err(errors) = fdspawn::fd::close_all(shards) {
///     for error in &errors {
///         eprintln!("{error}");
///     }
///     return Err(errors.into());
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// [`CloseAllError`]: the errors with their descriptors' numbers, in the order of the descriptors.
pub fn close_all<I>(fds: I) -> Result<(), CloseAllError>
where
    I: IntoIterator,
    I::Item: Into<OwnedFd>,
{
    CloseAllError::of(fds.into_iter().filter_map(|fd| close(fd).err()).collect())
}

/// Waits until what was written to a file is on its disk, then closes the descriptor.
///
/// It is closed in any case, once, also where it cannot be synced. This is `fsync(2)`, made again where a signal
/// interrupts it, and `close(2)`. On Apple's systems it is `F_FULLFSYNC`, since `fsync` there does not wait for the
/// disk; on a file system that has none (SMB), `fsync`.
///
/// - **A new file's name** is in its directory. After a crash the data may be there without a name, unless the directory
///   has been synced too.
/// - **An error of a sync comes once.** The system may throw away what it could not write, and say of the next sync
///   that all is well. Do not sync again: write it again, to another file.
/// - What a `BufWriter` still holds has to be flushed first, as for [`close`].
///
/// ```
/// use std::fs::File;
/// use std::io::Write;
///
/// # let directory = tempfile::tempdir()?;
/// # let directory = directory.path();
/// let mut file = File::create(directory.join("ledger"))?;
/// file.write_all(b"42\n")?;
/// fdspawn::fd::sync_and_close(file)?;
/// fdspawn::fd::sync_and_close(File::open(directory)?)?; // the name
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// [`SyncAndCloseError`] tells which of the two failed, or both. Pipes, sockets and some devices cannot be synced
/// (`EINVAL`), nor can what is on some read-only file systems (`EROFS`); they are closed all the same.
#[doc(alias = "fsync")]
#[doc(alias = "F_FULLFSYNC")]
pub fn sync_and_close(fd: impl Into<OwnedFd>) -> Result<(), SyncAndCloseError> {
    let fd = fd.into();
    let number = fd.as_raw_fd();
    let synced = rustix::io::retry_on_intr(|| sync(fd.as_fd()));
    SyncAndCloseError::of(number, synced, close_owned(fd))
}

/// The one close of a descriptor.
fn close_owned(fd: OwnedFd) -> Result<(), CloseError> {
    let number = fd.into_raw_fd();
    sys::close(number).map_err(|errno| CloseError::new(number, errno))
}

#[cfg(target_vendor = "apple")]
fn sync(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    match rustix::fs::fcntl_fullfsync(fd) {
        Err(Errno::NOTSUP) => rustix::fs::fsync(fd),
        result => result,
    }
}

#[cfg(not(target_vendor = "apple"))]
fn sync(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    rustix::fs::fsync(fd)
}
