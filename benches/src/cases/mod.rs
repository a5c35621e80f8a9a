//! The cases: the ways to spawn that the benchmark compares.

mod attributes;
mod job;
mod library;
mod list;
mod peers;
mod pieces;
mod posix_spawn;
mod raw;
mod shared_environment;
mod wait;
mod waits;

pub use job::Job;
pub use list::{
    COMMAND_FDS, Case, DUCT, FORK, ISOLATED, LIBRARY, POSIX_SPAWN, PROCESS_GROUP, RAW, SAME_WORK, SHARED_ENVIRONMENT,
    STD, STD_PRE_EXEC, SUBPROCESS, WAIT_TIMEOUT, busy_cases, cases, remarks,
};
