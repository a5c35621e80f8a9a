//! Opens descriptors in the parent, with numbers that are not standard streams and not in the plan.

use crate::fd::standard::dup_above_stdio;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

/// The first number above the standard streams.
pub(super) const ABOVE_STDIO: RawFd = 3;

/// Which numbers new descriptors got.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NewNumbers {
    /// Whether there was a new descriptor.
    any: bool,
    /// Whether one got 0, 1 or 2. Since the kernel gives the lowest free number, that standard stream was closed.
    std_fd_was_free: bool,
}

impl NewNumbers {
    /// Whether a standard stream is closed. `None` if there was no new descriptor, so that it is not known.
    pub(super) fn std_fd_was_free(&self) -> Option<bool> {
        self.any.then_some(self.std_fd_was_free)
    }

    /// Moves a new descriptor to a number above 2.
    pub(super) fn dup_above_stdio(&mut self, fd: OwnedFd) -> io::Result<OwnedFd> {
        self.any = true;
        self.std_fd_was_free |= fd.as_raw_fd() <= 2;
        dup_above_stdio(fd)
    }
}

/// Opens a pipe: reader and writer, with numbers above 2 and close-on-exec.
pub(crate) fn pipe(numbers: &mut NewNumbers) -> io::Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = io::pipe()?;
    Ok((numbers.dup_above_stdio(reader.into())?, numbers.dup_above_stdio(writer.into())?))
}

/// Asks for a capacity of a pipe. The system may refuse it, and then the pipe stays as it is.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn ask_for_capacity(pipe: &OwnedFd, bytes: usize) {
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, bytes);
}

/// Does nothing: other systems choose the capacity themselves.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn ask_for_capacity(_: &OwnedFd, _: usize) {}

/// Opens a connected pair of stream sockets, with numbers above 2 and close-on-exec.
pub(crate) fn socket_pair(numbers: &mut NewNumbers) -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    Ok((numbers.dup_above_stdio(ours.into())?, numbers.dup_above_stdio(theirs.into())?))
}

/// Opens `/dev/null`, with a number above 2 and close-on-exec.
pub(super) fn null(numbers: &mut NewNumbers) -> io::Result<OwnedFd> {
    let null = std::fs::File::options().read(true).write(true).open("/dev/null")?;
    numbers.dup_above_stdio(null.into())
}

/// Duplicates `fd`, with close-on-exec. The number is the first free one from `first` on that the plan does not decide about.
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
