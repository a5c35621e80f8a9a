//! `Drain`: reads a descriptor, and keeps or hands on the bytes.

use super::failure::{FlowError, StreamCall};
use super::feed::Ready;
use super::keep::KeptBytes;
use super::lines::Lines;
use super::looks::MUCH;
use super::place::{Piece, is_slow};
use super::reader::{Behind, Got, MESSAGE, StreamReader};
use super::writer::{Put, StreamWriter};
use crate::driven::SetPlace;
use rustix::event::PollFlags;
use rustix::io::Errno;
use std::fmt;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The least room of a read.
const PIECE: usize = 64 * 1024;

/// The room of the first read: most programs write little.
const FIRST_PIECE: usize = 8 * 1024;

/// How much memory a drain touches before the bytes come.
const MOST_AHEAD: usize = 128 * 1024;

/// How many reads a drain makes before the others have their turn.
const READS: usize = 16;

/// A function that gets bytes, and says whether the exchange goes on.
pub(crate) type Callback<'a> = Box<dyn FnMut(&[u8]) -> ControlFlow<()> + Send + 'a>;

/// Where the bytes of a drain go.
pub(crate) enum Sink<'a> {
    Keep(KeptBytes),
    /// To the end of the caller's own vector.
    Into(&'a mut Vec<u8>),
    Chunks(Callback<'a>),
    Lines {
        /// The length of the longest line that comes in one piece.
        longest: usize,
        each: Callback<'a>,
    },
    Discard,
}

/// A flow to this process.
pub(super) struct Drain<'a> {
    /// `None` at the end of the stream.
    from: Option<StreamReader>,
    pub(super) sink: Sink<'a>,
    lines: Option<Lines>,
    /// The bytes of the last read, unless the sink got them at once.
    piece: Piece,
    /// Whether the last read got so many bytes that as many may follow.
    has_much: bool,
    copies: Vec<CopyTarget>,
    /// How many bytes the last step has read.
    moved: usize,
}

/// A descriptor that gets the same bytes.
#[derive(Debug)]
struct CopyTarget {
    /// `None` if no process reads them any more.
    to: Option<StreamWriter>,
    /// How many bytes of the last piece it has got.
    written: usize,
}

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The flow waits, or is done.
    GoOn,
    /// There are more bytes than the limit lets through.
    Limit,
    /// The callback has asked to stop.
    Asked,
}

impl<'a> Drain<'a> {
    pub(super) fn new(from: StreamReader, sink: Sink<'a>) -> Self {
        let lines = if let Sink::Lines { longest, .. } = sink { Some(Lines::new(longest)) } else { None };
        Self { from: Some(from), sink, lines, piece: Piece::default(), has_much: false, copies: Vec::new(), moved: 0 }
    }

    /// Writes to this descriptor, too, what is read from now on.
    pub(super) fn also_to(&mut self, to: OwnedFd) {
        if self.from.is_none() {
            return; // Nothing comes any more, so the copy is at its end.
        }
        self.copies.push(CopyTarget { to: Some(StreamWriter::new(to)), written: self.piece.bytes().len() });
    }

    pub(super) fn is_done(&self) -> bool {
        self.from.is_none() && !self.has_pending() && !self.lines.as_ref().is_some_and(Lines::has_bytes)
    }

    /// Whether a descriptor has not got all of what was read.
    fn has_pending(&self) -> bool {
        self.copies.iter().any(|copy| copy.to.is_some() && copy.written < self.piece.bytes().len())
    }

    /// Closes the descriptors. What was read is kept. At the end of the stream, the readers of the copies have got all bytes, and wait for
    /// this.
    pub(super) fn close(&mut self) {
        self.from = None;
        self.copies.clear();
        self.piece = Piece::default();
    }

    /// The descriptor that the drain waits to read from. It does not read while a copy is pending.
    pub(super) fn source(&self) -> Option<BorrowedFd<'_>> {
        self.from.as_ref().filter(|_| !self.has_pending()).map(AsFd::as_fd)
    }

    /// The descriptors that the drain waits to write to.
    pub(super) fn targets(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let pending = self.copies.iter().filter(|copy| copy.written < self.piece.bytes().len());
        pending.filter_map(|copy| copy.to.as_ref()).map(AsFd::as_fd)
    }

    /// Lets a set of events tell when a step has something to do. Returns whether it always has.
    pub(super) fn register(&mut self, place: &SetPlace) -> Result<bool, Errno> {
        let reads = !self.has_pending();
        let mut is_ready = self.from.as_mut().map_or(Ok(false), |from| from.register(place, reads))?;
        let length = self.piece.bytes().len();
        for copy in &mut self.copies {
            let is_pending = copy.written < length;
            if let Some(to) = &mut copy.to {
                is_ready |= to.register(place, is_pending.then_some(PollFlags::OUT))?;
            }
        }
        Ok(is_ready)
    }

    /// Lets no set of events tell of the drain any more.
    pub(super) fn unregister(&mut self) {
        self.from.iter_mut().for_each(StreamReader::unregister);
        self.copies.iter_mut().filter_map(|copy| copy.to.as_mut()).for_each(StreamWriter::unregister);
    }

    /// How many bytes the stream contains now, if the system tells.
    pub(super) fn contained(&self) -> usize {
        let length = self.from.as_ref().and_then(|from| rustix::io::ioctl_fionread(from).ok());
        length.and_then(|length| usize::try_from(length).ok()).unwrap_or(0)
    }

    /// Whether the drain writes, too.
    pub(super) fn has_copies(&self) -> bool {
        !self.copies.is_empty()
    }

    /// Reads what there is, at most [`READS`] times.
    ///
    /// The first read is a small one, and each read is twice as large as the one before. So a process that waits for room in the pipe goes on
    /// while this one reads the rest.
    pub(super) fn step(&mut self, mut ready: Ready) -> Result<Progress, FlowError> {
        let mut most = FIRST_PIECE;
        self.moved = 0;
        for _ in 0..READS {
            match self.once(ready, most, false)? {
                (Progress::GoOn, true) => ready.readable = false, // Whether there is more, only a read that does not wait tells.
                (step, _) => return Ok(step),
            }
            most *= 2;
        }
        Ok(Progress::GoOn)
    }

    /// How many bytes the last step has read.
    pub(super) fn moved(&self) -> usize {
        self.moved
    }

    /// Touches the memory of the next bytes, as many as the last step has read, so that the kernel maps it before they come.
    pub(super) fn touch_ahead(&mut self) {
        /// No page is smaller.
        const PAGE: usize = 4096;
        let bytes = match &mut self.sink {
            Sink::Keep(kept) if kept.appends() && self.copies.is_empty() => &mut kept.head,
            Sink::Into(bytes) if self.copies.is_empty() => &mut **bytes,
            _ => return, // The piece is used again and again.
        };
        let room = bytes.spare_capacity_mut();
        let length = room.len().min(self.moved).min(MOST_AHEAD);
        room[..length].iter_mut().step_by(PAGE).for_each(|byte| _ = byte.write(0));
    }

    /// Reads once, and waits if there is nothing to read. Also returns whether it has read something.
    pub(super) fn step_waiting(&mut self) -> Result<(Progress, bool), FlowError> {
        self.moved = 0;
        self.once(Ready { readable: true, writable: true }, usize::MAX, true)
    }

    /// Hands on what is left, and then reads once, at most this many bytes. Also returns whether it has read something.
    fn once(&mut self, ready: Ready, most: usize, waits: bool) -> Result<(Progress, bool), FlowError> {
        self.write_copies(ready.writable)?;
        if self.has_pending() {
            return Ok((Progress::GoOn, false));
        }
        if let Some(step) = self.give_lines() {
            return Ok((step, false));
        }
        let Some(from) = &mut self.from else { return Ok((Progress::GoOn, false)) };
        let limit = if let Sink::Keep(kept) = &self.sink { kept.room() } else { None };
        let has_messages = from.has_messages();
        if let Some(room) = limit.filter(|room| *room == 0 || has_messages) {
            match from.behind_limit(room, ready.readable && !waits) {
                Behind::Bytes => return Ok((Progress::Limit, false)),
                Behind::Message => {}
                Behind::Unknown => return Ok((Progress::GoOn, false)),
                Behind::End => {
                    self.close();
                    return Ok((Progress::GoOn, false));
                }
            }
        }
        let most = if has_messages { usize::MAX } else { limit.map_or(most, |limit| limit.min(most)) };
        // The bytes go where they stay, if they need not go to several places, and if that is not a slow place for many bytes.
        let at_once = match &mut self.sink {
            Sink::Keep(kept) if kept.appends() && self.copies.is_empty() => Some(&mut kept.head),
            Sink::Into(bytes) if self.copies.is_empty() => Some(&mut **bytes),
            _ => None,
        }
        .filter(|bytes| !(self.has_much && is_slow(bytes.as_ptr_range().end.addr())));
        let is_direct = at_once.is_some();
        let bytes = match at_once {
            Some(bytes) if has_messages => {
                bytes.reserve(MESSAGE);
                bytes
            }
            Some(bytes) => {
                make_room(bytes);
                bytes
            }
            None if has_messages => self.piece.start(MESSAGE),
            None => self.piece.start(if self.has_much { PIECE } else { FIRST_PIECE }),
        };
        let before = bytes.len();
        let got = if waits { from.read_waiting(bytes, most) } else { from.read(bytes, most, ready.readable) };
        let length = bytes.len() - before;
        self.moved += length;
        if length > 0 {
            self.has_much = length >= MUCH;
        }
        match got {
            Ok(Got::Bytes) if is_direct => Ok((Progress::GoOn, true)),
            Ok(Got::Bytes) => self.hand_on(ready.writable).map(|step| (step, true)),
            Ok(Got::Nothing) => Ok((Progress::GoOn, false)),
            Ok(Got::End) => {
                self.close();
                Ok((self.give_lines().unwrap_or(Progress::GoOn), false))
            }
            Err(errno) => {
                self.close();
                Err(StreamCall::Read.failed(errno))
            }
        }
    }

    /// Gives the last piece to the sink and to the other descriptors.
    fn hand_on(&mut self, writable: bool) -> Result<Progress, FlowError> {
        self.copies.iter_mut().for_each(|copy| copy.written = 0);
        let step = match &mut self.sink {
            Sink::Keep(kept) => {
                kept.push(self.piece.bytes());
                Progress::GoOn
            }
            Sink::Into(bytes) => {
                bytes.extend_from_slice(self.piece.bytes());
                Progress::GoOn
            }
            Sink::Chunks(each) => asked(each(self.piece.bytes())),
            Sink::Lines { .. } => {
                if let Some(lines) = &mut self.lines {
                    lines.push(self.piece.bytes());
                }
                self.give_lines().unwrap_or(Progress::GoOn)
            }
            Sink::Discard => Progress::GoOn,
        };
        self.write_copies(writable)?;
        Ok(step)
    }

    /// Gives the complete lines to the callback; `None` if it has got all of them. A line counts as given before the callback gets it, so
    /// that it is not given twice if the callback panics.
    pub(super) fn give_lines(&mut self) -> Option<Progress> {
        let (Some(lines), Sink::Lines { each, .. }) = (&mut self.lines, &mut self.sink) else { return None };
        let is_end = self.from.is_none();
        while let Some(line) = lines.next(is_end) {
            if each(line).is_break() {
                return Some(Progress::Asked);
            }
        }
        None
    }

    /// Writes what the other descriptors have not got.
    fn write_copies(&mut self, writable: bool) -> Result<(), FlowError> {
        for copy in &mut self.copies {
            while let Some(to) = copy.to.as_mut().filter(|_| copy.written < self.piece.bytes().len()) {
                match to.write(&self.piece.bytes()[copy.written..], writable) {
                    Ok(Put::Bytes(length)) => copy.written += length,
                    Ok(Put::Nothing) => break,
                    Ok(Put::NoReader) => copy.to = None,
                    Err(errno) => {
                        copy.to = None;
                        return Err(StreamCall::Write.failed(errno));
                    }
                }
            }
        }
        Ok(())
    }
}

/// Makes room for a read.
fn make_room(bytes: &mut Vec<u8>) {
    if bytes.capacity() == 0 {
        bytes.reserve(FIRST_PIECE);
    } else if bytes.capacity() == bytes.len() || bytes.capacity() - bytes.len() < FIRST_PIECE && bytes.len() > PIECE {
        bytes.reserve(PIECE);
    }
}

fn asked(flow: ControlFlow<()>) -> Progress {
    if flow.is_break() { Progress::Asked } else { Progress::GoOn }
}

impl fmt::Debug for Drain<'_> {
    /// Does not print the bytes, which may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drain").field("from", &self.from).field("copies", &self.copies).finish_non_exhaustive()
    }
}
