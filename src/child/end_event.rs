//! `EndEvent`: the end of a child as an event of a set.

use super::spawned::Spawned;
use crate::driven::{Registration, SetPlace, Steps};
use crate::fd::ready::is_ready_for;
use crate::sys::Backoff;
use rustix::event::PollFlags;
use rustix::io::Errno;
use std::sync::Arc;
use std::time::Instant;

/// The end of a child as an event: by its pidfd, or else by a question to the kernel every 0.5 to 16 ms.
#[derive(Debug)]
pub(crate) struct EndEvent {
    spawned: Arc<Spawned>,
    registration: Registration,
    backoff: Backoff,
    /// When to look at the child, because its pidfd does not tell: there is none, or it is readable, and the child cannot be reaped
    /// (another process traces it, or another thread ends it).
    looks_at: Option<Instant>,
    /// Whether the end is known, so that nothing has to tell of it.
    is_known: bool,
}

impl EndEvent {
    pub(super) fn new(spawned: Arc<Spawned>) -> Self {
        let (registration, backoff) = (Registration::default(), Backoff::new());
        let mut event = Self { spawned, registration, backoff, looks_at: None, is_known: false };
        if event.spawned.pidfd().is_none() {
            event.look_later();
        }
        event
    }

    /// After a look that has not found the end: finds out whether the pidfd will tell.
    pub(crate) fn look_again(&mut self) {
        self.is_known = false;
        match self.spawned.pidfd() {
            Some(pidfd) if !is_ready_for(pidfd, PollFlags::IN) => self.looks_at = None,
            _ if self.looks_at.is_some_and(|at| at > Instant::now()) => {}
            _ => self.look_later(),
        }
    }

    /// The end is known: nothing has to tell of it until the next look.
    pub(crate) fn set_known(&mut self) {
        (self.looks_at, self.is_known) = (None, true);
    }

    fn look_later(&mut self) {
        self.looks_at = Instant::now().checked_add(self.backoff.next());
    }

    /// Lets no set tell of the child any more.
    pub(crate) fn clear(&mut self) {
        if let Some(pidfd) = self.spawned.pidfd() {
            self.registration.clear(pidfd);
        }
    }
}

impl Steps for EndEvent {
    fn register(&mut self, place: &SetPlace) -> Result<bool, Errno> {
        match self.spawned.pidfd() {
            Some(pidfd) => {
                let tells = self.looks_at.is_none() && !self.is_known;
                self.registration.set(pidfd, place, tells.then_some(PollFlags::IN))
            }
            None => Ok(false),
        }
    }

    fn wakes_at(&self) -> Option<Instant> {
        self.looks_at
    }
}

impl Drop for EndEvent {
    fn drop(&mut self) {
        self.clear();
    }
}
