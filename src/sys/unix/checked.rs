//! The results of libc functions.

use crate::sys::errno::last_error;
use rustix::io::Errno;
use std::ffi::c_int;

/// The result of a libc function that returns -1 and sets `errno` if it fails.
pub(super) fn checked(result: c_int) -> Result<c_int, Errno> {
    if result == -1 { Err(last_error()) } else { Ok(result) }
}
