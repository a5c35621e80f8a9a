//! The numbers of the standard streams, if one of them is closed.
#![allow(unsafe_code, reason = "a handler of forks is registered with libc")]

use super::flags::close_on_exec;
use rustix::io::Errno;
use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

static STDIO_NUMBERS: Mutex<()> = Mutex::new(());

/// Locks the numbers 0, 1 and 2. The parent holds the lock while it looks at them and while it opens descriptors.
///
/// If one of the numbers is closed, the next descriptor that the parent opens gets that number, until the parent moves
/// it. Without the lock, the spawn of another thread would take the descriptor for a standard stream.
pub(crate) fn lock_stdio_numbers() -> StdioNumbers {
    free_in_copies();
    // Set this before the lock is taken: from here on, a signal handler that forks must not wait for the lock.
    let holds = Holds(HOLDS.try_with(|holds| holds.replace(true)).unwrap_or(false));
    StdioNumbers { _guard: STDIO_NUMBERS.lock().unwrap_or_else(PoisonError::into_inner), _holds: holds }
}

/// The lock of 0, 1 and 2. The thread that has taken it drops it.
#[derive(Debug)]
pub(crate) struct StdioNumbers {
    // Dropped in this order.
    _guard: MutexGuard<'static, ()>,
    _holds: Holds,
}

/// The value that [`HOLDS`] had before.
#[derive(Debug)]
struct Holds(bool);

impl Drop for Holds {
    fn drop(&mut self) {
        let _ = HOLDS.try_with(|holds| holds.set(self.0));
    }
}

thread_local! {
    /// Whether this thread has the lock or waits for it, so that a handler that forks in a signal must not wait for it: the thread's
    /// own copy has the lock, and drops it.
    #[allow(clippy::missing_const_for_thread_local, reason = "it is const, which clippy does not see on all systems")]
    static HOLDS: Cell<bool> = const { Cell::new(false) };

    /// The lock of this thread while it forks, and how many handlers have run.
    #[allow(clippy::missing_const_for_thread_local, reason = "it is const, which clippy does not see on all systems")]
    static FORKING: RefCell<(u32, Option<MutexGuard<'static, ()>>)> = const { RefCell::new((0, None)) };
}

/// Registers handlers that hold the lock over each fork of the process, so that a forked copy does not find it locked by a thread that
/// the copy does not have.
///
/// The function takes no lock, since another thread could hold the lock at a fork. So several threads that call it for the first
/// time at the same moment may all register the handlers, and therefore the handlers count their calls.
fn free_in_copies() {
    static REGISTERED: AtomicBool = AtomicBool::new(false);
    if !REGISTERED.load(Ordering::Acquire) {
        // SAFETY: the handlers only lock and unlock, in the thread that forks. If libc has no memory for them, the lock is held in a copy
        // that is made at the wrong moment.
        unsafe { libc::pthread_atfork(Some(before_fork), Some(after_fork), Some(after_fork)) };
        REGISTERED.store(true, Ordering::Release);
    }
}

extern "C" fn before_fork() {
    let _ = FORKING.try_with(|forking| {
        // A signal handler that forks may have interrupted this function.
        let Ok(mut forking) = forking.try_borrow_mut() else { return };
        let (count, guard) = &mut *forking;
        *count += 1;
        if guard.is_none() && !HOLDS.try_with(Cell::get).unwrap_or(true) {
            *guard = Some(STDIO_NUMBERS.lock().unwrap_or_else(PoisonError::into_inner));
        }
    });
}

extern "C" fn after_fork() {
    let _ = FORKING.try_with(|forking| {
        let Ok(mut forking) = forking.try_borrow_mut() else { return };
        let (count, guard) = &mut *forking;
        *count = count.saturating_sub(1);
        if *count == 0 {
            *guard = None;
        }
    });
}

/// Locks the numbers 0, 1 and 2 if one of them is closed. For a caller that opens and closes many descriptors, any of
/// which could get such a number.
pub(crate) fn lock_stdio_numbers_if_closed() -> Option<StdioNumbers> {
    let guard = lock_stdio_numbers();
    (0..=2).any(|number| !matches!(close_on_exec(number), Ok(Some(_)))).then_some(guard)
}

/// Opens a descriptor, with a number above 2. If a standard stream is closed, the descriptor has its number for a moment, so the function holds
/// the lock of these numbers.
pub(crate) fn open_above_stdio(open: impl FnOnce() -> Result<OwnedFd, Errno>) -> Result<OwnedFd, Errno> {
    let _guard = lock_stdio_numbers();
    dup_above_stdio(open()?).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
}

/// Moves a descriptor that has the number 0, 1 or 2 to a higher number. If a standard stream is closed, a new descriptor
/// takes its number, and code that writes to the stream would write to the new descriptor.
pub(crate) fn dup_above_stdio(fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() > 2 { Ok(fd) } else { Ok(rustix::io::fcntl_dupfd_cloexec(&fd, 3)?) }
}
