//! Opens the pipes and socket pairs of a graph.

use super::link::{GraphLink, LinkEnd, LinkKind, OutsideEnd};
use crate::child::{ParentEnd, ParentEnds};
use crate::error::{Failure, Problem};
use crate::fd::standard::lock_stdio_numbers_if_closed;
use crate::spawn::{NewNumbers, Numbering, ask_for_capacity, pipe, socket_pair};
use std::os::fd::OwnedFd;

/// The open links of a graph.
#[derive(Debug, Default)]
pub(super) struct OpenLinks {
    /// One for each link: its writing and its reading end; the first and the second socket. `None` for an end that only this process has.
    ends: Vec<[Option<OwnedFd>; 2]>,
    /// For each link, the end of the thread of a tee or a spool.
    copy_ends: Vec<Option<OwnedFd>>,
}

impl OpenLinks {
    /// Opens all links, all with close-on-exec. Also returns the ends of this process.
    pub(super) fn new(
        links: &[GraphLink],
        capacity: Option<usize>,
        numbering: Numbering,
    ) -> Result<(Self, ParentEnds), Problem> {
        let _guard = lock_stdio_numbers_if_closed();
        let (mut open, mut own, mut numbers) = (Self::default(), ParentEnds::default(), NewNumbers::default());
        for link in links {
            let (what, opened) = match link.kind {
                LinkKind::Pipe => ("a pipe", pipe(&mut numbers)),
                LinkKind::Socket => ("a socket pair", socket_pair(&mut numbers)),
            };
            let target = link.ends().next().map_or(-1, |(end, _)| end.fd);
            let opened = opened.map_err(|error| Problem::io(Failure::Open { target, what }, &error))?;
            let [one, other] = <[OwnedFd; 2]>::from(opened).map(|end| numbering.raise_link(end));
            let [first, second] = if link.kind == LinkKind::Pipe { [other, one] } else { [one, other] };
            if let Some(bytes) = capacity.filter(|_| link.kind == LinkKind::Pipe) {
                ask_for_capacity(&first, bytes);
            }
            let mut copy_end = None;
            let (ends, own_end) = match link.slot {
                None => ([Some(first), Some(second)], None),
                Some(OutsideEnd::CopyReader) => {
                    copy_end = Some(second);
                    ([Some(first), None], None)
                }
                Some(OutsideEnd::CopyWriter) => {
                    copy_end = Some(first);
                    ([None, Some(second)], None)
                }
                Some(OutsideEnd::Reader(id)) => ([Some(first), None], Some((id, ParentEnd::Reader(second.into())))),
                Some(OutsideEnd::Writer(id)) => ([None, Some(second)], Some((id, ParentEnd::Writer(first.into())))),
                Some(OutsideEnd::Socket(id)) => ([Some(first), None], Some((id, ParentEnd::Socket(second.into())))),
            };
            open.ends.push(ends);
            open.copy_ends.push(copy_end);
            own.slots.extend(own_end);
        }
        Ok((open, own))
    }

    /// Takes the end of the thread of a tee or a spool.
    pub(super) fn take_copy_end(&mut self, link: usize) -> Option<OwnedFd> {
        self.copy_ends.get_mut(link)?.take()
    }

    /// An end; `None` if only this process has it.
    pub(super) fn end(&self, link: usize, end: LinkEnd) -> Option<&OwnedFd> {
        let [writer, reader] = self.ends.get(link)?;
        let end = if end == LinkEnd::Writer { writer } else { reader };
        end.as_ref()
    }
}
