//! Opening what the child's descriptors are connected to.

use super::prepare::Problem;
use crate::error::Failure;
pub(super) use crate::fd::standard::lock_stdio_numbers;
use crate::platform::Features;
use crate::process::End;
use crate::stdio::SlotKind;
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

/// Opens a directory for its name only, where there is such a thing: no right to read it is needed.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
pub(super) const PATH_ONLY: rustix::fs::OFlags = rustix::fs::OFlags::PATH;
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
pub(super) const PATH_ONLY: rustix::fs::OFlags = rustix::fs::OFlags::RDONLY;

/// Moves a descriptor that landed on 0, 1 or 2 away from there. Where a standard stream is closed, a new descriptor
/// takes its number, and whoever writes to that stream would write to it.
pub(super) fn dup_above_stdio(fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() > 2 { Ok(fd) } else { Ok(rustix::io::fcntl_dupfd_cloexec(&fd, 3)?) }
}

/// Where new descriptors have landed before they were moved away from 0, 1 and 2.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Landed {
    /// Whether there was one.
    pub(super) any: bool,
    /// Whether one was 0, 1 or 2, so that a standard stream is closed. They land on the lowest free numbers.
    pub(super) on_standard: bool,
}

impl Landed {
    fn dup_above_stdio(&mut self, fd: OwnedFd) -> io::Result<OwnedFd> {
        self.any = true;
        self.on_standard |= fd.as_raw_fd() <= 2;
        dup_above_stdio(fd)
    }
}

/// A duplicate of `fd`, which closes at exec, under a number from `first` on that the child's plan decides nothing
/// about.
pub(super) fn dup_outside_plan(
    fd: impl AsFd,
    mut first: RawFd,
    decided: impl Fn(RawFd) -> bool,
) -> io::Result<OwnedFd> {
    loop {
        let duplicate = rustix::io::fcntl_dupfd_cloexec(fd.as_fd(), first)?;
        if !decided(duplicate.as_raw_fd()) {
            return Ok(duplicate);
        }
        first = duplicate.as_raw_fd() + 1;
    }
}

/// A pipe with both ends away from 0, 1 and 2, closing at exec.
pub(super) fn pipe(landed: &mut Landed) -> io::Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = io::pipe()?;
    Ok((landed.dup_above_stdio(reader.into())?, landed.dup_above_stdio(writer.into())?))
}

/// What connects parent and child at `target`: the child's end, and the parent's.
pub(super) fn connect(target: RawFd, kind: SlotKind, landed: &mut Landed) -> Result<(OwnedFd, End), Problem> {
    let ends = match kind {
        SlotKind::Reader => pipe(landed).map(|(reader, writer)| (writer, End::Reader(reader.into()))),
        SlotKind::Writer => pipe(landed).map(|(reader, writer)| (reader, End::Writer(writer.into()))),
        SlotKind::Socket => socket(landed).map(|(ours, theirs)| (theirs, End::Socket(ours.into()))),
    };
    let what = if kind == SlotKind::Socket { "a socket pair" } else { "a pipe" };
    ends.map_err(|error| Problem::io(Failure::Open { target, what }, &error))
}

fn socket(landed: &mut Landed) -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    Ok((landed.dup_above_stdio(ours.into())?, landed.dup_above_stdio(theirs.into())?))
}

pub(super) fn null(target: RawFd, landed: &mut Landed) -> Result<OwnedFd, Problem> {
    std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/null")
        .and_then(|file| landed.dup_above_stdio(file.into()))
        .map_err(|error| Problem::io(Failure::Open { target, what: "/dev/null" }, &error))
}

/// A descriptor from which the child reads `bytes`.
pub(super) fn data(target: RawFd, bytes: &[u8], missing: Features, landed: &mut Landed) -> Result<OwnedFd, Problem> {
    let sealed = if missing.contains(Features::MEMFD) { Err(Errno::NOSYS) } else { sealed_memory(bytes) };
    let (result, what) = match sealed {
        Err(Errno::NOSYS | Errno::PERM | Errno::INVAL | Errno::FBIG) => {
            (filled_pipe(bytes, landed), "a pipe for the data")
        }
        result => (result.map_err(io::Error::from), "memory for the data"),
    };
    result
        .and_then(|fd| landed.dup_above_stdio(fd))
        .map_err(|error| Problem::io(Failure::Open { target, what }, &error))
}

/// Memory that nobody can change any more.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn sealed_memory(bytes: &[u8]) -> Result<OwnedFd, Errno> {
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
    // Beyond the limit of file sizes, which memory counts against too, a write is a signal (SIGXFSZ).
    let limit = rustix::process::getrlimit(rustix::process::Resource::Fsize).current;
    if limit.is_some_and(|limit| bytes.len() as u64 > limit) {
        return Err(Errno::FBIG);
    }
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let memory = match memfd_create("fdspawn-data", flags | MemfdFlags::NOEXEC_SEAL) {
        Err(Errno::INVAL) => memfd_create("fdspawn-data", flags), // Linux before 6.3
        result => result,
    }?;
    let mut written = 0;
    while written < bytes.len() {
        // At a position, so that the child starts to read at the beginning.
        match rustix::io::pwrite(&memory, &bytes[written..], written as u64) {
            Ok(count) => written += count,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    fcntl_add_seals(&memory, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
    Ok(memory)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn sealed_memory(_: &[u8]) -> Result<OwnedFd, Errno> {
    Err(Errno::NOSYS)
}

/// The read end of a pipe that holds all the bytes; an error where it cannot.
fn filled_pipe(bytes: &[u8], landed: &mut Landed) -> io::Result<OwnedFd> {
    let (reader, writer) = pipe(landed)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if bytes.len() > 65_536 {
        // Where it is refused, the write below does not fit.
        let _ = rustix::pipe::fcntl_setpipe_size(&writer, bytes.len());
    }
    rustix::io::ioctl_fionbio(&writer, true)?;
    let mut left = bytes;
    while !left.is_empty() {
        match rustix::io::write(&writer, left) {
            Ok(count) => left = &left[count..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Err(Errno::FBIG.into()),
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(reader)
}
