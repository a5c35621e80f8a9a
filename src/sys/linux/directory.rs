//! Directories of `/proc`, as a child reads them.

use super::syscall::call;
use rustix::io::Errno;
use std::ffi::CStr;
use std::os::fd::RawFd;

/// Opens a directory, with close-on-exec.
pub(crate) fn open_directory(path: &CStr) -> Result<RawFd, Errno> {
    let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
    // SAFETY: the path is NUL-terminated.
    unsafe { call(libc::SYS_openat, [libc::AT_FDCWD as usize, path.as_ptr() as usize, flags as usize, 0]) }
        .map(|fd| fd as RawFd)
}

/// Whether a descriptor refers to a file of a proc file system. Something else may be mounted at the path.
pub(crate) fn is_in_proc(fd: RawFd) -> bool {
    let mut buffer = std::mem::MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: the kernel writes one statfs, of which all bit patterns are valid.
    let (result, buffer) = unsafe { (file_system(fd, buffer.as_mut_ptr()), buffer.assume_init()) };
    #[allow(clippy::unnecessary_cast, reason = "other architectures have other types")]
    let kind = buffer.f_type as u32;
    result.is_ok() && kind == 0x9fa0
}

/// `fstatfs(2)`.
///
/// # Safety
///
/// `buffer` has room for one statfs.
#[cfg(not(target_os = "android"))]
unsafe fn file_system(fd: RawFd, buffer: *mut libc::statfs) -> Result<(), Errno> {
    // SAFETY: as the caller promises. libc's structure may be larger than the kernel's, but `f_type` is first in both.
    unsafe { call(libc::SYS_fstatfs, [fd as usize, buffer as usize]) }.map(drop)
}

/// `fstatfs(2)`.
///
/// # Safety
///
/// `buffer` has room for one statfs.
#[cfg(target_os = "android")]
unsafe fn file_system(fd: RawFd, buffer: *mut libc::statfs) -> Result<(), Errno> {
    // SAFETY: as the caller promises. The libc crate has no number for this system call on Android.
    match unsafe { libc::fstatfs(fd, buffer) } {
        0 => Ok(()),
        _ => Err(crate::sys::errno::last_error()),
    }
}

/// Reads entries of a directory as `linux_dirent64` records (`getdents64(2)`). Returns how many bytes it has read; 0 at
/// the end.
pub(crate) fn read_directory(fd: RawFd, buffer: &mut [u8]) -> Result<usize, Errno> {
    // SAFETY: the kernel writes at most the buffer's length.
    unsafe { call(libc::SYS_getdents64, [fd as usize, buffer.as_mut_ptr() as usize, buffer.len()]) }
}
