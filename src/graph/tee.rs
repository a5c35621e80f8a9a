//! `TeeTask`: gives several readers the same bytes (`tee(2)`, `splice(2)`).

use super::moves::{Fruitless, MOST, nothing_yet};
use super::progress::GraphProgress;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, retry_on_intr};
use rustix::pipe::{SpliceFlags, splice, tee};
use std::os::fd::OwnedFd;

/// The work of a tee's thread.
#[derive(Debug)]
pub(super) struct TeeTask {
    input: OwnedFd,
    outputs: Vec<TeeOutput>,
    null: OwnedFd,
    stops_early: bool,
    fruitless: Fruitless,
    /// How many bytes have been moved since the last wait.
    moved: usize,
}

/// One reader of a tee.
#[derive(Debug)]
struct TeeOutput {
    pipe: OwnedFd,
    /// How many bytes it has that are still in the input.
    ahead: usize,
}

/// Whether a thread goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CopyTurn {
    GoOn,
    End,
}

impl TeeTask {
    pub(super) fn new(input: OwnedFd, outputs: Vec<OwnedFd>, null: OwnedFd, stops_early: bool) -> Result<Self, Errno> {
        for output in &outputs {
            nothing_yet(retry_on_intr(|| tee(&input, output, 1, SpliceFlags::NONBLOCK)))?;
        }
        nothing_yet(retry_on_intr(|| splice(&input, None, &null, None, 1, SpliceFlags::NONBLOCK)))?;
        let outputs = outputs.into_iter().map(|pipe| TeeOutput { pipe, ahead: 0 }).collect();
        Ok(Self { input, outputs, null, stops_early, fruitless: Fruitless::default(), moved: 0 })
    }

    pub(super) fn run(mut self, progress: &mut GraphProgress) -> Result<(), Errno> {
        while self.turn(progress)? == CopyTurn::GoOn {}
        Ok(())
    }

    /// Gives the outputs what the input contains, as far as they have room. Then it takes out of the input what all outputs have.
    fn turn(&mut self, progress: &mut GraphProgress) -> Result<CopyTurn, Errno> {
        let (mut is_empty, mut is_full) = (false, false);
        let mut index = 0;
        while index < self.outputs.len() {
            let output = &mut self.outputs[index];
            // `tee(2)` starts at the beginning of the input, so an output that is ahead waits for the others.
            if output.ahead == 0 {
                match retry_on_intr(|| tee(&self.input, &output.pipe, MOST, SpliceFlags::NONBLOCK)) {
                    Ok(0) => return Ok(CopyTurn::End),
                    Ok(length) => {
                        output.ahead = length;
                        self.fruitless.reset();
                    }
                    Err(Errno::AGAIN) => match has_bytes(&self.input)? {
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
            // The input contains these bytes. If a stage has read them, by its own `/dev/stdout`, the call does not wait for others.
            match retry_on_intr(|| splice(&self.input, None, &self.null, None, left, SpliceFlags::NONBLOCK)) {
                Ok(0) | Err(Errno::AGAIN) => self.fruitless.count()?,
                Ok(length) => {
                    left -= length;
                    self.moved += length;
                }
                Err(errno) => return Err(errno),
            }
            (is_empty, is_full) = (false, false);
        }
        if !is_full && !is_empty {
            return Ok(CopyTurn::GoOn);
        }
        self.fruitless.count()?;
        self.wait(is_full, progress)
    }

    /// Waits until the input has bytes, or an output that has none ahead has room, or a reader has ended.
    fn wait(&mut self, is_full: bool, progress: &mut GraphProgress) -> Result<CopyTurn, Errno> {
        let mut polls = Vec::with_capacity(self.outputs.len() + 2);
        for output in &self.outputs {
            let waits = is_full && output.ahead == 0;
            polls.push(PollFd::new(&output.pipe, if waits { PollFlags::OUT } else { PollFlags::empty() }));
        }
        // `poll(2)` reports the end of all writers always, which is of no use while an output is full.
        if !is_full {
            polls.push(PollFd::new(&self.input, PollFlags::IN));
        }
        let reports = progress.poll(polls, std::mem::take(&mut self.moved))?;
        let count = self.outputs.len();
        let mut has_reader = reports[..count].iter().map(|report| !report.contains(PollFlags::ERR));
        self.outputs.retain(|_| has_reader.next() != Some(false));
        let has_lost = self.outputs.len() < count;
        if has_lost {
            self.fruitless.reset();
        }
        let is_at_end = self.outputs.is_empty() || has_lost && self.stops_early;
        Ok(if is_at_end { CopyTurn::End } else { CopyTurn::GoOn })
    }
}

fn has_bytes(pipe: &OwnedFd) -> Result<bool, Errno> {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    retry_on_intr(|| poll(&mut [PollFd::new(pipe, PollFlags::IN)], Some(&now))).map(|count| count == 1)
}
