//! Descriptors with contents, by which tests tell them apart.

use fdspawn::Stdio;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;

/// A memory file that reads `content`.
pub fn memory(content: &str) -> File {
    // SAFETY: the name is NUL-terminated, and the descriptor is new.
    let mut file = unsafe { File::from_raw_fd(libc::memfd_create(c"source".as_ptr(), libc::MFD_CLOEXEC)) };
    file.write_all(content.as_bytes()).unwrap();
    file
}

/// A memory file that reads `content`, at the given number, which is free or may be replaced.
pub fn memory_at(number: RawFd, content: &str, close_on_exec: bool) -> OwnedFd {
    let file = memory(content);
    let flags = if close_on_exec { libc::O_CLOEXEC } else { 0 };
    // SAFETY: the caller has the process to itself, and says that the number may be replaced.
    unsafe {
        if file.as_raw_fd() == number {
            libc::fcntl(number, libc::F_SETFD, if close_on_exec { libc::FD_CLOEXEC } else { 0 });
            return file.into();
        }
        assert_eq!(libc::dup3(file.as_raw_fd(), number, flags), number, "{}", std::io::Error::last_os_error());
        OwnedFd::from_raw_fd(number)
    }
}

/// Lets a child write a program. If this process wrote it, a child of another thread might have a copy of the
/// descriptor, and executing the program would fail (ETXTBSY). Only a shared table prevents that, and not every child
/// here starts with one.
pub fn program(path: &Path, content: &[u8], mode: u32) {
    let mut shell = super::command("sh");
    shell.args(["-c", "cat >\"$0\" && chmod \"$1\" \"$0\""]).arg(path).arg(format!("{mode:o}"));
    assert!(shell.stdin(Stdio::data(content)).status().unwrap().success());
}

/// Clears close-on-exec, so that a careless spawn passes the descriptor on.
pub fn leaky(file: File) -> File {
    // SAFETY: the flag of an own descriptor.
    unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFD, 0) };
    file
}

/// The descriptor `number` of this process, lent for as long as the test needs it.
pub fn lent(number: RawFd) -> BorrowedFd<'static> {
    // SAFETY: the test has the process to itself and closes nothing that it has lent.
    unsafe { BorrowedFd::borrow_raw(number) }
}

/// Closes a number, in a test that has the process to itself.
pub fn close(number: RawFd) {
    // SAFETY: as above.
    unsafe { libc::close(number) };
}

/// Sets the soft and the hard limit of descriptors.
pub fn set_limit(soft: u64, hard: u64) {
    let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
    // SAFETY: the limit is read.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
}

/// The hard limit of descriptors.
pub fn hard_limit() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the limit is written.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) }, 0);
    limit.rlim_max
}
