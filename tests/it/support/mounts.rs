//! Mounts that only this process and its children see.

use super::tools::skip;
use std::ffi::{CStr, CString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Gives the calling thread, in a process of its own, mounts that spread to no other process. They end with the
/// process.
pub fn private() -> io::Result<()> {
    // SAFETY: only the mount namespace of this thread and of those that it starts from now on changes.
    checked(unsafe { libc::unshare(libc::CLONE_NEWNS) })?;
    call(c"none", Path::new("/"), None, libc::MS_REC | libc::MS_PRIVATE, c"")
}

/// Mounts a file system of the given type on a directory.
pub fn mount(kind: &CStr, directory: &Path, options: &CStr) -> io::Result<()> {
    call(kind, directory, Some(kind), libc::MS_NOSUID | libc::MS_NODEV, options)
}

/// Unmounts a directory, now or as soon as no process uses it.
pub fn unmount(directory: &Path) -> io::Result<()> {
    // SAFETY: the path is NUL-terminated.
    checked(unsafe { libc::umount2(c_path(directory).as_ptr(), libc::MNT_DETACH) })
}

fn call(source: &CStr, target: &Path, kind: Option<&CStr>, flags: libc::c_ulong, options: &CStr) -> io::Result<()> {
    let kind = kind.map_or(std::ptr::null(), CStr::as_ptr);
    // SAFETY: all strings are NUL-terminated. The type may be missing if the mount exists.
    checked(unsafe { libc::mount(source.as_ptr(), c_path(target).as_ptr(), kind, flags, options.as_ptr().cast()) })
}

fn c_path(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).unwrap()
}

fn checked(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Unmounts /proc, for this process only. False, with a message, if that cannot be done.
pub fn unmount_proc() -> bool {
    let proc = Path::new("/proc");
    let unmounted = private().and_then(|()| unmount(proc)).is_ok();
    assert!(!unmounted || !proc.join("self").exists());
    unmounted || skip("a mount namespace cannot be made")
}
