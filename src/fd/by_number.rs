//! Closing a range of numbers, or marking it close-on-exec, by whatever means there are.
//!
//! The ladder: `close_range(2)`; the list of `/proc/thread-self/fd`; a search of all numbers that could be open. Each rung
//! is complete, or it fails and the next is tried: there is no rung that may miss a descriptor. What works on a range runs
//! in the child too, so it keeps the law of `spawn/child.rs`.

use super::close_on_exec;
use crate::platform::Features;
use crate::sys;
use rustix::io::Errno;
use std::os::fd::{AsRawFd, RawFd};

/// Up to so many numbers are tried one by one where `close_range` is missing: cheaper than any search.
const FEW: RawFd = 64;

/// A search covers at least this many numbers, the default of Linux's `fs.nr_open`: a descriptor stays open when the
/// limit is lowered below its number.
const SEARCHED: u64 = 1 << 20;

/// A limit above this is no bound: the search would take minutes. The spawn fails instead.
const TOO_MANY: u64 = 1 << 24;

/// What becomes of the descriptors of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Close,
    SetCloseOnExec,
}

impl Act {
    fn flags(self) -> u32 {
        match self {
            Self::Close => 0,
            Self::SetCloseOnExec => sys::CLOSE_RANGE_CLOEXEC,
        }
    }

    /// Acts on a number that may be open. Returns whether there was something to do.
    fn on(self, fd: RawFd) -> bool {
        match self {
            Self::Close => {
                let _ = sys::close(fd); // Closed, whatever it says; or it was not open.
                true
            }
            Self::SetCloseOnExec => sys::set_close_on_exec(fd) == Ok(true),
        }
    }
}

/// Leaves the table that is shared with the parent, for a private one without `first` and above.
pub(crate) fn unshare(first: RawFd, missing: Features) -> Result<(), Errno> {
    let flags = sys::CLOSE_RANGE_UNSHARE;
    if !missing.contains(Features::CLOSE_RANGE) && sys::close_range(first, RawFd::MAX, flags).is_ok() {
        return Ok(());
    }
    sys::unshare_table()?;
    close(first, RawFd::MAX, missing)
}

/// Closes all numbers from `first` to `last`.
pub(crate) fn close(first: RawFd, last: RawFd, missing: Features) -> Result<(), Errno> {
    act(Act::Close, first, last, missing)
}

/// Acts on all numbers from `first` to `last`.
pub(crate) fn act(act: Act, first: RawFd, last: RawFd, missing: Features) -> Result<(), Errno> {
    if !missing.contains(Features::CLOSE_RANGE) && sys::close_range(first, last, act.flags()).is_ok() {
        return Ok(());
    }
    if last.saturating_sub(first) < FEW {
        for fd in first..=last {
            act.on(fd);
        }
        return Ok(());
    }
    if !missing.contains(Features::PROC) && act_on_listed(act, first, last).is_ok() {
        return Ok(());
    }
    if missing.contains(Features::SEARCH) {
        return Err(Errno::NOSYS);
    }
    for_each_that_may_be_open(first, last, |fd| {
        act.on(fd);
    })
}

/// The ranges, first and last, of all numbers but those of `keep`.
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

/// Acts on what `/proc/thread-self/fd` lists, until a whole list has nothing to act on. A list that does not get shorter is
/// not this thread's, or its descriptors cannot be closed.
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

/// Acts on each number in the range that `directory` lists, other than its own. Returns for how many there was something to
/// do.
fn act_on_entries(act: Act, directory: RawFd, first: RawFd, last: RawFd) -> Result<usize, Errno> {
    if !sys::is_in_proc(directory) {
        return Err(Errno::NOENT);
    }
    let mut buffer = [0; 2048];
    let mut acted = 0;
    loop {
        let length = sys::read_directory(directory, &mut buffer)?;
        let Some(mut entries) = buffer.get(..length).filter(|entries| !entries.is_empty()) else {
            return Ok(acted);
        };
        while let Some((name, rest)) = next_entry(entries) {
            entries = rest;
            match number(name) {
                Some(fd) if fd != directory && (first..=last).contains(&fd) => acted += usize::from(act.on(fd)),
                _ => {}
            }
        }
    }
}

/// The name of the first entry of the kernel's `linux_dirent64` records, and the records after it.
fn next_entry(entries: &[u8]) -> Option<(&[u8], &[u8])> {
    const LENGTH: usize = 16;
    const NAME: usize = 19;
    let length = u16::from_ne_bytes([*entries.get(LENGTH)?, *entries.get(LENGTH + 1)?]);
    let (entry, rest) = entries.split_at_checked(usize::from(length))?;
    Some((entry.get(NAME..)?, rest))
}

/// The number that a NUL-terminated name is, if it is one.
fn number(name: &[u8]) -> Option<RawFd> {
    let mut value: RawFd = 0;
    for (index, byte) in name.iter().enumerate() {
        match byte {
            0 => return (index > 0).then_some(value),
            b'0'..=b'9' => value = value.checked_mul(10)?.checked_add(RawFd::from(byte - b'0'))?,
            _ => return None,
        }
    }
    None
}

/// The number at which a search may stop; `None` where the hard limit bounds nothing.
fn bound(hard_limit: Option<u64>) -> Option<u64> {
    hard_limit.filter(|&limit| limit <= TOO_MANY).map(|limit| limit.max(SEARCHED))
}

/// Tries every number that could be open, one by one: `poll(2)` could ask for many at a time, but takes those that were
/// opened with `O_PATH` for closed, and on some systems devices too.
fn for_each_that_may_be_open(first: RawFd, last: RawFd, found: impl FnMut(RawFd)) -> Result<(), Errno> {
    let end = u64::from(last.unsigned_abs()).saturating_add(1).min(bound(sys::hard_limit()).ok_or(Errno::NOSYS)?);
    let numbers = u64::from(first.unsigned_abs())..end;
    numbers.map(|number| number as RawFd).for_each(found);
    Ok(())
}

/// All open numbers of this thread's table, in the parent.
pub(crate) fn open_numbers(missing: Features) -> Result<Vec<RawFd>, Errno> {
    let listed = if missing.contains(Features::PROC) { Err(Errno::NOSYS.into()) } else { listed_numbers() };
    if let Ok(numbers) = listed {
        return Ok(numbers);
    }
    if missing.contains(Features::SEARCH) {
        return Err(Errno::NOSYS);
    }
    let mut numbers = Vec::new();
    for_each_that_may_be_open(0, RawFd::MAX, |number| {
        if close_on_exec(number).is_some() {
            numbers.push(number);
        }
    })?;
    Ok(numbers)
}

/// What the kernel lists of this thread, which may have another table than the process's first.
fn listed_numbers() -> std::io::Result<Vec<RawFd>> {
    let directory = std::fs::File::open("/proc/thread-self/fd")?;
    if !sys::is_in_proc(directory.as_raw_fd()) {
        return Err(Errno::NOENT.into());
    }
    drop(directory);
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir("/proc/thread-self/fd")? {
        numbers.extend(entry?.file_name().to_str().and_then(|name| name.parse::<RawFd>().ok()));
    }
    Ok(numbers)
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
    fn only_whole_numbers_are_numbers() {
        assert_eq!(number(b"0\0"), Some(0));
        assert_eq!(number(b"2147483647\0junk"), Some(RawFd::MAX));
        for name in [&b"."[..], b".\0", b"..\0", b"\0", b"2147483648\0", b"12", b"1x\0"] {
            assert_eq!(number(name), None, "{name:?}");
        }
    }

    #[test]
    fn limit_of_a_billion_is_no_bound_and_a_low_one_hides_nothing_below_the_kernels_default() {
        assert_eq!(bound(Some(1_000_000_000)), None);
        assert_eq!(bound(None), None);
        assert_eq!(bound(Some(0)), Some(1 << 20));
        assert_eq!(bound(Some(20_000)), Some(1 << 20));
        assert_eq!(bound(Some(1 << 21)), Some(1 << 21));
    }

    #[test]
    fn records_that_are_cut_short_end_the_list() {
        let mut record = [0_u8; 24];
        record[16..18].copy_from_slice(&24_u16.to_ne_bytes());
        record[19..21].copy_from_slice(b"7\0");
        let two = [record, record].concat();
        let (name, rest) = next_entry(&two).unwrap();
        assert_eq!(number(name), Some(7));
        assert_eq!(rest, record);
        assert_eq!(next_entry(&two[..20]), None);
        assert_eq!(next_entry(&[]), None);
    }
}
