//! From a command to a child: resolves the sources, opens those that the parent does not have, and launches.

mod attributes;
mod buffers;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod cgroup;
mod check_start;
mod data;
mod defaults;
mod exec;
mod exec_changes;
mod explain;
mod explanation;
mod forecast;
mod foreground;
mod fork_run;
mod free_numbers;
mod function;
mod ids;
mod internal;
mod interpreter;
mod lent;
mod new_fds;
mod numbering;
mod open;
mod prepare;
mod resolve;
mod rows;
mod search;
mod start;
mod strings;
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), path = "via_isolated_unsupported.rs")]
mod via_isolated;

pub(crate) use self::check_start::ProgramLooks;
pub(crate) use self::defaults::StreamDefault;
pub use self::explanation::Explanation;
pub use self::fork_run::fork_run;
pub(crate) use self::free_numbers::FreeNumbers;
pub(crate) use self::new_fds::{NewNumbers, ask_for_capacity, pipe, socket_pair};
pub(crate) use self::numbering::{Numbering, forecast_lower, lower};
pub(crate) use self::resolve::soft_limit;
pub(crate) use self::strings::is_in_place;
