//! The way into the kernel.

use rustix::io::Errno;
use std::ffi::{c_long, c_void};

/// A system call with up to six arguments.
///
/// # Safety
///
/// What the call asks of its arguments.
#[cfg(target_arch = "x86_64")]
pub(super) unsafe fn syscall(number: c_long, args: [usize; 6]) -> Result<usize, Errno> {
    let result: isize;
    // SAFETY: the registers are those of the system call convention; the caller vouches for the arguments.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") args[0],
            in("rsi") args[1],
            in("rdx") args[2],
            in("r10") args[3],
            in("r8") args[4],
            in("r9") args[5],
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    decode(result)
}

/// A system call with up to six arguments.
///
/// # Safety
///
/// What the call asks of its arguments.
#[cfg(target_arch = "aarch64")]
pub(super) unsafe fn syscall(number: c_long, args: [usize; 6]) -> Result<usize, Errno> {
    let result: isize;
    // SAFETY: the registers are those of the system call convention; the caller vouches for the arguments.
    unsafe {
        std::arch::asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") args[0] => result,
            in("x1") args[1],
            in("x2") args[2],
            in("x3") args[3],
            in("x4") args[4],
            in("x5") args[5],
            options(nostack),
        );
    }
    decode(result)
}

/// A system call with up to six arguments.
///
/// # Safety
///
/// What the call asks of its arguments.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) unsafe fn syscall(number: c_long, args: [usize; 6]) -> Result<usize, Errno> {
    let [a, b, c, d, e, f] = args;
    // SAFETY: the caller vouches for the arguments.
    let result = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    match result {
        -1 => Err(super::linux::last_error()),
        result => Ok(result as usize),
    }
}

/// The kernel returns errors as -4095 to -1.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn decode(result: isize) -> Result<usize, Errno> {
    match result {
        -4095..=-1 => Err(Errno::from_raw_os_error(-result as i32)),
        result => Ok(result as usize),
    }
}

/// The kernel's `clone_args`, which libc does not have for all targets.
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

/// The arguments of `clone3(2)`, and what the child runs.
#[allow(dead_code, reason = "read by the assembly, where there is one")]
pub(crate) struct Clone3<'a> {
    /// Flags, stack, exit signal and the address for the pidfd.
    pub(crate) args: &'a CloneArgs,
    /// What the child runs on the stack given in `args`.
    pub(crate) child: extern "C" fn(*mut c_void) -> !,
    /// Passed to `child`.
    pub(crate) data: *mut c_void,
}

/// `clone3(2)` for a child on a stack of its own. Returns its pid, in the parent.
///
/// # Safety
///
/// `args` is what `clone3(2)` asks for and names a stack that nobody else uses, aligned to 16 bytes at its top and
/// large enough for `child`. `child` is sound to run with `data` in the new process.
#[cfg(target_arch = "x86_64")]
pub(crate) unsafe fn clone3(call: &Clone3<'_>) -> Result<i32, Errno> {
    let result: isize;
    // SAFETY: the child leaves this frame at once for a stack of its own and never comes back, so that the parent's
    // frame is as it was; the parent gets all registers back but those named.
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

/// `clone3(2)` for a child on a stack of its own. Returns its pid, in the parent.
///
/// # Safety
///
/// `args` is what `clone3(2)` asks for and names a stack that nobody else uses, aligned to 16 bytes at its top and
/// large enough for `child`. `child` is sound to run with `data` in the new process.
#[cfg(target_arch = "aarch64")]
pub(crate) unsafe fn clone3(call: &Clone3<'_>) -> Result<i32, Errno> {
    let result: isize;
    // SAFETY: the child leaves this frame at once for a stack of its own and never comes back, so that the parent's
    // frame is as it was; the parent gets all registers back but those named.
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

/// There is no assembly for this architecture: the next rung is libc's `clone`.
///
/// # Safety
///
/// None is needed.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(crate) unsafe fn clone3(_: &Clone3<'_>) -> Result<i32, Errno> {
    Err(Errno::NOSYS)
}
