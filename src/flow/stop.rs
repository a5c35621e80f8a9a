//! `Flow` and `Stop`: a stream of an exchange, and why a run has stopped.

/// One stream of an [`Exchange`](crate::Exchange).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// The number of the exchange.
    owner: u32,
    index: u32,
}

impl Flow {
    pub(super) fn new(owner: u32, index: usize) -> Self {
        Self { owner, index: u32::try_from(index).unwrap_or(u32::MAX) }
    }

    /// The index of the stream in this exchange; `None` if it is a stream of another one.
    pub(super) fn index_in(self, owner: u32) -> Option<usize> {
        (self.owner == owner).then_some(self.index as usize)
    }
}

/// Why a run of an [`Exchange`](crate::Exchange) has stopped. Each but `Done` can be followed by another run, which loses no byte and moves
/// none twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stop {
    /// All streams have been moved to their ends.
    Done,
    /// The deadline has come.
    Deadline,
    /// The stream has more bytes than [`Keep::AtMost`](crate::Keep::AtMost) lets through. The next byte has not been read.
    Limit(Flow),
    /// The callback of the stream has asked to stop.
    Asked(Flow),
    /// All watched children have ended, and the grace after that is over, but another process holds an end of a stream. What the streams
    /// contained has been read.
    Held,
}
