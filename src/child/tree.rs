//! `Tree`: the processes that a child has started, found in `/proc` and held by pidfds.
//!
//! The library reads the lists of the kernel again and again until they have nothing new. It holds a process only if the kernel says
//! *after* the open of the pidfd that the process belongs to the tree. So the pidfd cannot refer to another process.

use super::spawned::Spawned;
use super::stat::Stat;
use crate::fd::proc_numbers::{is_in_proc, proc_numbers};
use crate::fd::ready::is_ready_for;
use crate::fd::standard::{dup_above_stdio, lock_stdio_numbers_if_closed};
use crate::sys;
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use std::cell::Cell;
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
    /// A signal that each process gets as soon as it is found.
    at_once: Option<Signal>,
    /// The last error of a look at one process. The search goes on with the others, and fails then.
    refused: Cell<Option<Errno>>,
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
    /// Finds the processes. If their number grows and grows, the search ends after this time. Fails if `/proc` does not show the processes
    /// of this process's PID namespace, or hides some.
    pub(super) fn new(spawned: &Spawned, scope: Scope, search: Duration) -> Result<Self, Errno> {
        let _guard = lock_stdio_numbers_if_closed();
        let own = std::fs::read_link("/proc/self").map_err(|error| errno_of(&error))?;
        if own != Path::new(&std::process::id().to_string()) || !is_in_proc(proc()?) {
            return Err(Errno::NOENT);
        }
        let pid = spawned.id().cast_signed();
        let found = Held::new(pid, |_| true)?;
        // This comes after the file was read: if the child is still there, the file was its own.
        let is_reaped = spawned.with_pid(|_| spawned.is_reaped_elsewhere()).unwrap_or(true);
        let root = match found {
            Some(root) if !is_reaped => root,
            None if !is_reaped => return Err(Errno::ACCESS),
            // A child that has been reaped has no descendants any more, and no session. Its number may be another process's.
            _ => Held { pid, start_time: u64::MAX, pidfd: None },
        };
        Self::of(root, scope, search)
    }

    fn of(root: Held, scope: Scope, search: Duration) -> Result<Self, Errno> {
        let (held, numbers) = (Vec::new(), BTreeMap::new());
        let mut tree = Self { root, scope, has_lists: true, held, numbers, at_once: None, refused: Cell::new(None) };
        tree.scan(Instant::now() + search)?;
        // The first process of each PID namespace is there as long as the namespace is.
        if !tree.has_lists_to_read() && Stat::read(1)?.is_none() { Err(Errno::ACCESS) } else { Ok(tree) }
    }

    /// Whether the lists of children lead to all processes.
    fn has_lists_to_read(&self) -> bool {
        self.scope == Scope::Descendants && self.has_lists
    }

    /// How many processes the tree has.
    pub(super) fn count(&self) -> usize {
        self.held.len()
    }

    /// Sends a signal to all processes that are found, and to those that they have started meanwhile. If their number grows and grows, it
    /// ends at the deadline.
    pub(super) fn signal(&mut self, signal: Signal, deadline: Instant) -> Result<(), Errno> {
        let mut result = Ok(());
        let mut done = 0;
        loop {
            let count = self.held.len();
            result = self.send_from(done, signal).and(result);
            self.find_more(deadline)?;
            if self.held.len() == count || Instant::now() >= deadline {
                return self.send_from(count, signal).and(result);
            }
            done = count;
        }
    }

    /// Sends a signal to all processes that were found from this index on.
    fn send_from(&self, index: usize, signal: Signal) -> Result<(), Errno> {
        let _guard = lock_stdio_numbers_if_closed();
        let mut result = Ok(());
        for held in &self.held[index..] {
            result = held.signal(signal).and(result);
        }
        result
    }

    /// Stops the root and all processes of the tree, so that none of them makes another one. Then it kills those of the tree. It searches
    /// at most for this time.
    pub(super) fn kill(&mut self, root: &Spawned, search: Duration) -> Result<(), Errno> {
        let _ = root.signal(Signal::STOP); // The answer of the child to SIGKILL counts.
        self.at_once = Some(Signal::STOP);
        let _ = self.send_from(0, Signal::STOP);
        let found = self.stop(search);
        self.at_once = Some(Signal::KILL);
        let _ = self.send_from(0, Signal::KILL); // A process of another user may refuse it.
        found
    }

    fn stop(&mut self, search: Duration) -> Result<(), Errno> {
        let start = Instant::now();
        loop {
            let count = self.held.len();
            let are_at_rest = self.are_at_rest();
            self.find_more(start + search)?;
            let is_complete = self.held.len() == count && (are_at_rest || start.elapsed() >= STOP);
            if is_complete || start.elapsed() >= search {
                return Ok(());
            }
            sys::pause(Duration::from_micros(100));
        }
    }

    /// Whether the root and all processes that were found are stopped, or have ended.
    fn are_at_rest(&self) -> bool {
        let _guard = lock_stdio_numbers_if_closed();
        self.held.iter().chain([&self.root]).all(Held::is_at_rest)
    }

    /// Whether no process of the tree runs any more.
    pub(super) fn is_empty(&mut self) -> Result<bool, Errno> {
        self.find_more(Instant::now())?;
        Ok(self.have_ended())
    }

    /// Whether all processes that were found have ended.
    pub(super) fn have_ended(&self) -> bool {
        let _guard = lock_stdio_numbers_if_closed();
        self.held.iter().all(Held::has_ended)
    }

    pub(super) fn find_more(&mut self, deadline: Instant) -> Result<(), Errno> {
        let _guard = lock_stdio_numbers_if_closed();
        self.scan(deadline)
    }

    /// Holds all processes of the tree that are not held yet. It looks once at least, and again until nothing is new or the deadline comes.
    fn scan(&mut self, deadline: Instant) -> Result<(), Errno> {
        let found = if self.has_lists_to_read() { self.scan_lists(deadline) } else { self.scan_all(deadline) };
        found.and(self.refused.take().map_or(Ok(()), Err))
    }

    /// Reads the state of each process of the system.
    fn scan_all(&mut self, deadline: Instant) -> Result<(), Errno> {
        loop {
            let before = self.held.len();
            for pid in proc_numbers(proc()?)? {
                let is_new = pid != self.root.pid && !self.holds(pid);
                if is_new && self.looked(Stat::read(pid)).flatten().is_some_and(|stat| self.owns(&stat)) {
                    self.hold(pid);
                }
            }
            if self.held.len() == before || Instant::now() >= deadline {
                return Ok(());
            }
        }
    }

    /// Reads the lists of children, from the root downwards. If `/proc` hides a child, it goes on with the others, and fails then.
    fn scan_lists(&mut self, deadline: Instant) -> Result<(), Errno> {
        let mut result = Ok(());
        let known: Vec<i32> = [self.root.pid].into_iter().chain(self.numbers.keys().copied()).collect();
        let mut new = Vec::new();
        let mut known = known.into_iter();
        while let Some(parent) = known.next().or_else(|| new.pop()) {
            let children = match children_of(parent) {
                Ok(Some(children)) => children,
                Ok(None) => {
                    self.has_lists = false;
                    return self.scan_all(deadline);
                }
                Err(errno) => {
                    result = Err(errno);
                    continue;
                }
            };
            for child in children {
                if self.holds(child) {
                    continue;
                }
                if self.hold(child) {
                    new.push(child);
                } else if is_hidden(child) && children_of(parent)?.is_some_and(|now| now.contains(&child)) {
                    result = Err(Errno::ACCESS);
                }
            }
            if known.len() == 0 && Instant::now() >= deadline {
                break;
            }
        }
        result
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
                    && (self.looked(self.root.is_unreaped()) == Some(true)
                        || self.held.iter().any(|held| !held.has_ended()))
            }
            // The number of a parent that has ended may be another process's.
            Scope::Descendants if stat.parent == self.root.pid => !self.root.has_ended(),
            Scope::Descendants => self.holds(stat.parent),
        }
    }

    /// What a look at a process has found. Remembers an error.
    fn looked<T>(&self, found: Result<T, Errno>) -> Option<T> {
        found.map_err(|errno| self.refused.set(Some(errno))).ok()
    }

    /// Holds a process, if it still runs and belongs to the tree.
    fn hold(&mut self, pid: i32) -> bool {
        match self.looked(Held::new(pid, |stat| !stat.has_ended() && self.owns(stat))).flatten() {
            Some(held) if !held.has_ended() => {
                if let Some(signal) = self.at_once {
                    let _ = held.signal(signal);
                }
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
    fn new(pid: i32, is_required: impl FnOnce(&Stat) -> bool) -> Result<Option<Self>, Errno> {
        let mut pidfd = match sys::open_pidfd(pid) {
            Err(Errno::SRCH) => return Ok(None),
            result => result.ok().and_then(|pidfd| dup_above_stdio(pidfd).ok()),
        };
        let mut stat = Stat::read(pid);
        if stat == Err(Errno::MFILE) && pidfd.take().is_some() {
            // The last free number is needed for the reads of `/proc`. The process is held by its number and its start time then.
            stat = Stat::read(pid);
        }
        Ok(stat?.filter(is_required).map(|stat| Self { pid, start_time: stat.start_time, pidfd }))
    }

    /// Whether the process is still there, at least as a zombie.
    fn is_unreaped(&self) -> Result<bool, Errno> {
        Ok(Stat::read(self.pid)?.is_some_and(|stat| stat.start_time == self.start_time))
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
        // If this process cannot look, the other process may run.
        Stat::read(self.pid).is_ok_and(|stat| {
            stat.is_none_or(|stat| {
                let is_other = stat.start_time != self.start_time;
                is_other || stat.is_at_rest() || (stat.is_leaderless() && has_stopped_thread(self.pid))
            })
        })
    }

    fn has_ended(&self) -> bool {
        match &self.pidfd {
            Some(pidfd) => is_ready_for(pidfd.as_fd(), PollFlags::IN),
            // If this process cannot look, the other process may run.
            None => Stat::read(self.pid)
                .is_ok_and(|stat| stat.is_none_or(|stat| stat.start_time != self.start_time || stat.has_ended())),
        }
    }
}

/// Whether a process other than the child is in a process group and runs.
pub(super) fn group_has_others(group: i32, child: u32) -> Result<bool, Errno> {
    let _guard = lock_stdio_numbers_if_closed();
    for pid in proc_numbers(proc()?)? {
        let is_member = |stat: Stat| stat.group == group && !stat.has_ended();
        if pid.unsigned_abs() != child && Stat::read(pid)?.is_some_and(is_member) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a signal has stopped a thread of a process whose main thread has ended.
fn has_stopped_thread(pid: i32) -> bool {
    let Ok(threads) = File::open(format!("/proc/{pid}/task")) else { return false };
    let is_stopped = |thread: &i32| Stat::of_thread(pid, *thread).is_some_and(|stat| stat.is_stopped());
    proc_numbers(threads).unwrap_or_default().iter().any(is_stopped)
}

/// Whether there is a process whose file in `/proc` this process cannot read.
fn is_hidden(pid: i32) -> bool {
    Stat::read(pid) == Ok(None) && sys::group_of(pid).is_ok()
}

fn proc() -> Result<File, Errno> {
    File::open("/proc").map_err(|error| errno_of(&error))
}

/// The children of a process, which any of its threads may have made. `None` if the kernel has no such lists.
fn children_of(pid: i32) -> Result<Option<Vec<i32>>, Errno> {
    let tasks = format!("/proc/{pid}/task");
    let threads = match File::open(&tasks) {
        Ok(threads) => threads,
        Err(error) => {
            let is_gone = [Some(libc::ENOENT), Some(libc::ESRCH)].contains(&error.raw_os_error()) && !is_hidden(pid);
            return if is_gone { Ok(Some(Vec::new())) } else { Err(errno_of(&error)) };
        }
    };
    let threads = match proc_numbers(threads) {
        // The process has ended meanwhile.
        Err(Errno::NOENT | Errno::SRCH) => return Ok(Some(Vec::new())),
        threads => threads?,
    };
    let mut children = Vec::new();
    for thread in threads {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    #[test]
    fn search_without_the_lists_of_children_finds_what_the_search_with_them_does() {
        let script = "(sleep 60 >/dev/null & echo $!; wait) & (echo; exec sleep 60 >/dev/null) & wait";
        let mut shell = Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(shell.stdout.take().unwrap());
        let mut line = String::new();
        for _ in 0..2 {
            output.read_line(&mut line).unwrap();
        }
        let held = || Held::new(shell.id().cast_signed(), |_| true).unwrap().unwrap();
        let with_lists = Tree::of(held(), Scope::Descendants, Duration::from_secs(60)).unwrap();
        let mut without = Tree { root: held(), scope: Scope::Descendants, has_lists: false, ..empty() };
        without.find_more(Instant::now() + Duration::from_secs(60)).unwrap();
        let numbers = |tree: &Tree| tree.numbers.keys().copied().collect::<Vec<_>>();
        assert_eq!((numbers(&with_lists), with_lists.count()), (numbers(&without), 3));
        assert!(numbers(&without).contains(&line.trim().parse().unwrap()), "{line}");
        assert!(!without.is_empty().unwrap());
        without.send_from(0, Signal::KILL).unwrap();
        let end = Instant::now() + Duration::from_secs(60);
        while !without.have_ended() && Instant::now() < end {
            sys::pause(Duration::from_millis(1));
        }
        assert!(without.is_empty().unwrap());
        shell.kill().unwrap();
        shell.wait().unwrap();
        without.find_more(Instant::now()).unwrap();
        assert_eq!(without.count(), 3, "a root that has been reaped has no descendants");
    }

    fn empty() -> Tree {
        let root = Held { pid: i32::MAX, start_time: u64::MAX, pidfd: None };
        Tree::of(root, Scope::Descendants, Duration::ZERO).unwrap()
    }
}
