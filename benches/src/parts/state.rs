//! The states of the parent.

/// A state of the parent, with its label in tables and plots.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    pub label: &'static str,
    pub state: State,
}

/// A state of the parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Memory that the parent has written to, in MiB.
    pub memory: usize,
    /// Open descriptors, in addition to the standard streams.
    pub descriptors: usize,
    pub layout: Layout,
    /// Descriptors that the spawn maps, if the work maps any.
    pub mapped: usize,
    /// Environment variables.
    pub variables: usize,
    pub search: Search,
    /// Threads that spawn at the same time.
    pub threads: usize,
    /// Processors that the process may use.
    pub processors: usize,
    /// For how many microseconds the parent computes before each spawn.
    pub work_between: u64,
    /// How many bytes the child writes or reads at a time, if it does.
    pub piece: usize,
    /// Children of one sample, if the work has several.
    pub children: usize,
    /// The capacity of pipes in bytes, if the work sets it. 0 is the kernel's default, 64 KiB.
    pub capacity: usize,
}

/// Which numbers the open descriptors have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// 1,000 and up. The descriptors that a spawn opens get lower numbers.
    Sparse,
    /// 3 and up. The descriptors that a spawn opens get higher numbers.
    Dense,
}

/// How the command names the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// By its path.
    Path,
    /// By its name. Of the ten directories in PATH, only the last has the program.
    LastOfTen,
}

/// The state without memory or descriptors. Each point differs from it in one property or two.
pub(super) const PLAIN: State = State {
    memory: 0,
    descriptors: 0,
    layout: Layout::Sparse,
    mapped: 2,
    variables: 35,
    search: Search::Path,
    threads: 1,
    processors: 1,
    work_between: 0,
    piece: 0,
    children: 0,
    capacity: 0,
};

/// The child and the parent run at the same time.
pub(super) const STREAM: State = State { processors: 2, ..PLAIN };

pub(super) const fn at(label: &'static str, state: State) -> Point {
    Point { label, state }
}
