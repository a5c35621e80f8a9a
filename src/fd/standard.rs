//! The numbers of the standard streams, where one of them is closed.

use super::close_on_exec;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Held while the parent looks at 0, 1 and 2 and while it opens something.
///
/// Where one of them is closed, whatever is opened lands there, until it is moved away; another thread's spawn would
/// take it for a standard stream.
pub(crate) fn lock_stdio_numbers() -> MutexGuard<'static, ()> {
    static OPENING: Mutex<()> = Mutex::new(());
    OPENING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Held while many things are opened and closed again, where one of them could land on 0, 1 or 2.
pub(crate) fn lock_stdio_numbers_if_closed() -> Option<MutexGuard<'static, ()>> {
    let guard = lock_stdio_numbers();
    (0..=2).any(|number| close_on_exec(number).is_none()).then_some(guard)
}

/// Moves a descriptor that has the number 0, 1 or 2 to a higher number. If a standard stream is closed, a new descriptor
/// takes its number, and code that writes to the stream would write to the new descriptor.
pub(crate) fn dup_above_stdio(fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() > 2 { Ok(fd) } else { Ok(rustix::io::fcntl_dupfd_cloexec(&fd, 3)?) }
}
