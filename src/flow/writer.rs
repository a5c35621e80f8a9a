//! `StreamWriter`: writes to a descriptor without waiting, without SIGPIPE, and without a change of its description's flags.

use super::reader::{Refusals, is_no_such_call};
use crate::driven::{PolledFd, SetPlace};
use crate::fd::ready::is_ready_for;
use crate::sys;
use rustix::event::PollFlags;
use rustix::fs::{FileType, fstat};
use rustix::io::{Errno, retry_on_intr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A pipe that `poll(2)` reports writable takes so many bytes at once.
const ATOMIC: usize = libc::PIPE_BUF;

/// A descriptor that is written.
#[derive(Debug)]
pub(super) struct StreamWriter {
    fd: PolledFd,
    /// Whether the kernel has writes without SIGPIPE (Linux 6.18).
    has_nosignal: bool,
    /// Whether the description has writes that do not wait.
    has_nowait: bool,
    refusals: Refusals,
}

/// The outcome of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Put {
    Bytes(usize),
    /// There is no room now.
    Nothing,
    /// No process can read the bytes any more.
    NoReader,
}

impl StreamWriter {
    pub(super) fn new(fd: OwnedFd) -> Self {
        Self { fd: fd.into(), has_nosignal: true, has_nowait: true, refusals: Refusals::default() }
    }

    /// Writes what there is room for. `is_ready` says that the last `poll(2)` has reported a descriptor of the stream writable.
    pub(super) fn write(&mut self, bytes: &[u8], is_ready: bool) -> Result<Put, Errno> {
        if self.has_nowait {
            let result = self.call(bytes, false);
            let is_refused = self.refusals.count(result, is_ready);
            match result {
                // What is left is write(2).
                Err(Errno::AGAIN) if is_refused => (self.has_nowait, self.has_nosignal) = (false, false),
                // A file is always ready, and may have to wait for its disk.
                Err(Errno::AGAIN) if is_ready && self.is_file() => self.has_nowait = false,
                Err(errno) if is_no_such_call(errno) => self.has_nowait = false,
                result => return put(result),
            }
        }
        // What the last look has found is no answer: this function may have written since, and the look may have been for another descriptor.
        if !is_ready_for(self.fd.as_fd(), PollFlags::OUT) {
            return Ok(Put::Nothing);
        }
        let most = if self.is_file() { bytes.len() } else { ATOMIC };
        put(self.call(&bytes[..bytes.len().min(most)], true))
    }

    /// Whether writes can take more than [`ATOMIC`] bytes without a wait, as far as is known.
    pub(super) fn has_nowait(&self) -> bool {
        self.has_nowait
    }

    /// Writes, and waits until there is room for all bytes, or a signal handler has run. If other code has made the description non-blocking,
    /// it does not wait.
    pub(super) fn write_waiting(&mut self, bytes: &[u8]) -> Result<Put, Errno> {
        put(self.call(bytes, true))
    }

    pub(super) fn unregister(&mut self) {
        self.fd.unregister();
    }

    /// Lets a set of events tell when there is room, or with no flags only when there is no reader. Returns whether there always is room.
    pub(super) fn register(&mut self, place: &SetPlace, interest: Option<PollFlags>) -> Result<bool, Errno> {
        self.fd.register(place, interest)
    }

    fn call(&mut self, bytes: &[u8], waits: bool) -> Result<usize, Errno> {
        if self.has_nosignal {
            match retry_on_intr(|| sys::write_without_signal(self.fd.as_fd(), bytes, waits)) {
                // The next call finds out which of the two flags is missing.
                Err(errno) if is_no_such_call(errno) => self.has_nosignal = false,
                result => return result,
            }
        }
        retry_on_intr(|| sys::write_and_take_signal(self.fd.as_fd(), bytes, waits))
    }

    fn is_file(&self) -> bool {
        fstat(&self.fd).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_file())
    }
}

fn put(result: Result<usize, Errno>) -> Result<Put, Errno> {
    match result {
        Ok(0) => Err(Errno::IO), // There were bytes to write, and a second call would do no more.
        Ok(length) => Ok(Put::Bytes(length)),
        Err(Errno::AGAIN) => Ok(Put::Nothing),
        Err(Errno::PIPE | Errno::CONNRESET) => Ok(Put::NoReader),
        Err(errno) => Err(errno),
    }
}

impl AsFd for StreamWriter {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
