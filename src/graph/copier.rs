//! `Copier`: a link that a thread of the library serves: a tee or a spool, as plain data.

/// A thread between links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Copier {
    pub(super) kind: CopierKind,
    /// The link that it reads, by index.
    pub(super) input: usize,
    /// The links that it writes.
    pub(super) outputs: Vec<usize>,
}

/// What the thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(any(target_os = "linux", target_os = "android")),
    allow(dead_code, reason = "other systems have no tees and spools")
)]
pub(super) enum CopierKind {
    /// Gives all outputs the same bytes. With `stops_early` it ends as soon as one reader has ended, and else with the last one.
    Tee { stops_early: bool },
    /// Keeps what the reader has not read yet in memory, without a limit.
    Spool,
}
