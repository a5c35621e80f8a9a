//! The parent's ends of the pipes and sockets that connect it to a child.

use crate::command::Slot;
use std::io::{PipeReader, PipeWriter};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

/// The parent's end of one slot.
#[derive(Debug)]
pub enum ParentEnd {
    Reader(PipeReader),
    Writer(PipeWriter),
    Socket(UnixStream),
}

impl ParentEnd {
    fn replaced(self, replace: impl FnOnce(OwnedFd) -> OwnedFd) -> Self {
        match self {
            Self::Reader(end) => Self::Reader(replace(end.into()).into()),
            Self::Writer(end) => Self::Writer(replace(end.into()).into()),
            Self::Socket(end) => Self::Socket(replace(end.into()).into()),
        }
    }

    /// What has to be read of an end that no code can take any more: a child that writes to it should neither wait for ever nor get SIGPIPE,
    /// and a child that reads it should find its end. `None` for an end that only writes, which this closes.
    pub(crate) fn into_discarded(self) -> Option<OwnedFd> {
        match self {
            Self::Reader(reader) => Some(reader.into()),
            Self::Writer(_) => None,
            Self::Socket(socket) => {
                let _ = socket.shutdown(Shutdown::Write); // It fails if the child has closed its end: then there is nothing to end.
                Some(socket.into())
            }
        }
    }
}

/// All of the parent's ends.
#[derive(Debug, Default)]
pub(crate) struct ParentEnds {
    pub(crate) stdin: Option<PipeWriter>,
    pub(crate) stdout: Option<PipeReader>,
    pub(crate) stderr: Option<PipeReader>,
    /// Each end with the id of its slot.
    pub(crate) slots: Vec<(u64, ParentEnd)>,
}

impl ParentEnds {
    /// Whether there is an end.
    pub(crate) fn has_any(&self) -> bool {
        self.stdin.is_some() || self.stdout.is_some() || self.stderr.is_some() || !self.slots.is_empty()
    }

    /// The numbers of all ends.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = RawFd> {
        let readers = [&self.stdout, &self.stderr].into_iter().flatten().map(AsRawFd::as_raw_fd);
        let slots = self.slots.iter().map(|(_, end)| match end {
            ParentEnd::Reader(end) => end.as_raw_fd(),
            ParentEnd::Writer(end) => end.as_raw_fd(),
            ParentEnd::Socket(end) => end.as_raw_fd(),
        });
        self.stdin.iter().map(AsRawFd::as_raw_fd).chain(readers).chain(slots)
    }

    /// Replaces each end by what `replace` returns for it, which should be a duplicate.
    pub(crate) fn replace(&mut self, mut replace: impl FnMut(OwnedFd) -> OwnedFd) {
        self.stdin = self.stdin.take().map(|end| replace(end.into()).into());
        self.stdout = self.stdout.take().map(|end| replace(end.into()).into());
        self.stderr = self.stderr.take().map(|end| replace(end.into()).into());
        let slots = std::mem::take(&mut self.slots).into_iter();
        self.slots = slots.map(|(id, end)| (id, end.replaced(&mut replace))).collect();
    }

    /// Takes the end of a slot; `None` if there is none, or if it has been taken.
    pub(crate) fn take<T: Handle>(&mut self, slot: Slot<T>) -> Option<T> {
        let index = self.slots.iter().position(|(id, _)| *id == slot.id)?;
        T::from_end(self.slots.swap_remove(index).1)
    }
}

mod sealed {
    pub trait Sealed {
        fn from_end(end: super::ParentEnd) -> Option<Self>
        where
            Self: Sized;
    }
}

/// The types of the parent's end that [`Child::take`](crate::Child::take) gives: `PipeReader`, `PipeWriter`, `UnixStream`.
pub trait Handle: sealed::Sealed {}

macro_rules! handle {
    ($($handle:ty: $end:ident),*) => {$(
        impl sealed::Sealed for $handle {
            fn from_end(end: ParentEnd) -> Option<Self> {
                if let ParentEnd::$end(handle) = end { Some(handle) } else { None }
            }
        }

        impl Handle for $handle {}
    )*};
}

handle!(PipeReader: Reader, PipeWriter: Writer, UnixStream: Socket);
