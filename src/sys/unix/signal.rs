//! Signal masks and dispositions.

use super::checked::checked;
use rustix::io::Errno;
use std::ffi::c_int;

/// A set of signals.
pub(crate) type SignalSet = libc::sigset_t;

/// Sets the thread's signal mask, and returns the previous mask.
pub(crate) fn set_signal_mask(mask: &SignalSet) -> Result<SignalSet, Errno> {
    let mut old = every_signal();
    // SAFETY: one set is read and one written.
    match unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, mask, &raw mut old) } {
        0 => Ok(old),
        code => Err(Errno::from_raw_os_error(code)),
    }
}

/// Returns the thread's signal mask.
pub(crate) fn signal_mask() -> Result<SignalSet, Errno> {
    let mut mask = every_signal();
    // SAFETY: one set is written.
    match unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &raw mut mask) } {
        0 => Ok(mask),
        code => Err(Errno::from_raw_os_error(code)),
    }
}

/// The set of all signals.
pub(crate) fn every_signal() -> SignalSet {
    // SAFETY: all zeros is a valid value, and the call fills it.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigfillset(&raw mut set);
        set
    }
}

/// The set of the signals with these numbers.
pub(crate) fn signal_set(numbers: impl Iterator<Item = c_int>) -> SignalSet {
    // SAFETY: all zeros is a valid value, and the calls fill it. A number that the system does not have is an error without effect.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        numbers.for_each(|number| {
            libc::sigaddset(&raw mut set, number);
        });
        set
    }
}

/// Gives a signal its default disposition.
pub(crate) fn default_signal(signal: c_int) -> Result<(), Errno> {
    // SAFETY: all zeros is a valid value; the handler is SIG_DFL.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = libc::SIG_DFL;
    // SAFETY: one action is read.
    checked(unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) }).map(drop)
}

/// Gives each signal that has a handler its default disposition. Ignored signals stay ignored.
pub(crate) fn default_handlers() -> Result<(), Errno> {
    /// No system has a higher signal number. sigaction(2) fails for a number that the system does not have.
    const LAST_SIGNAL: c_int = 128;
    for signal in 1..=LAST_SIGNAL {
        // SAFETY: all zeros is a valid value, and one action is written.
        let (result, action) = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            (libc::sigaction(signal, std::ptr::null(), &raw mut action), action)
        };
        if result == 0 && ![libc::SIG_DFL, libc::SIG_IGN].contains(&action.sa_sigaction) {
            default_signal(signal)?;
        }
    }
    Ok(())
}
