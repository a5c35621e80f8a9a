//! `Group`, a process group that stays open for members.

use super::membership::{GroupState, Joining};
use super::send::{GroupError, Sent};
use crate::error::{Error, Result, Subject};
use rustix::process::Signal;
use std::sync::Arc;

/// A process group for several children, open for members as long as this value lives.
///
/// The first child that is spawned with it leads the group, and its process id is the number of the group. Later children join it, also
/// after the leader has ended: as long as this value lives, [`Child::wait`] gives the leader's status and leaves the leader a zombie, so
/// that the kernel gives the number to no other process or group.
///
/// A drop closes the group for new members, and reaps the leader if a wait has returned its status. The drop sends no
/// signal. [`Reach::Group`](crate::Reach::Group) ends all members; so does [`Group::signal`].
///
/// Children of several threads can join at the same time; they wait while the first one is being launched. Other code of this process must
/// not reap the leader (`waitpid(-1)`, or SIGCHLD ignored): then the group has no number of its own any more, and a spawn with it fails.
///
/// [`Child::wait`]: crate::Child::wait
///
/// ```
/// use fdspawn::{Command, Group, Signal};
///
/// let group = Group::new();
/// let mut leader = Command::new("true").group(&group).spawn()?;
/// assert!(leader.wait()?.success());
/// let mut member = Command::new("sleep").arg("60").group(&group).spawn()?; // joins after the end of the leader
/// assert_eq!(group.id(), Some(leader.id()));
/// assert!(group.signal(Signal::TERM)?);
/// member.wait()?;
/// # Ok::<(), fdspawn::Error>(())
/// ```
#[derive(Debug)]
pub struct Group(Arc<GroupState>);

impl Group {
    /// Makes a group without members, and makes no system call.
    pub fn new() -> Self {
        Self(Arc::new(GroupState::new()))
    }

    /// The number of the group, which is the process id of its leader. `None` until the first spawn has returned.
    pub fn id(&self) -> Option<u32> {
        self.0.number().map(i32::unsigned_abs)
    }

    /// Sends a signal to all processes of the group: the children and those that they have started, other than those that have moved to
    /// another group or session. Returns false if the group has no process, as before the first spawn.
    ///
    /// # Errors
    ///
    /// [`Failure::OwnGroup`](crate::Failure::OwnGroup) if this process is in the group, `EPERM` if no process of the group takes a signal of this process, and
    /// [`Failure::NotAChild`](crate::Failure::NotAChild) in a forked copy of the process that has made the group.
    #[doc(alias = "killpg")]
    pub fn signal(&self, signal: Signal) -> Result<bool> {
        let failed = |error: GroupError| {
            Error::new(Subject::SignalGroup(self.id().unwrap_or(0)), error.failure(), error.errno())
        };
        self.0.signal(signal).map(|sent| sent != Sent::No).map_err(failed)
    }

    /// Prepares the group for the child of a command.
    pub(crate) fn join(&self) -> std::result::Result<Joining<'_>, GroupError> {
        Joining::new(&self.0)
    }
}

impl Default for Group {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.0.close();
    }
}
