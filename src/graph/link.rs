//! `GraphLink`: a pipe or a socket pair between descriptors of stages, as plain data.

use super::stage::StageFd;

/// A link of a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GraphLink {
    pub(super) kind: LinkKind,
    /// The descriptors that write to it; for a socket pair, one of the two.
    pub(super) from: Vec<StageFd>,
    /// The descriptors that read from it; for a socket pair, the other one.
    pub(super) to: Vec<StageFd>,
    /// The slot of this process's end, which is one more writer or reader.
    pub(super) slot: Option<OutsideEnd>,
}

/// What a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LinkKind {
    Pipe,
    Socket,
}

/// The end of a link that this process has: by the id of its slot, or for a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(any(target_os = "linux", target_os = "android")),
    allow(dead_code, reason = "other systems have no tees and spools")
)]
pub(super) enum OutsideEnd {
    Reader(u64),
    Writer(u64),
    /// The second socket of a pair.
    Socket(u64),
    /// The thread of a tee or a spool reads it.
    CopyReader,
    /// The thread of a tee or a spool writes to it.
    CopyWriter,
}

/// One of the two ends of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LinkEnd {
    Writer,
    Reader,
}

impl GraphLink {
    pub(super) fn pipe(from: &[StageFd], to: &[StageFd], slot: Option<OutsideEnd>) -> Self {
        Self { kind: LinkKind::Pipe, from: from.to_vec(), to: to.to_vec(), slot }
    }

    /// All descriptors of stages that the link has, each with its end.
    pub(super) fn ends(&self) -> impl Iterator<Item = (StageFd, LinkEnd)> {
        let from = self.from.iter().map(|&end| (end, LinkEnd::Writer));
        from.chain(self.to.iter().map(|&end| (end, LinkEnd::Reader)))
    }

    pub(super) fn has_outside_reader(&self) -> bool {
        matches!(self.slot, Some(OutsideEnd::Reader(_) | OutsideEnd::Socket(_)))
    }

    pub(super) fn has_outside_writer(&self) -> bool {
        matches!(self.slot, Some(OutsideEnd::Writer(_)))
    }

    /// Whether the thread of a tee or a spool has an end.
    pub(super) fn has_copier(&self) -> bool {
        matches!(self.slot, Some(OutsideEnd::CopyReader | OutsideEnd::CopyWriter))
    }
}
