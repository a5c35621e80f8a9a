//! The library's error as the error of std.

use crate::error::{Error, Failure};
use crate::plan::Refusal;
use std::io;

/// The `io::Error` for callers of std's API. It has the number of the system call that failed, as with std. If none has, the `io::Error`
/// contains the library's error with its text: an `io::Error` has a number or a value inside, and not both.
pub(super) fn io_error(error: Error) -> io::Error {
    if error.is_of_a_call() || is_refused_by_the_kernel(error.failure()) {
        return error.into();
    }
    let kind = match error.failure() {
        // std has EINVAL here, which has this kind.
        Failure::Hook { .. } => io::ErrorKind::InvalidInput,
        _ => error.kind(),
    };
    io::Error::new(kind, error)
}

/// Whether the library refuses what std hands to the kernel, which refuses it with the same number.
fn is_refused_by_the_kernel(failure: &Failure) -> bool {
    let Failure::Refused(refusal) = failure else { return false };
    matches!(refusal, Refusal::NegativeGroup { .. } | Refusal::NotAnId { .. } | Refusal::TooManyGroups { .. })
}
