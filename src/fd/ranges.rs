//! Closes many descriptors by number: `closefrom(2)` and `close_range(2)`.
#![allow(unsafe_code, reason = "only the caller of these functions can know which numbers may be closed")]

use super::by_number::{self, Act};
use crate::sys;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
use crate::sys::unshare_table;
use bitflags::bitflags;
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsRawFd, RawFd};

bitflags! {
    /// What [`close_ranges_except`] does: the flags of `close_range(2)`. Without flags it closes.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct CloseRange: u32 {
        /// Give the calling thread a private copy of the descriptor table first, so that other threads keep their
        /// descriptors (`CLOSE_RANGE_UNSHARE`).
        const UNSHARE = sys::CLOSE_RANGE_UNSHARE;
        /// Set close-on-exec, and close nothing (`CLOSE_RANGE_CLOEXEC`).
        const CLOEXEC = sys::CLOSE_RANGE_CLOEXEC;
    }
}

/// Closes all descriptors from `first` on, also those that other code owns.
///
/// The function is OpenBSD's `closefrom(2)`, and it misses no descriptor on any system: if the system has no such call,
/// the function closes all descriptors that the kernel lists; if there is no list, it tries every number that could be
/// open. It does not return the errors of single closes: use [`close_all`] if they matter. If other threads open
/// descriptors at the same time, some of those may stay open.
///
/// # Errors
///
/// - `EINVAL`: `first` is negative.
/// - `ENOSYS`: there is no such call, there is no `/proc`, and the hard limit of descriptors (`RLIMIT_NOFILE`) is above
///   2^24, too high for a search. Some descriptors may be closed already.
///
/// # Platform notes
///
/// Linux: `close_range(2)`, or the list of `/proc/thread-self/fd`, or a search of all numbers. FreeBSD:
/// `close_range(2)`. OpenBSD, NetBSD, DragonFly: `closefrom(2)`. macOS: `proc_pidinfo(3)`. Other systems: a search.
///
/// # Safety
///
/// After the call, no code in the process may use or close any of these descriptors: not the values that own them, not
/// other threads, not libraries that keep descriptors. The same number may be another descriptor then. Leak such values
/// with [`std::mem::forget`], or call this function when none exist: early in `main`, or in a forked child.
///
/// ```standalone_crate
/// use std::os::fd::IntoRawFd;
///
/// # fn main() -> std::io::Result<()> {
/// let file = std::fs::File::open("/dev/null")?.into_raw_fd(); // no value owns the descriptor now
/// // SAFETY: from `file` on this program has no descriptor that it uses again.
/// unsafe { fdspawn::fd::close_from(file)? };
/// # Ok(())
/// # }
/// ```
///
/// [`close_all`]: crate::fd::close_all
#[doc(alias = "closefrom")]
#[doc(alias = "close_range")]
pub unsafe fn close_from(first: RawFd) -> io::Result<()> {
    act_from(Act::Close, first)
}

/// Closes all descriptors except those of the keep list, or sets close-on-exec of them, as `flags` say.
///
/// The keep list may have any order, repetitions, and numbers that are not open. If it does not have 0, 1 or 2, the
/// function closes that standard stream.
///
/// # Errors
///
/// - Those of [`close_from`].
/// - `EINVAL`: `flags` has an unknown flag.
/// - Those of `unshare(2)`, with [`CloseRange::UNSHARE`]: `EMFILE` or `ENOMEM`. On systems other than Linux, whose
///   threads cannot have private tables, `EOPNOTSUPP` (`ENOTSUP`).
///
/// If a later step fails, the calling thread keeps the private table.
///
/// # Platform notes
///
/// As for [`close_from`]. The function takes a private table by `unshare(2)`, not by `CLOSE_RANGE_UNSHARE`: on kernels
/// without the fix for CVE-2024-45025, that flag makes tables which later give wrong numbers to new descriptors.
///
/// # Safety
///
/// As for [`close_from`], for all descriptors that are not kept. With [`CloseRange::UNSHARE`] this is required of the
/// calling thread only. But from then on that thread and the others must not pass descriptors to each other: the same
/// number is another descriptor in the other table. With [`CloseRange::CLOEXEC`] alone there is no requirement: the
/// function closes nothing.
///
/// ```standalone_crate
/// use fdspawn::fd::CloseRange;
/// use std::os::fd::AsRawFd;
///
/// # fn main() -> std::io::Result<()> {
/// let log = std::fs::File::open("/dev/null")?;
/// // SAFETY: the call closes nothing.
/// unsafe { fdspawn::fd::close_ranges_except([0, 1, 2, log.as_raw_fd()], CloseRange::CLOEXEC)? };
/// # Ok(())
/// # }
/// ```
#[doc(alias = "close_range")]
pub unsafe fn close_ranges_except(keep: impl IntoIterator<Item = impl AsRawFd>, flags: CloseRange) -> io::Result<()> {
    if !(flags - CloseRange::all()).is_empty() {
        return Err(Errno::INVAL.into());
    }
    let keep: Vec<RawFd> = keep.into_iter().map(|fd| fd.as_raw_fd()).collect();
    if flags.contains(CloseRange::UNSHARE) {
        unshare_table()?;
    }
    let act = if flags.contains(CloseRange::CLOEXEC) { Act::SetCloseOnExec } else { Act::Close };
    // From the last gap to the first: a private copy then has few numbers left when the lower gaps are searched.
    for (first, last) in by_number::gaps(keep).into_iter().rev() {
        by_number::act(act, first, last, by_number::Ways::NONE)?;
    }
    Ok(())
}

/// Sets close-on-exec of all descriptors from `first` on that are open now.
///
/// Call it before an exec that other code makes. A spawn of this library does not need it: the child closes what the
/// plan does not name.
///
/// # Errors
///
/// Those of [`close_from`].
///
/// # Platform notes
///
/// Linux 5.11 and later: `close_range(2)`. Older kernels and other systems: `fcntl(2)` for each descriptor that the
/// kernel lists, or for every number that could be open.
///
/// ```standalone_crate
/// # fn main() -> std::io::Result<()> {
/// fdspawn::fd::set_close_on_exec_from(3)?;
/// # Ok(())
/// # }
/// ```
#[doc(alias = "close_range")]
#[doc(alias = "FD_CLOEXEC")]
pub fn set_close_on_exec_from(first: RawFd) -> io::Result<()> {
    act_from(Act::SetCloseOnExec, first)
}

fn act_from(act: Act, first: RawFd) -> io::Result<()> {
    if first < 0 {
        return Err(Errno::INVAL.into());
    }
    Ok(by_number::act(act, first, RawFd::MAX, by_number::Ways::NONE)?)
}

/// Gives the calling thread a private copy of its descriptor table.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn unshare_table() -> Result<(), Errno> {
    // SAFETY: the caller of `close_ranges_except` promises that the thread uses only descriptors of its own table.
    unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::FILES) }
}
