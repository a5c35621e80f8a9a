//! The numbers of the standard streams, where one of them is closed.

use super::close_on_exec;
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
