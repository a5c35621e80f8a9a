//! `StreamReader`: reads a descriptor without waiting, and without a change of its description's flags.

use crate::sys;
use rustix::fs::{FileType, fstat};
use rustix::io::{Errno, retry_on_intr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A descriptor that is read.
#[derive(Debug)]
pub(super) struct StreamReader {
    fd: OwnedFd,
    /// Whether the description has reads that do not wait: anonymous pipes and sockets do. Of others (FIFOs, terminals) one read is
    /// made each time that `poll(2)` reports them readable.
    has_nowait: bool,
    refusals: Refusals,
}

/// How often in a row a call that does not wait has answered EAGAIN although `poll(2)` had just reported the descriptor ready.
#[derive(Debug, Default)]
pub(super) struct Refusals(u32);

impl Refusals {
    /// Another process that shares the pipe may be faster so many times. After that the kernel, or a filter, is taken to refuse the call.
    const MOST: u32 = 64;

    /// Counts an answer. Returns whether the call is refused again and again.
    pub(super) fn count(&mut self, result: Result<usize, Errno>, is_ready: bool) -> bool {
        match result {
            Err(Errno::AGAIN) if is_ready => self.0 += 1,
            Err(Errno::AGAIN) => {}
            _ => self.0 = 0,
        }
        self.0 >= Self::MOST
    }
}

/// The outcome of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Got {
    /// At least one byte.
    Bytes,
    /// The end of the stream.
    End,
    /// There is nothing to read now.
    Nothing,
}

impl StreamReader {
    pub(super) fn new(fd: OwnedFd) -> Self {
        Self { fd, has_nowait: true, refusals: Refusals::default() }
    }

    /// Reads at most `most` bytes to the end of a vector, which has unused capacity. `is_ready` says that `poll(2)` has just reported the
    /// descriptor readable.
    pub(super) fn read(&mut self, bytes: &mut Vec<u8>, most: usize, is_ready: bool) -> Result<Got, Errno> {
        if self.has_nowait {
            let result = retry_on_intr(|| sys::append(self.fd.as_fd(), bytes, most, false));
            let is_refused = self.refusals.count(result, is_ready);
            match result {
                Err(Errno::AGAIN) if is_refused => self.has_nowait = false,
                // A file whose content is not in memory is always ready: it has to be read with a wait.
                Err(Errno::AGAIN) if is_ready && self.is(FileType::is_file) => self.has_nowait = false,
                Err(errno) if is_no_such_call(errno) => self.has_nowait = false,
                result => return self.got(result),
            }
        }
        if is_ready { self.read_waiting(bytes, most) } else { Ok(Got::Nothing) }
    }

    /// Reads, and waits if there is nothing to read. If other code has made the description non-blocking, it does not wait.
    pub(super) fn read_waiting(&self, bytes: &mut Vec<u8>, most: usize) -> Result<Got, Errno> {
        self.got(retry_on_intr(|| sys::append(self.fd.as_fd(), bytes, most, true)))
    }

    fn got(&self, result: Result<usize, Errno>) -> Result<Got, Errno> {
        match result {
            Ok(0) => Ok(Got::End),
            Ok(_) => Ok(Got::Bytes),
            Err(Errno::AGAIN) => Ok(Got::Nothing),
            // The main side of a terminal has no other end of file.
            Err(Errno::IO) if self.is(FileType::is_char_device) => Ok(Got::End),
            Err(errno) => Err(errno),
        }
    }

    fn is(&self, kind: fn(FileType) -> bool) -> bool {
        fstat(&self.fd).is_ok_and(|stat| kind(FileType::from_raw_mode(stat.st_mode)))
    }
}

impl AsFd for StreamReader {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Whether an error says that the kernel, a filter or the description has no such call.
pub(super) fn is_no_such_call(errno: Errno) -> bool {
    matches!(errno, Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::PERM | Errno::SPIPE)
}
