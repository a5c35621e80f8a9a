//! Memory of a thread's last launch, which its next launch uses again: a launch allocates only what it has never needed
//! before.

use super::descriptors::Given;
use crate::command::{Addresses, Block, Strings};
use crate::explain::Row;
use crate::plan::{Compiler, DescriptorPlan, Step, Wish};
use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::os::fd::OwnedFd;

/// What a launch works with.
#[derive(Default)]
pub(super) struct Buffers {
    pub(super) wishes: Vec<Wish>,
    pub(super) given: Vec<Option<Given>>,
    pub(super) plan: DescriptorPlan,
    pub(super) compiler: Compiler,
    pub(super) steps: Vec<Step>,
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
        self.given.clear();
        self.plan.clear();
        self.steps.clear();
        self.rows.clear();
        self.opened.clear();
        self.paths.clear();
        self.environment.clear();
    }

    /// Whether a thread may keep them for as long as it lives.
    fn is_small(&self) -> bool {
        const SMALL: usize = 64 * 1024;
        self.steps.capacity() * size_of::<Step>() < SMALL && self.environment.size() + self.paths.size() < SMALL
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
