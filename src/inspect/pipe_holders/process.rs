//! One process after the other, and in each one table after the other.

use super::pipe::{Pipe, Table, numbers, open_directory, read};
use super::text::{has_no_descriptors, shows_pids_of};
use super::{Access, PipeHolder, PipeHolders, Unreadable};
use crate::sys;
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::path::DecInt;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;

pub(super) fn pipe_holders(fd: BorrowedFd<'_>) -> io::Result<PipeHolders> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let proc = rustix::fs::open("/proc", flags, rustix::fs::Mode::empty())?;
    if !sys::is_in_proc(proc.as_raw_fd()) {
        return Err(io::Error::new(io::ErrorKind::NotFound, "/proc is not mounted, which tells who holds a pipe"));
    }
    let pipe = Pipe::look_at(&proc, fd)?;
    let mut search = Search {
        ends: PipeHolders { access: pipe.access, readers: vec![], writers: vec![], all: vec![], unreadable: vec![] },
        pids_are_ours: pids_are_ours(&proc),
        pipe,
    };
    let mut pids = numbers(&proc)?;
    pids.sort_unstable();
    for pid in pids {
        search.look_into(&proc, pid)?;
    }
    Ok(search.ends)
}

/// Whether `kcmp(2)` takes the numbers that `/proc` shows.
fn pids_are_ours(proc: &OwnedFd) -> bool {
    /// A list of groups comes before the line. Where it is longer than this, threads are not compared.
    const ROOM: usize = 2048;
    let mut buffer = [0; ROOM];
    read(proc, "self/status", &mut buffer).is_ok_and(|status| shows_pids_of(std::process::id(), status))
}

struct Search {
    pipe: Pipe,
    ends: PipeHolders,
    pids_are_ours: bool,
}

/// A descriptor that was found in the process at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Found {
    thread: i32,
    number: i32,
    access: Access,
}

impl Search {
    /// Looks at all tables of a process, and passes over one that ends meanwhile.
    fn look_into(&mut self, proc: &OwnedFd, pid: i32) -> Result<(), Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let process = rustix::fs::openat(proc, DecInt::new(pid), flags, rustix::fs::Mode::empty());
        let mut found = Vec::new();
        let result =
            process.as_ref().map_err(|errno| *errno).and_then(|process| self.look_at_threads(process, &mut found));
        let name = || process.as_ref().map(name).unwrap_or_default();
        if !found.is_empty() {
            let name = name();
            found.into_iter().for_each(|found| self.add(pid, &name, found));
        }
        match result {
            Err(Errno::ACCESS | Errno::PERM) => {
                self.ends.unreadable.push(Unreadable { pid: pid.unsigned_abs(), name: name() });
                Ok(())
            }
            Err(Errno::NOENT | Errno::SRCH) => Ok(()),
            result => result,
        }
    }

    /// Looks at each table of a process once. An error says that there may be more than was found.
    fn look_at_threads(&self, process: &OwnedFd, found: &mut Vec<Found>) -> Result<(), Errno> {
        let tasks = open_directory(process, "task")?;
        let mut threads = numbers(&tasks)?;
        threads.sort_unstable();
        let mut refused = Ok(());
        let mut seen: Vec<i32> = Vec::new();
        for thread in threads {
            let is_seen = self.is_seen(&seen, thread);
            if is_seen == Some(true) {
                continue;
            }
            let before = found.len();
            let result = self.look_at_table(&tasks, thread, found);
            if is_seen.is_none() {
                drop_duplicates(found, before);
            }
            match result {
                Ok(()) => seen.push(thread),
                Err(Errno::NOENT | Errno::SRCH) => {}
                Err(Errno::ACCESS | Errno::PERM) if holds_nothing(&tasks, thread) => {}
                Err(errno @ (Errno::ACCESS | Errno::PERM)) => refused = Err(errno),
                Err(errno) => return Err(errno),
            }
        }
        refused
    }

    /// Whether a thread has the table of one that was seen. `None` where it may have.
    fn is_seen(&self, seen: &[i32], thread: i32) -> Option<bool> {
        let mut is_seen = Some(false);
        for &other in seen {
            match self.is_same_table(other, thread) {
                Some(true) => return Some(true),
                Some(false) => {}
                None => is_seen = None,
            }
        }
        is_seen
    }

    /// `None` where that is not to be known.
    fn is_same_table(&self, first: i32, second: i32) -> Option<bool> {
        if self.pids_are_ours { sys::is_same_table(first, second).ok() } else { None }
    }

    /// Adds the ends in a table, as many as can be looked at.
    fn look_at_table(&self, tasks: &OwnedFd, thread: i32, found: &mut Vec<Found>) -> Result<(), Errno> {
        let name = thread.to_string();
        let table = Table::open(tasks, &name)?;
        let mut open = table.numbers()?;
        open.sort_unstable();
        for number in open {
            if let Some(access) = self.pipe.access_at(&table, number)? {
                found.push(Found { thread, number, access });
            }
        }
        Ok(())
    }

    fn add(&mut self, pid: i32, name: &OsString, found: Found) {
        let holder = PipeHolder {
            pid: pid.unsigned_abs(),
            thread: (found.thread != pid).then_some(found.thread.unsigned_abs()),
            number: found.number,
            name: name.clone(),
        };
        let ends = &mut self.ends;
        if matches!(found.access, Access::Read | Access::Both) {
            ends.readers.push(holder.clone());
        }
        if matches!(found.access, Access::Write | Access::Both) {
            ends.writers.push(holder.clone());
        }
        if matches!(ends.access, Access::Both | Access::Neither) && found.access != Access::Neither {
            ends.all.push(holder);
        }
    }
}

/// Drops what was found from `first` on, if it was found before: in a table that may be the same.
fn drop_duplicates(found: &mut Vec<Found>, first: usize) {
    let more = found.split_off(first);
    let is_new = |new: &Found| !found[..first].iter().any(|old| (old.number, old.access) == (new.number, new.access));
    let more: Vec<Found> = more.into_iter().filter(is_new).collect();
    found.extend(more);
}

/// Whether a thread that may not be looked into has no descriptors anyway.
fn holds_nothing(tasks: &OwnedFd, thread: i32) -> bool {
    let mut buffer = [0; 512];
    read(tasks, format!("{thread}/stat"), &mut buffer).is_ok_and(has_no_descriptors)
}

/// What the process is called; empty where that may not be read.
fn name(process: &OwnedFd) -> OsString {
    let mut buffer = [0; 64];
    let name = read(process, "comm", &mut buffer).unwrap_or_default();
    OsString::from_vec(name.strip_suffix(b"\n").unwrap_or(name).to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_another_table_has_at_the_same_number_is_a_duplicate() {
        let found = |thread, number, access| Found { thread, number, access };
        let first = [found(1, 3, Access::Read), found(1, 4, Access::Write)];
        let same = found(2, 3, Access::Read);
        let new = [found(2, 3, Access::Write), found(2, 5, Access::Read)];
        let mut all = [&first[..], &[same], &new].concat();
        drop_duplicates(&mut all, first.len());
        assert_eq!(all, [&first[..], &new].concat());
    }
}
