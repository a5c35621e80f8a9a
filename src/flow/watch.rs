//! `Watch` and `Lookout`: the ends of children as events of a run.

use crate::sys::Backoff;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// The children whose end is an event for a run.
pub(crate) trait Watch {
    /// Whether a child is not known to have ended.
    fn is_waiting(&self) -> bool;

    /// Whether all of those have a pidfd.
    fn has_pidfds(&self) -> bool;

    /// Their pidfds.
    fn pidfds(&self) -> Box<dyn Iterator<Item = BorrowedFd<'_>> + '_>;

    /// Looks which ones have ended. Returns how long the streams may still be held, from now on, if all have.
    fn grace(&mut self) -> Option<Duration>;
}

/// No children.
#[derive(Debug)]
pub(crate) struct NoChildren;

impl Watch for NoChildren {
    fn is_waiting(&self) -> bool {
        false
    }

    fn has_pidfds(&self) -> bool {
        true
    }

    fn pidfds(&self) -> Box<dyn Iterator<Item = BorrowedFd<'_>> + '_> {
        Box::new(std::iter::empty())
    }

    fn grace(&mut self) -> Option<Duration> {
        None
    }
}

/// Looks for the ends of children.
#[derive(Debug)]
pub(super) struct Lookout {
    backoff: Backoff,
    /// A pidfd is readable, and its child has not ended for this process: another process traces the child.
    is_stuck: bool,
}

impl Lookout {
    pub(super) fn new() -> Self {
        Self { backoff: Backoff::new(), is_stuck: false }
    }

    /// Whether it has to ask for the ends of the children, and the time of the question.
    pub(super) fn next(&mut self, watch: &dyn Watch) -> (bool, Option<Instant>) {
        if watch.has_pidfds() && !self.is_stuck {
            return (false, None);
        }
        (true, Instant::now().checked_add(self.backoff.next()))
    }

    /// Asks for the ends of the children. Returns the grace if all have ended.
    pub(super) fn look(&mut self, watch: &mut dyn Watch) -> Option<Duration> {
        let before = watch.pidfds().count();
        let grace = watch.grace();
        self.is_stuck = grace.is_none() && watch.pidfds().count() == before;
        grace
    }
}
