//! What a socket of the caller says of itself, as bytes: the names that sockets have are of any length, which rustix's
//! types do not all take.

use super::last_error;
use rustix::io::Errno;
use std::ffi::c_int;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Room for an address of any family, aligned as the system wants it.
#[repr(C, align(8))]
pub(crate) struct Name {
    bytes: [u8; Self::ROOM],
    length: usize,
}

impl Name {
    const ROOM: usize = size_of::<libc::sockaddr_storage>();

    /// The address, `sockaddr` and all. Empty where there is none.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// # Safety
    ///
    /// `call` writes at most as many bytes as it is told, and writes that number.
    unsafe fn ask(
        fd: BorrowedFd<'_>,
        call: unsafe extern "C" fn(c_int, *mut libc::sockaddr, *mut libc::socklen_t) -> c_int,
    ) -> Result<Self, Errno> {
        let mut name = Self { bytes: [0; Self::ROOM], length: 0 };
        let mut length = Self::ROOM as libc::socklen_t;
        // SAFETY: as the caller promises; there is room for so many bytes.
        match unsafe { call(fd.as_raw_fd(), name.bytes.as_mut_ptr().cast(), &raw mut length) } {
            0 => {
                // The whole length, where an address was cut off.
                name.length = usize::try_from(length).unwrap_or(usize::MAX).min(Self::ROOM);
                Ok(name)
            }
            _ => Err(last_error()),
        }
    }
}

/// The address that a socket is bound to.
pub(crate) fn local_name(fd: BorrowedFd<'_>) -> Result<Name, Errno> {
    // SAFETY: getsockname(2) is such a call.
    unsafe { Name::ask(fd, libc::getsockname) }
}

/// The address that a socket is connected to.
pub(crate) fn peer_name(fd: BorrowedFd<'_>) -> Result<Name, Errno> {
    // SAFETY: getpeername(2) is such a call.
    unsafe { Name::ask(fd, libc::getpeername) }
}

/// The kernel's state of a TCP connection: the first byte of `tcp_info`.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn tcp_state(fd: BorrowedFd<'_>) -> Option<u8> {
    let mut state = 0_u8;
    let mut length = size_of::<u8>() as libc::socklen_t;
    // SAFETY: the kernel writes at most one byte, and their number.
    let result = unsafe {
        libc::getsockopt(fd.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_INFO, (&raw mut state).cast(), &raw mut length)
    };
    (result == 0 && length == 1).then_some(state)
}
