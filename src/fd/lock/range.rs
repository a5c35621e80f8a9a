//! The bytes that a lock covers, in Rust's terms and in those of `fcntl(2)`.

use std::fmt;
use std::ops::Bound;

/// The bounds of a range of bytes, as the caller gave them.
pub(super) type Bounds = (Bound<u64>, Bound<u64>);

/// The largest offset of a file.
const LARGEST: u64 = i64::MAX as u64;

/// A range of bytes that can be locked, as `fcntl(2)` takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) start: i64,
    /// The number of bytes. 0 means all bytes from the start on, also those by which the file grows later.
    pub(super) length: i64,
}

/// Why a range of bytes cannot be locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RangeError {
    /// The range has no bytes. The system would take its length, 0, for all bytes from the start on.
    Empty,
    BeyondLargestOffset,
}

impl Extent {
    pub(super) fn new((start, end): Bounds) -> Result<Self, RangeError> {
        let first = match start {
            Bound::Included(first) => first,
            Bound::Excluded(before) => before.checked_add(1).ok_or(RangeError::BeyondLargestOffset)?,
            Bound::Unbounded => 0,
        };
        let last = match end {
            Bound::Included(last) => last,
            Bound::Excluded(end) => end.checked_sub(1).ok_or(RangeError::Empty)?,
            Bound::Unbounded => LARGEST,
        };
        if first.max(last) > LARGEST {
            return Err(RangeError::BeyondLargestOffset);
        }
        if last < first {
            return Err(RangeError::Empty);
        }
        let length = if last == LARGEST { 0 } else { last - first + 1 };
        Ok(Self { start: first as i64, length: length as i64 })
    }
}

/// Prints bounds as they are written in Rust.
pub(super) struct DisplayBounds(pub(super) Bounds);

impl fmt::Display for DisplayBounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.0 {
            Bound::Included(first) => write!(f, "{first}")?,
            Bound::Excluded(before) => write!(f, "{}", u128::from(before) + 1)?,
            Bound::Unbounded => {}
        }
        match self.0.1 {
            Bound::Included(last) => write!(f, "..={last}"),
            Bound::Excluded(end) => write!(f, "..{end}"),
            Bound::Unbounded => f.write_str(".."),
        }
    }
}

impl fmt::Display for RangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the range has no bytes"),
            Self::BeyondLargestOffset => write!(f, "the range goes beyond the largest offset of a file, {LARGEST}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Bound::{Excluded, Included, Unbounded};
    use super::*;

    #[test]
    fn length_counts_the_bytes_and_0_is_all_from_the_start() {
        for (bounds, start, length) in [
            ((Included(0), Excluded(1)), 0, 1),
            ((Included(0), Included(0)), 0, 1),
            ((Included(100), Excluded(200)), 100, 100),
            ((Included(100), Included(200)), 100, 101),
            ((Excluded(100), Included(101)), 101, 1),
            ((Unbounded, Excluded(10)), 0, 10),
            ((Unbounded, Unbounded), 0, 0),
            ((Included(7), Unbounded), 7, 0),
            ((Included(0), Excluded(LARGEST)), 0, i64::MAX),
            ((Included(1), Excluded(LARGEST)), 1, i64::MAX - 1),
            ((Included(0), Included(LARGEST)), 0, 0),
            ((Included(5), Excluded(LARGEST + 1)), 5, 0),
            ((Included(LARGEST), Unbounded), i64::MAX, 0),
            ((Included(LARGEST), Included(LARGEST)), i64::MAX, 0),
            ((Included(LARGEST - 1), Excluded(LARGEST)), i64::MAX - 1, 1),
        ] {
            assert_eq!(Extent::new(bounds), Ok(Extent { start, length }), "{}", DisplayBounds(bounds));
        }
    }

    #[test]
    fn empty_range_and_one_beyond_the_largest_offset_are_refused() {
        for bounds in [
            (Included(0), Excluded(0)),
            (Unbounded, Excluded(0)),
            (Included(5), Excluded(5)),
            (Included(5), Excluded(3)),
            (Included(5), Included(4)),
            (Excluded(5), Included(5)),
            (Excluded(5), Excluded(6)),
        ] {
            assert_eq!(Extent::new(bounds), Err(RangeError::Empty), "{}", DisplayBounds(bounds));
        }
        for bounds in [
            (Included(0), Excluded(LARGEST + 2)),
            (Included(0), Included(LARGEST + 1)),
            (Included(0), Included(u64::MAX)),
            (Included(0), Excluded(u64::MAX)),
            (Included(LARGEST + 1), Unbounded),
            (Excluded(LARGEST), Unbounded),
            (Excluded(u64::MAX), Unbounded),
            (Excluded(u64::MAX), Included(u64::MAX)),
        ] {
            assert_eq!(Extent::new(bounds), Err(RangeError::BeyondLargestOffset), "{}", DisplayBounds(bounds));
        }
    }

    #[test]
    fn bounds_are_written_as_in_rust() {
        for (bounds, text) in [
            ((Included(1), Excluded(5)), "1..5"),
            ((Included(1), Included(5)), "1..=5"),
            ((Unbounded, Unbounded), ".."),
            ((Included(3), Unbounded), "3.."),
            ((Excluded(u64::MAX), Unbounded), "18446744073709551616.."),
        ] {
            assert_eq!(DisplayBounds(bounds).to_string(), text);
        }
    }
}
