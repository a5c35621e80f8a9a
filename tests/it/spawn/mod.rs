//! From a `Command` to a `Child`: `spawn`, `status`, `output`, `exec`, `explain` and `fork_run`.

pub mod beside;
mod errors;
mod exec;
mod explain;
mod fork_run;
mod forked_copy;
mod functions;
mod many_children;
mod parent_table;
mod programs;
mod stages;
pub mod tracing_events;
