//! The name of a variable.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// The name of a variable: what stands before the first `=`. A `=` at the start is part of the name, as std reads it. `None` if the
/// string is no variable.
pub(crate) fn name_of(string: &OsStr) -> Option<&OsStr> {
    let bytes = string.as_bytes();
    let length = 1 + bytes.get(1..)?.iter().position(|&byte| byte == b'=')?;
    Some(OsStr::from_bytes(&bytes[..length]))
}
