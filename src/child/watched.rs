//! Children whose end is an event for streams.

use super::process::Process;
use super::spawned::Spawned;
use crate::driven::{Registration, SetPlace};
use crate::flow::Watch;
use rustix::event::PollFlags;
use rustix::io::Errno;
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

    /// No run of this child is driven.
    fn register(&mut self, _: &SetPlace, _: bool) -> Result<(), Errno> {
        Ok(())
    }

    fn grace(&mut self) -> Option<Duration> {
        self.has_ended = self.spawned.is_known_to_have_ended();
        self.has_ended.then_some(Duration::ZERO)
    }
}

/// Any number of children. Other threads may wait for them, too.
#[derive(Debug, Default)]
pub(crate) struct WatchedProcesses {
    list: Vec<WatchedProcess>,
    /// How long streams may be held after all of them have ended.
    grace: Duration,
}

#[derive(Debug)]
struct WatchedProcess {
    process: Process,
    has_ended: bool,
    registration: Registration,
    /// Whether the owner of the exchange lets its set of events tell of this child by itself.
    is_told_by_owner: bool,
}

impl WatchedProcesses {
    /// Adds a child. The longest grace of all counts.
    pub(crate) fn add(&mut self, process: Process, grace: Duration) {
        let registration = Registration::default();
        self.list.push(WatchedProcess { process, has_ended: false, registration, is_told_by_owner: false });
        self.grace = self.grace.max(grace);
    }

    /// Adds the child of the owner of the exchange, unless the exchange watches it already.
    pub(crate) fn add_own(&mut self, process: &Process, grace: Duration) {
        if !self.list.iter().any(|watched| watched.process.is(process)) {
            self.add(process.clone(), grace);
        }
        for watched in self.list.iter_mut().filter(|watched| watched.process.is(process)) {
            watched.is_told_by_owner = true;
        }
    }

    /// Whether the child of the owner of the exchange is not known to have ended.
    pub(crate) fn is_waiting_for_own(&self) -> bool {
        self.waiting().any(|watched| watched.is_told_by_owner)
    }

    /// The exchange has no owner any more that tells of a child.
    pub(crate) fn disown(&mut self) {
        self.list.iter_mut().for_each(|watched| watched.is_told_by_owner = false);
    }

    /// Lets no set of events tell of the children any more.
    pub(crate) fn unregister(&mut self) {
        for WatchedProcess { process, registration, .. } in &mut self.list {
            if let Some(pidfd) = process.spawned.pidfd() {
                registration.clear(pidfd);
            }
        }
    }

    pub(crate) fn set_grace(&mut self, grace: Duration) {
        self.grace = grace;
    }

    fn waiting(&self) -> impl Iterator<Item = &WatchedProcess> {
        self.list.iter().filter(|watched| !watched.has_ended)
    }
}

impl Watch for WatchedProcesses {
    fn is_waiting(&self) -> bool {
        self.waiting().next().is_some()
    }

    fn has_pidfds(&self) -> bool {
        self.waiting().all(|watched| watched.process.spawned.pidfd().is_some())
    }

    fn pidfds(&self) -> Box<dyn Iterator<Item = BorrowedFd<'_>> + '_> {
        Box::new(self.waiting().filter_map(|watched| watched.process.spawned.pidfd()))
    }

    fn register(&mut self, place: &SetPlace, is_of_use: bool) -> Result<(), Errno> {
        for WatchedProcess { process, has_ended, registration, is_told_by_owner } in &mut self.list {
            if let Some(pidfd) = process.spawned.pidfd() {
                let tells = is_of_use && !*has_ended && !*is_told_by_owner;
                registration.set(pidfd, place, tells.then_some(PollFlags::IN))?;
            }
        }
        Ok(())
    }

    fn grace(&mut self) -> Option<Duration> {
        for watched in self.list.iter_mut().filter(|watched| !watched.has_ended) {
            watched.has_ended = watched.process.spawned.is_known_to_have_ended();
        }
        (!self.list.is_empty() && !self.is_waiting()).then_some(self.grace)
    }
}

impl Drop for WatchedProcess {
    fn drop(&mut self) {
        if let Some(pidfd) = self.process.spawned.pidfd() {
            self.registration.clear(pidfd);
        }
    }
}
