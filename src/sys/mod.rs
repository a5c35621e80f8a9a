//! System calls that a child can make between clone and exec: each is async-signal-safe, allocates nothing, and
//! returns its error.
//!
//! On Linux they go to the kernel without libc on x86-64 and AArch64, so that a child which shares the parent's
//! memory does not write to the parent's `errno`.
#![allow(unsafe_code, reason = "this is a room for it: the way into the kernel")]

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod raw;
mod socket;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod unix;

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use self::linux::*;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use self::raw::{Clone3, CloneArgs, clone3};
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use self::socket::tcp_state;
pub(crate) use self::socket::{Name, local_name, peer_name};
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) use self::unix::*;

/// What a range of bytes is to be for a description.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RangeState {
    Shared,
    Exclusive,
    Unlocked,
}
