//! The rungs of the fallback ladder, and which of them are missing.

use bitflags::bitflags;

bitflags! {
    /// Means that a kernel or a filter may refuse. Tests take them away one by one.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Rungs: u32 {
        /// `clone3(2)`; below it is `clone(2)`.
        const CLONE3 = 1;
        /// `clone(2)` and `clone3(2)` with shared memory; below them is `fork(2)`.
        const CLONE = 1 << 1;
        /// A child that starts with the parent's own table and leaves it; below is a copied table.
        const SHARED_TABLE = 1 << 2;
        /// `close_range(2)`; below it is the list of `/proc/self/fd`.
        const CLOSE_RANGE = 1 << 3;
        /// `/proc/self/fd`; below it is a search of all numbers.
        const PROC = 1 << 4;
        /// The search of all numbers; below it is nothing, and the spawn fails.
        const SEARCH = 1 << 5;
        /// `pidfd_open(2)` and `CLONE_PIDFD`; below them is the pid.
        const PIDFD = 1 << 6;
        /// `memfd_create(2)`; below it is a pipe.
        const MEMFD = 1 << 7;
    }
}
