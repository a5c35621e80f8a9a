//! Slots: claims on the parent's ends of pipes and sockets.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

/// What the parent's end of a slot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SlotKind {
    Reader,
    Writer,
    Socket,
}

/// A claim on the parent's end of a descriptor, redeemed by [`Child::take`].
///
/// It is `Copy`: each child of a command has an end of its own for it. A slot of another command gives nothing.
///
/// [`Child::take`]: crate::Child::take
pub struct Slot<T> {
    pub(crate) id: u64,
    handle: PhantomData<fn() -> T>,
}

impl<T> Slot<T> {
    /// A slot unlike any other in this process.
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
