//! `EventSet` where the system has no `epoll(7)`: `kqueue(2)`.

use crate::fd::kept::keep;
use crate::fd::standard::open_above_stdio;
use crate::sys::{self, kevent};
use rustix::event::PollFlags;
use rustix::event::kqueue::{Event, EventFilter, EventFlags, kqueue};
use rustix::io::Errno;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;
use std::time::Duration;

/// A set of events. Its descriptor is readable if one of its descriptors is ready.
#[derive(Debug)]
pub(crate) struct EventSet {
    fd: OwnedFd,
    /// How many forks had made this process when it made the set. A forked copy of this process has no such queue.
    forks: u32,
}

impl EventSet {
    pub(crate) fn new() -> Result<Self, Errno> {
        let set = keep(open_above_stdio(kqueue)?);
        rustix::io::fcntl_setfd(&set, rustix::io::FdFlags::CLOEXEC)?;
        Ok(Self { fd: set, forks: sys::forks() })
    }

    /// The descriptor; an error in a forked copy of the process that has made the set.
    pub(crate) fn own(&self) -> Result<&OwnedFd, Errno> {
        if self.forks == sys::forks() { Ok(&self.fd) } else { Err(Errno::CHILD) }
    }

    pub(super) fn add(&self, fd: BorrowedFd<'_>, interest: PollFlags, key: usize) -> Result<(), Errno> {
        self.change(fd, PollFlags::empty(), interest, key)
    }

    pub(super) fn change(
        &self,
        fd: BorrowedFd<'_>,
        old: PollFlags,
        interest: PollFlags,
        key: usize,
    ) -> Result<(), Errno> {
        let filters =
            [(PollFlags::IN, EventFilter::Read(fd.as_raw_fd())), (PollFlags::OUT, EventFilter::Write(fd.as_raw_fd()))];
        for (flag, filter) in filters {
            let action = match (old.contains(flag), interest.contains(flag)) {
                (false, true) => EventFlags::ADD,
                (true, false) => EventFlags::DELETE,
                _ => continue,
            };
            kevent(self.own()?.as_fd(), &[event(filter, action, key)], None, None)?;
        }
        Ok(())
    }

    pub(super) fn remove(&self, fd: BorrowedFd<'_>, interest: PollFlags) {
        // It can fail only if the set does not have the descriptor, or in a forked copy.
        let _ = self.change(fd, interest, PollFlags::empty(), 0);
    }

    /// Waits for events, at most so long, and gets the keys of some descriptors that are ready. A call that a signal handler interrupts gets
    /// none.
    pub(crate) fn wait(&self, events: &mut EventKeys, most: Option<Duration>) -> Result<(), Errno> {
        events.0.clear();
        match kevent(self.own()?.as_fd(), &[], Some(&mut events.0), most) {
            Ok(()) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(errno),
        }
    }
}

fn event(filter: EventFilter, flags: EventFlags, key: usize) -> Event {
    Event::new(filter, flags, ptr::without_provenance_mut(key))
}

/// The events of one wait.
pub(crate) struct EventKeys(Vec<Event>);

impl EventKeys {
    /// Makes room for so many events.
    pub(crate) fn new(count: usize) -> Self {
        Self(Vec::with_capacity(count))
    }

    /// The keys of the descriptors that are ready.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> {
        self.0.iter().map(|event| event.udata().addr())
    }
}

/// A timer in a set.
#[derive(Debug)]
pub(super) struct Timer(());

impl Timer {
    /// Makes a timer that does not run.
    pub(super) fn new(_: &EventSet, _: usize) -> Result<Self, Errno> {
        Ok(Self(()))
    }

    /// Lets the set be ready after this time; `None` stops the timer.
    pub(super) fn set(&self, set: &EventSet, key: usize, time: Option<Duration>) -> Result<(), Errno> {
        let filter = |timer| EventFilter::Timer { ident: 0, timer };
        let change = match time {
            // A time of 0 is refused by some systems.
            Some(time) => {
                event(filter(Some(time.max(Duration::from_millis(1)))), EventFlags::ADD | EventFlags::ONESHOT, key)
            }
            None => event(filter(None), EventFlags::DELETE, key),
        };
        match kevent(set.own()?.as_fd(), &[change], None, None) {
            Err(Errno::NOENT) => Ok(()), // It has run out.
            result => result,
        }
    }
}
