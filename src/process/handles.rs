//! The parent's ends of what connects it to a child.

use crate::stdio::Slot;
use std::io::{PipeReader, PipeWriter};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;

/// One of the parent's ends.
#[derive(Debug)]
pub enum End {
    Reader(PipeReader),
    Writer(PipeWriter),
    Socket(UnixStream),
}

/// All of the parent's ends.
#[derive(Debug, Default)]
pub(crate) struct Handles {
    pub(crate) stdin: Option<PipeWriter>,
    pub(crate) stdout: Option<PipeReader>,
    pub(crate) stderr: Option<PipeReader>,
    /// By the slot's number.
    pub(crate) slots: Vec<(u64, End)>,
}

impl Handles {
    /// Sets the handle of a standard stream.
    pub(crate) fn set_standard(&mut self, target: RawFd, end: End) {
        match (target, end) {
            (0, End::Writer(end)) => self.stdin = Some(end),
            (1, End::Reader(end)) => self.stdout = Some(end),
            (2, End::Reader(end)) => self.stderr = Some(end),
            (target, end) => debug_assert!(false, "{end:?} is not a standard stream's end for {target}"),
        }
    }

    /// The numbers of all ends.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = RawFd> {
        let readers = [&self.stdout, &self.stderr].into_iter().flatten().map(AsRawFd::as_raw_fd);
        let slots = self.slots.iter().map(|(_, end)| match end {
            End::Reader(end) => end.as_raw_fd(),
            End::Writer(end) => end.as_raw_fd(),
            End::Socket(end) => end.as_raw_fd(),
        });
        self.stdin.iter().map(AsRawFd::as_raw_fd).chain(readers).chain(slots)
    }

    /// Takes what a slot stands for, once.
    pub(crate) fn take<T: Handle>(&mut self, slot: Slot<T>) -> Option<T> {
        let index = self.slots.iter().position(|(id, _)| *id == slot.id)?;
        T::from_end(self.slots.swap_remove(index).1)
    }
}

mod sealed {
    pub trait Sealed {
        fn from_end(end: super::End) -> Option<Self>
        where
            Self: Sized;
    }
}

/// What a [`Slot`] can be redeemed for: `PipeReader`, `PipeWriter`, `UnixStream`.
pub trait Handle: sealed::Sealed {}

macro_rules! handle {
    ($($handle:ty: $end:ident),*) => {$(
        impl sealed::Sealed for $handle {
            fn from_end(end: End) -> Option<Self> {
                if let End::$end(handle) = end { Some(handle) } else { None }
            }
        }

        impl Handle for $handle {}
    )*};
}

handle!(PipeReader: Reader, PipeWriter: Writer, UnixStream: Socket);
