//! Opens the sources that the parent does not have: pipes, sockets, `/dev/null` and data.

use super::data;
use super::defaults::Defaults;
use super::new_fds::{self, NewNumbers};
use crate::child::{ParentEnd, ParentEnds};
use crate::command::{FdMap, Opened, SlotKind, Source};
use crate::error::{Failure, Problem};
use crate::plan::{Mapping, NO_SOURCE, copy_same_as};
use crate::platform::Features;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// Opens the sources of one child.
pub(super) struct Opener<'a> {
    /// The descriptors that only the child needs.
    opened: &'a mut Vec<OwnedFd>,
    pub(super) ends: ParentEnds,
    /// The number of `/dev/null`, if it has been opened. All targets use the same one.
    null: Option<RawFd>,
    stdio: NewNumbers,
    missing: Features,
    pipe_capacity: Option<usize>,
}

impl<'a> Opener<'a> {
    pub(super) fn new(opened: &'a mut Vec<OwnedFd>, map: &FdMap<'_>) -> Self {
        let (missing, pipe_capacity) = (map.missing, map.pipe_capacity);
        Self { opened, ends: ParentEnds::default(), null: None, stdio: NewNumbers::default(), missing, pipe_capacity }
    }

    /// Opens every source that the parent does not have, and sets its number in `mappings`.
    pub(super) fn open_all(
        &mut self,
        map: &FdMap<'_>,
        defaults: &Defaults,
        mappings: &mut [Mapping],
    ) -> Result<(), Problem> {
        // If the parent has all sources, there is nothing to open, and a target that is the same as another one has no source before this.
        if mappings.iter().all(|mapping| mapping.source != NO_SOURCE) {
            return Ok(());
        }
        // The mappings are those of the map, in the same order, without the closed targets.
        let sources = map.entries(&defaults.0).filter(|(_, source)| !matches!(source, Source::Closed));
        for (mapping, (target, source)) in mappings.iter_mut().zip(sources) {
            if mapping.source == NO_SOURCE {
                mapping.source = match source {
                    Source::Opened(opened) => self.open(target, opened)?,
                    // A standard stream that is closed in the parent or not to be inherited.
                    Source::Given(_) => self.null(target)?,
                    Source::SameAs(_) | Source::Closed | Source::Spent => continue,
                };
                mapping.close_on_exec = true; // The library opens all descriptors with close-on-exec.
            }
        }
        copy_same_as(mappings);
        Ok(())
    }

    /// Whether a standard stream is closed. `None` if no source was opened, so that it is not known.
    pub(super) fn std_fd_was_free(&self) -> Option<bool> {
        self.stdio.std_fd_was_free()
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
                let (reader, writer) = self.pipe(target)?;
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
                let (reader, writer) = self.pipe(target)?;
                self.ends.slots.push((*id, ParentEnd::Reader(reader.into())));
                Ok(self.own(writer))
            }
            Opened::Slot { kind: SlotKind::Writer, id } => {
                let (reader, writer) = self.pipe(target)?;
                self.ends.slots.push((*id, ParentEnd::Writer(writer.into())));
                Ok(self.own(reader))
            }
            Opened::Slot { kind: SlotKind::Socket, id } => {
                let (ours, theirs) =
                    new_fds::socket_pair(&mut self.stdio).map_err(cannot_open(target, "a socket pair"))?;
                self.ends.slots.push((*id, ParentEnd::Socket(ours.into())));
                Ok(self.own(theirs))
            }
        }
    }

    fn pipe(&mut self, target: RawFd) -> Result<(OwnedFd, OwnedFd), Problem> {
        let ends = new_fds::pipe(&mut self.stdio).map_err(cannot_open(target, "a pipe"))?;
        if let Some(bytes) = self.pipe_capacity {
            new_fds::ask_for_capacity(&ends.1, bytes);
        }
        Ok(ends)
    }

    fn null(&mut self, target: RawFd) -> Result<RawFd, Problem> {
        if let Some(number) = self.null {
            return Ok(number);
        }
        let null = new_fds::null(&mut self.stdio).map_err(cannot_open(target, "/dev/null"))?;
        let number = self.own(null);
        self.null = Some(number);
        Ok(number)
    }
}

fn cannot_open(target: RawFd, what: &'static str) -> impl Fn(io::Error) -> Problem {
    move |error| Problem::io(Failure::Open { target, what }, &error)
}
