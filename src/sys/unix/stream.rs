//! Reads and writes of pipes and sockets that do not wait: this system has none that leave the flags of the description alone.

use super::checked::checked;
use crate::sys::errno::last_error;
use rustix::io::Errno;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Reads at most `most` bytes to the end of a vector, as far as its unused capacity goes. If `waits` is false, it fails with EOPNOTSUPP:
/// the caller polls, and then reads.
pub(crate) fn append(fd: BorrowedFd<'_>, bytes: &mut Vec<u8>, most: usize, waits: bool) -> Result<usize, Errno> {
    if !waits {
        return Err(Errno::OPNOTSUPP);
    }
    let room = bytes.spare_capacity_mut();
    // SAFETY: the kernel writes at most as many bytes as there is room for.
    let length = unsafe { libc::read(fd.as_raw_fd(), room.as_mut_ptr().cast(), room.len().min(most)) };
    let length = usize::try_from(length).map_err(|_| last_error())?;
    // SAFETY: the kernel has written so many bytes after those that the vector had.
    unsafe { bytes.set_len(bytes.len() + length) };
    Ok(length)
}

/// Fails: the caller takes the signal.
pub(crate) fn write_without_signal(_: BorrowedFd<'_>, _: &[u8], _: bool) -> Result<usize, Errno> {
    Err(Errno::OPNOTSUPP)
}

/// Writes bytes (`write(2)`). The thread blocks SIGPIPE meanwhile, and takes the one that this write has raised. If `waits` is false, it
/// fails with EOPNOTSUPP: the caller polls, and then writes few bytes.
pub(crate) fn write_and_take_signal(fd: BorrowedFd<'_>, bytes: &[u8], waits: bool) -> Result<usize, Errno> {
    if !waits {
        return Err(Errno::OPNOTSUPP);
    }
    // SAFETY: all zeros is a valid value of each set, and the calls write one set each.
    unsafe {
        let (mut sigpipe, mut before, mut pending): (libc::sigset_t, libc::sigset_t, libc::sigset_t) =
            std::mem::zeroed();
        checked(libc::sigemptyset(&raw mut sigpipe))?;
        checked(libc::sigaddset(&raw mut sigpipe, libc::SIGPIPE))?;
        checked(libc::pthread_sigmask(libc::SIG_BLOCK, &raw const sigpipe, &raw mut before))?;
        let was_pending =
            libc::sigpending(&raw mut pending) == 0 && libc::sigismember(&raw const pending, libc::SIGPIPE) == 1;
        let written = libc::write(fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len());
        let result = usize::try_from(written).map_err(|_| last_error());
        // A signal that the process ignores is not pending here, although it is blocked.
        let mut is_pending =
            || libc::sigpending(&raw mut pending) == 0 && libc::sigismember(&raw const pending, libc::SIGPIPE) == 1;
        if result == Err(Errno::PIPE) && !was_pending && is_pending() {
            let mut taken = 0;
            libc::sigwait(&raw const sigpipe, &raw mut taken); // It is pending, so this does not wait.
        }
        checked(libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut()))?;
        result
    }
}
