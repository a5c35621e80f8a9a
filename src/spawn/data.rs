//! Descriptors from which a child reads given bytes.

use super::new_fds::{NewNumbers, pipe};
use crate::platform::Features;
use rustix::io::Errno;
use std::io;
use std::os::fd::OwnedFd;

/// A descriptor from which the child reads `bytes`, and what it is.
pub(super) fn open(bytes: &[u8], missing: Features, numbers: &mut NewNumbers) -> (io::Result<OwnedFd>, &'static str) {
    let sealed = if missing.contains(Features::MEMFD) { Err(Errno::NOSYS) } else { sealed_memory(bytes) };
    match sealed {
        Err(Errno::NOSYS | Errno::PERM | Errno::INVAL | Errno::FBIG) => {
            (filled_pipe(bytes, numbers), "a pipe for the data")
        }
        result => (result.map_err(io::Error::from), "memory for the data"),
    }
}

/// A file in memory that no process can change any more.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn sealed_memory(bytes: &[u8]) -> Result<OwnedFd, Errno> {
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
    // The limit of file sizes is also one of memory files. A write beyond it raises a signal (SIGXFSZ).
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
        // With an explicit position, so that the child starts to read at the beginning.
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

/// The read end of a pipe that holds all the bytes; an error if the pipe cannot hold them.
fn filled_pipe(bytes: &[u8], numbers: &mut NewNumbers) -> io::Result<OwnedFd> {
    let (reader, writer) = pipe(numbers)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if bytes.len() > 65_536 {
        // If the kernel refuses this, the write below does not fit.
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
