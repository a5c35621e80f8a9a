//! The clone launcher: a child that shares the parent's memory until it execs, while the parent's thread waits.

use super::Cloned;
use super::child::{Orders, obey};
use super::stack::{Stack, with_small};
use crate::sys;
use rustix::io::Errno;
use std::ffi::{c_int, c_void};
use std::os::fd::RawFd;

/// How to clone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct How {
    /// By `clone3(2)`, which also gives handled signals their default dispositions; else by libc's `clone`.
    pub(super) clone3: bool,
    /// The child starts with the parent's own table.
    pub(super) shared_table: bool,
    /// With a pidfd.
    pub(super) pidfd: bool,
}

/// Clones a child that runs the orders; returns when it has execed or ended. Where no number is left for a pidfd, it does
/// without.
///
/// # Safety
///
/// All signals are blocked, and the orders are sound to run in a process that shares this one's memory.
pub(super) unsafe fn child(
    clone3: bool,
    shared_table: bool,
    pidfd: bool,
    orders: &Orders<'_>,
) -> Result<Cloned, Errno> {
    let data = std::ptr::from_ref(orders).cast_mut().cast();
    let launch = |pidfd: bool| {
        let how = How { clone3, shared_table, pidfd };
        // SAFETY: as the caller promises; `run_process` takes orders; nobody else uses the stack.
        with_small(|stack| unsafe { clone(how, stack, run_process, data) }).and_then(|result| result)
    };
    match launch(pidfd) {
        Err(Errno::MFILE | Errno::NFILE) if pidfd => launch(false),
        result => result,
    }
}

/// A child on the stack of a clone; `orders` is the address of [`Orders`].
extern "C" fn run_process(orders: *mut c_void) -> ! {
    // SAFETY: the launcher passes the address of orders, which it keeps until the child has execed or ended.
    obey(unsafe { &*orders.cast::<Orders<'_>>() })
}

const NO_PIDFD: RawFd = -1;

/// Linux 5.5. libc's constant does not fit its type.
const CLONE_CLEAR_SIGHAND: u64 = 1 << 32;

/// Clones; returns when the child has execed or ended.
///
/// The child's end sends no signal, until exec makes it SIGCHLD: a child that fails before is nobody's business but
/// the launcher's, which reaps it.
///
/// # Safety
///
/// All signals are blocked. `child` is sound to run with `data` in a process that shares this one's memory. Nobody
/// else uses the stack.
pub(super) unsafe fn clone(
    how: How,
    stack: &Stack,
    child: extern "C" fn(*mut c_void) -> !,
    data: *mut c_void,
) -> Result<Cloned, Errno> {
    let mut pidfd = NO_PIDFD;
    let mut flags = libc::CLONE_VM | libc::CLONE_VFORK;
    if how.shared_table {
        flags |= libc::CLONE_FILES;
    }
    if how.pidfd {
        flags |= libc::CLONE_PIDFD;
    }
    let pid = if how.clone3 {
        let args = sys::CloneArgs {
            flags: u64::from(flags.cast_unsigned()) | CLONE_CLEAR_SIGHAND,
            pidfd: (&raw mut pidfd) as u64,
            stack: stack.bottom() as u64,
            stack_size: stack.size() as u64,
            ..sys::CloneArgs::default()
        };
        // SAFETY: the stack is the child's alone, and its top is aligned to a page; the rest is the caller's promise.
        unsafe { sys::clone3(&sys::Clone3 { args: &args, child, data }) }?
    } else {
        let mut start = Start { child, data };
        // SAFETY: as above; `start` lives until the child has execed or ended, since the parent waits for that.
        unsafe { sys::clone(enter, stack.top(), flags, (&raw mut start).cast(), &raw mut pidfd) }?
    };
    Ok(Cloned { pid, pidfd: (pidfd != NO_PIDFD).then_some(pidfd) })
}

/// What libc's `clone` passes to its child.
struct Start {
    child: extern "C" fn(*mut c_void) -> !,
    data: *mut c_void,
}

extern "C" fn enter(start: *mut c_void) -> c_int {
    // SAFETY: `clone` passes the address of a `Start`, which lives until the child has execed or ended.
    let start = unsafe { &*start.cast::<Start>() };
    (start.child)(start.data)
}
