//! `EventSet` on Linux: `epoll(7)`, and `timerfd_create(2)` for times.

use crate::fd::kept::keep;
use crate::fd::standard::open_above_stdio;
use crate::sys;
use rustix::buffer::spare_capacity;
use rustix::event::{PollFlags, Timespec, epoll};
use rustix::io::{Errno, retry_on_intr};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// A set of events. Its descriptor is readable if one of its descriptors is ready.
#[derive(Debug)]
pub(crate) struct EventSet {
    fd: OwnedFd,
    /// How many forks had made this process when it made the set. A forked copy of this process shares the set, and each call of the copy
    /// would change it for both.
    forks: u32,
}

/// The longest time of one wait: `epoll_wait(2)` has no longer one than 24 days.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

impl EventSet {
    pub(crate) fn new() -> Result<Self, Errno> {
        Ok(Self { fd: keep(open_above_stdio(|| epoll::create(epoll::CreateFlags::CLOEXEC))?), forks: sys::forks() })
    }

    /// The descriptor; an error in a forked copy of the process that has made the set.
    pub(crate) fn own(&self) -> Result<&OwnedFd, Errno> {
        if self.forks == sys::forks() { Ok(&self.fd) } else { Err(Errno::CHILD) }
    }

    pub(super) fn add(&self, fd: BorrowedFd<'_>, interest: PollFlags, key: usize) -> Result<(), Errno> {
        epoll::add(self.own()?, fd, data(key), flags(interest))
    }

    pub(super) fn change(
        &self,
        fd: BorrowedFd<'_>,
        _: PollFlags,
        interest: PollFlags,
        key: usize,
    ) -> Result<(), Errno> {
        epoll::modify(self.own()?, fd, data(key), flags(interest))
    }

    pub(super) fn remove(&self, fd: BorrowedFd<'_>, _: PollFlags) {
        // It can fail only if the set does not have the descriptor, or in a forked copy.
        let _ = self.own().and_then(|set| epoll::delete(set, fd));
    }

    /// Waits for events, at most so long, and gets the keys of some descriptors that are ready. It gets none if a signal handler has interrupted
    /// the call, and after a day.
    pub(crate) fn wait(&self, events: &mut EventKeys, most: Option<Duration>) -> Result<(), Errno> {
        events.0.clear();
        let time = most.and_then(|most| Timespec::try_from(most.min(LONGEST)).ok());
        match epoll::wait(self.own()?, spare_capacity(&mut events.0), time.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(errno),
        }
    }
}

fn data(key: usize) -> epoll::EventData {
    epoll::EventData::new_u64(key as u64)
}

fn flags(interest: PollFlags) -> epoll::EventFlags {
    let mut flags = epoll::EventFlags::empty();
    flags.set(epoll::EventFlags::IN, interest.contains(PollFlags::IN));
    flags.set(epoll::EventFlags::OUT, interest.contains(PollFlags::OUT));
    flags
}

/// The events of one wait.
pub(crate) struct EventKeys(Vec<epoll::Event>);

impl EventKeys {
    /// Makes room for so many events.
    pub(crate) fn new(count: usize) -> Self {
        Self(Vec::with_capacity(count))
    }

    /// The keys of the descriptors that are ready.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> {
        self.0.iter().map(|event| usize::try_from(event.data.u64()).unwrap_or(usize::MAX))
    }
}

/// A timer in a set.
#[derive(Debug)]
pub(super) struct Timer(OwnedFd);

impl Timer {
    /// Makes a timer that does not run.
    pub(super) fn new(set: &EventSet, key: usize) -> Result<Self, Errno> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = keep(open_above_stdio(|| timerfd_create(TimerfdClockId::Monotonic, flags))?);
        set.add(timer.as_fd(), PollFlags::IN, key)?;
        Ok(Self(timer))
    }

    /// Lets the set be ready after this time; `None` stops the timer.
    pub(super) fn set(&self, set: &EventSet, _: usize, time: Option<Duration>) -> Result<(), Errno> {
        set.own()?;
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        // A time of 0 would stop the timer, and a time that the system cannot express is as good as none.
        let time = time.map(|time| time.max(Duration::from_nanos(1)));
        let it_value = time.and_then(|time| Timespec::try_from(time).ok()).unwrap_or(zero);
        let value = Itimerspec { it_interval: zero, it_value };
        retry_on_intr(|| timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &value)).map(drop)
    }
}
