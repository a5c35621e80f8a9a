//! The cases: the ways to spawn that the benchmark compares.

mod attributes;
mod collect;
mod drop_in;
mod feed;
mod graphs;
mod job;
mod keep;
mod library;
mod line;
mod list;
mod many;
mod peers;
mod pieces;
mod posix_spawn;
mod raw;
mod set;
mod shared_environment;
mod shells;
mod tee;
mod transfer;
mod wait;
mod waits;

pub use job::Job;
pub use list::{
    BASH, CAPTURE, CHILDREN, COMMAND_FDS, COPY, Case, DASH, DISCARD, DRAIN_INTO, DUCT, FORK, ISOLATED, KEEP_LAST,
    LARGE_PIPES, LIBRARY, POSIX_SPAWN, PROCESS_GROUP, PROCESSKIT, RAW, SAME_WORK, SHARED_ENVIRONMENT, STD,
    STD_PRE_EXEC, SUBPROCESS, THREADS, TOKIO, TWO_PIPES, WAIT_TIMEOUT, WITH_PIDFDS, busy_cases, cases, remarks,
};
