//! `SpoolTask`: keeps what a reader has not read yet in memory, without a limit (`splice(2)`).

use super::moves::{Fruitless, MOST, nothing_yet};
use super::progress::GraphProgress;
use crate::fd::standard::{dup_above_stdio, lock_stdio_numbers};
use crate::spawn::Numbering;
use rustix::event::{PollFd, PollFlags};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::{Errno, retry_on_intr};
use rustix::pipe::{SpliceFlags, splice};
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// How many bytes of a file are read before the next bytes go to a new one.
const NEW_FILE: u64 = 1 << 20;

/// The work of a spool's thread.
#[derive(Debug)]
pub(super) struct SpoolTask {
    input: OwnedFd,
    output: OwnedFd,
    memory: SpoolMemory,
}

impl SpoolTask {
    pub(super) fn new(input: OwnedFd, output: OwnedFd, mut memory: SpoolMemory) -> Result<Self, Errno> {
        nothing_yet(memory.fill_from(&input, 1, false))?;
        nothing_yet(memory.drain_to(&output))?;
        Ok(Self { input, output, memory })
    }

    /// Moves bytes from the input to memory, and from there to the output.
    pub(super) fn run(mut self, progress: &mut GraphProgress) -> Result<(), Errno> {
        let (mut is_at_end, mut fruitless, mut moved) = (false, Fruitless::default(), 0);
        while !(is_at_end && self.memory.is_empty()) {
            let waits = if self.memory.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
            let mut polls = Vec::with_capacity(3);
            polls.push(PollFd::new(&self.output, waits));
            if !is_at_end {
                polls.push(PollFd::new(&self.input, PollFlags::IN));
            }
            let reports = progress.poll(polls, moved)?;
            moved = 0;
            if reports[0].contains(PollFlags::ERR) {
                return Ok(()); // No process reads any more.
            }
            if !reports[0].is_empty() {
                match self.memory.drain_to(&self.output) {
                    Ok(length) => {
                        moved += length;
                        fruitless.reset();
                        if progress.is_started() && !is_at_end {
                            self.memory.give_back();
                        }
                    }
                    Err(Errno::AGAIN) => fruitless.count()?,
                    Err(Errno::PIPE) => return Ok(()),
                    Err(errno) => return Err(errno),
                }
            }
            if reports.get(1).is_some_and(|report| !report.is_empty()) {
                match self.memory.fill_from(&self.input, MOST, progress.is_started()) {
                    Ok(0) => is_at_end = true,
                    Ok(length) => {
                        moved += length;
                        fruitless.reset();
                    }
                    Err(Errno::AGAIN) => fruitless.count()?,
                    Err(errno) => return Err(errno),
                }
            }
        }
        Ok(())
    }
}

/// Files in memory, each of which is read to its end and then closed. There is mostly one, and the thread writes to a new one when it has
/// read a part of the first: then it has at most twice the memory of what is not read. While stages are launched, the first one grows.
///
/// No part of a file is given back before all of it is read: a pipe that has been filled by `splice(2)` refers to the pages of the file, and
/// `fallocate(2)` with `FALLOC_FL_PUNCH_HOLE` clears them if they are a part of a huge page. The close of a file clears nothing.
#[derive(Debug)]
pub(super) struct SpoolMemory {
    files: VecDeque<SpoolFile>,
}

#[derive(Debug)]
struct SpoolFile {
    memory: OwnedFd,
    written: u64,
    read: u64,
}

impl SpoolMemory {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { files: VecDeque::from([SpoolFile::new()?]) })
    }

    /// The same memory, at the number that the graph's descriptors get.
    pub(super) fn raised(self, numbering: Numbering) -> Self {
        let raised = |file: SpoolFile| SpoolFile { memory: numbering.raise_link(file.memory), ..file };
        Self { files: self.files.into_iter().map(raised).collect() }
    }

    fn is_empty(&self) -> bool {
        self.files.iter().all(|file| file.read == file.written)
    }

    /// Adds bytes from a pipe. `may_open` says whether it may open another file though the last one can grow.
    fn fill_from(&mut self, input: impl AsFd, most: usize, may_open: bool) -> Result<usize, Errno> {
        if may_open && self.files.len() == 1 && self.files[0].read >= NEW_FILE {
            // If the process has too many descriptors, the first file goes on to grow.
            self.files.extend(SpoolFile::next().ok());
        }
        let filled = self.last()?.fill_from(&input, most);
        // The process may have a limit for the size of a file (RLIMIT_FSIZE).
        if filled == Err(Errno::FBIG) && self.last()?.written > 0 {
            self.files.push_back(SpoolFile::next().map_err(|_| Errno::FBIG)?);
            return self.last()?.fill_from(&input, most);
        }
        filled
    }

    /// Gives the memory of a file back if all of it has been read.
    fn give_back(&mut self) {
        let is_read = |file: &SpoolFile| file.read >= NEW_FILE && file.read == file.written;
        if self.files.len() == 1 && self.files.iter().all(is_read) {
            // If the process has too many descriptors, the file stays.
            if let Ok(next) = SpoolFile::next() {
                self.files = VecDeque::from([next]);
            }
        }
    }

    fn last(&mut self) -> Result<&mut SpoolFile, Errno> {
        self.files.back_mut().ok_or(Errno::INVAL) // There is always one.
    }

    /// Moves bytes to a pipe.
    fn drain_to(&mut self, output: impl AsFd) -> Result<usize, Errno> {
        while self.files.len() > 1 && self.files[0].read == self.files[0].written {
            self.files.pop_front();
        }
        let Some(SpoolFile { memory, written, read }) = self.files.front_mut() else { return Ok(0) };
        // A file is only added to, so what the pipe has of it never changes.
        let most = usize::try_from(*written - *read).unwrap_or(MOST).clamp(1, MOST);
        retry_on_intr(|| splice(&*memory, Some(&mut *read), &output, None, most, SpliceFlags::NONBLOCK))
    }
}

impl SpoolFile {
    /// The caller has the lock of 0 to 2, if one of them is closed.
    fn new() -> io::Result<Self> {
        let (name, flags) = ("fdspawn spool", MemfdFlags::CLOEXEC);
        let memory = match memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL) {
            Err(Errno::INVAL) => memfd_create(name, flags), // Linux before 6.3
            result => result,
        };
        Ok(Self { memory: dup_above_stdio(memory?)?, written: 0, read: 0 })
    }

    /// A file that a thread opens later.
    fn next() -> io::Result<Self> {
        let _guard = lock_stdio_numbers();
        Self::new()
    }

    fn fill_from(&mut self, input: impl AsFd, most: usize) -> Result<usize, Errno> {
        let to = &mut self.written;
        retry_on_intr(|| splice(&input, None, &self.memory, Some(&mut *to), most, SpliceFlags::NONBLOCK))
    }
}
