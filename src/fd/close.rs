//! Closes descriptors, and returns the errors that a destructor ignores.

use super::close_all_error::CloseAllError;
use super::close_error::CloseError;
use super::sync_and_close_error::SyncAndCloseError;
use crate::sys;
use rustix::io::Errno;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd};

/// Closes a descriptor, and returns the error that a drop would ignore.
///
/// `fd` is any value that owns a descriptor: a `File`, a `PipeWriter`, a `UnixStream`. The function makes one
/// `close(2)`. Afterwards the number is free, also after an error. The caller cannot close the descriptor twice,
/// because the function has taken the value that owned it:
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
/// - **Drop** a file that was only read. The destructor of an [`OwnedFd`] ignores the error of `close(2)`.
/// - **`close`** a file that was written. Some file systems (NFS, SMB, FUSE) send the written data only at a close.
///   Then "no space" or "quota exceeded" from the server is an error of this close, and of no other call.
/// - **[`sync_and_close`]** a file that must survive a crash of the system. A `close` without an error does not mean
///   that the data is on a disk: local file systems write later, and report nothing of that to `close`.
///
/// The data in the buffer of a `BufWriter` has not been written yet. Take the file out with [`BufWriter::into_inner`],
/// which flushes and returns the error of the flush; the drop of a `BufWriter` ignores that error.
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
/// If a description has several descriptors, each of their closes may return an error, not only the last.
///
/// # Errors
///
/// [`CloseError`], whose [`cause`](CloseError::cause) says what the error means. After none of them may the caller
/// close again.
///
/// - `EIO`, `ENOSPC`, `EDQUOT`, and other errors of a file system: written data may be lost. Write it again, to another
///   file.
/// - `EINTR`: a signal has interrupted the close. See below.
/// - `EBADF`: the number was not open. An owned descriptor is always open, so other code in the process has closed a
///   number that it does not own. Look for that bug first: the number may have been another file's in the meantime. But
///   FUSE and NFS servers may also answer `EBADF`, if the *server* no longer knows the file, and the kernel passes that
///   answer on. So the error does not prove a bug, and `close` returns it instead of panicking.
///
/// # Interrupted closes
///
/// The function never repeats an interrupted `close`. On Linux and Android the kernel frees the number before it waits
/// for anything, so another thread may have the number already, and a second `close` would close *its* file. On
/// FreeBSD, NetBSD, OpenBSD, illumos and macOS the number is free too when the error is returned. (The kernel of macOS
/// also returns `EINTR` before it closes, but only to a thread that `pthread_cancel` has cancelled.) HP-UX and QNX
/// document that the number stays open; there it stays open until the process ends, which does less harm than a wrong
/// close.
///
/// POSIX.1-2024 has two errors: `EINTR` if the descriptor is still open, `EINPROGRESS` if it is closed. Linux returns
/// `EINTR` for a closed one. The `close` of musl hides that error; this function calls the kernel itself, and returns
/// both errors as [`CloseCause::Interrupted`](super::CloseCause::Interrupted).
///
/// [`BufWriter::into_inner`]: std::io::BufWriter::into_inner
#[doc(alias = "posix_close")]
pub fn close(fd: impl Into<OwnedFd>) -> Result<(), CloseError> {
    close_owned(fd.into())
}

/// Closes every descriptor of an iterator, and returns all errors.
///
/// The function closes each descriptor as [`close`] does, before it takes the next one from the iterator. It continues
/// after an error. If the iterator panics, the descriptors that it has yielded are closed.
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
/// [`CloseAllError`]: the errors, each with its descriptor's number, in the order of the descriptors.
pub fn close_all<I>(fds: I) -> Result<(), CloseAllError>
where
    I: IntoIterator,
    I::Item: Into<OwnedFd>,
{
    CloseAllError::of(fds.into_iter().filter_map(|fd| close(fd).err()).collect())
}

/// Waits until the data that was written to a file is on its disk, then closes the descriptor.
///
/// The function calls `fsync(2)`, again if a signal interrupts it, and then `close(2)`. It closes the descriptor once,
/// also if the sync fails.
///
/// - **The name of a new file** is data of its directory. Sync the directory too; otherwise the file may have no name
///   after a crash.
/// - **The system reports an error of a sync once.** It may discard the data that it could not write, and the next sync
///   succeeds. Do not sync again: write the data again, to another file.
/// - Flush a `BufWriter` first, as for [`close`].
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
/// [`SyncAndCloseError`] says whether the sync failed, the close, or both. Pipes, sockets and some devices cannot be
/// synced (`EINVAL`), nor can files of some read-only file systems (`EROFS`). The function closes them too.
///
/// # Platform notes
///
/// On Apple's systems the function calls `fcntl(2)` with `F_FULLFSYNC`, because `fsync` there does not wait for the
/// disk. If the file system does not have it (SMB), the function calls `fsync`.
#[doc(alias = "fsync")]
#[doc(alias = "F_FULLFSYNC")]
pub fn sync_and_close(fd: impl Into<OwnedFd>) -> Result<(), SyncAndCloseError> {
    let fd = fd.into();
    let number = fd.as_raw_fd();
    let synced = rustix::io::retry_on_intr(|| sync(fd.as_fd()));
    SyncAndCloseError::of(number, synced, close_owned(fd))
}

/// Closes an owned descriptor with one `close(2)`.
fn close_owned(fd: OwnedFd) -> Result<(), CloseError> {
    let number = fd.into_raw_fd();
    sys::close(number).map_err(|errno| CloseError::new(number, errno))
}

/// Writes a file's data to the disk.
#[cfg(target_vendor = "apple")]
fn sync(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    match rustix::fs::fcntl_fullfsync(fd) {
        Err(Errno::NOTSUP) => rustix::fs::fsync(fd),
        result => result,
    }
}

/// Writes a file's data to the disk.
#[cfg(not(target_vendor = "apple"))]
fn sync(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    rustix::fs::fsync(fd)
}
