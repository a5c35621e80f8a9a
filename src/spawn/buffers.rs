//! The memory of launches. Each thread keeps that of its last launch and uses it again, so a launch allocates only if it needs
//! more than the launches before it.

use crate::command::{CStrings, EnvBlock, PtrArray};
use crate::plan::{Compiler, Plan, Step};
use std::cell::Cell;
use std::os::fd::OwnedFd;

/// The memory of one launch.
#[derive(Default)]
pub(super) struct Buffers {
    pub(super) plan: Plan,
    pub(super) compiler: Compiler,
    pub(super) steps: Vec<Step>,
    /// The descriptors that the parent has opened only for the child.
    pub(super) opened: Vec<OwnedFd>,
    /// The strings that steps name.
    pub(super) strings: CStrings,
    /// The numbers of the lists that steps name.
    pub(super) numbers: Vec<u32>,
    pub(super) argv: PtrArray,
    pub(super) programs: PtrArray,
    /// The paths of a search, to which `programs` points.
    pub(super) paths: CStrings,
    /// The environment, if the command does not share one.
    pub(super) environment: EnvBlock,
}

impl Buffers {
    /// Empties the buffers, which closes the opened descriptors, and keeps the memory.
    fn clear(&mut self) {
        self.plan.clear();
        self.steps.clear();
        self.opened.clear();
        self.strings.clear();
        self.numbers.clear();
        self.paths.clear();
        self.environment.clear();
    }

    /// Whether the buffers are small enough for their thread to keep.
    fn is_small(&self) -> bool {
        const SMALL: usize = 256 * 1024;
        let lists = self.steps.capacity() * size_of::<Step>() + self.opened.capacity() * size_of::<OwnedFd>();
        let strings = self.strings.size() + self.paths.size() + self.environment.size();
        let arrays = self.argv.size() + self.programs.size() + self.numbers.capacity() * size_of::<u32>();
        lists + strings + arrays + self.plan.size() + self.compiler.size() < SMALL
    }
}

thread_local! {
    #[allow(clippy::missing_const_for_thread_local, reason = "it is const, which clippy does not see on Android")]
    static SPARE: Cell<Option<Box<Buffers>>> = const { Cell::new(None) };
}

/// Calls `act` with empty buffers, and keeps their memory for the thread's next launch.
pub(super) fn with_buffers<T>(act: impl FnOnce(&mut Buffers) -> T) -> T {
    let mut buffers = SPARE.try_with(Cell::take).ok().flatten().unwrap_or_default();
    let result = act(&mut buffers);
    buffers.clear();
    if buffers.is_small() {
        let _ = SPARE.try_with(|spare| spare.set(Some(buffers)));
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_a_large_launch_is_not_kept() {
        for grow in [
            |buffers: &mut Buffers| {
                let mut strings = CStrings::default();
                (0..1 << 20).for_each(|_| strings.push("".as_ref()));
                buffers.argv.set([&strings]);
            },
            |buffers: &mut Buffers| (0..1 << 20).for_each(|_| buffers.paths.push("".as_ref())),
            |buffers: &mut Buffers| buffers.steps.reserve(1 << 20),
            |buffers: &mut Buffers| buffers.plan.closed.reserve(1 << 20),
        ] {
            assert!(!with_buffers(|buffers| {
                grow(buffers);
                buffers.is_small()
            }));
            assert!(with_buffers(|buffers| buffers.is_small()));
        }
        let address = with_buffers(|buffers| {
            buffers.steps.reserve(100);
            std::ptr::from_ref(buffers)
        });
        assert_eq!(with_buffers(|buffers| std::ptr::from_ref(buffers)), address, "a small one is used again");
    }
}
