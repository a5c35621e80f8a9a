//! Memory of this process, read by the kernel. If an address is not mapped, the call fails, and the process gets no SIGSEGV.

use super::futex::thread_id;
use super::syscall::call;
use rustix::io::Errno;

/// A part of memory, as the kernel's `struct iovec`.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub(crate) struct MemoryPart {
    pub(crate) address: usize,
    pub(crate) length: usize,
}

/// Copies parts of this process's memory into `buffer`, one after the other (`process_vm_readv(2)`). Returns how many bytes it has
/// copied: fewer than the parts have if one of them is not mapped. If that is the first one, the error is EFAULT.
///
/// The call names the calling thread and not the process: if the main thread has ended, the kernel finds no memory by
/// the id of the process.
pub(crate) fn read_own_memory(parts: &[MemoryPart], buffer: &mut [u8]) -> Result<usize, Errno> {
    let local = MemoryPart { address: buffer.as_mut_ptr() as usize, length: buffer.len() };
    let (local, remote) = ((&raw const local) as usize, parts.as_ptr() as usize);
    let arguments = [thread_id() as usize, local, 1, remote, parts.len(), 0];
    // SAFETY: the kernel reads the two lists, and writes at most the buffer's length. It answers EFAULT to a bad address in a part.
    unsafe { call(libc::SYS_process_vm_readv, arguments) }
}
