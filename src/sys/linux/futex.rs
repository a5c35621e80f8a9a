//! Futexes in memory that processes share, and the list of robust futexes of a thread.

use super::syscall::call;
use rustix::io::Errno;
use std::ffi::c_long;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

/// The kernel's `struct robust_list`: a link of the list.
#[repr(C)]
pub(crate) struct RobustList {
    next: *const RobustList,
}

/// The kernel's `struct robust_list_head`.
#[repr(C)]
pub(crate) struct RobustListHead {
    list: RobustList,
    /// From a link to its futex, in bytes.
    futex_offset: c_long,
    pending: *const RobustList,
}

impl RobustList {
    pub(crate) const EMPTY: Self = Self { next: std::ptr::null() };
}

impl RobustListHead {
    pub(crate) const EMPTY: Self = Self { list: RobustList::EMPTY, futex_offset: 0, pending: std::ptr::null() };
}

/// Makes `word` the only robust futex of the calling thread (`set_robust_list(2)`). It contains the thread's id.
///
/// # Safety
///
/// `head` and `entry` are valid, nothing else uses them, and they live with `word` until the thread executes or ends.
pub(crate) unsafe fn set_robust_futex(
    head: *mut RobustListHead,
    entry: *mut RobustList,
    word: &AtomicU32,
) -> Result<(), Errno> {
    let offset = std::ptr::from_ref(word) as isize - entry as isize;
    // SAFETY: as the caller promises. The list is a circle: head, entry, head.
    unsafe {
        (*entry).next = head.cast();
        (*head).list.next = entry;
        (*head).futex_offset = offset as c_long;
        (*head).pending = std::ptr::null();
        call(libc::SYS_set_robust_list, [head as usize, size_of::<RobustListHead>()]).map(drop)
    }
}

/// The calling thread's list of robust futexes: its address and size. The address is 0 if there is none.
pub(crate) fn robust_list() -> (usize, usize) {
    let (mut head, mut size) = (0_usize, size_of::<RobustListHead>());
    // SAFETY: the kernel writes two words.
    let result = unsafe { call(libc::SYS_get_robust_list, [0, (&raw mut head) as usize, (&raw mut size) as usize]) };
    if result.is_ok() { (head, size) } else { (0, size_of::<RobustListHead>()) }
}

/// Gives the calling thread another list of robust futexes.
///
/// # Safety
///
/// The list is one that [`robust_list`] has returned for this thread.
pub(crate) unsafe fn set_robust_list(head: usize, size: usize) -> Result<(), Errno> {
    // SAFETY: as the caller promises.
    unsafe { call(libc::SYS_set_robust_list, [head, size]) }.map(drop)
}

/// Waits until another process wakes the futex, if `word` contains `expected`.
pub(crate) fn futex_wait(word: &AtomicU32, expected: u32, timeout: Duration) -> Result<(), Errno> {
    // SYS_futex reads a timespec of two words. With some C libraries, `libc::timespec` is larger on 32-bit systems.
    let time = [timeout.as_secs() as c_long, timeout.subsec_nanos() as c_long];
    let address = std::ptr::from_ref(word) as usize;
    let operation = libc::FUTEX_WAIT as usize;
    // SAFETY: the kernel reads the word and one timespec.
    unsafe { call(libc::SYS_futex, [address, operation, expected as usize, (&raw const time) as usize]) }.map(drop)
}

/// Wakes the processes that wait for the futex.
pub(crate) fn futex_wake(word: &AtomicU32) -> Result<(), Errno> {
    let address = std::ptr::from_ref(word) as usize;
    // SAFETY: the kernel uses the address only as a key.
    unsafe { call(libc::SYS_futex, [address, libc::FUTEX_WAKE as usize, i32::MAX as usize]) }.map(drop)
}

/// The id of the calling thread.
pub(crate) fn thread_id() -> u32 {
    // SAFETY: the call has no arguments, and cannot fail.
    unsafe { call(libc::SYS_gettid, []) }.map_or(0, |id| id as u32)
}
