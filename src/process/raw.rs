//! What std's traits do with raw numbers.
#![allow(unsafe_code, reason = "std's traits have methods whose contract only the caller can keep")]

use super::stdio::Stdio;
use rustix::process::Signal;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

impl FromRawFd for Stdio {
    unsafe fn from_raw_fd(fd: RawFd) -> Self {
        // SAFETY: the caller promises that it owns the open descriptor and gives it away.
        unsafe { OwnedFd::from_raw_fd(fd) }.into()
    }
}

#[cfg(target_os = "linux")]
impl FromRawFd for crate::child::PidFd {
    unsafe fn from_raw_fd(fd: RawFd) -> Self {
        // SAFETY: the caller promises that it owns the open descriptor and gives it away.
        unsafe { OwnedFd::from_raw_fd(fd) }.into()
    }
}

/// The signal of this number; `None` if programs cannot use it.
pub(super) fn signal(number: i32) -> Option<Signal> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if (libc::SIGRTMIN()..=libc::SIGRTMAX()).contains(&number) {
        // SAFETY: the number is one that libc gives to programs.
        return Some(unsafe { Signal::from_raw_unchecked(number) });
    }
    Signal::from_named_raw(number)
}
