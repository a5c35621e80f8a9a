//! `Over`: how a thread of a tee or a spool learns that all stages have ended.

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::Sender;

/// What a thread tells the running graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TaskEnd {
    /// The thread ends.
    Ended(Result<(), Errno>),
    /// All stages have ended, and a process that is no stage has a pipe of the thread and does not use it at the moment. The thread goes on:
    /// that process gets all bytes, as from a pipe.
    Held,
}

/// The descriptor that tells a thread that all stages have ended.
#[derive(Debug)]
pub(super) struct Over {
    event: Arc<OwnedFd>,
    sender: Sender<TaskEnd>,
    was_told: bool,
}

impl Over {
    pub(super) fn new(event: Arc<OwnedFd>, sender: Sender<TaskEnd>) -> Self {
        Self { event, sender, was_told: false }
    }

    /// For a `poll(2)` beside the pipes of the thread.
    pub(super) fn poll_fd(&self) -> PollFd<'_> {
        PollFd::new(&*self.event, if self.was_told { PollFlags::empty() } else { PollFlags::IN })
    }

    /// What the poll has said of the descriptor, and whether bytes can move.
    pub(super) fn note(&mut self, is_over: bool, is_moving: bool) {
        if is_over && !is_moving {
            self.was_told = true;
            let _ = self.sender.send(TaskEnd::Held); // The running graph may have been dropped.
        }
    }
}
