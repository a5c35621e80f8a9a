//! The fork launcher: a child with a copy of the parent's memory, which reports on a pipe.

use super::child::{self, Orders};
use super::prepare::ReportPipe;
use super::report::wire::{Received, decode};
use crate::sys;
use rustix::io::Errno;

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
    receive_until(pipe, |_| false)
}

/// What the child reports first; returns then, or when it has ended. The pipe's write end may be open elsewhere: in a
/// child of another thread that nobody will exec.
pub(super) fn receive_first(pipe: ReportPipe) -> Received {
    receive_until(pipe, |received| received.done || received.report.is_some())
}

fn receive_until(pipe: ReportPipe, is_enough: impl Fn(&Received) -> bool) -> Received {
    let ReportPipe { reader, writer } = pipe;
    drop(writer);
    let mut bytes = Vec::new();
    let mut buffer = [0; 256];
    loop {
        match rustix::io::read(&reader, &mut buffer) {
            Ok(count) if count > 0 => bytes.extend_from_slice(&buffer[..count]),
            Err(Errno::INTR) => continue,
            _ => return decode(&bytes),
        }
        let received = decode(&bytes);
        if is_enough(&received) {
            return received;
        }
    }
}
