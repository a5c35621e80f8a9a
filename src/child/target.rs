//! `Target`: the processes that a teardown sends its signals to.

use super::ended::Reached;
use super::spawned::Spawned;
#[cfg(any(target_os = "linux", target_os = "android"))]
use super::tree::{Scope, Tree, group_has_others};
#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::cgroup::{Cgroup, CgroupKill};
use crate::group::{GroupError, Sent};
use crate::plan::Reach;
#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::sys;
use rustix::io::Errno;
use rustix::process::Signal;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a signal other than SIGKILL searches at most for processes that have been started meanwhile. Those that it does not find get
/// SIGKILL.
const SEARCH: Duration = Duration::from_millis(100);

/// The processes that a teardown reaches.
#[derive(Debug)]
pub(super) enum Target {
    Process(Arc<Spawned>),
    Group(GroupTarget),
    #[cfg(any(target_os = "linux", target_os = "android"))]
    Tree(TreeTarget),
    #[cfg(any(target_os = "linux", target_os = "android"))]
    Cgroup(CgroupTarget),
}

/// The cgroup of a child.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[derive(Debug)]
pub(super) struct CgroupTarget {
    spawned: Arc<Spawned>,
    cgroup: Cgroup,
    /// How the last kill has gone.
    killed: Result<CgroupKill, Errno>,
}

/// The process group of a child.
#[derive(Debug)]
pub(super) struct GroupTarget {
    spawned: Arc<Spawned>,
    /// How the last signal that has found a process has gone.
    way: Sent,
    /// Whether the last signal has found no process, or had no way to the group.
    is_gone: bool,
}

/// The processes that a child has started.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[derive(Debug)]
pub(super) struct TreeTarget {
    spawned: Arc<Spawned>,
    tree: Tree,
    scope: Scope,
    /// Whether the last search has found all.
    found: Result<(), Errno>,
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
    /// The library has made no cgroup for the child.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    NoOwnCgroup,
    /// The kernel has refused to kill the cgroup, and processes are left in it.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    CgroupNotEmpty(Errno),
    /// This process is in the cgroup itself.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    OwnCgroup,
    /// The cgroup does not tell its members.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    NoCgroupMembers(Errno),
}

impl From<GroupError> for TargetError {
    fn from(error: GroupError) -> Self {
        Self::Group(error)
    }
}

impl Target {
    /// Finds the processes, and sends nothing. If their number grows and grows, the search ends after this time.
    #[cfg_attr(
        not(any(target_os = "linux", target_os = "android")),
        allow(unused_variables, reason = "other systems have no list to search")
    )]
    pub(super) fn new(spawned: &Arc<Spawned>, reach: Reach, search: Duration) -> Result<Self, TargetError> {
        if spawned.is_in_copy() {
            return Err(GroupError::Copy.into());
        }
        match reach {
            Reach::Process => Ok(Self::Process(Arc::clone(spawned))),
            Reach::Group => {
                spawned.check_group()?;
                Ok(Self::Group(GroupTarget { spawned: Arc::clone(spawned), way: Sent::No, is_gone: false }))
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
                Self::tree(spawned, Scope::Session, search)
            }
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Reach::Descendants => Self::tree(spawned, Scope::Descendants, search),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Reach::Cgroup => {
                let cgroup = spawned.cgroup().ok_or(TargetError::NoOwnCgroup)?.clone();
                match cgroup.holds_this_process() {
                    Ok(false) => {
                        let spawned = Arc::clone(spawned);
                        Ok(Self::Cgroup(CgroupTarget { spawned, cgroup, killed: Ok(CgroupKill::Kill) }))
                    }
                    Ok(true) => Err(TargetError::OwnCgroup),
                    Err(errno) => Err(TargetError::NoCgroupMembers(errno)),
                }
            }
        }
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn tree(spawned: &Arc<Spawned>, scope: Scope, search: Duration) -> Result<Self, TargetError> {
        let tree = Tree::new(spawned, scope, search).map_err(TargetError::NoProcessList)?;
        Ok(Self::Tree(TreeTarget { spawned: Arc::clone(spawned), tree, scope, found: Ok(()) }))
    }

    /// Sends a signal, and then SIGCONT, so that processes that are stopped take it. It searches for processes at most for this time. The
    /// result is the answer about the child: another process may run as another user, and refuse the signal.
    pub(super) fn signal(&mut self, signal: Signal, search: Duration) -> Result<(), Errno> {
        let deadline = Instant::now() + search.min(SEARCH);
        let sent = self.send(signal, deadline);
        if wakes(signal) { sent.and(self.send(Signal::CONT, deadline)) } else { sent }
    }

    #[cfg_attr(
        not(any(target_os = "linux", target_os = "android")),
        allow(unused_variables, reason = "other systems have no list to search")
    )]
    fn send(&mut self, signal: Signal, deadline: Instant) -> Result<(), Errno> {
        match self {
            Self::Process(spawned) => spawned.signal(signal).map(drop),
            Self::Group(group) => {
                let has_it = group.signal(signal) && !group.spawned.has_left_group();
                if has_it { Ok(()) } else { group.spawned.signal(signal).map(drop) }
            }
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Tree(TreeTarget { spawned, tree, .. }) => {
                // The processes that the child has started are not found any more after its end. The child gets the signal before them:
                // a shell that saw its program end would end by itself, with the status of that.
                let _ = tree.find_more(deadline);
                let sent = spawned.signal(signal).map(drop);
                let _ = tree.signal(signal, deadline);
                sent
            }
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Cgroup(CgroupTarget { spawned, cgroup, .. }) => match cgroup.signal_until(signal, deadline) {
                Ok(()) => Ok(()),
                // The system has no pidfds, or a member runs as another user: then the answer about the child counts.
                Err(_) => spawned.signal(signal).map(drop),
            },
        }
    }

    /// Kills the child and the others, for which it searches at most for this time.
    #[cfg_attr(
        not(any(target_os = "linux", target_os = "android")),
        allow(unused_variables, reason = "other systems have no list to search")
    )]
    pub(super) fn kill(&mut self, search: Duration) -> Result<(), Errno> {
        let child: &Spawned = match self {
            Self::Process(spawned) => spawned,
            Self::Group(group) => {
                // The group takes the signal if one of its members does, so the answer about the child counts.
                group.signal(Signal::KILL);
                &group.spawned
            }
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Tree(TreeTarget { spawned, tree, found, .. }) => {
                *found = tree.kill(spawned, search);
                spawned
            }
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Cgroup(CgroupTarget { spawned, cgroup, killed }) => {
                // The kernel kills a member of any user. The child is one unless it has moved to another cgroup.
                let is_member = cgroup.has_member(spawned.id());
                *killed = cgroup.kill_until(Instant::now() + search);
                if is_member && killed.is_ok() {
                    return Ok(());
                }
                spawned
            }
        };
        child.signal(Signal::KILL).map(drop)
    }

    /// Kills what has been started since the last look at the processes, while the child has not been reaped.
    #[cfg_attr(
        not(any(target_os = "linux", target_os = "android")),
        allow(unused_variables, reason = "other systems have no list to search")
    )]
    pub(super) fn sweep(&mut self, deadline: Instant) {
        match self {
            Self::Process(_) => {}
            Self::Group(group) => _ = group.signal(Signal::KILL),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Tree(target) => {
                // Each process that it finds gets SIGKILL.
                target.found = target.found.and(target.tree.find_more(deadline));
            }
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Cgroup(target) => target.killed = target.cgroup.kill_until(deadline),
        }
    }

    /// Whether no process other than the child runs. If the system does not tell, the answer is yes.
    pub(super) fn is_empty(&mut self) -> bool {
        match self {
            Self::Process(_) => true,
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Group(GroupTarget { spawned, is_gone, .. }) => {
                let has_others = |number| group_has_others(number, spawned.id()).unwrap_or(false);
                *is_gone || !spawned.group_number().is_some_and(has_others)
            }
            #[cfg(not(any(target_os = "linux", target_os = "android")))]
            Self::Group(_) => true,
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Tree(TreeTarget { tree, .. }) => tree.is_empty().unwrap_or(true),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Cgroup(target) => target.cgroup.is_empty().unwrap_or(true),
        }
    }

    /// Whether the processes that got SIGKILL have ended. If the system does not tell, the answer is yes.
    pub(super) fn have_ended(&self) -> bool {
        match self {
            Self::Process(_) | Self::Group(_) => true,
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Tree(TreeTarget { tree, .. }) => tree.have_ended(),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Cgroup(target) => target.cgroup.is_empty().unwrap_or(true),
        }
    }

    /// The error of the kill, if it has left processes, or may have.
    pub(super) fn check_kill(&self) -> Result<(), TargetError> {
        match self {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Tree(TreeTarget { found, .. }) => found.map_err(TargetError::NoProcessList),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Cgroup(CgroupTarget { cgroup, killed: Err(errno), .. }) if !cgroup.is_empty().unwrap_or(false) => {
                Err(TargetError::CgroupNotEmpty(*errno))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn reached(&self) -> Reached {
        match self {
            Self::Process(_) => Reached::Process,
            Self::Group(GroupTarget { way: Sent::ByPidfd, .. }) => Reached::GroupByPidfd,
            Self::Group(_) => Reached::GroupByNumber,
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Tree(TreeTarget { tree, scope: Scope::Session, .. }) => Reached::Session(tree.count()),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Tree(TreeTarget { tree, scope: Scope::Descendants, .. }) => Reached::Descendants(tree.count()),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Cgroup(target) => Reached::Cgroup(target.killed.unwrap_or(CgroupKill::Kill)),
        }
    }
}

impl GroupTarget {
    /// Sends a signal to the group, and remembers how it has gone. Returns whether a process has taken it. This process may have joined the
    /// group since the teardown began, so that the group gets no signal any more.
    fn signal(&mut self, signal: Signal) -> bool {
        let sent = self.spawned.signal_group(signal).unwrap_or(Sent::No);
        self.is_gone = sent == Sent::No;
        if !self.is_gone {
            self.way = sent;
        }
        !self.is_gone
    }
}

/// Whether a stopped process takes this signal only after SIGCONT.
fn wakes(signal: Signal) -> bool {
    ![Signal::KILL, Signal::CONT, Signal::STOP, Signal::TSTP, Signal::TTIN, Signal::TTOU].contains(&signal)
}
