//! System calls by their numbers.

use rustix::io::Errno;
use std::ffi::c_long;

/// Makes a system call with `N` arguments, which are numbers, or addresses that the caller vouches for.
///
/// # Safety
///
/// The arguments are valid for the system call.
pub(super) unsafe fn call<const N: usize>(number: c_long, args: [usize; N]) -> Result<usize, Errno> {
    let mut all = [0; 6];
    all[..N].copy_from_slice(&args);
    // SAFETY: as the caller promises.
    unsafe { syscall(number, all) }
}

/// Makes a system call with six arguments. The kernel reads as many as the call has.
///
/// # Safety
///
/// The arguments are valid for the system call.
#[cfg(target_arch = "x86_64")]
unsafe fn syscall(number: c_long, args: [usize; 6]) -> Result<usize, Errno> {
    let result: isize;
    // SAFETY: the registers are those of the kernel's calling convention; the caller vouches for the arguments.
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

/// Makes a system call with six arguments. The kernel reads as many as the call has.
///
/// # Safety
///
/// The arguments are valid for the system call.
#[cfg(target_arch = "aarch64")]
unsafe fn syscall(number: c_long, args: [usize; 6]) -> Result<usize, Errno> {
    let result: isize;
    // SAFETY: the registers are those of the kernel's calling convention; the caller vouches for the arguments.
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

/// Makes a system call with six arguments. The kernel reads as many as the call has.
///
/// # Safety
///
/// The arguments are valid for the system call.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
unsafe fn syscall(number: c_long, args: [usize; 6]) -> Result<usize, Errno> {
    let [a, b, c, d, e, f] = args;
    // SAFETY: the caller vouches for the arguments.
    let result = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    match result {
        -1 => Err(crate::sys::errno::last_error()),
        result => Ok(result as usize),
    }
}

/// Decodes the kernel's result: -4095 to -1 are errors.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(super) fn decode(result: isize) -> Result<usize, Errno> {
    match result {
        -4095..=-1 => Err(Errno::from_raw_os_error(-result as i32)),
        result => Ok(result as usize),
    }
}
