//! Tests with real children. The folders have the names of those in `src`; `tests/README.md` says which file to open.
//!
//! The test binary plays the programs that it spawns (`support::helper`). A test that changes descriptors 0 to 2,
//! limits or filters runs in a process of its own (`support::own_process`).
#![cfg(all(target_os = "linux", target_env = "gnu"))]

mod support;

mod attributes;
mod cgroup;
mod child;
mod command;
mod exchange;
mod fd;
mod graph;
mod inspect;
mod isolated;
mod launch;
mod plan;
mod process;
mod spawn;
