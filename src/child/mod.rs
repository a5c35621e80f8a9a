//! The started child: its process, the parent's ends of its pipes, waiting and signals.

#[allow(clippy::module_inception, reason = "the file of the type `Child`")]
mod child;
mod drain;
mod executed;
mod pipes;
mod reap;
mod spawned;

pub use self::child::Child;
pub use self::pipes::Handle;
pub(crate) use self::pipes::{ParentEnd, ParentEnds};
pub(crate) use self::spawned::Spawned;
