//! Open file description locks.

use super::syscall::call;
use crate::sys::range_state::RangeState;
use rustix::io::Errno;
use std::ffi::c_short;
use std::os::fd::RawFd;

// On these architectures only `fcntl64` has 64-bit offsets and knows open file description locks.
#[cfg(not(any(
    target_arch = "arm",
    target_arch = "hexagon",
    target_arch = "m68k",
    target_arch = "mips",
    target_arch = "mips32r6",
    target_arch = "powerpc",
    target_arch = "sparc",
    target_arch = "x86"
)))]
use libc::SYS_fcntl as SYS_FCNTL;
#[cfg(any(
    target_arch = "arm",
    target_arch = "hexagon",
    target_arch = "m68k",
    target_arch = "mips",
    target_arch = "mips32r6",
    target_arch = "powerpc",
    target_arch = "sparc",
    target_arch = "x86"
))]
use libc::SYS_fcntl64 as SYS_FCNTL;

/// The kernel's `struct flock64`. Some architectures add fields at its end, which are padding here.
#[repr(C)]
struct Flock64 {
    kind: c_short,
    whence: c_short,
    start: i64,
    length: i64,
    pid: i32,
}

/// Locks, converts or unlocks `length` bytes from `start` for the description. A `length` of 0 means all bytes from
/// `start` on.
pub(crate) fn lock_range(fd: RawFd, state: RangeState, start: i64, length: i64, wait: bool) -> Result<(), Errno> {
    let kind = match state {
        RangeState::Shared => libc::F_RDLCK,
        RangeState::Exclusive => libc::F_WRLCK,
        RangeState::Unlocked => libc::F_UNLCK,
    };
    let lock = Flock64 { kind: kind as c_short, whence: libc::SEEK_SET as c_short, start, length, pid: 0 };
    let command = if wait { libc::F_OFD_SETLKW } else { libc::F_OFD_SETLK };
    // SAFETY: the kernel reads one structure.
    unsafe { call(SYS_FCNTL, [fd as usize, command as usize, (&raw const lock) as usize]) }.map(drop)
}
