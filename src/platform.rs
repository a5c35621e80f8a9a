//! What the platform offers: the launchers, and the kernel features that a filter or an old kernel may lack.

use bitflags::bitflags;

/// How a child comes to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Launcher {
    /// Clone where it works, fork elsewhere and where a `pre_exec` hook is set.
    #[default]
    Auto,
    /// `clone(2)` with shared memory, on Linux: it costs the same however much memory the parent has.
    Clone,
    /// `fork(2)`: the child gets a copy of the parent's memory.
    Fork,
}

bitflags! {
    /// Kernel features that an old kernel, a filter or an emulator may lack. Tests take them away one by one, to run the fallbacks.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Features: u32 {
        /// `clone3(2)`. The fallback is `clone(2)`.
        const CLONE3 = 1;
        /// `clone(2)` and `clone3(2)` with shared memory. The fallback is `fork(2)`.
        const CLONE = 1 << 1;
        /// A child that starts with the parent's own table and leaves it. The fallback is a copied table.
        const SHARED_TABLE = 1 << 2;
        /// `close_range(2)`. The fallback is the list of `/proc/thread-self/fd`.
        const CLOSE_RANGE = 1 << 3;
        /// `/proc/thread-self/fd`. The fallback is to try every number.
        const PROC = 1 << 4;
        /// Trying every number. There is no fallback: the spawn fails.
        const SEARCH = 1 << 5;
        /// `pidfd_open(2)` and `CLONE_PIDFD`. The fallback is the pid.
        const PIDFD = 1 << 6;
        /// `memfd_create(2)`. The fallback is a pipe.
        const MEMFD = 1 << 7;
    }
}
