//! `Tree`: the processes that a child has started, found in `/proc` and held by pidfds.
//!
//! The library reads the lists of the kernel again and again until they have nothing new. It holds a process only if the kernel says
//! *after* the open of the pidfd that the process belongs to the tree. So the pidfd cannot refer to another process.

use super::spawned::Spawned;
use super::stat::Stat;
use crate::fd::proc_numbers::{is_in_proc, proc_numbers};
use crate::fd::standard::{dup_above_stdio, lock_stdio_numbers_if_closed};
use crate::sys;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long [`Tree::stop`] waits until all processes of a tree have stopped. One that the kernel does not stop within this time (it waits
/// for a disk) makes no other process.
const STOP: Duration = Duration::from_millis(100);

/// Which processes belong to a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// The children of the root, their children, and so on.
    Descendants,
    /// The processes of the session that the root leads.
    Session,
}

/// The processes that a child, the root, has started. The root itself is not among them.
#[derive(Debug)]
pub(super) struct Tree {
    root: Held,
    scope: Scope,
    /// Whether the kernel has the lists of children (`/proc/PID/task/TID/children`).
    has_lists: bool,
    held: Vec<Held>,
    /// The index of each process in `held`, by its number.
    numbers: BTreeMap<i32, usize>,
}

/// A process that belongs to the tree.
#[derive(Debug)]
struct Held {
    pid: i32,
    start_time: u64,
    /// `None` if the system has no pidfds, or no number is free.
    pidfd: Option<OwnedFd>,
}

impl Tree {
    /// Finds the processes. Fails if `/proc` does not show the processes of this process's PID namespace.
    pub(super) fn new(root: i32, scope: Scope) -> Result<Self, Errno> {
        let _guard = lock_stdio_numbers_if_closed();
        let own = std::fs::read_link("/proc/self").map_err(|error| errno_of(&error))?;
        if own != Path::new(&std::process::id().to_string()) || !is_in_proc(proc()?) {
            return Err(Errno::NOENT);
        }
        // After the reap of a child, nothing names its descendants or its session.
        let root = Held::new(root, |_| true).unwrap_or(Held { pid: root, start_time: u64::MAX, pidfd: None });
        let mut tree = Self { root, scope, has_lists: true, held: Vec::new(), numbers: BTreeMap::new() };
        tree.scan()?;
        Ok(tree)
    }

    /// How many processes the tree has.
    pub(super) fn count(&self) -> usize {
        self.held.len()
    }

    /// Sends a signal to all processes that are found, and to those that they have started meanwhile.
    pub(super) fn signal(&mut self, signal: Signal) -> Result<(), Errno> {
        let mut result = Ok(());
        let mut done = 0;
        loop {
            for held in &self.held[done..] {
                result = held.signal(signal).and(result);
            }
            done = self.held.len();
            self.find_more()?;
            if self.held.len() == done {
                return result;
            }
        }
    }

    /// Stops the root and all processes of the tree, so that none of them makes another one. Then it kills those of the tree.
    pub(super) fn kill(&mut self, root: &Spawned) -> Result<(), Errno> {
        let stopped = root.signal(Signal::STOP);
        let found = self.stop();
        let mut killed = Ok(());
        for held in &self.held {
            killed = held.signal(Signal::KILL).and(killed);
        }
        stopped.map(drop).and(found).and(killed)
    }

    fn stop(&mut self) -> Result<(), Errno> {
        let deadline = Instant::now() + STOP;
        let mut stopped = 0;
        loop {
            for held in &self.held[stopped..] {
                let _ = held.signal(Signal::STOP); // The answer to SIGKILL counts.
            }
            stopped = self.held.len();
            let are_at_rest = self.held.iter().chain([&self.root]).all(Held::is_at_rest);
            self.find_more()?;
            if self.held.len() == stopped && (are_at_rest || Instant::now() >= deadline) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    /// Whether no process of the tree runs any more.
    pub(super) fn is_empty(&mut self) -> Result<bool, Errno> {
        self.find_more()?;
        Ok(self.held.iter().all(Held::has_ended))
    }

    /// Waits until all processes that were found have ended, at most until the deadline.
    pub(super) fn wait_until_ended(&self, deadline: Instant) {
        let mut pause = Duration::from_micros(100);
        while !self.held.iter().all(Held::has_ended) && Instant::now() < deadline {
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(10));
        }
    }

    fn find_more(&mut self) -> Result<(), Errno> {
        let _guard = lock_stdio_numbers_if_closed();
        self.scan()
    }

    /// Holds all processes of the tree that are not held yet.
    fn scan(&mut self) -> Result<(), Errno> {
        if self.scope == Scope::Descendants && self.has_lists {
            return self.scan_lists();
        }
        loop {
            let before = self.held.len();
            for pid in proc_numbers(proc()?)? {
                let is_new = pid != self.root.pid && !self.holds(pid);
                if is_new && Stat::read(pid).is_some_and(|stat| self.owns(&stat)) {
                    self.hold(pid);
                }
            }
            if self.held.len() == before {
                return Ok(());
            }
        }
    }

    /// Reads the lists of children, from the root downwards.
    fn scan_lists(&mut self) -> Result<(), Errno> {
        let mut parents: Vec<i32> = [self.root.pid].into_iter().chain(self.numbers.keys().copied()).collect();
        while let Some(parent) = parents.pop() {
            let Some(children) = children_of(parent)? else {
                self.has_lists = false;
                return self.scan();
            };
            for child in children {
                if !self.holds(child) && self.hold(child) {
                    parents.push(child);
                }
            }
        }
        Ok(())
    }

    /// Whether the process that has this number now is held.
    fn holds(&self, pid: i32) -> bool {
        self.numbers.get(&pid).is_some_and(|&index| !self.held[index].has_ended())
    }

    /// Whether a process with this state belongs to the tree.
    fn owns(&self, stat: &Stat) -> bool {
        match self.scope {
            // As long as a process of the session exists, the kernel gives the number to no other process.
            Scope::Session => {
                stat.session == self.root.pid
                    && (self.root.is_unreaped() || self.held.iter().any(|held| !held.has_ended()))
            }
            // The number of a parent that has ended may be another process's.
            Scope::Descendants if stat.parent == self.root.pid => !self.root.has_ended(),
            Scope::Descendants => self.holds(stat.parent),
        }
    }

    /// Holds a process, if it still runs and belongs to the tree.
    fn hold(&mut self, pid: i32) -> bool {
        match Held::new(pid, |stat| !stat.has_ended() && self.owns(stat)) {
            Some(held) if !held.has_ended() => {
                self.numbers.insert(pid, self.held.len());
                self.held.push(held);
                true
            }
            _ => false,
        }
    }
}

impl Held {
    /// Holds the process that has this number, if its state is as required. The state is read after the pidfd was opened: if the pidfd
    /// refers to an earlier process of this number, it says that this process has ended.
    fn new(pid: i32, is_required: impl FnOnce(&Stat) -> bool) -> Option<Self> {
        let pidfd = match sys::open_pidfd(pid) {
            Err(Errno::SRCH) => return None,
            result => result.ok().and_then(|pidfd| dup_above_stdio(pidfd).ok()),
        };
        let stat = Stat::read(pid).filter(is_required);
        stat.map(|stat| Self { pid, start_time: stat.start_time, pidfd })
    }

    /// Whether the process is still there, at least as a zombie.
    fn is_unreaped(&self) -> bool {
        Stat::read(self.pid).is_some_and(|stat| stat.start_time == self.start_time)
    }

    /// For a process that has ended, each signal succeeds.
    fn signal(&self, signal: Signal) -> Result<(), Errno> {
        #[cfg(target_os = "linux")]
        if let Some(pidfd) = &self.pidfd {
            match rustix::process::pidfd_send_signal(pidfd, signal) {
                Ok(()) | Err(Errno::SRCH) => return Ok(()),
                Err(_) => {} // A seccomp filter may refuse this call and allow kill(2).
            }
        }
        match Pid::from_raw(self.pid).filter(|_| !self.has_ended()) {
            Some(pid) => match kill_process(pid, signal) {
                Err(Errno::SRCH) => Ok(()),
                result => result,
            },
            None => Ok(()),
        }
    }

    /// Whether the process cannot start another one: it is stopped, or has ended.
    fn is_at_rest(&self) -> bool {
        Stat::read(self.pid).is_none_or(|stat| stat.start_time != self.start_time || stat.is_at_rest())
    }

    fn has_ended(&self) -> bool {
        match &self.pidfd {
            Some(pidfd) => is_readable(pidfd),
            None => !Stat::read(self.pid).is_some_and(|stat| stat.start_time == self.start_time && !stat.has_ended()),
        }
    }
}

/// Whether a process other than the child is in a process group and runs.
pub(super) fn group_has_others(group: i32, child: u32) -> Result<bool, Errno> {
    let _guard = lock_stdio_numbers_if_closed();
    let is_other = |pid: &i32| {
        pid.unsigned_abs() != child && Stat::read(*pid).is_some_and(|stat| stat.group == group && !stat.has_ended())
    };
    Ok(proc_numbers(proc()?)?.iter().any(is_other))
}

/// Whether the process that a pidfd refers to has ended.
fn is_readable(pidfd: impl AsFd) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(pidfd.as_fd(), PollFlags::IN)];
    matches!(poll(&mut fds, Some(&Timespec::default())), Ok(1))
}

fn proc() -> Result<File, Errno> {
    File::open("/proc").map_err(|error| errno_of(&error))
}

/// The children of a process, which any of its threads may have made. `None` if the kernel has no such lists.
fn children_of(pid: i32) -> Result<Option<Vec<i32>>, Errno> {
    let tasks = format!("/proc/{pid}/task");
    let Ok(threads) = File::open(&tasks) else { return Ok(Some(Vec::new())) };
    let mut children = Vec::new();
    // The list of the threads of a process that ends meanwhile cannot be read any more.
    for thread in proc_numbers(threads).unwrap_or_default() {
        match std::fs::read_to_string(format!("{tasks}/{thread}/children")) {
            Ok(text) => children.extend(text.split_ascii_whitespace().filter_map(|pid| pid.parse::<i32>().ok())),
            // The thread has ended.
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
            Err(_) if !Path::new(&format!("{tasks}/{thread}")).exists() => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(errno_of(&error)),
        }
    }
    Ok(Some(children))
}

fn errno_of(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}
