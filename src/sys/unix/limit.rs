//! `RLIMIT_NOFILE`.

#[cfg(target_vendor = "apple")]
use std::ffi::c_int;

/// The soft limit of a resource (`RLIMIT_NOFILE`). `None` if it is infinite, or if the system does not answer.
pub(crate) fn soft_limit(resource: u32) -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the system writes one rlimit.
    let result = unsafe { libc::getrlimit(resource as _, &raw mut limit) };
    #[allow(clippy::unnecessary_cast, reason = "signed on FreeBSD")]
    (result == 0 && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur as u64)
}

/// The number of `RLIMIT_NOFILE`.
pub(crate) const OPEN_FILES: u32 = libc::RLIMIT_NOFILE as u32;

/// The hard limit of descriptors (`RLIMIT_NOFILE`). `None` if it is infinite, or if the kernel does not answer.
pub(crate) fn hard_limit() -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes one rlimit.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    #[allow(clippy::unnecessary_cast, reason = "signed on FreeBSD")]
    match result {
        0 if limit.rlim_max != libc::RLIM_INFINITY => Some(limit.rlim_max as u64),
        _ => system_limit(),
    }
}

/// The system's limit of descriptors for each process, which counts if the process's own limit is infinite.
#[cfg(target_vendor = "apple")]
fn system_limit() -> Option<u64> {
    let mut name = [libc::CTL_KERN, libc::KERN_MAXFILESPERPROC];
    let mut limit: c_int = 0;
    let mut size = size_of::<c_int>();
    // SAFETY: the kernel reads the name, and writes one integer and its size.
    let result = unsafe {
        libc::sysctl(
            name.as_mut_ptr(),
            name.len() as libc::c_uint,
            (&raw mut limit).cast(),
            &raw mut size,
            std::ptr::null_mut(),
            0,
        )
    };
    if result == 0 { u64::try_from(limit).ok() } else { None }
}

/// Returns `None`: the library does not know the system's limit.
#[cfg(not(target_vendor = "apple"))]
fn system_limit() -> Option<u64> {
    None
}
