//! The threads of tees and spools: they move bytes between pipes inside of the kernel (`tee(2)`, `splice(2)`).

use super::copier::CopierKind;
use crate::fd::standard::dup_above_stdio;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FallocateFlags, MemfdFlags, fallocate, memfd_create};
use rustix::io::{Errno, retry_on_intr};
use rustix::pipe::{SpliceFlags, splice, tee};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// How much one call moves at most: as much as a pipe can contain.
const MOST: usize = 1 << 20;

/// How much of a spool's memory is given back at once, in whole pages.
const GIVE_BACK: u64 = 1 << 20;

/// The pipes of a thread.
#[derive(Debug)]
pub(super) struct CopyPipes {
    pub(super) input: OwnedFd,
    pub(super) outputs: Vec<OwnedFd>,
    /// Readable when all stages have ended: the thread then moves what its input contains, and ends.
    pub(super) over: OwnedFd,
}

/// Where a thread puts what it takes out of its input.
#[derive(Debug)]
pub(super) enum CopyStore {
    /// `/dev/null`, to which a tee moves what all outputs have.
    Null(File),
    /// The memory of a spool.
    Memory(OwnedFd),
}

impl CopyStore {
    /// Opens it at a number above 2.
    pub(super) fn open(kind: CopierKind) -> std::io::Result<Self> {
        match kind {
            CopierKind::Tee { .. } => {
                let null = File::options().write(true).open("/dev/null")?;
                Ok(Self::Null(dup_above_stdio(null.into())?.into()))
            }
            CopierKind::Spool => {
                Ok(Self::Memory(dup_above_stdio(memfd_create("fdspawn spool", MemfdFlags::CLOEXEC)?)?))
            }
        }
    }
}

/// Moves bytes until the input is at its end, or until no process has a read end of an output.
pub(super) fn copy(kind: CopierKind, pipes: CopyPipes, store: &CopyStore) -> Result<(), Errno> {
    match (kind, store) {
        (CopierKind::Tee { stops_early }, CopyStore::Null(null)) => Tee::new(pipes, null, stops_early).run(),
        (_, CopyStore::Memory(memory)) => spool(&pipes, memory),
        (CopierKind::Spool, CopyStore::Null(_)) => Err(Errno::INVAL), // `CopyStore::open` does not make this.
    }
}

/// One reader of a tee.
#[derive(Debug)]
struct TeeOutput {
    pipe: OwnedFd,
    /// How many bytes it has that are still in the input.
    ahead: usize,
}

struct Tee<'a> {
    input: OwnedFd,
    outputs: Vec<TeeOutput>,
    over: OwnedFd,
    null: &'a File,
    stops_early: bool,
}

/// Whether a thread goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CopyTurn {
    GoOn,
    End,
}

impl<'a> Tee<'a> {
    fn new(CopyPipes { input, outputs, over }: CopyPipes, null: &'a File, stops_early: bool) -> Self {
        let outputs = outputs.into_iter().map(|pipe| TeeOutput { pipe, ahead: 0 }).collect();
        Self { input, outputs, over, null, stops_early }
    }

    fn run(mut self) -> Result<(), Errno> {
        while self.turn()? == CopyTurn::GoOn {}
        Ok(())
    }

    /// Gives the outputs what the input contains, as far as they have room. Then it takes out of the input what all outputs have.
    fn turn(&mut self) -> Result<CopyTurn, Errno> {
        let (mut is_empty, mut is_full) = (false, false);
        let mut index = 0;
        while index < self.outputs.len() {
            let output = &mut self.outputs[index];
            // `tee(2)` starts at the beginning of the input, so an output that is ahead waits for the others.
            if output.ahead == 0 {
                match retry_on_intr(|| tee(&self.input, &output.pipe, MOST, SpliceFlags::NONBLOCK)) {
                    Ok(0) => return Ok(CopyTurn::End),
                    Ok(length) => output.ahead = length,
                    Err(Errno::AGAIN) => match is_ready(self.input.as_fd(), PollFlags::IN)? {
                        true => is_full = true,
                        false => is_empty = true,
                    },
                    Err(Errno::PIPE) => {
                        self.outputs.remove(index);
                        if self.stops_early || self.outputs.is_empty() {
                            return Ok(CopyTurn::End);
                        }
                        continue;
                    }
                    Err(errno) => return Err(errno),
                }
            }
            index += 1;
        }
        let mut left = self.outputs.iter().map(|output| output.ahead).min().unwrap_or(0);
        self.outputs.iter_mut().for_each(|output| output.ahead -= left);
        while left > 0 {
            match retry_on_intr(|| splice(&self.input, None, self.null, None, left, SpliceFlags::empty()))? {
                0 => return Err(Errno::IO), // The input contains these bytes, and this thread alone reads it.
                length => left -= length,
            }
            (is_empty, is_full) = (false, false);
        }
        if is_full || is_empty { self.wait(is_full) } else { Ok(CopyTurn::GoOn) }
    }

    /// Waits until the input has bytes, or an output that has none ahead has room, or a reader has ended.
    fn wait(&mut self, is_full: bool) -> Result<CopyTurn, Errno> {
        let mut polls = vec![PollFd::new(&self.over, PollFlags::IN)];
        for output in &self.outputs {
            let waits = is_full && output.ahead == 0;
            polls.push(PollFd::new(&output.pipe, if waits { PollFlags::OUT } else { PollFlags::empty() }));
        }
        // `poll(2)` reports the end of all writers always, which is of no use while an output is full.
        if !is_full {
            polls.push(PollFd::new(&self.input, PollFlags::IN));
        }
        retry_on_intr(|| poll(&mut polls, None))?;
        let reports: Vec<PollFlags> = polls.iter().map(PollFd::revents).collect();
        let is_over = !reports[0].is_empty();
        let is_moving = reports[1..].iter().any(|report| !report.is_empty());
        let count = self.outputs.len();
        let mut has_reader = reports[1..=count].iter().map(|report| !report.contains(PollFlags::ERR));
        self.outputs.retain(|_| has_reader.next() != Some(false));
        let has_lost = self.outputs.len() < count;
        let is_at_end = self.outputs.is_empty() || has_lost && self.stops_early || is_over && !is_moving;
        Ok(if is_at_end { CopyTurn::End } else { CopyTurn::GoOn })
    }
}

/// Moves bytes from the input to memory, and from there to the output.
fn spool(pipes: &CopyPipes, memory: &OwnedFd) -> Result<(), Errno> {
    let CopyPipes { input, outputs, over } = pipes;
    let Some(output) = outputs.first() else { return Ok(()) };
    let (mut written, mut read, mut given_back) = (0_u64, 0_u64, 0_u64);
    let mut is_at_end = false;
    loop {
        let mut polls = vec![PollFd::new(over, PollFlags::IN)];
        polls.push(PollFd::new(output, if read < written { PollFlags::OUT } else { PollFlags::empty() }));
        if !is_at_end {
            polls.push(PollFd::new(input, PollFlags::IN));
        }
        retry_on_intr(|| poll(&mut polls, None))?;
        let ready: Vec<bool> = polls.iter().map(|poll| !poll.revents().is_empty()).collect();
        if ready[1] {
            // The memory is only added to, so what the pipe has of it never changes.
            let mut from = read;
            let length = if read < written { usize::try_from(written - read).unwrap_or(MOST).min(MOST) } else { 0 };
            match retry_on_intr(|| splice(memory, Some(&mut from), output, None, length, SpliceFlags::NONBLOCK)) {
                Ok(0) if read == written => return Ok(()), // Only the end of the reader was reported.
                Ok(length) => read += length as u64,
                Err(Errno::AGAIN) => {}
                Err(Errno::PIPE) => return Ok(()),
                Err(errno) => return Err(errno),
            }
            while read - given_back >= GIVE_BACK {
                let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
                fallocate(memory, flags, given_back, GIVE_BACK)?;
                given_back += GIVE_BACK;
            }
        }
        if ready.get(2) == Some(&true) {
            let mut to = written;
            match retry_on_intr(|| splice(input, None, memory, Some(&mut to), MOST, SpliceFlags::NONBLOCK)) {
                Ok(0) => is_at_end = true,
                Ok(length) => written += length as u64,
                Err(Errno::AGAIN) => {}
                Err(errno) => return Err(errno),
            }
        }
        let is_over = ready[0] && !ready[1..].contains(&true);
        if is_at_end && read == written || is_over {
            return Ok(());
        }
    }
}

fn is_ready(fd: BorrowedFd<'_>, flags: PollFlags) -> Result<bool, Errno> {
    let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    retry_on_intr(|| poll(&mut [PollFd::from_borrowed_fd(fd, flags)], Some(&now))).map(|count| count == 1)
}
