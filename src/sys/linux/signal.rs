//! Signal masks and dispositions, in the kernel's own formats.

use super::syscall::call;
use rustix::io::Errno;
use std::ffi::c_int;

/// The kernel's signal set. It has every signal, also those that libc reserves for itself and hides.
pub(crate) type SignalSet = [u64; LAST_SIGNAL as usize / 64];

/// The highest signal number of the kernel. The lowest is 1.
const LAST_SIGNAL: c_int = if MIPS { 128 } else { 64 };

const MIPS: bool =
    cfg!(any(target_arch = "mips", target_arch = "mips32r6", target_arch = "mips64", target_arch = "mips64r6"));

/// Sets the thread's signal mask, and returns the previous mask.
pub(crate) fn set_signal_mask(mask: &SignalSet) -> Result<SignalSet, Errno> {
    let mut old = SignalSet::default();
    // SAFETY: the kernel reads one set and writes one.
    unsafe {
        call(
            libc::SYS_rt_sigprocmask,
            [
                libc::SIG_SETMASK as usize,
                std::ptr::from_ref(mask) as usize,
                (&raw mut old) as usize,
                size_of::<SignalSet>(),
            ],
        )
    }
    .map(|_| old)
}

/// Returns the thread's signal mask.
pub(crate) fn signal_mask() -> Result<SignalSet, Errno> {
    let mut mask = SignalSet::default();
    let block = libc::SIG_BLOCK as usize;
    // SAFETY: the kernel writes one set.
    unsafe { call(libc::SYS_rt_sigprocmask, [block, 0, (&raw mut mask) as usize, size_of::<SignalSet>()]) }
        .map(|_| mask)
}

/// The set of all signals, with those that libc reserves for itself.
pub(crate) const fn every_signal() -> SignalSet {
    [u64::MAX; LAST_SIGNAL as usize / 64]
}

/// The set of the signals with these numbers.
pub(crate) fn signal_set(numbers: impl Iterator<Item = c_int>) -> SignalSet {
    let mut set = SignalSet::default();
    for number in numbers {
        let index = (number - 1).cast_unsigned() as usize;
        if let Some(word) = set.get_mut(index / 64) {
            *word |= 1 << (index % 64);
        }
    }
    set
}

/// Room for the kernel's `struct sigaction` of any architecture. The handler is the first word, on MIPS the second.
type Action = [usize; 8];

/// The index of the handler.
const HANDLER: usize = if MIPS { 1 } else { 0 };

/// `rt_sigaction(2)`.
fn signal_action(signal: c_int, new: Option<&Action>, old: Option<&mut Action>) -> Result<(), Errno> {
    let new = new.map_or(0, |action| std::ptr::from_ref(action) as usize);
    let old = old.map_or(0, |action| std::ptr::from_mut(action) as usize);
    // SAFETY: each pointer is null or has room for the kernel's structure.
    unsafe { call(libc::SYS_rt_sigaction, [signal as usize, new, old, size_of::<SignalSet>()]) }.map(drop)
}

/// Gives a signal its default disposition.
pub(crate) fn default_signal(signal: c_int) -> Result<(), Errno> {
    // SIG_DFL without flags and mask is all zeros.
    signal_action(signal, Some(&[0; 8]), None)
}

/// Ignores a signal.
pub(crate) fn ignore_signal(signal: c_int) -> Result<(), Errno> {
    let mut action = [0; 8];
    action[HANDLER] = libc::SIG_IGN;
    signal_action(signal, Some(&action), None)
}

/// Gives each signal that has a handler its default disposition. Ignored signals stay ignored.
pub(crate) fn default_handlers() -> Result<(), Errno> {
    for signal in 1..=LAST_SIGNAL {
        let mut action = [0; 8];
        signal_action(signal, None, Some(&mut action))?;
        if action[HANDLER] != libc::SIG_DFL && action[HANDLER] != libc::SIG_IGN {
            default_signal(signal)?;
        }
    }
    Ok(())
}
