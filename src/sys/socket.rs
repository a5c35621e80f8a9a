//! Socket addresses as bytes. rustix has no types for the addresses of all families.

use super::errno::last_error;
use rustix::io::Errno;
use std::ffi::c_int;
use std::os::fd::{AsRawFd, BorrowedFd};

/// A `sockaddr` of any family, with the alignment that the system needs.
#[repr(C, align(8))]
pub(crate) struct SocketName {
    bytes: [u8; Self::ROOM],
    length: usize,
}

impl SocketName {
    const ROOM: usize = size_of::<libc::sockaddr_storage>();

    /// The bytes of the `sockaddr`. Empty if the socket has no address.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// Calls getsockname(2) or getpeername(2).
    ///
    /// # Safety
    ///
    /// `call` writes at most as many bytes as its third argument says, and replaces that argument by the address's
    /// length.
    unsafe fn from_call(
        fd: BorrowedFd<'_>,
        call: unsafe extern "C" fn(c_int, *mut libc::sockaddr, *mut libc::socklen_t) -> c_int,
    ) -> Result<Self, Errno> {
        let mut name = Self { bytes: [0; Self::ROOM], length: 0 };
        let mut length = Self::ROOM as libc::socklen_t;
        // SAFETY: as the caller promises; the buffer has room for `length` bytes.
        match unsafe { call(fd.as_raw_fd(), name.bytes.as_mut_ptr().cast(), &raw mut length) } {
            0 => {
                // If the system has cut an address off, this is the length of the whole address.
                name.length = usize::try_from(length).unwrap_or(usize::MAX).min(Self::ROOM);
                Ok(name)
            }
            _ => Err(last_error()),
        }
    }
}

/// The address that a socket is bound to (`getsockname(2)`).
pub(crate) fn local_name(fd: BorrowedFd<'_>) -> Result<SocketName, Errno> {
    // SAFETY: getsockname(2) does that.
    unsafe { SocketName::from_call(fd, libc::getsockname) }
}

/// The address that a socket is connected to (`getpeername(2)`).
pub(crate) fn peer_name(fd: BorrowedFd<'_>) -> Result<SocketName, Errno> {
    // SAFETY: getpeername(2) does that.
    unsafe { SocketName::from_call(fd, libc::getpeername) }
}

/// The kernel's state of a TCP connection: the first byte of `tcp_info`.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn tcp_state(fd: BorrowedFd<'_>) -> Option<u8> {
    let mut state = 0_u8;
    let mut length = size_of::<u8>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes, and then the number of bytes into `length`.
    let result = unsafe {
        libc::getsockopt(fd.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_INFO, (&raw mut state).cast(), &raw mut length)
    };
    (result == 0 && length == 1).then_some(state)
}
