//! `Numbering`: which numbers the descriptors of a graph get in this process.

use super::free_numbers::FreeNumbers;
use super::new_fds::ABOVE_STDIO;
use super::resolve::soft_limit;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// The first number of those descriptors that are not the sources of the next launch. Linux copies a table in words of 64 numbers.
const HIGH: RawFd = 64;

/// From this many links on, [`Numbering::High`] takes less time than [`Numbering::Lowest`]: see the notes of the benchmarks.
const MANY_LINKS: usize = 64;

/// Which numbers this process gives the links of a graph, and what it keeps of the stages that it has launched.
///
/// For each child, the kernel copies the table of descriptors from 0 to the child's highest source ([`Step::UnshareFiles`]), and the child
/// closes what is not its own. If each source had the lowest free number, the sources of most stages of a large graph would be above all links
/// and pidfds: for n stages the kernel would copy about n² descriptors.
///
/// [`Step::UnshareFiles`]: crate::plan::Step::UnshareFiles
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbering {
    /// The lowest free numbers.
    Lowest,
    /// Numbers from [`HIGH`] on. For its launch a stage gets duplicates of its sources with numbers below.
    High,
}

impl Numbering {
    pub(crate) fn of_graph(links: usize) -> Self {
        if links < MANY_LINKS { Self::Lowest } else { Self::High }
    }

    /// Moves a new descriptor to the first free number from [`HIGH`] on. It keeps its number if that is high enough, or if the system gives
    /// none (the limit of descriptors).
    pub(crate) fn raise(self, fd: OwnedFd) -> OwnedFd {
        if self == Self::Lowest || fd.as_raw_fd() >= HIGH {
            return fd;
        }
        rustix::io::fcntl_dupfd_cloexec(&fd, HIGH).unwrap_or(fd)
    }

    /// The number that [`Numbering::raise`] gives a descriptor with this number.
    pub(crate) fn forecast_raise(self, number: RawFd, free: &mut FreeNumbers) -> RawFd {
        if self == Self::Lowest || number >= HIGH {
            return number;
        }
        let raised = free.take(HIGH);
        let (number, closed) = if raised < soft_limit() { (raised, number) } else { (number, raised) };
        free.close(closed);
        number
    }

    /// Duplicates the source of a launch to a number below [`HIGH`]. `None` if it has such a number, or if none is free.
    pub(crate) fn lower(self, source: &OwnedFd) -> Option<OwnedFd> {
        if self == Self::Lowest || source.as_raw_fd() < HIGH {
            return None;
        }
        let lowered = rustix::io::fcntl_dupfd_cloexec(source, ABOVE_STDIO).ok()?;
        (lowered.as_raw_fd() < HIGH).then_some(lowered)
    }

    /// The number of the duplicate that [`Numbering::lower`] makes of a descriptor with this number.
    pub(crate) fn forecast_lower(self, source: RawFd, free: &mut FreeNumbers) -> Option<RawFd> {
        if self == Self::Lowest || source < HIGH {
            return None;
        }
        let lowered = free.take(ABOVE_STDIO);
        if lowered < HIGH.min(soft_limit()) {
            return Some(lowered);
        }
        free.close(lowered);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> OwnedFd {
        std::fs::File::open("/").unwrap().into()
    }

    #[test]
    fn descriptors_of_few_links_keep_their_numbers() {
        let numbering = Numbering::of_graph(MANY_LINKS - 1);
        let fd = file();
        let number = fd.as_raw_fd();
        assert!(numbering.lower(&fd).is_none());
        assert_eq!(numbering.raise(fd).as_raw_fd(), number);
        let mut free = FreeNumbers::default();
        assert_eq!((numbering.forecast_raise(5, &mut free), numbering.forecast_lower(100, &mut free)), (5, None));
    }

    #[test]
    fn descriptors_of_many_links_are_raised_and_lowered_for_a_launch() {
        let numbering = Numbering::of_graph(MANY_LINKS);
        let raised = numbering.raise(file());
        assert!(raised.as_raw_fd() >= HIGH);
        if let Some(lowered) = numbering.lower(&raised) {
            assert!((ABOVE_STDIO..HIGH).contains(&lowered.as_raw_fd()));
            assert!(numbering.lower(&lowered).is_none(), "it is low");
            assert!(rustix::io::fcntl_getfd(&lowered).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
        }
        assert!(rustix::io::fcntl_getfd(&raised).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
        let number = raised.as_raw_fd();
        assert_eq!(numbering.raise(raised).as_raw_fd(), number, "it is high");
    }

    #[test]
    fn forecast_gives_the_old_number_back_for_the_new_one() {
        let (numbering, mut free) = (Numbering::High, FreeNumbers::default());
        let first = free.take(ABOVE_STDIO);
        if first < HIGH {
            let raised = numbering.forecast_raise(first, &mut free);
            assert!(raised >= HIGH);
            assert_eq!(numbering.forecast_lower(raised, &mut free), Some(first));
        }
        assert_eq!(numbering.forecast_raise(RawFd::MAX, &mut free), RawFd::MAX);
    }
}
