//! New descriptors of the parent, with numbers that disturb neither the standard streams nor the plan.

use crate::fd::standard::dup_above_stdio;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

/// The first number that is not a standard stream's.
pub(super) const ABOVE_STDIO: RawFd = 3;

/// What is known of the numbers that new descriptors got.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NewNumbers {
    /// Whether there was a new descriptor.
    any: bool,
    /// Whether one got 0, 1 or 2. A new descriptor gets the lowest free number, so a standard stream is closed.
    std_fd_was_free: bool,
}

impl NewNumbers {
    /// Whether a standard stream is closed, if there was a new descriptor that could tell.
    pub(super) fn std_fd_was_free(&self) -> Option<bool> {
        self.any.then_some(self.std_fd_was_free)
    }

    /// Gives a new descriptor a number above 2.
    pub(super) fn dup_above_stdio(&mut self, fd: OwnedFd) -> io::Result<OwnedFd> {
        self.any = true;
        self.std_fd_was_free |= fd.as_raw_fd() <= 2;
        dup_above_stdio(fd)
    }
}

/// A pipe, reader and writer, with numbers above 2, closing at exec.
pub(super) fn pipe(numbers: &mut NewNumbers) -> io::Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = io::pipe()?;
    Ok((numbers.dup_above_stdio(reader.into())?, numbers.dup_above_stdio(writer.into())?))
}

/// A connected pair of stream sockets, with numbers above 2, closing at exec.
pub(super) fn socket_pair(numbers: &mut NewNumbers) -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    Ok((numbers.dup_above_stdio(ours.into())?, numbers.dup_above_stdio(theirs.into())?))
}

/// `/dev/null`, with a number above 2, closing at exec.
pub(super) fn null(numbers: &mut NewNumbers) -> io::Result<OwnedFd> {
    let null = std::fs::File::options().read(true).write(true).open("/dev/null")?;
    numbers.dup_above_stdio(null.into())
}

/// A duplicate of `fd`, closing at exec, with a number from `first` on that the child's plan does not decide about.
pub(super) fn dup_outside_plan(
    fd: impl AsFd,
    mut first: RawFd,
    decides: impl Fn(RawFd) -> bool,
) -> io::Result<OwnedFd> {
    loop {
        let duplicate = rustix::io::fcntl_dupfd_cloexec(fd.as_fd(), first)?;
        if !decides(duplicate.as_raw_fd()) {
            return Ok(duplicate);
        }
        first = duplicate.as_raw_fd() + 1;
    }
}
