//! The signals of the library's own threads.

use rustix::io::Errno;

/// Blocks the signals that programs use in the calling thread, but not those that libc reserves for itself: `setuid` in another thread
/// sends one to each thread, and waits until each has run the handler.
pub(crate) fn block_programs_signals() -> Result<(), Errno> {
    // SAFETY: all zeros is a valid set. libc fills it without its own signals. Only this thread's mask changes.
    let code = unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut set);
        // The kernel sends these signals because of an act of the thread itself, and a program may handle them, such as
        // SIGSYS from a seccomp filter.
        for signal in [libc::SIGSYS, libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP] {
            libc::sigdelset(&raw mut set, signal);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut())
    };
    if code == 0 { Ok(()) } else { Err(Errno::from_raw_os_error(code)) }
}
