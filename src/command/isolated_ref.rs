//! `IsolatedRef`: how a command refers to the isolated thread that launches it.

use crate::isolated::Isolated;
use std::ops::Deref;
use std::sync::Arc;

/// An [`Isolated`] for [`Command::isolated`]: lent (`&Isolated`), or shared (`Arc<Isolated>`).
///
/// A command with a shared one is one of its owners: the thread ends when the last owner is dropped. So such a command borrows nothing
/// because of it, and can be stored and sent to another thread.
///
/// [`Command::isolated`]: crate::Command::isolated
#[derive(Clone, Debug)]
pub struct IsolatedRef<'fd>(Reference<'fd>);

#[derive(Clone, Debug)]
enum Reference<'fd> {
    Lent(&'fd Isolated),
    Shared(Arc<Isolated>),
}

impl Deref for IsolatedRef<'_> {
    type Target = Isolated;

    fn deref(&self) -> &Isolated {
        match &self.0 {
            Reference::Lent(isolated) => isolated,
            Reference::Shared(isolated) => isolated,
        }
    }
}

impl<'fd> From<&'fd Isolated> for IsolatedRef<'fd> {
    fn from(isolated: &'fd Isolated) -> Self {
        Self(Reference::Lent(isolated))
    }
}

impl<'fd, D: Deref<Target = Isolated>> From<&'fd D> for IsolatedRef<'fd> {
    /// Lends the [`Isolated`] of a `Box`, an `Arc`, a `LazyLock` and the like.
    fn from(isolated: &'fd D) -> Self {
        Self(Reference::Lent(isolated))
    }
}

impl From<Arc<Isolated>> for IsolatedRef<'_> {
    fn from(isolated: Arc<Isolated>) -> Self {
        Self(Reference::Shared(isolated))
    }
}
