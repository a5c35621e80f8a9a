//! The states that a range of bytes can have.

/// How a description locks a range of bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RangeState {
    Shared,
    Exclusive,
    Unlocked,
}
