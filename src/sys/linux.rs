//! Linux.

use super::RangeState;
use super::raw::syscall;
use rustix::io::Errno;
use std::ffi::{CStr, c_char, c_int, c_long, c_short, c_void};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// The kernel's set of signals, which has more than libc's: libc keeps some for itself.
pub(crate) type SignalSet = [u64; LAST_SIGNAL as usize / 64];

/// The kernel's signals are 1 to this.
const LAST_SIGNAL: c_int = if MIPS { 128 } else { 64 };

const MIPS: bool =
    cfg!(any(target_arch = "mips", target_arch = "mips32r6", target_arch = "mips64", target_arch = "mips64r6"));

/// The error of the last call to libc that failed in this thread.
pub(crate) fn last_error() -> Errno {
    // SAFETY: the address is that of the thread's own `errno`.
    Errno::from_raw_os_error(unsafe { *errno_address() })
}

#[cfg(target_os = "android")]
use libc::__errno as errno_address;
#[cfg(not(target_os = "android"))]
use libc::__errno_location as errno_address;

/// A call whose arguments are numbers, or addresses that the caller below vouches for.
///
/// # Safety
///
/// What the call asks of its arguments.
unsafe fn call<const N: usize>(number: c_long, args: [usize; N]) -> Result<usize, Errno> {
    let mut all = [0; 6];
    all[..N].copy_from_slice(&args);
    // SAFETY: as the caller promises.
    unsafe { syscall(number, all) }
}

/// Makes `target` a duplicate of `source`, which has another number.
pub(crate) fn duplicate(source: RawFd, target: RawFd, close_on_exec: bool) -> Result<(), Errno> {
    let flags = if close_on_exec { libc::O_CLOEXEC } else { 0 };
    // SAFETY: only numbers are passed. Which descriptors a step may replace is the plan's business.
    unsafe { call(libc::SYS_dup3, [source as usize, target as usize, flags as usize]) }.map(drop)
}

/// The lowest free number from `first` on, as a duplicate of `source` that closes at exec.
pub(crate) fn duplicate_above(source: RawFd, first: RawFd) -> Result<RawFd, Errno> {
    // SAFETY: only numbers are passed.
    unsafe { call(libc::SYS_fcntl, [source as usize, libc::F_DUPFD_CLOEXEC as usize, first as usize]) }
        .map(|fd| fd as RawFd)
}

/// The lowest free number from `first` on, as a duplicate of `source` that closes at exec.
pub(crate) fn duplicate_owned(source: RawFd, first: RawFd) -> Result<OwnedFd, Errno> {
    // SAFETY: the kernel makes the descriptor for this caller.
    duplicate_above(source, first).map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
}

pub(crate) fn clear_close_on_exec(fd: RawFd) -> Result<(), Errno> {
    // SAFETY: only numbers are passed.
    unsafe { call(libc::SYS_fcntl, [fd as usize, libc::F_SETFD as usize, 0]) }.map(drop)
}

/// Sets close-on-exec. Returns whether that changes anything.
pub(crate) fn set_close_on_exec(fd: RawFd) -> Result<bool, Errno> {
    // SAFETY: only numbers are passed.
    let flags = unsafe { call(libc::SYS_fcntl, [fd as usize, libc::F_GETFD as usize, 0]) }?;
    if flags & libc::FD_CLOEXEC as usize != 0 {
        return Ok(false);
    }
    let flags = flags | libc::FD_CLOEXEC as usize;
    // SAFETY: only numbers are passed.
    unsafe { call(libc::SYS_fcntl, [fd as usize, libc::F_SETFD as usize, flags]) }.map(|_| true)
}

/// The kernel's `struct flock64` of any architecture: what some add at its end is padding here.
#[repr(C)]
struct RangeRecord {
    kind: c_short,
    whence: c_short,
    start: i64,
    length: i64,
    pid: i32,
}

/// Locks, converts or unlocks bytes for the description: `length` of them from `start`, or all from there where it is 0.
pub(crate) fn lock_range(fd: RawFd, state: RangeState, start: i64, length: i64, wait: bool) -> Result<(), Errno> {
    // Where there is a second call for 64-bit offsets, the first knows nothing of these locks.
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

    let kind = match state {
        RangeState::Shared => libc::F_RDLCK,
        RangeState::Exclusive => libc::F_WRLCK,
        RangeState::Unlocked => libc::F_UNLCK,
    };
    let record = RangeRecord { kind: kind as c_short, whence: libc::SEEK_SET as c_short, start, length, pid: 0 };
    let command = if wait { libc::F_OFD_SETLKW } else { libc::F_OFD_SETLK };
    // SAFETY: the kernel reads one record.
    unsafe { call(SYS_FCNTL, [fd as usize, command as usize, (&raw const record) as usize]) }.map(drop)
}

/// Closes one number. An interrupted close has closed all the same, and is not tried again: the number may already be
/// another's.
pub(crate) fn close(fd: RawFd) -> Result<(), Errno> {
    // SAFETY: only a number is passed. Which descriptors a step may close is the plan's business.
    unsafe { call(libc::SYS_close, [fd as usize]) }.map(drop)
}

/// Closes a range of numbers, as `close_range(2)` does with these flags.
pub(crate) fn close_range(first: RawFd, last: RawFd, flags: u32) -> Result<(), Errno> {
    let last = if last == RawFd::MAX { u32::MAX } else { last as u32 };
    // SAFETY: only numbers are passed. Which descriptors may be closed is the caller's business.
    unsafe { call(libc::SYS_close_range, [first as usize, last as usize, flags as usize]) }.map(drop)
}

/// The flag of [`close_range`] that takes a private table first.
pub(crate) const CLOSE_RANGE_UNSHARE: u32 = 2;
/// The flag of [`close_range`] that sets close-on-exec instead. Since Linux 5.11.
pub(crate) const CLOSE_RANGE_CLOEXEC: u32 = 4;

/// Takes a private copy of the descriptor table.
pub(crate) fn unshare_table() -> Result<(), Errno> {
    // SAFETY: only numbers are passed.
    unsafe { call(libc::SYS_unshare, [libc::CLONE_FILES as usize]) }.map(drop)
}

/// Opens a directory, closing at exec.
pub(crate) fn open_directory(path: &CStr) -> Result<RawFd, Errno> {
    let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
    // SAFETY: the path is NUL-terminated.
    unsafe { call(libc::SYS_openat, [libc::AT_FDCWD as usize, path.as_ptr() as usize, flags as usize, 0]) }
        .map(|fd| fd as RawFd)
}

/// Whether a descriptor refers to something in a proc file system, and not to what somebody put in its place.
pub(crate) fn is_in_proc(fd: RawFd) -> bool {
    let mut buffer = std::mem::MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: the kernel writes one statfs, of which all bit patterns are valid.
    let (result, buffer) = unsafe { (file_system(fd, buffer.as_mut_ptr()), buffer.assume_init()) };
    #[allow(clippy::unnecessary_cast, reason = "other architectures have other types")]
    let kind = buffer.f_type as u32;
    result.is_ok() && kind == 0x9fa0
}

/// # Safety
///
/// There is room for one statfs.
#[cfg(not(target_os = "android"))]
unsafe fn file_system(fd: RawFd, buffer: *mut libc::statfs) -> Result<(), Errno> {
    // SAFETY: as the caller promises. Where libc's structure is larger than the kernel's, the type still comes first.
    unsafe { call(libc::SYS_fstatfs, [fd as usize, buffer as usize]) }.map(drop)
}

/// # Safety
///
/// There is room for one statfs.
#[cfg(target_os = "android")]
unsafe fn file_system(fd: RawFd, buffer: *mut libc::statfs) -> Result<(), Errno> {
    // SAFETY: as the caller promises. The libc crate has no number for this call here.
    match unsafe { libc::fstatfs(fd, buffer) } {
        0 => Ok(()),
        _ => Err(last_error()),
    }
}

/// Reads entries of a directory in the kernel's format. Returns how many bytes there are.
pub(crate) fn read_directory(fd: RawFd, buffer: &mut [u8]) -> Result<usize, Errno> {
    // SAFETY: the kernel writes at most the buffer's length.
    unsafe { call(libc::SYS_getdents64, [fd as usize, buffer.as_mut_ptr() as usize, buffer.len()]) }
}

/// The hard limit of descriptor numbers; `None` where it is unknown or infinite.
pub(crate) fn hard_limit() -> Option<u64> {
    let mut limit = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes one rlimit64.
    let result = unsafe { call(libc::SYS_prlimit64, [0, libc::RLIMIT_NOFILE as usize, 0, (&raw mut limit) as usize]) };
    (result.is_ok() && limit.rlim_max != u64::MAX).then_some(limit.rlim_max)
}

/// Raises the soft limit of descriptor numbers to the hard one.
pub(crate) fn raise_limit() {
    if let Some(hard) = hard_limit() {
        let limit = libc::rlimit64 { rlim_cur: hard, rlim_max: hard };
        // SAFETY: the kernel reads one rlimit64.
        let _ = unsafe { call(libc::SYS_prlimit64, [0, libc::RLIMIT_NOFILE as usize, (&raw const limit) as usize, 0]) };
    }
}

/// Sets the thread's signal mask, and returns what it was.
pub(crate) fn set_signal_mask(mask: &SignalSet) -> Result<SignalSet, Errno> {
    let mut old = SignalSet::default();
    // SAFETY: the kernel reads one set and writes one.
    unsafe {
        call(
            libc::SYS_rt_sigprocmask,
            [
                libc::SIG_SETMASK as usize,
                std::ptr::from_ref(mask) as usize,
                (&raw mut old) as usize,
                size_of::<SignalSet>(),
            ],
        )
    }
    .map(|_| old)
}

/// The thread's signal mask.
pub(crate) fn signal_mask() -> SignalSet {
    let mut mask = SignalSet::default();
    let block = libc::SIG_BLOCK as usize;
    // SAFETY: the kernel writes one set. It fails only for a set of the wrong size.
    let _ = unsafe { call(libc::SYS_rt_sigprocmask, [block, 0, (&raw mut mask) as usize, size_of::<SignalSet>()]) };
    mask
}

/// All signals, those included that libc keeps for itself.
pub(crate) const fn every_signal() -> SignalSet {
    [u64::MAX; LAST_SIGNAL as usize / 64]
}

/// Room for the kernel's `sigaction` of any architecture. Its first word is the handler, on all but MIPS.
type Action = [usize; 8];

fn signal_action(signal: c_int, new: Option<&Action>, old: Option<&mut Action>) -> Result<(), Errno> {
    let new = new.map_or(0, |action| std::ptr::from_ref(action) as usize);
    let old = old.map_or(0, |action| std::ptr::from_mut(action) as usize);
    // SAFETY: both are null or have room for the kernel's structure.
    unsafe { call(libc::SYS_rt_sigaction, [signal as usize, new, old, size_of::<SignalSet>()]) }.map(drop)
}

/// Gives a signal its default disposition, which is all zeros.
pub(crate) fn default_signal(signal: c_int) -> Result<(), Errno> {
    signal_action(signal, Some(&[0; 8]), None)
}

/// Gives each signal that has a handler its default disposition; those ignored stay ignored.
pub(crate) fn default_handlers() -> Result<(), Errno> {
    let handler = if MIPS { 1 } else { 0 };
    for signal in 1..=LAST_SIGNAL {
        let mut action = [0; 8];
        signal_action(signal, None, Some(&mut action))?;
        if action[handler] != libc::SIG_DFL && action[handler] != libc::SIG_IGN {
            default_signal(signal)?;
        }
    }
    Ok(())
}

/// # Safety
///
/// `path` is a NUL-terminated string.
pub(crate) unsafe fn change_directory(path: *const c_char) -> Result<(), Errno> {
    // SAFETY: as the caller promises.
    unsafe { call(libc::SYS_chdir, [path as usize]) }.map(drop)
}

pub(crate) fn change_directory_to(fd: RawFd) -> Result<(), Errno> {
    // SAFETY: only a number is passed.
    unsafe { call(libc::SYS_fchdir, [fd as usize]) }.map(drop)
}

/// Becomes another program; returns only if that fails.
///
/// # Safety
///
/// `path` is a NUL-terminated string; `argv` and `envp` are arrays of such, ended by a null pointer.
pub(crate) unsafe fn exec(path: *const c_char, argv: *const *const c_char, envp: *const *const c_char) -> Errno {
    // SAFETY: as the caller promises.
    match unsafe { call(libc::SYS_execve, [path as usize, argv as usize, envp as usize]) } {
        Err(errno) => errno,
        Ok(_) => Errno::NOEXEC,
    }
}

/// Writes the bytes, in one call.
pub(crate) fn write(fd: RawFd, bytes: &[u8]) -> Result<usize, Errno> {
    // SAFETY: the kernel reads the bytes.
    unsafe { call(libc::SYS_write, [fd as usize, bytes.as_ptr() as usize, bytes.len()]) }
}

/// PipeHolders the process, and runs nothing of it.
pub(crate) fn exit(status: c_int) -> ! {
    loop {
        // SAFETY: the process ends.
        let _ = unsafe { call(libc::SYS_exit_group, [status as usize]) };
    }
}

/// Waits for a child to end, whatever signal its end would send, and forgets how it ended.
pub(crate) fn reap(pid: i32) {
    loop {
        // SAFETY: only numbers and a null pointer are passed.
        let result = unsafe { call(libc::SYS_wait4, [pid as usize, 0, libc::__WALL as usize, 0]) };
        if result != Err(Errno::INTR) {
            return;
        }
    }
}

/// A new event counter, which is as good a descriptor as any for trying a table.
pub(crate) fn event() -> Result<RawFd, Errno> {
    // SAFETY: only numbers are passed.
    unsafe { call(libc::SYS_eventfd2, [0, 0]) }.map(|fd| fd as RawFd)
}

/// libc's `clone`, for a child on a stack of its own, with no signal at its end.
///
/// # Safety
///
/// What `clone(2)` asks of its arguments; `child` is sound to run with `data` in the new process.
pub(crate) unsafe fn clone(
    child: extern "C" fn(*mut c_void) -> c_int,
    stack_top: *mut c_void,
    flags: c_int,
    data: *mut c_void,
    pidfd: *mut RawFd,
) -> Result<i32, Errno> {
    // SAFETY: as the caller promises. The arguments for thread-local storage and the child's thread id are not read
    // without their flags.
    let pid = unsafe {
        libc::clone(child, stack_top, flags, data, pidfd, std::ptr::null_mut::<c_void>(), std::ptr::null_mut::<c_int>())
    };
    match pid {
        -1 => Err(last_error()),
        pid => Ok(pid),
    }
}

/// A descriptor for a child that nobody has reaped.
pub(crate) fn open_pidfd(pid: i32) -> Result<OwnedFd, Errno> {
    if cfg!(target_os = "android") {
        return Err(Errno::NOSYS); // A filter may kill for this call.
    }
    // SAFETY: only numbers are passed; the kernel makes the descriptor for this caller.
    unsafe { call(libc::SYS_pidfd_open, [pid as usize, 0]).map(|fd| OwnedFd::from_raw_fd(fd as RawFd)) }
}

/// Whether two threads, given by their ids, share one table.
pub(crate) fn is_same_table(first: i32, second: i32) -> Result<bool, Errno> {
    const KCMP_FILES: usize = 2;
    if cfg!(target_os = "android") {
        return Err(Errno::NOSYS); // A filter may kill for this call.
    }
    // SAFETY: only numbers are passed.
    unsafe { call(libc::SYS_kcmp, [first as usize, second as usize, KCMP_FILES, 0, 0]) }.map(|order| order == 0)
}
