//! System calls that a child can make between clone and exec: each one is async-signal-safe, allocates nothing, takes
//! no lock, and returns its error. Only the parent makes those that have a `BorrowedFd` or an `OwnedFd`, and kcmp(2).
//!
//! On x86-64 and AArch64, Linux, they enter the kernel without libc. So a child that shares the parent's memory does
//! not write to the parent's `errno`.
//!
//! `linux` and `unix` have the same functions: for Linux and Android, and for all other systems.
#![allow(unsafe_code, reason = "system calls are made here")]

mod environment;
mod errno;
mod file_identity;
mod forks;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux;
mod pause;
mod range_state;
mod socket;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod thread_signals;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod unix;
mod usage;

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use self::environment::environment_variable;
pub(crate) use self::environment::{environment, has_one_thread};
pub(crate) use self::errno::last_error;
pub(crate) use self::file_identity::{FileIdentity, file_identity};
pub(crate) use self::forks::{ProcessCopy, fork, forks, own_pid};
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use self::linux::*;
pub(crate) use self::pause::{Backoff, pause};
pub(crate) use self::range_state::RangeState;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use self::socket::tcp_state;
pub(crate) use self::socket::{SocketName, local_name, peer_name};
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use self::thread_signals::block_programs_signals;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) use self::unix::*;
pub(crate) use self::usage::RawUsage;
