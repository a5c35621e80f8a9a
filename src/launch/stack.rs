//! The stack of a child that shares the parent's memory.

use rustix::io::Errno;
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use std::cell::Cell;
use std::ffi::c_void;

/// The size of a stack, several times what the child's code needs.
pub(super) const STACK_SIZE: usize = 64 * 1024;

/// The size of a page, from libc. On kernels before 6.4 rustix would read it from /proc/self/auxv, and would panic if that
/// cannot be opened: no /proc, no free descriptor, another user.
fn page_size() -> usize {
    // SAFETY: the call only reads a number, which is known for all systems.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

/// A memory mapping. Its lowest page is a guard page, so that an overflow causes SIGSEGV.
pub(super) struct Stack {
    base: *mut c_void,
    /// The length of the guard page, which cannot be read or written.
    guard: usize,
    /// The length above the guard page.
    size: usize,
}

impl Stack {
    /// Maps a new stack of `size` bytes, a multiple of the page's size.
    pub(super) fn map(size: usize) -> Result<Self, Errno> {
        let guard = page_size();
        let length = size + guard;
        // SAFETY: the kernel puts an anonymous mapping where no other mapping is.
        let base = unsafe {
            mmap_anonymous(std::ptr::null_mut(), length, ProtFlags::empty(), MapFlags::PRIVATE | MapFlags::NORESERVE)
        }?;
        let stack = Self { base, guard, size };
        // SAFETY: the pages are this mapping's own.
        unsafe { mprotect(base.byte_add(guard), size, MprotectFlags::READ | MprotectFlags::WRITE) }?;
        Ok(stack)
    }

    /// The lowest address that can be used.
    pub(super) fn bottom(&self) -> *mut c_void {
        self.base.wrapping_byte_add(self.guard)
    }

    /// How many bytes can be used.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// The address above the highest byte; it is aligned to a page.
    pub(super) fn top(&self) -> *mut c_void {
        self.bottom().wrapping_byte_add(self.size)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: the mapping is this stack's own, and no child runs on it.
        let _ = unsafe { munmap(self.base, self.guard + self.size) };
    }
}

thread_local! {
    #[allow(clippy::missing_const_for_thread_local, reason = "it is const, which clippy does not see on Android")]
    /// The stack of this thread's last spawn. The next spawn uses it again.
    static SPARE: Cell<Option<Stack>> = const { Cell::new(None) };
}

/// Calls `act` with a stack that nothing else uses.
pub(super) fn with_spare_stack<T>(act: impl FnOnce(&Stack) -> T) -> Result<T, Errno> {
    let stack = match SPARE.try_with(Cell::take).ok().flatten() {
        Some(stack) => stack,
        None => Stack::map(STACK_SIZE)?,
    };
    let result = act(&stack);
    let _ = SPARE.try_with(|spare| spare.set(Some(stack)));
    Ok(result)
}
