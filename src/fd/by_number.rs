//! Closes the descriptors of a range of numbers, or sets close-on-exec of them, by the first of three ways that works:
//!
//! 1. `close_range(2)`;
//! 2. the list of the thread's descriptors in `/proc/thread-self/fd`;
//! 3. a search, which tries each number that could be open.
//!
//! 2 and 3 are the fallbacks of 1. Each way acts on all open descriptors of the range, or returns an error; after an
//! error the next way is tried. No way may miss a descriptor.
//!
//! [`unshare`], [`close`] and [`act`] run in the child too, between clone and exec: they do not allocate, take a lock,
//! panic, or use libc. [`gaps`] and [`open_numbers`] are for the parent.

use super::flags::close_on_exec;
use super::proc_numbers::ProcNumbers;
#[cfg(any(target_os = "linux", target_os = "android"))]
use super::proc_numbers::{is_in_proc, proc_numbers};
use crate::platform::Features;
use crate::sys;
use rustix::io::Errno;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::os::fd::AsRawFd;
use std::os::fd::RawFd;

/// If `close_range` is missing and the range has at most this many numbers, each number is tried: that takes fewer
/// system calls than to read the list.
const FEW: RawFd = 64;

/// A search goes at least to this number, the default of Linux's `fs.nr_open`. A lower limit does not bound the open
/// descriptors: they stay open when the limit is lowered below their numbers.
const SEARCHED: u64 = 1 << 20;

/// If the hard limit is above this, a search would take minutes. It fails instead, and so does the spawn.
const TOO_MANY: u64 = 1 << 24;

/// What happens to each descriptor of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Close,
    SetCloseOnExec,
}

impl Act {
    /// The flags of `close_range(2)`.
    fn flags(self) -> u32 {
        match self {
            Self::Close => 0,
            Self::SetCloseOnExec => sys::CLOSE_RANGE_CLOEXEC,
        }
    }

    /// Acts on a number, which may be closed. Returns whether the act may have changed it: the number may have been
    /// open, and for close-on-exec it may have been without the flag.
    fn on(self, fd: RawFd) -> Result<bool, Errno> {
        match self {
            Self::Close => match sys::close(fd) {
                // After an error of the file the number is closed. After a refusal of the call, it is open.
                Err(errno) if errno != Errno::BADF && sys::is_open(fd) => Err(errno),
                _ => Ok(true),
            },
            Self::SetCloseOnExec => match sys::set_close_on_exec(fd) {
                Err(Errno::BADF) => Ok(false),
                result => result,
            },
        }
    }
}

/// Which ways may be taken, and how far a search goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ways {
    /// The kernel features that are not used.
    pub(crate) missing: Features,
    /// The hard limit of descriptors that bounds a search, if the process's own limit has been lowered since.
    pub(crate) hard_limit: Option<u64>,
}

impl Ways {
    /// All features.
    pub(crate) const NONE: Self = Self { missing: Features::empty(), hard_limit: None };
}

/// Gives the thread a private descriptor table, without the descriptors from `first` on.
#[inline]
pub(crate) fn unshare(first: RawFd, ways: Ways) -> Result<(), Errno> {
    let flags = sys::CLOSE_RANGE_UNSHARE;
    if !ways.missing.contains(Features::CLOSE_RANGE) && sys::close_range(first, RawFd::MAX, flags).is_ok() {
        return Ok(());
    }
    unshare_and_close(first, ways)
}

/// The fallback of [`unshare`].
#[cold]
#[inline(never)]
fn unshare_and_close(first: RawFd, ways: Ways) -> Result<(), Errno> {
    sys::unshare_table()?;
    close(first, RawFd::MAX, ways)
}

/// Closes all descriptors from `first` to `last`.
#[inline]
pub(crate) fn close(first: RawFd, last: RawFd, ways: Ways) -> Result<(), Errno> {
    act(Act::Close, first, last, ways)
}

/// Acts on all descriptors from `first` to `last`, by the first way that is not `missing` and works.
#[inline]
pub(crate) fn act(act: Act, first: RawFd, last: RawFd, ways: Ways) -> Result<(), Errno> {
    if !ways.missing.contains(Features::CLOSE_RANGE) && sys::close_range(first, last, act.flags()).is_ok() {
        return Ok(());
    }
    act_one_by_one(act, first, last, ways)
}

/// The fallbacks of [`act`]. They need a page of the stack more, and a forked child gets a page fault at the first use of each page.
#[cold]
#[inline(never)]
fn act_one_by_one(act: Act, first: RawFd, last: RawFd, ways: Ways) -> Result<(), Errno> {
    let Ways { missing, hard_limit } = ways;
    if last.saturating_sub(first) < FEW {
        return (first..=last).try_for_each(|fd| act.on(fd).map(drop));
    }
    if !missing.contains(Features::PROC) && act_on_listed(act, first, last).is_ok() {
        return Ok(());
    }
    if missing.contains(Features::SEARCH) {
        return Err(Errno::NOSYS);
    }
    search(first, last, hard_limit.or_else(sys::hard_limit))?.try_for_each(|fd| act.on(fd).map(drop))
}

/// The ranges of all numbers that `keep` does not have: the first and the last number of each range.
pub(crate) fn gaps(mut keep: Vec<RawFd>) -> Vec<(RawFd, RawFd)> {
    keep.sort_unstable();
    let mut gaps = Vec::with_capacity(keep.len() + 1);
    let mut next = Some(0);
    for number in keep {
        let Some(first) = next else { break };
        if number >= first {
            if number > first {
                gaps.push((first, number - 1));
            }
            next = number.checked_add(1);
        }
    }
    gaps.extend(next.map(|first| (first, RawFd::MAX)));
    gaps
}

/// Acts on the descriptors that `/proc/thread-self/fd` lists, again and again, until a whole list has none to act on.
///
/// If a list is not shorter than the one before, the function fails: the list is of another table, or the descriptors
/// cannot be closed.
fn act_on_listed(act: Act, first: RawFd, last: RawFd) -> Result<(), Errno> {
    let mut before = usize::MAX;
    loop {
        let directory = sys::open_directory(c"/proc/thread-self/fd")?;
        let acted = act_on_entries(act, directory, first, last);
        let _ = sys::close(directory);
        match acted? {
            0 => return Ok(()),
            count if count >= before => return Err(Errno::NOSYS),
            count => before = count,
        }
    }
}

/// Acts on each descriptor of the range that `directory` lists, except on `directory` itself. Returns on how many it
/// has acted.
fn act_on_entries(act: Act, directory: RawFd, first: RawFd, last: RawFd) -> Result<usize, Errno> {
    if !sys::is_in_proc(directory) {
        return Err(Errno::NOENT);
    }
    let mut buffer = [0; 2048];
    let mut acted = 0;
    for number in ProcNumbers::new(directory, &mut buffer) {
        let fd = number?;
        if fd != directory && (first..=last).contains(&fd) {
            acted += usize::from(act.on(fd)?);
        }
    }
    Ok(acted)
}

/// The number before which a search may stop. `None` if the hard limit is too high for a search.
fn search_end(hard_limit: Option<u64>) -> Option<u64> {
    hard_limit.filter(|&limit| limit <= TOO_MANY).map(|limit| limit.max(SEARCHED))
}

/// The numbers from `first` to `last` that could be open. The caller tries each with one system call.
///
/// `poll(2)` would test many with one call, but it takes a descriptor that was opened with `O_PATH` for closed, and on
/// some systems devices too.
fn search(first: RawFd, last: RawFd, hard_limit: Option<u64>) -> Result<impl Iterator<Item = RawFd>, Errno> {
    let bound = search_end(hard_limit).ok_or(Errno::NOSYS)?;
    let end = u64::from(last.unsigned_abs()).saturating_add(1).min(bound);
    Ok((u64::from(first.unsigned_abs())..end).map(|number| number as RawFd))
}

/// The open numbers of the calling thread's table: from `/proc`, or else by a search.
pub(crate) fn open_numbers(missing: Features) -> Result<Vec<RawFd>, Errno> {
    if !missing.contains(Features::PROC) {
        if let Ok(numbers) = listed_numbers() {
            return Ok(numbers);
        }
    }
    if missing.contains(Features::SEARCH) {
        return Err(Errno::NOSYS);
    }
    Ok(search(0, RawFd::MAX, sys::hard_limit())?.filter(|&number| close_on_exec(number) != Ok(None)).collect())
}

/// The numbers that `/proc` lists of the calling thread's table, without the one that reads the list. The main thread
/// may have another table: so `/proc/thread-self`, not `/proc/self`.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn listed_numbers() -> Result<Vec<RawFd>, Errno> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open("/proc/thread-self/fd", flags, Mode::empty())?;
    if !is_in_proc(&directory) {
        return Err(Errno::NOENT);
    }
    let mut numbers = proc_numbers(&directory)?;
    numbers.retain(|&number| number != directory.as_raw_fd());
    Ok(numbers)
}

/// Fails: the library reads no list of descriptors on these systems.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn listed_numbers() -> Result<Vec<RawFd>, Errno> {
    Err(Errno::NOSYS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_what_is_not_kept() {
        const MAX: RawFd = RawFd::MAX;
        type Gaps<'a> = &'a [(RawFd, RawFd)];
        let table: [(&[RawFd], Gaps<'_>); 8] = [
            (&[], &[(0, MAX)]),
            (&[0], &[(1, MAX)]),
            (&[0, 1, 2], &[(3, MAX)]),
            (&[2, 0, 1, 2, 0], &[(3, MAX)]),
            (&[5], &[(0, 4), (6, MAX)]),
            (&[9, 3, 4], &[(0, 2), (5, 8), (10, MAX)]),
            (&[MAX], &[(0, MAX - 1)]),
            (&[-1, -5, 0, MAX], &[(1, MAX - 1)]),
        ];
        for (keep, expected) in table {
            assert_eq!(gaps(keep.to_vec()), expected, "{keep:?}");
        }
    }

    #[test]
    fn search_has_no_end_at_a_limit_of_a_billion_and_never_ends_below_the_kernels_default() {
        assert_eq!(search_end(Some(1_000_000_000)), None);
        assert_eq!(search_end(None), None);
        assert_eq!(search_end(Some(0)), Some(1 << 20));
        assert_eq!(search_end(Some(20_000)), Some(1 << 20));
        assert_eq!(search_end(Some(1 << 21)), Some(1 << 21));
    }
}
