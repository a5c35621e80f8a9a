//! What a part measures: which work, by which cases.

use super::state::Point;

/// How many bytes a transfer moves. Larger sizes have similar ratios (docs/benchmarks/notes.md), and fewer samples. It is
/// larger than 32 MiB, so that the C library gives the memory of each sample back to the kernel, and the next one gets
/// fresh pages.
pub const SIZE: usize = 64 << 20;

#[derive(Clone, Copy, Debug)]
pub enum Subject {
    /// The times of one kind of work in several states of the parent. The report compares each state with the first.
    Times { work: Work, points: &'static [Point], set: CaseSet },
    /// How many spawns fail with `ETXTBSY` while several threads each write a program and spawn it.
    Busy,
}

/// What one measured spawn does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Spawns the tiny program and waits for it, as `status()` does.
    Status,
    /// As `Status`, by a handle of the child.
    Spawn,
    /// As `Status`, with pipes at 0, 1 and 2, mapped descriptors at 3 and 4, and all other descriptors closed.
    Pipes,
    /// As `Status`, with `State::mapped` descriptors mapped to 3 and up, and all other descriptors closed.
    Mapped,
    /// As `Status`, with a session of its own, a umask, two limits, a nice value, and the default disposition of a
    /// signal.
    Attributes,
    /// Spawns a program that writes [`SIZE`] bytes, `State::piece` at a time, and collects them.
    Collect,
    /// As `Collect`, but keeps only the last bytes, or none.
    Keep,
    /// Spawns a program that reads its input, `State::piece` bytes at a time, and writes [`SIZE`] bytes to it.
    Feed,
    /// Spawns the tiny program with pipes at 1 and 2, reads both to the end, and waits for it, as `output()` does.
    Output,
    /// Starts a line of four stages that copy [`Job::size`](crate::cases::Job::size) bytes, and waits for all of them.
    Line,
    /// Starts a line of `State::children` stages of the tiny program, and waits for all of them.
    Stages,
    /// Starts a program that writes [`Job::size`](crate::cases::Job::size) bytes and two that each read all of them, and
    /// waits for all of them.
    Tee,
    /// Ends `State::children` children at once, and waits for all of them.
    Set,
    /// Starts `State::children` children, each with a pipe at 1, ends all of them at once, and waits for all.
    Many,
}

impl Work {
    /// Whether a call of a case uses up what its preparation has made, so that each measured call needs a preparation
    /// of its own.
    pub fn is_prepared_each_time(self) -> bool {
        self == Self::Set
    }

    /// Whether the report says how much processor time of the parent a case needs.
    pub fn has_processor_time(self) -> bool {
        self == Self::Tee
    }

    /// Whether the report says how much memory a case needs.
    pub fn has_memory(self) -> bool {
        self == Self::Collect
    }
}

/// Which cases do the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaseSet {
    /// Raw system calls, the library, and other crates.
    Peers,
    /// The same cases and `Isolated`. Its thread makes the worker multithreaded, which makes the other cases slower:
    /// the C library then locks its heap, and the kernel counts references when a system call uses a descriptor.
    Isolated,
    /// Raw system calls, each with one piece of the library's additional work, and the library.
    Pieces,
    /// The library and other crates, each with a wait that has a time limit.
    Waits,
    /// The library under its own names and under std's, and std.
    DropIn,
}
