//! Signals to the process group of a child.

use super::spawned::Spawned;
use crate::group::{GroupError, Membership, Sent, send};
use crate::sys;
use rustix::io::Errno;
use rustix::process::Signal;

impl Spawned {
    /// Sends a signal to all processes of the group that the child leads, or in whose [`Group`](crate::Group) it is.
    ///
    /// While the child has not been reaped, no other group can have its number. After the reap, only the child's pidfd
    /// names the group.
    pub(crate) fn signal_group(&self, signal: Signal) -> Result<Sent, GroupError> {
        if self.is_in_copy() {
            return Err(GroupError::Copy);
        }
        if let Some(membership) = self.membership() {
            return match membership.signal(signal)? {
                Sent::No => self.signal_group_of_member(membership, signal),
                sent => Ok(sent),
            };
        }
        let leader = self.id().cast_signed();
        let in_time = self.with_pid(|pid| {
            let is_reaped = self.is_reaped_elsewhere();
            match sys::group_of(pid) {
                _ if is_reaped => send(pid, self.pidfd(), true, signal),
                Ok(group) if group == pid || self.leads_group() => send(pid, self.pidfd(), false, signal),
                Ok(_) => Err(GroupError::NoLeader),
                // Another part of this process has just reaped the child.
                Err(Errno::SRCH) => send(pid, self.pidfd(), true, signal),
                Err(errno) => Err(errno.into()),
            }
        });
        in_time.unwrap_or_else(|| send(leader, self.pidfd(), true, signal))
    }

    /// Sends a signal to the group of a `Group` whose leader has been reaped. As long as this member has not been reaped, the group that it is
    /// in exists, so that no other group has the number.
    fn signal_group_of_member(&self, membership: &Membership, signal: Signal) -> Result<Sent, GroupError> {
        let Some(number) = membership.number() else { return Ok(Sent::No) };
        let in_time = self.with_pid(|pid| {
            let is_member = !self.is_reaped_elsewhere() && sys::group_of(pid) == Ok(number);
            if is_member { send(number, None, false, signal) } else { Ok(Sent::No) }
        });
        in_time.unwrap_or(Ok(Sent::No))
    }

    /// Whether the child has a group of its own that a teardown may signal.
    pub(super) fn check_group(&self) -> Result<(), GroupError> {
        let number = self.group_number().ok_or(GroupError::NoLeader)?;
        if sys::group_of(0)? == number {
            return Err(GroupError::OwnGroup);
        }
        // After a child has been reaped, its pidfd may name its group.
        let group = self.with_pid(sys::group_of).and_then(Result::ok).unwrap_or(number);
        let has_group = self.leads_group() || self.membership().is_some() || group == number;
        if has_group { Ok(()) } else { Err(GroupError::NoLeader) }
    }

    /// The number of the group that the child leads or is a member of, if it has one.
    pub(super) fn group_number(&self) -> Option<i32> {
        match self.membership() {
            Some(membership) => membership.number(),
            None => Some(self.id().cast_signed()),
        }
    }

    /// Whether the child has left the group that a signal for its group goes to.
    pub(super) fn has_left_group(&self) -> bool {
        self.with_pid(sys::group_of).is_some_and(|own| own.ok() != self.group_number())
    }
}
