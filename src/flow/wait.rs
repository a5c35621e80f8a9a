//! `PollSet`: waits for streams that are ready and for children that have ended.

use super::failure::{FlowError, StreamCall};
use super::feed::Ready;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// The descriptors that a run waits for.
pub(super) struct PollSet<'a> {
    polls: Vec<PollFd<'a>>,
    owners: Vec<PollOwner>,
}

/// What a descriptor is for.
struct PollOwner {
    /// The index of the stream; `None` for the pidfd of a child.
    stream: Option<usize>,
    is_input: bool,
}

/// What a wait has found.
pub(super) struct WaitOutcome {
    /// The streams that are ready, by index.
    pub(super) ready: Vec<(usize, Ready)>,
    /// Whether a child has ended.
    pub(super) has_ended: bool,
    /// Whether the looks before the wait have found nothing.
    pub(super) has_waited: bool,
}

impl<'a> PollSet<'a> {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self { polls: Vec::with_capacity(capacity), owners: Vec::with_capacity(capacity) }
    }

    /// Adds a descriptor of a stream. Add those of one stream one after the other.
    pub(super) fn add_stream(&mut self, fd: BorrowedFd<'a>, flags: PollFlags, index: usize) {
        self.add(fd, flags, Some(index));
    }

    pub(super) fn add_pidfd(&mut self, fd: BorrowedFd<'a>) {
        self.add(fd, PollFlags::IN, None);
    }

    fn add(&mut self, fd: BorrowedFd<'a>, flags: PollFlags, stream: Option<usize>) {
        self.polls.push(PollFd::from_borrowed_fd(fd, flags));
        self.owners.push(PollOwner { stream, is_input: flags == PollFlags::IN });
    }

    /// Waits until a stream is ready or a child has ended, at most until the given time. Before it waits, it looks so many times.
    pub(super) fn wait(mut self, end: Option<Instant>, mut looks: u32) -> Result<WaitOutcome, FlowError> {
        loop {
            let mut left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if looks > 0 {
                left = Some(Duration::ZERO);
            }
            // A time that the system cannot express is as good as none.
            let time = left.and_then(|left| Timespec::try_from(left).ok());
            match poll(&mut self.polls, time.as_ref()) {
                Err(Errno::INTR) => {}
                Err(errno) => return Err(StreamCall::Poll.failed(errno)),
                Ok(0) if looks > 0 => {
                    let is_over = end.is_some_and(|end| end <= Instant::now());
                    looks = if is_over { 0 } else { looks - 1 };
                    std::thread::yield_now();
                }
                Ok(_) => break,
            }
        }
        let mut ready: Vec<(usize, Ready)> = Vec::with_capacity(self.owners.len());
        let mut has_ended = false;
        let reported = self.polls.iter().zip(self.owners).filter(|(poll, _)| !poll.revents().is_empty());
        for (_, PollOwner { stream, is_input }) in reported {
            let Some(index) = stream else {
                has_ended = true;
                continue;
            };
            if ready.last().is_none_or(|(last, _)| *last != index) {
                ready.push((index, Ready::default()));
            }
            if let Some((_, ready)) = ready.last_mut() {
                ready.readable |= is_input;
                ready.writable |= !is_input;
            }
        }
        Ok(WaitOutcome { ready, has_ended, has_waited: looks == 0 })
    }
}

impl WaitOutcome {
    pub(super) fn is_nothing(&self) -> bool {
        self.ready.is_empty() && !self.has_ended
    }
}
