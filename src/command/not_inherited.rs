//! Which of 0 to 2 are no standard streams of this process.

use crate::plan::Refusal;
use std::os::fd::RawFd;

/// The numbers from 0 to 2 that a child must not inherit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotInherited {
    streams: [bool; 3],
    /// The first number that is none of these. The spawn refuses it.
    other: Option<RawFd>,
}

impl NotInherited {
    /// All three are standard streams.
    pub(super) const NONE: Self = Self { streams: [false; 3], other: None };

    pub(super) fn add(&mut self, number: RawFd) {
        match usize::try_from(number).ok().and_then(|index| self.streams.get_mut(index)) {
            Some(stream) => *stream = true,
            None => self.other = self.other.or(Some(number)),
        }
    }

    pub(crate) fn contains(self, number: RawFd) -> bool {
        usize::try_from(number).ok().and_then(|index| self.streams.get(index)).is_some_and(|stream| *stream)
    }

    /// The numbers of both.
    pub(super) fn and(mut self, other: Self) -> Self {
        for (stream, others) in self.streams.iter_mut().zip(other.streams) {
            *stream |= others;
        }
        self.other = self.other.or(other.other);
        self
    }

    /// Refuses numbers that no child inherits.
    pub(crate) fn check(self) -> Result<(), Refusal> {
        self.other.map_or(Ok(()), |number| Err(Refusal::NotInheritedWhere { number }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_named_one_by_one_and_other_numbers_are_refused() {
        let mut numbers = NotInherited::NONE;
        assert_eq!([-1, 0, 1, 2, 3].map(|number| numbers.contains(number)), [false; 5]);
        numbers.add(2);
        numbers.add(0);
        numbers.add(0);
        assert_eq!([-1, 0, 1, 2, 3].map(|number| numbers.contains(number)), [false, true, false, true, false]);
        assert_eq!(numbers.check(), Ok(()));
        for number in [3, -1] {
            let mut numbers = numbers;
            numbers.add(number);
            numbers.add(4);
            assert_eq!(numbers.check(), Err(Refusal::NotInheritedWhere { number }));
        }
    }
}
