//! `Feed`: writes bytes to a descriptor, as it takes them.

use super::failure::{FlowError, StreamCall};
use super::place;
use super::reader::{Got, StreamReader};
use super::writer::{Put, StreamWriter};
use crate::driven::SetPlace;
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{Shutdown, shutdown};
use std::borrow::Cow;
use std::fmt;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// How many bytes a feed takes from a stream or a descriptor at once, and writes at once: as many as a pipe contains. A socket that has
/// messages refuses one that is longer than its buffer.
const PIECE: usize = 64 * 1024;

/// How many writes a feed makes before the others have their turn.
const WRITES: usize = 16;

/// Where the bytes of a feed come from, after those that it holds.
pub(crate) enum FlowSource<'a> {
    /// There are no others.
    None,
    Stream(Box<dyn Read + Send + 'a>),
    Fd(OwnedFd),
}

/// A flow from this process.
pub(super) struct Feed<'a> {
    /// `None` if the feed is done.
    to: Option<StreamWriter>,
    bytes: Cow<'a, [u8]>,
    /// How many of the bytes have been written, or come before those of the source.
    written: usize,
    stream: Option<Box<dyn Read + Send + 'a>>,
    from: Option<StreamReader>,
    ends_socket: bool,
    /// How many bytes the last step has written.
    moved: usize,
}

/// What the last look at the descriptors has found.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ready {
    pub(super) readable: bool,
    pub(super) writable: bool,
}

impl<'a> Feed<'a> {
    pub(super) fn new(to: OwnedFd, bytes: Cow<'a, [u8]>, source: FlowSource<'a>) -> Self {
        let (stream, from) = match source {
            FlowSource::None => (None, None),
            FlowSource::Stream(stream) => (Some(stream), None),
            FlowSource::Fd(from) => (None, Some(StreamReader::new(from))),
        };
        Self { to: Some(StreamWriter::new(to)), bytes, written: 0, stream, from, ends_socket: false, moved: 0 }
    }

    /// A feed that ends the writing side of its socket at its end: other duplicates of the socket stay open.
    pub(super) fn to_socket(to: OwnedFd, bytes: Cow<'a, [u8]>) -> Self {
        Self { ends_socket: true, ..Self::new(to, bytes, FlowSource::None) }
    }

    pub(super) fn is_done(&self) -> bool {
        self.to.is_none()
    }

    /// How many bytes the feed holds that have not been written.
    pub(super) fn unsent(&self) -> usize {
        self.bytes.len() - self.written
    }

    /// Closes the descriptor. What has not been sent is kept.
    pub(super) fn close(&mut self) {
        if let Some(to) = self.to.take().filter(|_| self.ends_socket) {
            let _ = shutdown(&to, Shutdown::Write); // If the other side is gone, there is nothing to end.
        }
        self.from = None;
    }

    /// Whether the feed can go on if there is room. A stream that it reads always has bytes, or its end.
    fn has_bytes_to_write(&self) -> bool {
        self.unsent() > 0 || self.from.is_none()
    }

    /// The descriptor that the feed waits to write to. If it has nothing to write now, it waits only for the end of the reader.
    pub(super) fn target(&self) -> Option<(BorrowedFd<'_>, bool)> {
        self.to.as_ref().map(|to| (to.as_fd(), self.has_bytes_to_write()))
    }

    /// The descriptor that the feed waits to read from.
    pub(super) fn source(&self) -> Option<BorrowedFd<'_>> {
        self.from.as_ref().filter(|_| self.to.is_some() && self.unsent() == 0).map(AsFd::as_fd)
    }

    /// Lets a set of events tell when a step has something to do. Returns whether it always has.
    pub(super) fn register(&mut self, place: &SetPlace) -> Result<bool, Errno> {
        let has_bytes = self.has_bytes_to_write();
        let Some(to) = &mut self.to else { return Ok(false) };
        let mut is_ready = to.register(place, Some(if has_bytes { PollFlags::OUT } else { PollFlags::empty() }))?;
        if let Some(from) = &mut self.from {
            is_ready = from.register(place, !has_bytes)? || is_ready && has_bytes;
        }
        Ok(is_ready)
    }

    /// Lets no set of events tell of the feed any more.
    pub(super) fn unregister(&mut self) {
        self.to.iter_mut().for_each(StreamWriter::unregister);
        self.from.iter_mut().for_each(StreamReader::unregister);
    }

    /// Whether a call of the feed may wait for something other than its target.
    pub(super) fn has_source(&self) -> bool {
        self.from.is_some()
    }

    /// Writes what there is room for, at most [`WRITES`] times.
    pub(super) fn step(&mut self, ready: Ready) -> Result<(), FlowError> {
        if ready.writable && self.unsent() == 0 && self.from.is_some() {
            self.close(); // No process can read the bytes any more: `poll(2)` was asked for nothing else.
        }
        self.go_on(ready.readable, |to, bytes| to.write(bytes, ready.writable)).map(drop)
    }

    /// Writes what the feed holds, at most [`WRITES`] times, and waits for the reader. Returns whether it has written something.
    pub(super) fn step_waiting(&mut self) -> Result<bool, FlowError> {
        self.go_on(false, |to, bytes| to.write_waiting(bytes))
    }

    /// How many bytes the last step has written, if the next one can write as many without a wait.
    pub(super) fn moved(&self) -> usize {
        if self.to.as_ref().is_some_and(StreamWriter::has_nowait) { self.moved } else { 0 }
    }

    fn go_on(
        &mut self,
        readable: bool,
        mut write: impl FnMut(&mut StreamWriter, &[u8]) -> Result<Put, Errno>,
    ) -> Result<bool, FlowError> {
        self.moved = 0;
        for _ in 0..WRITES {
            if self.to.is_none() {
                break;
            }
            if self.written == self.bytes.len() {
                match self.take_more(readable) {
                    Ok(Got::Bytes) => {}
                    Ok(Got::Nothing) => break,
                    end => {
                        self.close();
                        end?;
                        break;
                    }
                }
            }
            let Some(to) = &mut self.to else { break };
            let rest = &self.bytes[self.written..];
            match write(to, &rest[..rest.len().min(PIECE)]) {
                Ok(Put::Bytes(length)) => {
                    self.written += length;
                    self.moved += length;
                }
                Ok(Put::Nothing) => break,
                end => {
                    self.close();
                    end.map_err(|errno| StreamCall::Write.failed(errno))?;
                    break;
                }
            }
        }
        // The end of bytes that have no source after them needs no further look at the descriptor.
        if self.unsent() == 0 && self.stream.is_none() && self.from.is_none() {
            self.close();
        }
        Ok(self.moved > 0)
    }

    /// Takes the next bytes from the source, after all that the feed held have been written.
    fn take_more(&mut self, readable: bool) -> Result<Got, FlowError> {
        if let Some(stream) = &mut self.stream {
            // If the stream panics, the feed holds nothing that has been written already.
            let mut bytes = std::mem::take(&mut self.bytes).into_owned();
            let start = place::start(&mut bytes, PIECE);
            self.written = 0;
            bytes.resize(start + PIECE, 0);
            let length = loop {
                match stream.read(&mut bytes[start..]) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    result => {
                        break result.map_err(|error| {
                            StreamCall::Write.failed(Errno::from_io_error(&error).unwrap_or(Errno::IO))
                        })?;
                    }
                }
            };
            bytes.truncate(start + length);
            (self.bytes, self.written) = (bytes.into(), start);
            return Ok(if length == 0 { Got::End } else { Got::Bytes });
        }
        match &mut self.from {
            None => Ok(Got::End),
            Some(from) => {
                let mut bytes = std::mem::take(&mut self.bytes).into_owned();
                self.written = place::start(&mut bytes, PIECE);
                let got = from.read(&mut bytes, PIECE, readable);
                self.bytes = bytes.into();
                got.map_err(|errno| StreamCall::Read.failed(errno))
            }
        }
    }
}

impl fmt::Debug for Feed<'_> {
    /// Does not print the bytes, which may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").field("to", &self.to).field("unsent", &self.unsent()).finish_non_exhaustive()
    }
}
