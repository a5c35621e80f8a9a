//! `Member`: one child of a set.

/// One child of [`Children`](crate::Children). The name of a child that has left the set is not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    pub(super) index: usize,
    pub(super) number: u64,
}
