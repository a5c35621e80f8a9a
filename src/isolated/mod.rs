//! A thread that has a descriptor table of its own, and runs jobs with descriptors. It does not use `Command`.
#![allow(unsafe_code, reason = "a job is a function on the caller's stack, which the thread calls by its address")]

#[cfg(any(target_os = "linux", target_os = "android"))]
mod job;
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), path = "unsupported.rs")]
mod spawner;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod transfer;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod worker;

pub use self::spawner::Isolated;
