//! Children whose end is an event for streams.

use super::process::Process;
use super::spawned::Spawned;
use crate::flow::Watch;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// A child, until it has ended.
#[derive(Debug)]
pub(super) struct WatchedChild<'a> {
    spawned: &'a Spawned,
    has_ended: bool,
}

impl<'a> WatchedChild<'a> {
    pub(super) fn new(spawned: &'a Spawned) -> Self {
        Self { spawned, has_ended: false }
    }
}

impl Watch for WatchedChild<'_> {
    fn is_waiting(&self) -> bool {
        !self.has_ended
    }

    fn has_pidfds(&self) -> bool {
        self.spawned.pidfd().is_some()
    }

    fn pidfds(&self) -> Box<dyn Iterator<Item = BorrowedFd<'_>> + '_> {
        Box::new(self.spawned.pidfd().filter(|_| !self.has_ended).into_iter())
    }

    fn grace(&mut self) -> Option<Duration> {
        self.has_ended = self.spawned.is_known_to_have_ended();
        self.has_ended.then_some(Duration::ZERO)
    }
}

/// Any number of children. Other threads may wait for them, too.
#[derive(Debug, Default)]
pub(crate) struct WatchedProcesses {
    /// Each with whether it has ended.
    list: Vec<(Process, bool)>,
    /// How long streams may be held after all of them have ended.
    grace: Duration,
}

impl WatchedProcesses {
    /// Adds a child. The longest grace of all counts.
    pub(crate) fn add(&mut self, process: Process, grace: Duration) {
        self.list.push((process, false));
        self.grace = self.grace.max(grace);
    }

    pub(crate) fn set_grace(&mut self, grace: Duration) {
        self.grace = grace;
    }
}

impl Watch for WatchedProcesses {
    fn is_waiting(&self) -> bool {
        self.list.iter().any(|(_, has_ended)| !has_ended)
    }

    fn has_pidfds(&self) -> bool {
        self.list.iter().all(|(process, has_ended)| *has_ended || process.0.pidfd().is_some())
    }

    fn pidfds(&self) -> Box<dyn Iterator<Item = BorrowedFd<'_>> + '_> {
        Box::new(self.list.iter().filter(|(_, has_ended)| !has_ended).filter_map(|(process, _)| process.0.pidfd()))
    }

    fn grace(&mut self) -> Option<Duration> {
        for (process, has_ended) in self.list.iter_mut().filter(|(_, has_ended)| !has_ended) {
            *has_ended = process.0.is_known_to_have_ended();
        }
        (!self.list.is_empty() && !self.is_waiting()).then_some(self.grace)
    }
}
