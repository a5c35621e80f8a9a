//! `Target`: the processes that a teardown sends its signals to.

use super::ended::Reached;
use super::spawned::Spawned;
#[cfg(any(target_os = "linux", target_os = "android"))]
use super::tree::{Scope, Tree, group_has_others};
use crate::group::{GroupError, Sent};
use crate::plan::Reach;
#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::sys;
use rustix::io::Errno;
use rustix::process::Signal;
use std::time::Instant;

/// The processes that a teardown reaches.
#[derive(Debug)]
pub(super) enum Target<'a> {
    Process(&'a Spawned),
    /// The second field says by which mechanism the last signal was sent.
    Group(&'a Spawned, Sent),
    #[cfg(any(target_os = "linux", target_os = "android"))]
    Tree(&'a Spawned, Tree, Scope),
}

/// Why there is no way to the processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TargetError {
    Group(GroupError),
    /// The child leads no session.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    NoSession,
    /// `/proc` does not show the processes.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    NoProcessList(Errno),
}

impl From<GroupError> for TargetError {
    fn from(error: GroupError) -> Self {
        Self::Group(error)
    }
}

impl<'a> Target<'a> {
    /// Finds the processes, and sends nothing.
    pub(super) fn new(spawned: &'a Spawned, reach: Reach) -> Result<Self, TargetError> {
        if spawned.is_in_copy() {
            return Err(GroupError::Copy.into());
        }
        match reach {
            Reach::Process => Ok(Self::Process(spawned)),
            Reach::Group => {
                spawned.check_group()?;
                Ok(Self::Group(spawned, Sent::No))
            }
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Reach::Session => {
                let pid = spawned.id().cast_signed();
                let session = spawned.with_pid(sys::session_of);
                // After the reap of the child, its number may be another session's, so the library cannot find the rest
                // of the session.
                if session.is_some_and(|session| session.is_ok_and(|session| session.cast_signed() as i32 != pid)) {
                    return Err(TargetError::NoSession);
                }
                Self::tree(spawned, Scope::Session)
            }
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Reach::Descendants => Self::tree(spawned, Scope::Descendants),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Reach::Cgroup => Err(GroupError::NoLeader.into()),
        }
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn tree(spawned: &'a Spawned, scope: Scope) -> Result<Self, TargetError> {
        let tree = Tree::new(spawned.id().cast_signed(), scope).map_err(TargetError::NoProcessList)?;
        Ok(Self::Tree(spawned, tree, scope))
    }

    /// Sends a signal, and then SIGCONT, so that processes that are stopped take it.
    pub(super) fn signal(&mut self, signal: Signal) -> Result<(), Errno> {
        let sent = self.send(signal);
        if wakes(signal) { sent.and(self.send(Signal::CONT)) } else { sent }
    }

    fn send(&mut self, signal: Signal) -> Result<(), Errno> {
        match self {
            Self::Process(spawned) => spawned.signal(signal).map(drop),
            Self::Group(spawned, sent) => {
                let group = send_to_group(spawned, sent, signal);
                if spawned.has_left_group() { spawned.signal(signal).map(drop).and(group) } else { group }
            }
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Tree(spawned, tree, _) => {
                // After the end of the child, the library cannot find the processes that it has started.
                let found = tree.signal(signal);
                spawned.signal(signal).map(drop).and(found)
            }
        }
    }

    /// Kills the child and the others.
    pub(super) fn kill(&mut self) -> Result<(), Errno> {
        let child = match self {
            Self::Process(spawned) => spawned,
            Self::Group(spawned, sent) => {
                // The group takes the signal if one of its members does, so the answer about the child counts.
                let _ = send_to_group(spawned, sent, Signal::KILL);
                spawned
            }
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Tree(spawned, tree, _) => {
                let _ = tree.kill(spawned); // As above.
                spawned
            }
        };
        child.signal(Signal::KILL).map(drop)
    }

    /// Kills the processes that were started since the last look, while the child has not been reaped.
    pub(super) fn sweep(&mut self) {
        match self {
            Self::Process(_) => {}
            Self::Group(spawned, sent) => _ = send_to_group(spawned, sent, Signal::KILL),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Tree(_, tree, _) => _ = tree.signal(Signal::KILL),
        }
    }

    /// Whether no process other than the child runs. If the system does not tell, the answer is yes.
    pub(super) fn is_empty(&mut self) -> bool {
        match self {
            Self::Process(_) => true,
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Group(spawned, _) => {
                !spawned.group_number().is_some_and(|number| group_has_others(number, spawned.id()).unwrap_or(false))
            }
            #[cfg(not(any(target_os = "linux", target_os = "android")))]
            Self::Group(..) => true,
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Tree(_, tree, _) => tree.is_empty().unwrap_or(true),
        }
    }

    /// Waits until the processes that got SIGKILL have ended, if the system tells that, at most until the deadline.
    pub(super) fn wait_until_ended(&self, deadline: Instant) {
        match self {
            Self::Process(_) | Self::Group(..) => {}
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Tree(_, tree, _) => tree.wait_until_ended(deadline),
        }
    }

    pub(super) fn reached(&self) -> Reached {
        match self {
            Self::Process(_) => Reached::Process,
            Self::Group(_, Sent::ByPidfd) => Reached::GroupByPidfd,
            Self::Group(..) => Reached::GroupByNumber,
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Tree(_, tree, Scope::Session) => Reached::Session(tree.count()),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Tree(_, tree, Scope::Descendants) => Reached::Descendants(tree.count()),
        }
    }
}

/// Sends a signal to the group, and remembers the mechanism.
fn send_to_group(spawned: &Spawned, way: &mut Sent, signal: Signal) -> Result<(), Errno> {
    match spawned.signal_group(signal) {
        Ok(Sent::No) => Ok(()),
        Ok(sent) => {
            *way = sent;
            Ok(())
        }
        Err(GroupError::System(errno)) => Err(errno),
        Err(_) => Err(Errno::PERM), // This process has joined the group since the teardown began.
    }
}

/// Whether a stopped process takes this signal only after SIGCONT.
fn wakes(signal: Signal) -> bool {
    ![Signal::KILL, Signal::CONT, Signal::STOP, Signal::TSTP, Signal::TTIN, Signal::TTOU].contains(&signal)
}
