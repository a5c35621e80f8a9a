//! A cgroup, version 2, that the library has made, to contain children: limits, signals, the end of all its processes. Linux only.

#[allow(clippy::module_inception, reason = "`Cgroup` is the main thing of this room")]
mod cgroup;
mod delegated;
mod directory;
mod events;
mod kill;
mod limits;
mod members;
mod remove;
mod signal;

pub use self::cgroup::Cgroup;
pub(crate) use self::directory::{is_cgroup, read_file};
pub use self::kill::CgroupKill;
