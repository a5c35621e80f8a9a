//! Opens what the child's descriptors are connected to: pipes, sockets, `/dev/null` and data.

use super::data;
use super::prepare::Defaults;
use crate::child::{ParentEnd, ParentEnds};
use crate::command::{FdMap, Opened, SlotKind, Source};
use crate::error::{Failure, Problem};
use crate::fd::standard::dup_above_stdio;
use crate::plan::{Mapping, NO_SOURCE, copy_same_as};
use crate::platform::Features;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

/// The first number that is not a standard stream's.
pub(super) const ABOVE_STDIO: RawFd = 3;

/// What the parent has opened for one child.
pub(super) struct Opener<'a> {
    /// What only the child needs.
    opened: &'a mut Vec<OwnedFd>,
    pub(super) ends: ParentEnds,
    /// One `/dev/null` serves all targets that want it.
    null: Option<RawFd>,
    stdio: NewNumbers,
    missing: Features,
}

impl<'a> Opener<'a> {
    pub(super) fn new(opened: &'a mut Vec<OwnedFd>, missing: Features) -> Self {
        Self { opened, ends: ParentEnds::default(), null: None, stdio: NewNumbers::default(), missing }
    }

    /// Opens every source that the parent does not have yet.
    pub(super) fn open_all(
        &mut self,
        map: &FdMap<'_>,
        defaults: &Defaults,
        mappings: &mut [Mapping],
    ) -> Result<(), Problem> {
        // The mappings are those of the map, in the same order, without the closed targets.
        let sources = map.entries(&defaults.0).filter(|(_, source)| !matches!(source, Source::Closed));
        for (mapping, (target, source)) in mappings.iter_mut().zip(sources) {
            if mapping.source == NO_SOURCE {
                mapping.source = match source {
                    Source::Opened(opened) => self.open(target, opened)?,
                    // A standard stream that is closed in the parent.
                    Source::Given(_) => self.null(target)?,
                    Source::SameAs(_) | Source::Closed | Source::Spent => continue,
                };
                mapping.close_on_exec = true; // As everything that the library opens.
            }
        }
        copy_same_as(mappings);
        Ok(())
    }

    /// Whether one of the new descriptors got 0, 1 or 2, if there was any: then that standard stream is closed.
    pub(super) fn std_fd_was_free(&self) -> Option<bool> {
        self.stdio.any.then_some(self.stdio.std_fd_was_free)
    }

    fn own(&mut self, fd: OwnedFd) -> RawFd {
        let number = fd.as_raw_fd();
        self.opened.push(fd);
        number
    }

    fn open(&mut self, target: RawFd, opened: &Opened) -> Result<RawFd, Problem> {
        match opened {
            Opened::Null => self.null(target),
            Opened::Data(bytes) => {
                let (result, what) = data::open(bytes, self.missing, &mut self.stdio);
                let fd = result.and_then(|fd| self.stdio.dup_above_stdio(fd)).map_err(cannot_open(target, what))?;
                Ok(self.own(fd))
            }
            Opened::Piped => {
                let (reader, writer) = pipe(&mut self.stdio).map_err(cannot_open(target, "a pipe"))?;
                let child = match target {
                    0 => {
                        self.ends.stdin = Some(writer.into());
                        reader
                    }
                    1 => {
                        self.ends.stdout = Some(reader.into());
                        writer
                    }
                    _ => {
                        self.ends.stderr = Some(reader.into());
                        writer
                    }
                };
                Ok(self.own(child))
            }
            Opened::Slot { kind: SlotKind::Reader, id } => {
                let (reader, writer) = pipe(&mut self.stdio).map_err(cannot_open(target, "a pipe"))?;
                self.ends.slots.push((*id, ParentEnd::Reader(reader.into())));
                Ok(self.own(writer))
            }
            Opened::Slot { kind: SlotKind::Writer, id } => {
                let (reader, writer) = pipe(&mut self.stdio).map_err(cannot_open(target, "a pipe"))?;
                self.ends.slots.push((*id, ParentEnd::Writer(writer.into())));
                Ok(self.own(reader))
            }
            Opened::Slot { kind: SlotKind::Socket, id } => {
                let (ours, theirs) = socket_pair(&mut self.stdio).map_err(cannot_open(target, "a socket pair"))?;
                self.ends.slots.push((*id, ParentEnd::Socket(ours.into())));
                Ok(self.own(theirs))
            }
        }
    }

    fn null(&mut self, target: RawFd) -> Result<RawFd, Problem> {
        if let Some(number) = self.null {
            return Ok(number);
        }
        let null = null(&mut self.stdio).map_err(cannot_open(target, "/dev/null"))?;
        let number = self.own(null);
        self.null = Some(number);
        Ok(number)
    }
}

fn cannot_open(target: RawFd, what: &'static str) -> impl Fn(io::Error) -> Problem {
    move |error| Problem::io(Failure::Open { target, what }, &error)
}

/// What is known of the numbers that new descriptors got.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NewNumbers {
    /// Whether there was a new descriptor.
    any: bool,
    /// Whether one got 0, 1 or 2. A new descriptor gets the lowest free number, so a standard stream is closed.
    std_fd_was_free: bool,
}

impl NewNumbers {
    /// Gives a new descriptor a number above 2.
    fn dup_above_stdio(&mut self, fd: OwnedFd) -> io::Result<OwnedFd> {
        self.any = true;
        self.std_fd_was_free |= fd.as_raw_fd() <= 2;
        dup_above_stdio(fd)
    }
}

/// A pipe, reader and writer, with numbers above 2, closing at exec.
pub(super) fn pipe(numbers: &mut NewNumbers) -> io::Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = io::pipe()?;
    Ok((numbers.dup_above_stdio(reader.into())?, numbers.dup_above_stdio(writer.into())?))
}

fn socket_pair(numbers: &mut NewNumbers) -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    Ok((numbers.dup_above_stdio(ours.into())?, numbers.dup_above_stdio(theirs.into())?))
}

/// `/dev/null`, with a number above 2, closing at exec.
pub(super) fn null(numbers: &mut NewNumbers) -> io::Result<OwnedFd> {
    let null = std::fs::File::options().read(true).write(true).open("/dev/null")?;
    numbers.dup_above_stdio(null.into())
}

/// A duplicate of `fd`, closing at exec, with a number from `first` on that the child's plan does not decide about.
pub(super) fn dup_outside_plan(
    fd: impl AsFd,
    mut first: RawFd,
    decides: impl Fn(RawFd) -> bool,
) -> io::Result<OwnedFd> {
    loop {
        let duplicate = rustix::io::fcntl_dupfd_cloexec(fd.as_fd(), first)?;
        if !decides(duplicate.as_raw_fd()) {
            return Ok(duplicate);
        }
        first = duplicate.as_raw_fd() + 1;
    }
}
