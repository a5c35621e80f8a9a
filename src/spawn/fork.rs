//! The fork launcher: a child with a copy of the parent's memory, which reports on a pipe.

use super::child::{self, Orders};
use super::prepare::ReportPipe;
use super::report::wire::{Received, decode};
use crate::sys;
use rustix::io::Errno;
use std::os::fd::OwnedFd;

/// Forks; the child runs the orders.
///
/// # Safety
///
/// All signals are blocked, and the orders are sound to run in a forked child.
pub(super) unsafe fn fork(orders: &Orders<'_>) -> Result<i32, Errno> {
    // SAFETY: the child does nothing but run the orders.
    match unsafe { libc::fork() } {
        -1 => Err(sys::last_error()),
        0 => child::obey(orders),
        pid => Ok(pid),
    }
}

/// What the child reports; returns when it has execed or ended.
pub(super) fn receive(pipe: ReportPipe) -> Received {
    let ReportPipe { reader, writer } = pipe;
    drop(writer);
    decode(&read_to_end(&reader))
}

fn read_to_end(reader: &OwnedFd) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 256];
    loop {
        match rustix::io::read(reader, &mut buffer) {
            Ok(0) => return bytes,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            Err(Errno::INTR) => {}
            Err(_) => return bytes,
        }
    }
}
