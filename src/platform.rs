//! The launchers, and the kernel features that may be missing.

use bitflags::bitflags;

/// The system call that starts a child.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Launcher {
    /// Clone if it works and the command has no `pre_exec` hook and no other user or group; else fork.
    #[default]
    Auto,
    /// `clone3(2)` or `clone(2)` with shared memory, on Linux. The cost does not depend on the parent's memory. If clone does
    /// not work, the spawn fails.
    Clone,
    /// `fork(2)`: the child gets a copy of the parent's memory. On Linux, handlers of `pthread_atfork(3)` may run only for a command that has
    /// hooks.
    Fork,
}

bitflags! {
    /// Kernel features that may be missing: on an old kernel, in an emulator, or if a seccomp filter refuses the call. Tests take
    /// them away one by one, to run the fallbacks.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Features: u32 {
        /// `clone3(2)`. The fallback is `clone(2)`.
        const CLONE3 = 1;
        /// `clone(2)` and `clone3(2)` with shared memory. The fallback is `fork(2)`.
        const CLONE = 1 << 1;
        /// A child that starts with the parent's own table (`CLONE_FILES`) and leaves it. The fallback is a copied table.
        const SHARED_TABLE = 1 << 2;
        /// `close_range(2)`. The fallback is the list of `/proc/thread-self/fd`.
        const CLOSE_RANGE = 1 << 3;
        /// `/proc/thread-self/fd`. The fallback is a search of all numbers.
        const PROC = 1 << 4;
        /// A search of all numbers for open descriptors. There is no fallback: the spawn fails.
        const SEARCH = 1 << 5;
        /// `pidfd_open(2)` and `CLONE_PIDFD`. The fallback is the pid.
        const PIDFD = 1 << 6;
        /// `memfd_create(2)`. The fallback is a pipe.
        const MEMFD = 1 << 7;
        /// `CLONE_INTO_CGROUP`. The fallback is a write to `cgroup.procs` in the child.
        const INTO_CGROUP = 1 << 8;
    }
}
