//! Reads and writes of pipes and sockets that do not wait.

use super::signal::{SignalSet, set_signal_mask, signal_mask, signal_set};
use super::syscall::call;
use rustix::io::Errno;
use std::os::fd::{AsRawFd, BorrowedFd};

/// `RWF_NOWAIT`: the call does not wait, but fails with EAGAIN, even if the description does not have `O_NONBLOCK`.
const NO_WAIT: usize = 8;

/// `RWF_NOSIGNAL` (Linux 6.18): the call fails with EPIPE without SIGPIPE.
const NO_SIGNAL: usize = 0x100;

/// The offset that stands for the description's own one, and for descriptors without one.
const CURRENT: usize = usize::MAX;

/// Reads at most `most` bytes to the end of a vector, as far as its unused capacity goes. If `waits` is false it does not wait
/// (`preadv2(2)`): it fails with EAGAIN if there is nothing to read, and with EOPNOTSUPP if the description has no such reads.
pub(crate) fn append(fd: BorrowedFd<'_>, bytes: &mut Vec<u8>, most: usize, waits: bool) -> Result<usize, Errno> {
    let room = bytes.spare_capacity_mut();
    let part = libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: room.len().min(most) };
    let fd = fd.as_raw_fd() as usize;
    // SAFETY: the kernel writes at most as many bytes as there is room for.
    let length = unsafe {
        if waits {
            call(libc::SYS_read, [fd, part.iov_base as usize, part.iov_len])
        } else {
            call(libc::SYS_preadv2, [fd, (&raw const part) as usize, 1, CURRENT, CURRENT, NO_WAIT])
        }
    }?;
    // SAFETY: the kernel has written so many bytes after those that the vector had.
    unsafe { bytes.set_len(bytes.len() + length) };
    Ok(length)
}

/// Writes bytes, without SIGPIPE (`pwritev2(2)`, Linux 6.18). If `waits` is false it does not wait: it writes what there is room for, and
/// fails with EAGAIN if there is none. Fails with EOPNOTSUPP or EINVAL if the kernel or the description has no such writes.
pub(crate) fn write_without_signal(fd: BorrowedFd<'_>, bytes: &[u8], waits: bool) -> Result<usize, Errno> {
    let part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let flags = if waits { NO_SIGNAL } else { NO_SIGNAL | NO_WAIT };
    let args = [fd.as_raw_fd() as usize, (&raw const part) as usize, 1, CURRENT, CURRENT, flags];
    // SAFETY: the kernel reads the bytes.
    unsafe { call(libc::SYS_pwritev2, args) }
}

/// As [`write_without_signal`], on kernels that cannot leave the signal out: the thread blocks SIGPIPE meanwhile, and takes the one that
/// this write has raised.
pub(crate) fn write_and_take_signal(fd: BorrowedFd<'_>, bytes: &[u8], waits: bool) -> Result<usize, Errno> {
    let sigpipe = signal_set([libc::SIGPIPE].into_iter());
    let mut blocked = signal_mask()?;
    for (word, bits) in blocked.iter_mut().zip(sigpipe) {
        *word |= bits;
    }
    let before = set_signal_mask(&blocked)?;
    let was_pending = is_pending(&sigpipe);
    let part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let args = [fd.as_raw_fd() as usize, (&raw const part) as usize, 1, CURRENT, CURRENT, NO_WAIT];
    // SAFETY: the kernel reads the bytes.
    let written = unsafe {
        if waits {
            call(libc::SYS_write, [args[0], part.iov_base as usize, part.iov_len]) // A filter may refuse the other call.
        } else {
            call(libc::SYS_pwritev2, args)
        }
    };
    // Another SIGPIPE that was pending before leaves no trace beside this one, and stays.
    if written == Err(Errno::PIPE) && !was_pending {
        let now = [0_i64; 2]; // No time, as a `struct timespec` of any width.
        let args = [(&raw const sigpipe) as usize, 0, (&raw const now) as usize, size_of::<SignalSet>()];
        // SAFETY: the kernel reads one set and one time, and writes no information about the signal.
        let _ = unsafe { call(libc::SYS_rt_sigtimedwait, args) };
    }
    set_signal_mask(&before)?;
    written
}

/// Whether a signal of the set is pending.
fn is_pending(set: &SignalSet) -> bool {
    let mut pending = SignalSet::default();
    // SAFETY: the kernel writes one set.
    let result = unsafe { call(libc::SYS_rt_sigpending, [(&raw mut pending) as usize, size_of::<SignalSet>()]) };
    result.is_ok() && pending.iter().zip(set).any(|(pending, bits)| pending & bits != 0)
}
