//! Graphs of processes: commands as stages, and links between any descriptors of them. `Graph::pipeline` makes a line.

mod capture;
mod check;
mod copier;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod copy;
mod end;
mod explain;
mod explanation;
mod for_all;
mod forecast;
mod form;
#[allow(clippy::module_inception, reason = "it has `Graph`")]
mod graph;
mod later_stages;
mod layout;
mod link;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod moves;
mod numbers;
mod open;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod progress;
mod running;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod spool;
mod stage;
mod start;
mod status;
mod statuses;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod tee;
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), path = "threads_unsupported.rs")]
mod threads;
mod verdict;

pub use self::capture::GraphCaptured;
pub use self::explanation::GraphExplanation;
pub use self::graph::Graph;
pub use self::running::Running;
pub use self::stage::{StageFd, StageId};
pub use self::statuses::{StageStatus, Statuses};
