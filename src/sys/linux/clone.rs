//! `clone3(2)`, `clone(2)` and `fork(2)`.

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use super::syscall::{call, decode};
use crate::sys::errno::last_error;
use rustix::io::Errno;
use std::ffi::{c_int, c_void};
use std::os::fd::RawFd;

/// The kernel's `struct clone_args`. libc does not have it for all targets.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct CloneArgs {
    pub(crate) flags: u64,
    pub(crate) pidfd: u64,
    pub(crate) child_tid: u64,
    pub(crate) parent_tid: u64,
    pub(crate) exit_signal: u64,
    pub(crate) stack: u64,
    pub(crate) stack_size: u64,
    pub(crate) tls: u64,
    pub(crate) set_tid: u64,
    pub(crate) set_tid_size: u64,
    pub(crate) cgroup: u64,
}

/// The arguments of [`clone3`], and the function that the child runs.
#[allow(dead_code, reason = "only the assembly reads the fields")]
pub(crate) struct Clone3<'a> {
    /// The flags, the stack, the exit signal, and the address to which the kernel writes the pidfd.
    pub(crate) args: &'a CloneArgs,
    /// The function that the child runs, on the stack that `args` names.
    pub(crate) child: extern "C" fn(*mut c_void) -> !,
    /// The argument of `child`.
    pub(crate) data: *mut c_void,
}

/// Makes a child on a stack of its own (`clone3(2)`). Returns the child's pid, in the parent only.
///
/// # Safety
///
/// `args` is valid for `clone3(2)`. It names a stack that no other thread uses, that is aligned to 16 bytes at its top,
/// and that is large enough for `child`. `child` is sound to run with `data` in the new process.
#[cfg(target_arch = "x86_64")]
pub(crate) unsafe fn clone3(call: &Clone3<'_>) -> Result<i32, Errno> {
    let result: isize;
    // SAFETY: the child runs on a stack of its own and never returns to this frame, so the parent's frame does not
    // change. The kernel preserves the parent's registers, except those that are named as outputs.
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r9",
            "call r8",
            "ud2",
            "2:",
            inlateout("rax") libc::SYS_clone3 as isize => result,
            in("rdi") call.args,
            in("rsi") size_of::<CloneArgs>(),
            in("r8") call.child,
            in("r9") call.data,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    decode(result).map(|pid| pid as i32)
}

/// Makes a child on a stack of its own (`clone3(2)`). Returns the child's pid, in the parent only.
///
/// # Safety
///
/// `args` is valid for `clone3(2)`. It names a stack that no other thread uses, that is aligned to 16 bytes at its top,
/// and that is large enough for `child`. `child` is sound to run with `data` in the new process.
#[cfg(target_arch = "aarch64")]
pub(crate) unsafe fn clone3(call: &Clone3<'_>) -> Result<i32, Errno> {
    let result: isize;
    // SAFETY: the child runs on a stack of its own and never returns to this frame, so the parent's frame does not
    // change. The kernel preserves the parent's registers, except those that are named as outputs.
    unsafe {
        std::arch::asm!(
            "svc 0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x30, xzr",
            "mov x0, x10",
            "blr x9",
            "brk 1",
            "2:",
            in("x8") libc::SYS_clone3,
            inlateout("x0") call.args => result,
            in("x1") size_of::<CloneArgs>(),
            in("x9") call.child,
            in("x10") call.data,
            lateout("x30") _,
        );
    }
    decode(result).map(|pid| pid as i32)
}

/// Fails: there is no assembly for this architecture. The fallback is libc's `clone`.
///
/// # Safety
///
/// The function does nothing that could be unsound.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(crate) unsafe fn clone3(_: &Clone3<'_>) -> Result<i32, Errno> {
    Err(Errno::NOSYS)
}

/// Makes a child on a stack of its own, which sends no signal at its end (libc's `clone`). Returns the child's pid, in
/// the parent only.
///
/// # Safety
///
/// The arguments are valid for `clone(2)`. `child` is sound to run with `data` in the new process.
pub(crate) unsafe fn clone(
    child: extern "C" fn(*mut c_void) -> c_int,
    stack_top: *mut c_void,
    flags: c_int,
    data: *mut c_void,
    pidfd: *mut RawFd,
) -> Result<i32, Errno> {
    // SAFETY: as the caller promises. libc reads the arguments for thread-local storage and for the child's thread id
    // only if their flags are set.
    let pid = unsafe {
        libc::clone(child, stack_top, flags, data, pidfd, std::ptr::null_mut::<c_void>(), std::ptr::null_mut::<c_int>())
    };
    match pid {
        -1 => Err(last_error()),
        pid => Ok(pid),
    }
}

/// Forks this process, without libc: handlers of `pthread_atfork(3)` do not run. After a fork, the first write to each page costs a page
/// fault, and libc and the handlers write to many pages that nothing else needs.
///
/// # Safety
///
/// The child only makes system calls, and executes a program or ends.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[inline]
pub(crate) unsafe fn fork_to_exec() -> Result<i32, Errno> {
    // SAFETY: without other flags and without a stack, the child gets a copy of all memory, and returns to its copy of this frame. The
    // rest is the caller's promise.
    unsafe { call(libc::SYS_clone, [libc::SIGCHLD as usize, 0, 0, 0, 0]) }.map(|pid| pid as i32)
}

/// Forks this process by libc: on some architectures the arguments of `clone(2)` have another order.
///
/// # Safety
///
/// The child only makes system calls, and executes a program or ends.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(crate) unsafe fn fork_to_exec() -> Result<i32, Errno> {
    // SAFETY: as the caller promises.
    unsafe { crate::sys::forks::fork() }
}
