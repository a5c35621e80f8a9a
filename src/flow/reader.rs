//! `StreamReader`: reads a descriptor without waiting, and without a change of its description's flags.

use crate::driven::{PolledFd, SetPlace};
use crate::fd::ready::is_ready_for;
use crate::sys;
use rustix::event::PollFlags;
use rustix::fs::{FileType, fstat};
use rustix::io::{Errno, ioctl_fionread, retry_on_intr};
use rustix::net::{AddressFamily, RecvFlags, SocketType, getsockname, recv, sockopt};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The room of a read of a message: what there is no room for is lost. A message of a local socket is at most as large as the buffer of
/// the socket (208 KiB).
pub(super) const MESSAGE: usize = 256 * 1024;

/// A descriptor that is read.
#[derive(Debug)]
pub(super) struct StreamReader {
    fd: PolledFd,
    /// Whether the description has reads that do not wait: anonymous pipes and sockets do. Others (FIFOs, terminals) are read each time
    /// after a `poll(2)` of their own.
    has_nowait: bool,
    /// Whether each read takes a message, and drops what there is no room for. `None` before the first read.
    has_messages: Option<bool>,
    refusals: Refusals,
}

/// How often in a row a call that does not wait has answered EAGAIN although `poll(2)` had just reported the descriptor ready.
#[derive(Debug, Default)]
pub(super) struct Refusals(u32);

impl Refusals {
    /// Another process that shares the pipe may be faster so many times. After that the library takes it that the kernel, or a filter,
    /// refuses the call.
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
        Self { fd: fd.into(), has_nowait: true, has_messages: None, refusals: Refusals::default() }
    }

    /// The reader of a pipe that the library has made, so that there is no question what it is.
    pub(super) fn of_pipe(pipe: OwnedFd) -> Self {
        Self { has_messages: Some(false), ..Self::new(pipe) }
    }

    /// Reads at most `most` bytes to the end of a vector, which has unused capacity. `is_ready` says that the last `poll(2)` has reported a
    /// descriptor of the stream readable.
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
        // What the last look has found is no answer: this function may have read since, or another process may have.
        if is_ready_for(self.fd.as_fd(), PollFlags::IN) { self.read_waiting(bytes, most) } else { Ok(Got::Nothing) }
    }

    /// Reads, and waits if there is nothing to read. If other code has made the description non-blocking, it does not wait.
    pub(super) fn read_waiting(&self, bytes: &mut Vec<u8>, most: usize) -> Result<Got, Errno> {
        self.got(retry_on_intr(|| sys::append(self.fd.as_fd(), bytes, most, true)))
    }

    pub(super) fn unregister(&mut self) {
        self.fd.unregister();
    }

    /// Lets a set of events tell when there is something to read. Returns whether there always is.
    pub(super) fn register(&mut self, place: &SetPlace, is_wanted: bool) -> Result<bool, Errno> {
        self.fd.register(place, is_wanted.then_some(PollFlags::IN))
    }

    fn got(&self, result: Result<usize, Errno>) -> Result<Got, Errno> {
        match result {
            Ok(0) => Ok(Got::End),
            Ok(_) => Ok(Got::Bytes),
            Err(Errno::AGAIN) => Ok(Got::Nothing),
            // The main side of a terminal has no other end of file.
            Err(Errno::IO) if self.is(FileType::is_char_device) => Ok(Got::End),
            // The other process has closed a local socket and has not read everything. All that it has written has been read.
            Err(Errno::CONNRESET) if self.is_local_socket() => Ok(Got::End),
            Err(errno) => Err(errno),
        }
    }

    /// Whether each read takes a message (a datagram), and drops what there is no room for.
    pub(super) fn has_messages(&mut self) -> bool {
        *self.has_messages.get_or_insert_with(|| {
            sockopt::socket_type(&self.fd).is_ok_and(|kind| kind == SocketType::DGRAM || kind == SocketType::SEQPACKET)
        })
    }

    /// Looks whether there is more than the limit lets through, and reads nothing. `room` is not 0 only for a message, which is read as a
    /// whole or not at all. `is_ready` says that `poll(2)` has just reported the descriptor readable.
    pub(super) fn behind_limit(&mut self, room: usize, is_ready: bool) -> Behind {
        let mut bytes = vec![0_u8; room.min(MESSAGE) + 1];
        match retry_on_intr(|| recv(&self.fd, &mut bytes, RecvFlags::PEEK | RecvFlags::DONTWAIT)) {
            Ok((_, 0)) => return Behind::End,
            Ok((_, length)) => return if length > room { Behind::Bytes } else { Behind::Message },
            Err(Errno::AGAIN) => return Behind::Unknown,
            Err(Errno::CONNRESET) if self.is_local_socket() => return Behind::End,
            Err(_) => {} // It is no socket.
        }
        match ioctl_fionread(&self.fd) {
            Ok(0) if !is_ready => Behind::Unknown,
            // Another process may have taken the bytes that `poll(2)` has reported. A pipe is at its end only if no process
            // has a write end.
            Ok(0) if self.is(FileType::is_fifo) && !is_ready_for(self.fd.as_fd(), PollFlags::empty()) => {
                Behind::Unknown
            }
            Ok(0) => Behind::End,
            Ok(_) => Behind::Bytes,
            Err(_) if is_ready => Behind::Bytes,
            Err(_) => Behind::Unknown,
        }
    }

    fn is_local_socket(&self) -> bool {
        getsockname(&self.fd).is_ok_and(|name| name.address_family() == AddressFamily::UNIX)
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

/// What a stream has after as many bytes as the limit lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behind {
    Bytes,
    /// A message that the limit lets through.
    Message,
    End,
    Unknown,
}

/// Whether an error says that the kernel, a filter or the description has no such call.
pub(super) fn is_no_such_call(errno: Errno) -> bool {
    matches!(errno, Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::PERM | Errno::SPIPE)
}
