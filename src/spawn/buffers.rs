//! Memory of a thread's last launch, which its next launch uses again: a launch allocates only what it has never needed
//! before.

use super::descriptors::Pending;
use crate::command::{Addresses, Block, Strings};
use crate::explain::Row;
use crate::plan::{Compiler, Plan, Step, Wish};
use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::os::fd::OwnedFd;

/// What a launch works with.
#[derive(Default)]
pub(super) struct Buffers {
    pub(super) wishes: Vec<Wish>,
    pub(super) pending: Vec<Pending>,
    pub(super) plan: Plan,
    pub(super) compiler: Compiler,
    pub(super) steps: Vec<Step>,
    /// The table, where it is to be told.
    pub(super) rows: Vec<Row>,
    /// What the parent has opened for the child only.
    pub(super) opened: Vec<OwnedFd>,
    pub(super) argv: Addresses,
    pub(super) programs: Addresses,
    /// What the programs point to, other than the command's own strings.
    pub(super) paths: Strings,
    /// The environment, where none is shared.
    pub(super) environment: Block,
}

impl Buffers {
    /// Empties them, which closes what was opened.
    fn clear(&mut self) {
        self.wishes.clear();
        self.pending.clear();
        self.plan.clear();
        self.steps.clear();
        self.rows.clear();
        self.opened.clear();
        self.paths.clear();
        self.environment.clear();
    }

    /// Whether a thread may keep them for as long as it lives.
    fn is_small(&self) -> bool {
        const SMALL: usize = 256 * 1024;
        fn bytes<T>(list: &Vec<T>) -> usize {
            list.capacity() * size_of::<T>()
        }
        let lists =
            bytes(&self.wishes) + bytes(&self.pending) + bytes(&self.steps) + bytes(&self.rows) + bytes(&self.opened);
        let strings = self.argv.size() + self.programs.size() + self.paths.size() + self.environment.size();
        lists + strings + self.plan.size() + self.compiler.size() < SMALL
    }
}

thread_local! {
    #[allow(clippy::missing_const_for_thread_local, reason = "it is const, which clippy does not see on Android")]
    static SPARE: Cell<Option<Box<Buffers>>> = const { Cell::new(None) };
}

/// Buffers for one launch. They are empty at first, and go back to their thread when this is dropped.
pub(super) struct Lent(ManuallyDrop<Box<Buffers>>);

impl Lent {
    pub(super) fn take() -> Self {
        Self(ManuallyDrop::new(SPARE.try_with(Cell::take).ok().flatten().unwrap_or_default()))
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // SAFETY: it is dropped, and nobody uses it again.
        let mut buffers = unsafe { ManuallyDrop::take(&mut self.0) };
        buffers.clear();
        if buffers.is_small() {
            let _ = SPARE.try_with(|spare| spare.set(Some(buffers)));
        }
    }
}

impl Deref for Lent {
    type Target = Buffers;

    fn deref(&self) -> &Buffers {
        &self.0
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut Buffers {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_a_large_launch_is_not_kept() {
        for grow in [
            |buffers: &mut Buffers| {
                let mut strings = Strings::default();
                (0..1 << 20).for_each(|_| strings.push("".as_ref()));
                buffers.argv.set([&strings]);
            },
            |buffers: &mut Buffers| (0..1 << 20).for_each(|_| buffers.paths.push("".as_ref())),
            |buffers: &mut Buffers| buffers.steps.reserve(1 << 20),
            |buffers: &mut Buffers| buffers.plan.closed.reserve(1 << 20),
        ] {
            let mut lent = Lent::take();
            grow(&mut lent);
            assert!(!lent.is_small());
            drop(lent);
            assert!(Lent::take().is_small());
        }
        let mut lent = Lent::take();
        lent.steps.reserve(100);
        let address = std::ptr::from_ref(&*lent);
        drop(lent);
        assert_eq!(std::ptr::from_ref(&*Lent::take()), address, "what is small is used again");
    }
}
