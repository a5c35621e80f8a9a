//! `close`, `close_all` and `sync_and_close`: one `close(2)` of each descriptor, and every error returned.

mod errors;
mod file_systems;
mod owners;
mod traced;

use fdspawn::fd::{CloseCause, CloseError};
use std::io::{self};
use std::os::fd::RawFd;

/// The errors that a close may return, and the cause that the library names for each.
const CAUSES: [(i32, CloseCause); 6] = [
    (libc::EIO, CloseCause::Io),
    (libc::ENOSPC, CloseCause::NoSpace),
    (libc::EDQUOT, CloseCause::Quota),
    (libc::EINTR, CloseCause::Interrupted),
    (libc::EBADF, CloseCause::BadDescriptor),
    (libc::ESTALE, CloseCause::Other),
];

fn cause(errno: i32) -> CloseCause {
    CAUSES.iter().find(|(each, _)| *each == errno).unwrap().1
}

/// Asserts that the error is the expected one, of the expected number.
fn assert_is(error: &CloseError, number: RawFd, errno: i32) {
    assert_eq!((error.number(), error.raw_os_error(), error.cause()), (number, errno, cause(errno)));
    assert!(error.to_string().starts_with(&format!("closing descriptor {number} failed: ")), "{error}");
    let converted = io::Error::from(*error);
    assert_eq!(converted.kind(), io::Error::from_raw_os_error(errno).kind());
    assert_eq!(converted.get_ref().unwrap().downcast_ref(), Some(error));
}

const NAMES: [(&str, i32); 5] = [
    ("EIO", libc::EIO),
    ("ENOSPC", libc::ENOSPC),
    ("EDQUOT", libc::EDQUOT),
    ("EINTR", libc::EINTR),
    ("EBADF", libc::EBADF),
];
