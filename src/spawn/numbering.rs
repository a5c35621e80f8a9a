//! `Numbering`: which numbers this process gives the links of a graph, and what it keeps of the children that it has spawned.

use super::free_numbers::FreeNumbers;
use super::new_fds::ABOVE_STDIO;
use super::resolve::soft_limit;
use crate::fd::kept::{self, HIGH};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// From this many stages on, [`Numbering::High`] takes less time than [`Numbering::Lowest`]: see the notes of the benchmarks.
const MANY_STAGES: usize = 64;

/// Which numbers this process gives what it keeps of the children that it has launched, and the links of a graph.
///
/// For a child that starts with the parent's table, the kernel copies the descriptors from 0 to the child's highest source
/// ([`Step::UnshareFiles`]), and the child closes what is not its own. If each kept descriptor had the lowest free number, the sources of each
/// child would be above the descriptors of all children before it: for n children the kernel would copy about n² descriptors. For other
/// launchers the numbers make no difference: they copy the whole table.
///
/// [`Step::UnshareFiles`]: crate::plan::Step::UnshareFiles
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbering {
    /// The lowest free numbers, without the few below [`HIGH`] that are reserved for the sources of launches.
    Lowest,
    /// Numbers from [`HIGH`] on. For its launch a stage gets duplicates of its links with numbers below.
    High,
}

impl Numbering {
    pub(crate) fn of_graph(stages: usize) -> Self {
        if stages < MANY_STAGES { Self::Lowest } else { Self::High }
    }

    /// Whether a descriptor that this process keeps should not have this number.
    pub(super) fn is_reserved(self, number: RawFd) -> bool {
        if self == Self::Lowest { kept::is_reserved(number) } else { number < HIGH }
    }

    /// Moves a descriptor with a reserved number to the first free number from [`HIGH`] on. It keeps its number if the system gives no other
    /// one (the limit of descriptors).
    pub(crate) fn raise(self, fd: OwnedFd) -> OwnedFd {
        if self.is_reserved(fd.as_raw_fd()) { kept::raise(fd) } else { fd }
    }

    /// The number that [`Numbering::raise`] gives a descriptor with this number.
    pub(crate) fn forecast_raise(self, number: RawFd, free: &mut FreeNumbers) -> RawFd {
        if !self.is_reserved(number) {
            return number;
        }
        let raised = free.take(HIGH);
        let (number, closed) = if raised < soft_limit() { (raised, number) } else { (number, raised) };
        free.close(closed);
        number
    }

    /// [`Numbering::raise`], for what a graph opens before the launches. In a small graph that keeps its numbers, since the links are the sources
    /// of the launches.
    pub(crate) fn raise_link(self, end: OwnedFd) -> OwnedFd {
        if self == Self::High { self.raise(end) } else { end }
    }

    /// The number that [`Numbering::raise_link`] gives an end with this number.
    pub(crate) fn forecast_raise_link(self, number: RawFd, free: &mut FreeNumbers) -> RawFd {
        if self == Self::High { self.forecast_raise(number, free) } else { number }
    }
}

/// Duplicates a link for a launch to a number below [`HIGH`]. `None` if it has such a number, or if none is free.
pub(crate) fn lower(link: &OwnedFd) -> Option<OwnedFd> {
    if link.as_raw_fd() < HIGH {
        return None;
    }
    let lowered = rustix::io::fcntl_dupfd_cloexec(link, ABOVE_STDIO).ok()?;
    (lowered.as_raw_fd() < HIGH).then_some(lowered)
}

/// The number of the duplicate that [`lower`] makes of a descriptor with this number.
pub(crate) fn forecast_lower(link: RawFd, free: &mut FreeNumbers) -> Option<RawFd> {
    if link < HIGH {
        return None;
    }
    let lowered = free.take(ABOVE_STDIO);
    if lowered < HIGH {
        return Some(lowered);
    }
    free.close(lowered);
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> OwnedFd {
        std::fs::File::open("/").unwrap().into()
    }

    #[test]
    fn links_of_a_small_graph_keep_their_numbers() {
        let numbering = Numbering::of_graph(MANY_STAGES - 1);
        let fd = file();
        let number = fd.as_raw_fd();
        assert_eq!(numbering.raise_link(fd).as_raw_fd(), number);
        let mut free = FreeNumbers::default();
        assert_eq!(numbering.forecast_raise_link(HIGH - 1, &mut free), HIGH - 1);
    }

    #[test]
    fn kept_descriptors_get_no_reserved_number() {
        let mut free = FreeNumbers::default();
        for number in [ABOVE_STDIO, HIGH - 9, HIGH, HIGH + 1] {
            assert_eq!(Numbering::Lowest.forecast_raise(number, &mut free), number);
        }
        for number in [HIGH - 8, HIGH - 1] {
            assert!(Numbering::Lowest.forecast_raise(number, &mut free) >= HIGH);
        }
    }

    #[test]
    fn descriptors_of_a_large_graph_have_high_numbers_and_close_on_exec() {
        let numbering = Numbering::of_graph(MANY_STAGES);
        let raised = numbering.raise_link(file());
        assert!(raised.as_raw_fd() >= HIGH);
        assert!(rustix::io::fcntl_getfd(&raised).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
        let number = raised.as_raw_fd();
        assert_eq!(numbering.raise(raised).as_raw_fd(), number, "it is high");
    }

    #[test]
    fn forecast_gives_the_old_number_back_for_the_new_one() {
        let (numbering, mut free) = (Numbering::High, FreeNumbers::default());
        free.close(ABOVE_STDIO); // Other tests may have it.
        let first = free.take(ABOVE_STDIO);
        assert_eq!(first, ABOVE_STDIO);
        let raised = numbering.forecast_raise(first, &mut free);
        assert!(raised >= HIGH);
        assert_eq!(forecast_lower(raised, &mut free), Some(first));
        assert_eq!(numbering.forecast_raise(RawFd::MAX, &mut free), RawFd::MAX);
    }
}
