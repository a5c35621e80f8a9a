//! The search: all processes, and in each process all tables.

use super::holders::{PipeHolder, PipeHolders, Unreadable};
use super::pipe::Pipe;
use super::proc_file::{open, open_directory, read_start};
use super::stat::{has_no_descriptors, shows_pids_of};
use super::thread_table::ThreadTable;
use crate::fd::proc_numbers::{is_in_proc, proc_numbers};
use crate::inspect::access::Access;
use crate::sys;
use rustix::fs::{CWD, OFlags};
use rustix::io::Errno;
use rustix::path::DecInt;
use std::ffi::OsString;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;

/// Finds the holders of the pipe that a descriptor of the calling thread refers to.
pub(super) fn search(fd: BorrowedFd<'_>) -> io::Result<PipeHolders> {
    let proc = open_directory(CWD, "/proc")?;
    if !is_in_proc(&proc) {
        return Err(io::Error::new(io::ErrorKind::NotFound, "/proc is not mounted, which tells who holds a pipe"));
    }
    let pipe = Pipe::of(&proc, fd)?;
    let mut search = Search {
        holders: PipeHolders { access: pipe.access, readers: vec![], writers: vec![], all: vec![], unreadable: vec![] },
        pids_are_ours: pids_are_ours(&proc),
        pipe,
    };
    let mut pids = proc_numbers(&proc)?;
    pids.sort_unstable();
    for pid in pids {
        search.search_process(&proc, pid)?;
    }
    Ok(search.holders)
}

/// Whether `/proc` shows pids that `kcmp(2)` takes.
fn pids_are_ours(proc: &OwnedFd) -> bool {
    /// The line that matters follows a list of groups. If that list is longer than this, the answer is false.
    const ROOM: usize = 2048;
    let mut buffer = [0; ROOM];
    read_start(proc, "self/status", &mut buffer).is_ok_and(|status| shows_pids_of(std::process::id(), status))
}

/// A search in progress.
struct Search {
    pipe: Pipe,
    holders: PipeHolders,
    /// Whether `kcmp(2)` takes the pids that `/proc` shows.
    pids_are_ours: bool,
}

/// A descriptor of the process that is searched, which is an end of the pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FoundEnd {
    thread: i32,
    number: i32,
    access: Access,
}

impl Search {
    /// Searches all tables of a process. If the process ends during the search, this is no error.
    fn search_process(&mut self, proc: &OwnedFd, pid: i32) -> Result<(), Errno> {
        let process = open(proc, DecInt::new(pid), OFlags::PATH | OFlags::DIRECTORY);
        let mut found = Vec::new();
        let result =
            process.as_ref().map_err(|errno| *errno).and_then(|process| self.search_threads(process, pid, &mut found));
        let name = || process.as_ref().map(name).unwrap_or_default();
        if !found.is_empty() {
            let name = name();
            found.into_iter().for_each(|found| self.add(pid, &name, found));
        }
        match result {
            Err(Errno::ACCESS | Errno::PERM) => {
                self.holders.unreadable.push(Unreadable { pid: pid.unsigned_abs(), name: name() });
                Ok(())
            }
            Err(Errno::NOENT | Errno::SRCH) => Ok(()),
            result => result,
        }
    }

    /// Searches each table of a process once. After an error, `found` may not have all ends of the process.
    fn search_threads(&self, process: &OwnedFd, pid: i32, found: &mut Vec<FoundEnd>) -> Result<(), Errno> {
        let tasks = open_directory(process, "task")?;
        let mut threads = proc_numbers(&tasks)?;
        // The main thread comes first: after pids have begun again, other threads may have lower numbers.
        threads.sort_unstable_by_key(|&thread| (thread != pid, thread));
        let mut refused = Ok(());
        let mut searched: Vec<i32> = Vec::new();
        for thread in threads {
            let is_searched = self.is_searched(&searched, thread);
            if is_searched == Some(true) {
                continue;
            }
            let before = found.len();
            let result = self.search_table(&tasks, thread, found);
            if is_searched.is_none() {
                drop_duplicates(found, before);
            }
            match result {
                Ok(()) => searched.push(thread),
                Err(Errno::NOENT | Errno::SRCH) => {}
                Err(Errno::ACCESS | Errno::PERM) if holds_nothing(&tasks, thread) => {}
                Err(errno @ (Errno::ACCESS | Errno::PERM)) => refused = Err(errno),
                Err(errno) => return Err(errno),
            }
        }
        refused
    }

    /// Whether a thread shares the table of a thread that was searched. `None` if it may share one.
    fn is_searched(&self, searched: &[i32], thread: i32) -> Option<bool> {
        let mut is_searched = Some(false);
        for &other in searched {
            match self.is_same_table(other, thread) {
                Some(true) => return Some(true),
                Some(false) => {}
                None => is_searched = None,
            }
        }
        is_searched
    }

    /// Whether two threads share one table. `None` if the kernel does not tell.
    fn is_same_table(&self, first: i32, second: i32) -> Option<bool> {
        if self.pids_are_ours { sys::is_same_table(first, second).ok() } else { None }
    }

    /// Adds the ends in a table to `found`, up to an error.
    fn search_table(&self, tasks: &OwnedFd, thread: i32, found: &mut Vec<FoundEnd>) -> Result<(), Errno> {
        let name = thread.to_string();
        let table = ThreadTable::open(tasks, &name)?;
        let mut open = table.numbers()?;
        open.sort_unstable();
        for number in open {
            if let Some(access) = self.pipe.access_at(&table, number)? {
                found.push(FoundEnd { thread, number, access });
            }
        }
        Ok(())
    }

    /// Adds an end to the result.
    fn add(&mut self, pid: i32, name: &OsString, found: FoundEnd) {
        let holder = PipeHolder {
            pid: pid.unsigned_abs(),
            thread: (found.thread != pid).then_some(found.thread.unsigned_abs()),
            number: found.number,
            name: name.clone(),
        };
        let holders = &mut self.holders;
        if matches!(found.access, Access::Read | Access::ReadWrite) {
            holders.readers.push(holder.clone());
        }
        if matches!(found.access, Access::Write | Access::ReadWrite) {
            holders.writers.push(holder.clone());
        }
        let is_end = !matches!(found.access, Access::Path | Access::Neither);
        if is_end && !matches!(holders.access, Access::Read | Access::Write) {
            holders.all.push(holder);
        }
    }
}

/// Drops each end from `first` on that equals one before `first`: the tables of the two may be the same.
fn drop_duplicates(found: &mut Vec<FoundEnd>, first: usize) {
    let more = found.split_off(first);
    let is_new =
        |new: &FoundEnd| !found[..first].iter().any(|old| (old.number, old.access) == (new.number, new.access));
    let more: Vec<FoundEnd> = more.into_iter().filter(is_new).collect();
    found.extend(more);
}

/// Whether a thread, whose table the caller may not read, has no descriptors.
fn holds_nothing(tasks: &OwnedFd, thread: i32) -> bool {
    let mut buffer = [0; 512];
    read_start(tasks, format!("{thread}/stat"), &mut buffer).is_ok_and(has_no_descriptors)
}

/// The name of a process. Empty if the caller may not read it.
fn name(process: &OwnedFd) -> OsString {
    let mut buffer = [0; 64];
    let name = read_start(process, "comm", &mut buffer).unwrap_or_default();
    OsString::from_vec(name.strip_suffix(b"\n").unwrap_or(name).to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_another_table_has_at_the_same_number_is_a_duplicate() {
        let found = |thread, number, access| FoundEnd { thread, number, access };
        let first = [found(1, 3, Access::Read), found(1, 4, Access::Write)];
        let same = found(2, 3, Access::Read);
        let new = [found(2, 3, Access::Write), found(2, 5, Access::Read)];
        let mut all = [&first[..], &[same], &new].concat();
        drop_duplicates(&mut all, first.len());
        assert_eq!(all, [&first[..], &new].concat());
    }
}
