//! The numbers of the standard streams, if one of them is closed.

use super::flags::close_on_exec;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks the numbers 0, 1 and 2. The parent holds the lock while it looks at them and while it opens descriptors.
///
/// If one of the numbers is closed, the next descriptor that the parent opens gets that number, until the parent moves
/// it. Without the lock, the spawn of another thread would take the descriptor for a standard stream.
pub(crate) fn lock_stdio_numbers() -> MutexGuard<'static, ()> {
    static STDIO_NUMBERS: Mutex<()> = Mutex::new(());
    STDIO_NUMBERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Locks the numbers 0, 1 and 2 if one of them is closed. For a caller that opens and closes many descriptors, any of
/// which could get such a number.
pub(crate) fn lock_stdio_numbers_if_closed() -> Option<MutexGuard<'static, ()>> {
    let guard = lock_stdio_numbers();
    (0..=2).any(|number| close_on_exec(number).is_none()).then_some(guard)
}

/// Moves a descriptor that has the number 0, 1 or 2 to a higher number. If a standard stream is closed, a new descriptor
/// takes its number, and code that writes to the stream would write to the new descriptor.
pub(crate) fn dup_above_stdio(fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() > 2 { Ok(fd) } else { Ok(rustix::io::fcntl_dupfd_cloexec(&fd, 3)?) }
}
