//! Slots: by a slot the caller takes the parent's end of a pipe or socket from a child.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

/// The type of the parent's end that a slot stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SlotKind {
    Reader,
    Writer,
    Socket,
}

/// Stands for the parent's end of a pipe or socket. [`Child::take`] gives the end.
///
/// A slot is `Copy`: each child of a command has an end of its own for the slot, and so has each child of a copy of the
/// command ([`Command::try_clone`]). A child of another command has none.
///
/// [`Command::try_clone`]: crate::Command::try_clone
/// [`Child::take`]: crate::Child::take
pub struct Slot<T> {
    pub(crate) id: u64,
    handle: PhantomData<fn() -> T>,
}

impl<T> Slot<T> {
    /// Makes a slot with an id that no other slot of this process has.
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { id: NEXT.fetch_add(1, Ordering::Relaxed), handle: PhantomData }
    }
}

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Slot<T> {}

impl<T> std::fmt::Debug for Slot<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Slot").field(&self.id).finish()
    }
}
