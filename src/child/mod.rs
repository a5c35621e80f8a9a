//! The started child: its process, the parent's ends of its pipes, waiting and signals.

mod at_once;
mod change;
#[allow(clippy::module_inception, reason = "the file of the type `Child`")]
mod child;
mod drain;
mod executed;
mod group;
mod pipes;
mod process;
mod reap;
mod spawned;
mod timed;
mod usage;

pub(crate) use self::at_once::{output_of, status_of};
pub use self::change::Change;
pub use self::child::Child;
pub use self::pipes::Handle;
pub(crate) use self::pipes::{ParentEnd, ParentEnds};
pub use self::process::Process;
pub(crate) use self::reap::Reaped;
pub(crate) use self::spawned::Spawned;
pub use self::usage::Usage;
