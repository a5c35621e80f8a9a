//! `Member`: one child of a set.

/// One child of [`Children`](crate::Children). The name of a child that has left the set is not used again, and no other set knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    /// The number of the set.
    pub(super) set: u32,
    pub(super) index: usize,
    pub(super) number: u64,
}
