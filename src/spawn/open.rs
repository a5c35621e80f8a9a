//! Opens what the child's descriptors are connected to: pipes, sockets, `/dev/null` and data.

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
                let (reader, writer) = new_fds::pipe(&mut self.stdio).map_err(cannot_open(target, "a pipe"))?;
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
                let (reader, writer) = new_fds::pipe(&mut self.stdio).map_err(cannot_open(target, "a pipe"))?;
                self.ends.slots.push((*id, ParentEnd::Reader(reader.into())));
                Ok(self.own(writer))
            }
            Opened::Slot { kind: SlotKind::Writer, id } => {
                let (reader, writer) = new_fds::pipe(&mut self.stdio).map_err(cannot_open(target, "a pipe"))?;
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
