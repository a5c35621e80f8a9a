//! libc's `errno`.

use rustix::io::Errno;

/// Returns the error of the calling thread's last failed libc function.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn last_error() -> Errno {
    #[cfg(target_os = "android")]
    use libc::__errno as errno_address;
    #[cfg(not(target_os = "android"))]
    use libc::__errno_location as errno_address;
    // SAFETY: the address is that of the thread's own `errno`.
    Errno::from_raw_os_error(unsafe { *errno_address() })
}

/// Returns the error of the calling thread's last failed libc function.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn last_error() -> Errno {
    let code = std::io::Error::last_os_error().raw_os_error();
    code.map_or(Errno::INVAL, Errno::from_raw_os_error)
}
