//! `Kept`: a descriptor of the keep list, which has the same number in the child.

use super::source::{Given, Shared, each_owner};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// A descriptor for [`Command::keep`]: lent, shared or moved, by the same rule as a [`Stdio`](crate::Stdio).
///
/// | made from | the descriptor in the parent |
/// |---|---|
/// | `BorrowedFd`, a reference to an owner: *lent* | the library never closes it |
/// | an `Arc` of an owner: *shared* | it is closed when its last owner is dropped; the command is one of the owners |
/// | `OwnedFd`, `File`, a pipe end, a socket: *moved* | the command closes it as soon as a spawn has succeeded; a second spawn fails ([`Refusal::SourceSpent`]) |
///
/// [`Command::keep`]: crate::Command::keep
/// [`Refusal::SourceSpent`]: crate::plan::Refusal::SourceSpent
#[derive(Debug)]
pub struct Kept<'fd>(pub(super) Given<'fd>);

impl Kept<'_> {
    /// The same descriptor, which no spawn closes: one that was moved becomes a shared one.
    pub(crate) fn shared(self) -> Self {
        Self(self.0.shared())
    }
}

impl<'fd> From<BorrowedFd<'fd>> for Kept<'fd> {
    /// Lends the descriptor, which stays open in the parent.
    fn from(fd: BorrowedFd<'fd>) -> Self {
        Self(Given::Kept(fd))
    }
}

impl<'fd, T: AsFd> From<&'fd T> for Kept<'fd> {
    /// Lends the descriptor, which stays open in the parent.
    fn from(owner: &'fd T) -> Self {
        Self(Given::Kept(owner.as_fd()))
    }
}

impl<T: AsFd + Send + Sync + 'static> From<Arc<T>> for Kept<'_> {
    /// Shares the descriptor: the command is one of its owners, and can be spawned many times.
    fn from(owner: Arc<T>) -> Self {
        Self(Given::KeptShared(Shared::new(owner)))
    }
}

macro_rules! moved {
    ($($owner:ty),* $(,)?) => {$(
        impl From<$owner> for Kept<'_> {
            /// Moves the descriptor into the command. The first spawn that succeeds closes it in the parent.
            fn from(owner: $owner) -> Self {
                Self(Given::KeptMoved(OwnedFd::from(owner)))
            }
        }
    )*};
}

each_owner!(moved);
