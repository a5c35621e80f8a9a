//! The started child: its process, the parent's ends of its pipes, waiting and signals.

mod at_once;
mod change;
#[allow(clippy::module_inception, reason = "it has `Child`")]
mod child;
mod end;
mod end_event;
mod ended;
mod ending;
mod executed;
mod group;
mod handle;
mod look;
mod pid_fd;
mod pipes;
mod process;
mod reap;
mod spawned;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod stat;
mod target;
mod timed;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod tree;
mod usage;
mod watched;

pub(crate) use self::at_once::{output_of, status_of};
pub use self::change::Change;
pub use self::child::Child;
pub(crate) use self::end_event::EndEvent;
pub use self::ended::{Ended, Reached};
pub use self::ending::Ending;
pub(crate) use self::ending::EndingSteps;
#[cfg(target_os = "linux")]
pub use self::pid_fd::PidFd;
pub use self::pipes::Handle;
pub(crate) use self::pipes::{ParentEnd, ParentEnds};
pub use self::process::Process;
pub(crate) use self::process::end_while;
pub(crate) use self::reap::Reaped;
pub(crate) use self::spawned::Spawned;
pub use self::usage::Usage;
pub(crate) use self::watched::WatchedProcesses;
