//! `Stdio::data`: descriptors from which a child reads the caller's bytes.

use super::new_fds::{NewNumbers, pipe};
use crate::platform::Features;
use rustix::io::Errno;
use std::io;
use std::os::fd::OwnedFd;

/// Opens a descriptor from which the child reads `bytes`. Also returns the name of its kind, for the error text.
pub(super) fn open(bytes: &[u8], missing: Features, numbers: &mut NewNumbers) -> (io::Result<OwnedFd>, &'static str) {
    // A filter may refuse each of the calls for a file in memory. Then a pipe takes its place, which only its owner can
    // open, too.
    let sealed = if missing.contains(Features::MEMFD) { Err(Errno::NOSYS) } else { sealed_memory(bytes) };
    match sealed {
        Err(Errno::NOSYS | Errno::PERM | Errno::INVAL | Errno::FBIG) => {
            (filled_pipe(bytes, numbers), "a pipe for the data")
        }
        result => (result.map_err(io::Error::from), "memory for the data"),
    }
}

/// Makes a file in memory that no process can change, and that only its owner can open.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn sealed_memory(bytes: &[u8]) -> Result<OwnedFd, Errno> {
    use rustix::fs::{MemfdFlags, Mode, SealFlags, fchmod, fcntl_add_seals, memfd_create};
    // The limit of file sizes (RLIMIT_FSIZE) applies here. A write beyond it raises SIGXFSZ.
    let limit = crate::sys::soft_limit(crate::sys::FILE_SIZE);
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
        // pwrite(2) does not move the offset, so that the child starts to read at the beginning.
        match rustix::io::pwrite(&memory, &bytes[written..], written as u64) {
            Ok(count) => written += count,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    // The owner may read it. ssh-keygen and others refuse a secret that other users may read.
    fchmod(&memory, Mode::RUSR)?;
    fcntl_add_seals(&memory, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
    Ok(memory)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn sealed_memory(_: &[u8]) -> Result<OwnedFd, Errno> {
    Err(Errno::NOSYS)
}

/// Makes a pipe, writes all bytes to it, and returns the read end. It fails with EFBIG if the bytes do not fit.
fn filled_pipe(bytes: &[u8], numbers: &mut NewNumbers) -> io::Result<OwnedFd> {
    let (reader, writer) = pipe(numbers)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if bytes.len() > 65_536 {
        // If the kernel refuses this, the write below fails with EAGAIN.
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
