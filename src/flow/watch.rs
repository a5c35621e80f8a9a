//! `Watch` and `Lookout`: the ends of children as events of a run.

use crate::driven::SetPlace;
use crate::sys::Backoff;
use rustix::io::Errno;
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

    /// Lets a set of events tell of their ends, or no longer, if it is of no use.
    fn register(&mut self, place: &SetPlace, is_of_use: bool) -> Result<(), Errno>;

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

    fn register(&mut self, _: &SetPlace, _: bool) -> Result<(), Errno> {
        Ok(())
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
    /// When it asks for the ends of the children, because no pidfd tells.
    asks_at: Option<Instant>,
}

impl Lookout {
    pub(super) fn new() -> Self {
        Self { backoff: Backoff::new(), is_stuck: false, asks_at: None }
    }

    /// Whether the pidfds tell of the ends of the children. If they do not, `asks_at` is the time of the next question.
    pub(super) fn has_events(&mut self, watch: &dyn Watch) -> bool {
        if !watch.is_waiting() || watch.has_pidfds() && !self.is_stuck {
            self.asks_at = None;
            return true;
        }
        if self.asks_at.is_none() {
            self.asks_at = Instant::now().checked_add(self.backoff.next());
        }
        false
    }

    pub(super) fn asks_at(&self) -> Option<Instant> {
        self.asks_at
    }

    /// Whether the time of the question has come.
    pub(super) fn has_to_ask(&self) -> bool {
        self.asks_at.is_some_and(|at| at <= Instant::now())
    }

    /// Asks for the ends of the children. Returns the grace if all have ended.
    pub(super) fn look(&mut self, watch: &mut dyn Watch) -> Option<Duration> {
        let before = watch.pidfds().count();
        let grace = watch.grace();
        self.is_stuck = grace.is_none() && watch.pidfds().count() == before;
        self.asks_at = None;
        grace
    }
}
