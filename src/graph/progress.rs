//! `GraphProgress`: how a thread of a tee or a spool learns that all stages have been launched, and that all have ended.

use crate::flow::Looks;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, retry_on_intr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;

/// What a thread tells the running graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CopyEvent {
    /// The thread has started.
    Started,
    /// The thread ends.
    Ended(Result<(), Errno>),
    /// All stages have ended, and a process that is no stage has a pipe of the thread and does not use it at the moment. The thread goes on:
    /// that process gets all bytes, as from a pipe.
    Held,
}

/// How far the graph is, for a thread: whether all stages have been launched, and whether all have ended.
#[derive(Debug)]
pub(super) struct GraphProgress {
    /// The read end of the pipe that tells the thread that all stages have ended. `None` after the thread has been told.
    pipe: Option<Arc<OwnedFd>>,
    sender: Sender<CopyEvent>,
    is_started: Arc<AtomicBool>,
    looks: Looks,
}

impl GraphProgress {
    pub(super) fn new(pipe: Arc<OwnedFd>, sender: Sender<CopyEvent>, is_started: Arc<AtomicBool>) -> Self {
        Self { pipe: Some(pipe), sender, is_started, looks: Looks::default() }
    }

    /// Whether all stages have been launched. Before that, a descriptor that the thread opened would take the number of one of a launch.
    pub(super) fn is_started(&self) -> bool {
        self.is_started.load(Ordering::Acquire)
    }

    /// Waits for events of the thread's pipes, and for the end of all stages, and returns the reports of the thread's pipes. The thread has
    /// moved so many bytes since the last wait.
    pub(super) fn poll(&mut self, pipes: Vec<PollFd<'_>>, moved: usize) -> Result<Vec<PollFlags>, Errno> {
        let mut polls = pipes;
        let count = polls.len();
        polls.extend(self.pipe.as_ref().map(|pipe| PollFd::new(&**pipe, PollFlags::IN)));
        poll_after_looks(&mut self.looks, &mut polls, moved)?;
        let mut reports: Vec<PollFlags> = polls.iter().map(PollFd::revents).collect();
        let is_over = reports.split_off(count).iter().any(|report| !report.is_empty());
        let is_moving = reports.iter().any(|report| !report.is_empty());
        if is_over && !is_moving {
            self.pipe = None;
            let _ = self.sender.send(CopyEvent::Held); // The running graph may have been dropped.
        }
        Ok(reports)
    }
}

/// Waits for events. A thread that has just moved much looks several times before: see [`Looks`].
fn poll_after_looks(looks: &mut Looks, polls: &mut [PollFd<'_>], moved: usize) -> Result<(), Errno> {
    const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
    looks.note(moved);
    let count = looks.before_wait();
    for _ in 0..count {
        if retry_on_intr(|| poll(polls, Some(&AT_ONCE)))? > 0 {
            looks.found(true);
            return Ok(());
        }
        std::thread::yield_now();
    }
    if count > 0 {
        looks.found(false);
    }
    retry_on_intr(|| poll(polls, None)).map(drop)
}
