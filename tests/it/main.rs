//! Tests with real children, by subject.
//!
//! The test binary impersonates the programs that it spawns (`support::helper`), and runs tests that play games with
//! descriptors 0 to 2, limits or filters in a process of their own (`support::own_process`).
#![cfg(all(target_os = "linux", target_env = "gnu"))]

mod support;

mod child;
mod close;
mod closing;
mod descriptor_table;
mod ends;
mod environment;
mod errors;
mod exec;
mod explain;
mod filters;
mod flags;
mod fork_run;
mod hooks;
mod isolated;
mod leaks;
mod locks;
mod ownership;
mod programs;
mod ranges;
mod renumbering;
mod signals;
mod stdio;
mod system_calls;
mod tables;
mod tracing_events;
