//! The clone launcher. As with `vfork(2)`, the child shares the parent's memory until exec, and the calling thread waits.

use super::child::{ChildArgs, run_clone};
use super::stack::{Stack, with_spare_stack};
use crate::sys;
use rustix::io::Errno;
use std::ffi::{c_int, c_void};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// How to clone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CloneOptions {
    /// By `clone3(2)`, which also gives handled signals their default dispositions; else by libc's `clone`.
    pub(super) clone3: bool,
    /// The child starts with the parent's own table (`CLONE_FILES`).
    pub(super) shared_table: bool,
    /// The kernel makes a pidfd (`CLONE_PIDFD`).
    pub(super) pidfd: bool,
    /// The directory of the cgroup in which the kernel makes the child (`CLONE_INTO_CGROUP`).
    pub(super) cgroup: Option<RawFd>,
}

/// Clones a child that does its steps. Returns its pid and pidfd when it has executed or ended. If no number is free for the
/// pidfd, the function clones the child without a pidfd.
///
/// # Safety
///
/// All signals are blocked, and the steps are sound to do in a process that shares this one's memory.
pub(super) unsafe fn clone_child(
    options: CloneOptions,
    args: &ChildArgs<'_, '_>,
) -> Result<(i32, Option<OwnedFd>), Errno> {
    let data = std::ptr::from_ref(args).cast_mut().cast();
    let clone_with = |pidfd: bool| {
        let options = CloneOptions { pidfd, ..options };
        // SAFETY: as the caller promises; `run_clone` takes these arguments; only this child uses the stack.
        with_spare_stack(|stack| unsafe { clone(options, stack, run_clone, data) }).and_then(|result| result)
    };
    match clone_with(options.pidfd) {
        Err(Errno::MFILE | Errno::NFILE) if options.pidfd => clone_with(false),
        result => result,
    }
}

const NO_PIDFD: RawFd = -1;

/// Since Linux 5.5. libc's constant has a type that is too small for its value.
const CLONE_CLEAR_SIGHAND: u64 = 1 << 32;

/// Since Linux 5.7.
const CLONE_INTO_CGROUP: u64 = 1 << 33;

/// Clones a child. Returns when it has executed or ended.
///
/// Until exec, the end of the child sends no signal, so that no `wait(-1)` of another thread can reap it and no handler of
/// SIGCHLD runs. Exec makes its signal SIGCHLD.
///
/// # Safety
///
/// All signals are blocked. `child` is sound to run with `data` in a process that shares this one's memory. Nothing else uses
/// the stack.
#[inline]
pub(super) unsafe fn clone(
    options: CloneOptions,
    stack: &Stack,
    child: extern "C" fn(*mut c_void) -> !,
    data: *mut c_void,
) -> Result<(i32, Option<OwnedFd>), Errno> {
    let mut pidfd = NO_PIDFD;
    let mut flags = libc::CLONE_VM | libc::CLONE_VFORK;
    if options.shared_table {
        flags |= libc::CLONE_FILES;
    }
    if options.pidfd {
        flags |= libc::CLONE_PIDFD;
    }
    let pid = if options.clone3 {
        let args = sys::CloneArgs {
            flags: u64::from(flags.cast_unsigned())
                | CLONE_CLEAR_SIGHAND
                | options.cgroup.map_or(0, |_| CLONE_INTO_CGROUP),
            cgroup: options.cgroup.map_or(0, |fd| u64::from(fd.unsigned_abs())),
            pidfd: (&raw mut pidfd) as u64,
            stack: stack.bottom() as u64,
            stack_size: stack.size() as u64,
            ..sys::CloneArgs::default()
        };
        // SAFETY: the stack is the child's alone, and its top is aligned to a page; the rest is the caller's promise.
        unsafe { sys::clone3(&sys::Clone3 { args: &args, child, data }) }?
    } else {
        let mut start = CloneStart { child, data };
        // SAFETY: as above; `start` lives until the child has executed or ended, since the parent waits for that.
        unsafe { sys::clone(enter, stack.top(), flags, (&raw mut start).cast(), &raw mut pidfd) }?
    };
    // SAFETY: the kernel has made the descriptor for this call.
    Ok((pid, (pidfd != NO_PIDFD).then(|| unsafe { OwnedFd::from_raw_fd(pidfd) })))
}

/// The argument of [`enter`].
struct CloneStart {
    child: extern "C" fn(*mut c_void) -> !,
    data: *mut c_void,
}

/// The function that libc's `clone` calls in the child.
extern "C" fn enter(start: *mut c_void) -> c_int {
    // SAFETY: `clone` passes the address of a `CloneStart`, which lives until the child has executed or ended.
    let start = unsafe { &*start.cast::<CloneStart>() };
    (start.child)(start.data)
}
