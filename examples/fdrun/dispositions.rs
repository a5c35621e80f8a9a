//! What signals do in this process, and which of them this thread blocks.

use std::ffi::c_int;
use std::{mem, ptr};

/// Ignores the signal from now on.
pub fn ignore(signal: c_int) {
    set_handler(signal, libc::SIG_IGN, 0);
}

/// Whether this thread blocks the signal.
pub fn is_blocked(signal: c_int) -> bool {
    let blocked = change_mask(libc::SIG_BLOCK, &empty_set());
    // SAFETY: the set is initialized.
    unsafe { libc::sigismember(&raw const blocked, signal) == 1 }
}

/// Whether this process ignores the signal.
pub fn is_ignored(signal: c_int) -> bool {
    // SAFETY: all zeros is a valid value, and one action is written.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        libc::sigaction(signal, ptr::null(), &raw mut action);
        action.sa_sigaction == libc::SIG_IGN
    }
}

/// Sets what the signal does from now on. A handler of fdrun only changes atomics and writes to a pipe.
pub fn set_handler(signal: c_int, handler: usize, flags: c_int) {
    // SAFETY: all zeros is a valid value, and one action is read. The handlers are those of `signals.rs`.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        libc::sigaction(signal, &raw const action, ptr::null_mut());
    }
}

fn empty_set() -> libc::sigset_t {
    // SAFETY: the call initializes the set.
    unsafe {
        let mut set = mem::zeroed();
        libc::sigemptyset(&raw mut set);
        set
    }
}

/// Lets the signal in.
pub fn unblock(signal: c_int) {
    let mut signals = empty_set();
    // SAFETY: the set is initialized, and the number is that of a signal.
    unsafe { libc::sigaddset(&raw mut signals, signal) };
    change_mask(libc::SIG_UNBLOCK, &signals);
}

/// Changes this thread's mask. Returns the mask before.
fn change_mask(how: c_int, signals: &libc::sigset_t) -> libc::sigset_t {
    let mut before = empty_set();
    // SAFETY: one set is read, and one is written.
    unsafe { libc::pthread_sigmask(how, signals, &raw mut before) };
    before
}
