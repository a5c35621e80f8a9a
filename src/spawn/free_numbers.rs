//! `FreeNumbers`: which numbers new descriptors would get, without a call that opens one.

use crate::fd::close_on_exec;
use crate::group::Group;
use std::collections::BTreeSet;
use std::os::fd::RawFd;

/// The numbers that are free in this process's table, as a start would find and take them: the kernel gives a new descriptor the lowest one.
#[derive(Clone, Debug, Default)]
pub(crate) struct FreeNumbers {
    taken: BTreeSet<RawFd>,
    /// Numbers that are open now, and that the start closes.
    closed: BTreeSet<RawFd>,
    /// The addresses of groups that have got a leader.
    groups: Vec<usize>,
}

impl FreeNumbers {
    /// Takes the lowest free number from `first` on, as `F_DUPFD` does.
    pub(crate) fn take(&mut self, first: RawFd) -> RawFd {
        self.take_if(first, |_| true)
    }

    /// Takes the lowest free number from `first` on that fits.
    pub(super) fn take_if(&mut self, first: RawFd, fits: impl Fn(RawFd) -> bool) -> RawFd {
        let is_open = |number| !self.closed.contains(&number) && !matches!(close_on_exec(number), Ok(None));
        let is_free = |&number: &RawFd| !self.taken.contains(&number) && !is_open(number) && fits(number);
        let number = (first..RawFd::MAX).find(is_free).unwrap_or(RawFd::MAX);
        self.taken.insert(number);
        number
    }

    /// Takes a number for a new descriptor that the library moves above 2.
    pub(crate) fn take_above_stdio(&mut self) -> RawFd {
        let number = self.take(0);
        self.move_above_stdio(number)
    }

    /// Takes two numbers, as a pipe (reader, writer) and a pair of sockets do.
    pub(crate) fn take_pair(&mut self) -> (RawFd, RawFd) {
        let (first, second) = (self.take(0), self.take(0));
        (self.move_above_stdio(first), self.move_above_stdio(second))
    }

    fn move_above_stdio(&mut self, number: RawFd) -> RawFd {
        if number > 2 {
            return number;
        }
        let moved = self.take(3);
        self.close(number);
        moved
    }

    /// Notes that a stage is launched in a group. Returns whether it is the first one, which leads the group.
    pub(super) fn note_member(&mut self, group: &Group) -> bool {
        let address = std::ptr::from_ref(group).addr();
        let is_first = group.id().is_none() && !self.groups.contains(&address);
        if is_first {
            self.groups.push(address);
        }
        is_first
    }

    /// Gives a number back.
    pub(crate) fn close(&mut self, number: RawFd) {
        if !self.taken.remove(&number) {
            self.closed.insert(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn numbers_that_are_open_or_taken_are_left_out_until_they_are_closed() {
        let file = std::fs::File::open("/").unwrap();
        let mut free = FreeNumbers::default();
        // Other tests use low numbers at the same time.
        let first = 50_000_000;
        assert_eq!([0; 3].map(|_| free.take(first)), [first, first + 1, first + 2]);
        free.close(first + 1);
        assert_eq!([0; 2].map(|_| free.take(first)), [first + 1, first + 3]);
        assert_eq!(free.take_if(first, |number| number % 7 == 0) % 7, 0);
        assert_ne!(free.take(file.as_raw_fd()), file.as_raw_fd());
        free.close(file.as_raw_fd());
        assert_eq!(free.take(file.as_raw_fd()), file.as_raw_fd());
    }

    #[test]
    fn no_descriptor_of_the_library_keeps_the_number_of_a_standard_stream() {
        let mut free = FreeNumbers::default();
        free.close(0);
        free.close(2);
        let (reader, writer) = free.take_pair();
        assert!(reader > 2 && writer > 2 && reader != writer);
        assert_eq!([0; 2].map(|_| free.take(0)), [0, 2], "they are free again");
    }
}
