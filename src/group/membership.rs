//! The state of a `Group`, which its handle and its children share.

use super::leader::{End, Leader};
use super::send::{GroupError, Sent};
use crate::sys;
use rustix::process::Signal;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;

/// The state of a group.
#[derive(Debug)]
pub(super) struct GroupState {
    /// How many forks had made this process when it made the group. In a forked copy the members are no children, and a thread that
    /// the copy does not have may hold the lock.
    forks: u32,
    members: Mutex<Members>,
    /// Wakes commands that wait for the launch of the first child.
    is_launched: Condvar,
}

#[derive(Debug)]
struct Members {
    /// Whether the handle of the group lives, so that other commands may join.
    is_open: bool,
    leader: Option<Leader>,
    /// The thread that is launching the first child. It does not hold the lock meanwhile, since code that the launch calls may ask the
    /// group: a hook, or a subscriber of `tracing`.
    launching: Option<ThreadId>,
}

impl GroupState {
    pub(super) fn new() -> Self {
        let members = Members { is_open: true, leader: None, launching: None };
        Self { forks: sys::forks(), members: Mutex::new(members), is_launched: Condvar::new() }
    }

    pub(super) fn is_in_copy(&self) -> bool {
        self.forks != sys::forks()
    }

    fn lock(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the group, if it has a leader.
    pub(super) fn number(&self) -> Option<i32> {
        if self.is_in_copy() { None } else { self.lock().leader.as_ref().map(|leader| leader.pid) }
    }

    /// Sends a signal to all members.
    pub(super) fn signal(&self, signal: Signal) -> Result<Sent, GroupError> {
        if self.is_in_copy() {
            return Err(GroupError::Copy);
        }
        self.lock().leader.as_ref().map_or(Ok(Sent::No), |leader| leader.signal(signal))
    }

    /// Lets no other command join, and reaps a leader whose status a wait has returned.
    pub(super) fn close(&self) {
        if self.is_in_copy() {
            return;
        }
        let mut members = self.lock();
        members.is_open = false;
        if let Some(leader) = members.leader.as_mut().filter(|leader| leader.end == End::Held) {
            leader.reap();
        }
    }
}

/// A command that is about to join a group.
#[derive(Debug)]
pub(crate) struct Joining<'a> {
    group: &'a Arc<GroupState>,
    /// Whether the command's child becomes the leader. Other commands wait until it exists, or until this value is dropped.
    is_first: bool,
    number: i32,
}

impl<'a> Joining<'a> {
    /// Reserves the place of the leader, or finds the leader.
    pub(super) fn new(group: &'a Arc<GroupState>) -> Result<Self, GroupError> {
        if group.is_in_copy() {
            return Err(GroupError::Copy);
        }
        let own = std::thread::current().id();
        let mut members = group.lock();
        loop {
            match (&members.leader, members.launching) {
                (Some(leader), _) if leader.is_child() => {
                    return Ok(Self { group, is_first: false, number: leader.pid });
                }
                (Some(_), _) => return Err(GroupError::NoLeader),
                (None, None) => {
                    members.launching = Some(own);
                    return Ok(Self { group, is_first: true, number: 0 });
                }
                // The launch would wait for itself.
                (None, Some(thread)) if thread == own => return Err(GroupError::IsLaunching),
                (None, Some(_)) => {
                    members = group.is_launched.wait(members).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    /// The number for `setpgid(2)`: 0 for the leader.
    pub(crate) fn number(&self) -> i32 {
        self.number
    }

    /// The command's child has joined.
    pub(crate) fn joined(self, pid: i32, pidfd: Option<BorrowedFd<'_>>) -> Membership {
        if self.is_first {
            self.group.lock().leader = Some(Leader::new(pid, pidfd));
        }
        Membership { group: Arc::clone(self.group), is_leader: self.is_first }
    }
}

impl Drop for Joining<'_> {
    fn drop(&mut self) {
        if self.is_first && !self.group.is_in_copy() {
            self.group.lock().launching = None;
            self.group.is_launched.notify_all();
        }
    }
}

/// The membership of a child in a group.
#[derive(Debug)]
pub(crate) struct Membership {
    group: Arc<GroupState>,
    is_leader: bool,
}

/// What a wait does with a child that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReapMode {
    Reap,
    /// It leaves the child a zombie.
    Hold,
}

/// Whether this system tells the status of a child and leaves it a zombie.
const CAN_HOLD: bool = cfg!(any(target_os = "linux", target_os = "android"));

impl Membership {
    pub(crate) fn signal(&self, signal: Signal) -> Result<Sent, GroupError> {
        self.group.signal(signal)
    }

    /// Whether the child leads the group, and others can still join.
    pub(crate) fn leads_open_group(&self) -> bool {
        self.is_leader && !self.group.is_in_copy() && self.group.lock().is_open
    }

    /// The number of the group.
    pub(crate) fn number(&self) -> Option<i32> {
        self.group.number()
    }

    /// Waits for the child. The leader of an open group stays a zombie, so that others can join and the number names no other group.
    pub(crate) fn wait<T, E>(&self, wait: impl FnOnce(ReapMode) -> Result<Option<T>, E>) -> Result<Option<T>, E> {
        if !self.is_leader {
            return wait(ReapMode::Reap);
        }
        let mut members = self.group.lock();
        let (hold, end) =
            if members.is_open && CAN_HOLD { (ReapMode::Hold, End::Held) } else { (ReapMode::Reap, End::Reaped) };
        let ended = wait(hold)?;
        if let Some(leader) = members.leader.as_mut().filter(|_| ended.is_some()) {
            leader.end = end;
        }
        Ok(ended)
    }
}
