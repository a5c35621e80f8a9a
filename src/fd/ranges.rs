//! Many descriptors at once, by number: `closefrom(2)` and `close_range(2)`.
#![allow(unsafe_code, reason = "closing by number is the caller's business, and only the caller can keep its contract")]

use super::by_number::{self, Act};
use crate::platform::Features;
use crate::sys;
use bitflags::bitflags;
use std::io;
use std::os::fd::{AsRawFd, RawFd};

bitflags! {
    /// How [`close_ranges_except`] works: the flags of `close_range(2)`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct CloseRange: u32 {
        /// The calling thread takes a private copy of the descriptor table first: other threads keep all that they have
        /// (`CLOSE_RANGE_UNSHARE`).
        const UNSHARE = sys::CLOSE_RANGE_UNSHARE;
        /// Close-on-exec is set, and nothing is closed (`CLOSE_RANGE_CLOEXEC`).
        const CLOEXEC = sys::CLOSE_RANGE_CLOEXEC;
    }
}

/// Closes all descriptors from `first` up, whoever owns them.
///
/// It is OpenBSD's `closefrom(2)`, and complete on every system: where there is no such call, all that the kernel lists
/// is closed; where there is no list, every number that could be open is tried. Errors of single closes are not told: use
/// [`close_all`] where they matter. Where other threads open descriptors meanwhile, some of those may stay open.
///
/// # Errors
///
/// `EINVAL` where `first` is negative, and `ENOSYS` where nothing works: no call, no `/proc`, and a hard limit of
/// descriptors (`RLIMIT_NOFILE`) too high for a search. Some descriptors may be closed by then.
///
/// # Platform notes
///
/// Linux: `close_range(2)`, or the list of `/proc/thread-self/fd`, or a search of all numbers. FreeBSD: `close_range(2)`.
/// OpenBSD, NetBSD, DragonFly: `closefrom(2)`. macOS: `proc_pidinfo(3)`. Others: a search.
///
/// # Safety
///
/// Nothing in the process may use or close any of these descriptors afterwards: not the values that own them, not other
/// threads, not libraries that keep descriptors of their own. The number may be another's by then. Leak such values with
/// [`std::mem::forget`], or call this where there are none: early in `main`, or in a forked child.
///
/// ```standalone_crate
/// use std::os::fd::IntoRawFd;
///
/// # fn main() -> std::io::Result<()> {
/// let file = std::fs::File::open("/dev/null")?.into_raw_fd(); // nobody owns it any more
/// // SAFETY: this program has no other descriptors than 0, 1, 2 and those, and uses none of them again.
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

/// Closes all descriptors but those of the keep list, or does what `flags` say instead.
///
/// The keep list may have any order, repetitions, and numbers that are not open. 0 to 2 are closed unless it has them.
///
/// # Errors
///
/// Those of [`close_from`]; `EINVAL` for a flag that is not known; and for [`CloseRange::UNSHARE`] those of `unshare(2)`: `EMFILE`
/// or `ENOMEM`, and `EOPNOTSUPP` on systems other than Linux, where threads have no tables of their own. A private table
/// that has been taken is kept on a later error.
///
/// # Platform notes
///
/// That of [`close_from`]. A private table is taken by `unshare(2)`, not by `CLOSE_RANGE_UNSHARE`, which hands out wrong
/// numbers on kernels without the mend for CVE-2024-45025.
///
/// # Safety
///
/// As for [`close_from`], of all descriptors that are not kept. With [`CloseRange::UNSHARE`] that is about the calling thread
/// only, which must not pass descriptors to or from other threads from then on: the same number is another descriptor
/// there. With [`CloseRange::CLOEXEC`] nothing is closed, and nothing is asked of the caller.
///
/// ```standalone_crate
/// use fdspawn::fd::CloseRange;
/// use std::os::fd::AsRawFd;
///
/// # fn main() -> std::io::Result<()> {
/// let log = std::fs::File::open("/dev/null")?;
/// // SAFETY: nothing is closed.
/// unsafe { fdspawn::fd::close_ranges_except([0, 1, 2, log.as_raw_fd()], CloseRange::CLOEXEC)? };
/// # Ok(())
/// # }
/// ```
#[doc(alias = "close_range")]
pub unsafe fn close_ranges_except(keep: impl IntoIterator<Item = impl AsRawFd>, flags: CloseRange) -> io::Result<()> {
    if !(flags - CloseRange::all()).is_empty() {
        return Err(rustix::io::Errno::INVAL.into());
    }
    let keep: Vec<RawFd> = keep.into_iter().map(|fd| fd.as_raw_fd()).collect();
    if flags.contains(CloseRange::UNSHARE) {
        sys::unshare_table()?;
    }
    let act = if flags.contains(CloseRange::CLOEXEC) { Act::SetCloseOnExec } else { Act::Close };
    // From the end, so that a private copy is short before it is searched.
    for (first, last) in by_number::gaps(keep).into_iter().rev() {
        by_number::act(act, first, last, Features::empty())?;
    }
    Ok(())
}

/// Sets close-on-exec of all descriptors from `first` up, as far as they are open now.
///
/// It is for the moment before an exec that somebody else makes. A spawn of this library needs no such thing: it closes
/// what the plan does not name.
///
/// # Errors
///
/// Those of [`close_from`].
///
/// # Platform notes
///
/// Linux 5.11 and later: `close_range(2)`. Elsewhere: `fcntl(2)` for each descriptor that the kernel lists, or for every
/// number that could be open.
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
        return Err(rustix::io::Errno::INVAL.into());
    }
    Ok(by_number::act(act, first, RawFd::MAX, Features::empty())?)
}
