//! The library's error as the error of std.

use crate::error::{Error, Failure};
use std::io;

/// The `io::Error` for callers of std's API. It has the number of the system call that failed, as with std. If none has, the `io::Error`
/// contains the library's error with its text: an `io::Error` has a number or a value inside, and not both.
pub(super) fn io_error(error: Error) -> io::Error {
    if error.is_of_a_call() {
        return error.into();
    }
    let kind = match error.failure() {
        // std has EINVAL here, which has this kind.
        Failure::Hook { .. } => io::ErrorKind::InvalidInput,
        _ => error.kind(),
    };
    io::Error::new(kind, error)
}
