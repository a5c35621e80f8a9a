//! Resource limits.

use super::syscall::call;

/// The soft limit of a resource (`RLIMIT_NOFILE`, `RLIMIT_FSIZE`). `None` if it is infinite, or if the kernel does not answer.
///
/// `getrlimit` of rustix panics if a filter refuses the call.
pub(crate) fn soft_limit(resource: u32) -> Option<u64> {
    let mut limit = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes one rlimit64.
    let result = unsafe { call(libc::SYS_prlimit64, [0, resource as usize, 0, (&raw mut limit) as usize]) };
    (result.is_ok() && limit.rlim_cur != u64::MAX).then_some(limit.rlim_cur)
}

/// The number of `RLIMIT_NOFILE`.
pub(crate) const OPEN_FILES: u32 = libc::RLIMIT_NOFILE as _;
/// The number of `RLIMIT_FSIZE`.
pub(crate) const FILE_SIZE: u32 = libc::RLIMIT_FSIZE as _;

/// The hard limit of descriptors (`RLIMIT_NOFILE`). `None` if it is infinite, or if the kernel does not answer.
pub(crate) fn hard_limit() -> Option<u64> {
    let mut limit = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes one rlimit64.
    let result = unsafe { call(libc::SYS_prlimit64, [0, libc::RLIMIT_NOFILE as usize, 0, (&raw mut limit) as usize]) };
    (result.is_ok() && limit.rlim_max != u64::MAX).then_some(limit.rlim_max)
}

/// Raises the soft limit of descriptors to the hard limit, if the kernel allows it.
pub(crate) fn raise_limit() {
    if let Some(hard) = hard_limit() {
        let limit = libc::rlimit64 { rlim_cur: hard, rlim_max: hard };
        // SAFETY: the kernel reads one rlimit64.
        let _ = unsafe { call(libc::SYS_prlimit64, [0, libc::RLIMIT_NOFILE as usize, (&raw const limit) as usize, 0]) };
    }
}
