//! The flags of a descriptor, and its duplicates.
#![allow(unsafe_code, reason = "flags are asked for by number, of whatever is open there")]

use bitflags::bitflags;
use rustix::io::{Errno, FdFlags};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};

bitflags! {
    /// The flags of a descriptor, which are its own: its duplicates have others, though they share the description with
    /// its offset and its status flags.
    ///
    /// ```
    /// use fdspawn::fd::Flags;
    ///
    /// let file = std::fs::File::open("/dev/null")?;
    /// assert!(Flags::of(&file)?.contains(Flags::CLOSE_ON_EXEC)); // Rust opens all files so
    /// Flags::empty().set_on(&file)?;
    /// assert_eq!(Flags::of(&file)?, Flags::empty());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    #[doc(alias = "FD_CLOEXEC")]
    pub struct Flags: u32 {
        /// The descriptor is closed when this process becomes another program by exec (`FD_CLOEXEC`).
        const CLOSE_ON_EXEC = FdFlags::CLOEXEC.bits();
        // Flags that a system has beside it are kept when they are read and set.
        const _ = !0;
    }
}

impl Flags {
    /// The flags of a descriptor (`fcntl(2)`, `F_GETFD`).
    ///
    /// # Errors
    ///
    /// `EBADF` where it is not open, which is a bug of whoever closed it.
    #[doc(alias = "F_GETFD")]
    pub fn of(fd: impl AsFd) -> io::Result<Self> {
        Ok(Self::from_bits_retain(rustix::io::fcntl_getfd(fd)?.bits()))
    }

    /// Gives a descriptor these flags, and no others (`fcntl(2)`, `F_SETFD`).
    ///
    /// Another thread that spawns a child by other means may do that just before: open a descriptor with the flag where
    /// that matters. A spawn of this library does not depend on it.
    ///
    /// # Errors
    ///
    /// `EBADF` where it is not open, which is a bug of whoever closed it.
    #[doc(alias = "F_SETFD")]
    pub fn set_on(self, fd: impl AsFd) -> io::Result<()> {
        Ok(rustix::io::fcntl_setfd(fd, FdFlags::from_bits_retain(self.bits()))?)
    }
}

/// Sets or clears close-on-exec of a descriptor, and hands it back.
///
/// It takes whatever owns or borrows a descriptor: `with_close_on_exec(File::open(path)?, false)?`. Other flags stay.
///
/// # Errors
///
/// `EBADF` where it is not open, which is a bug of whoever closed it.
///
/// ```
/// use fdspawn::fd::{Flags, with_close_on_exec};
///
/// let file = with_close_on_exec(std::fs::File::open("/dev/null")?, false)?;
/// assert_eq!(Flags::of(&file)?, Flags::empty());
/// with_close_on_exec(&file, true)?;
/// assert_eq!(Flags::of(&file)?, Flags::CLOSE_ON_EXEC);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn with_close_on_exec<F: AsFd>(fd: F, close_on_exec: bool) -> io::Result<F> {
    let before = Flags::of(&fd)?;
    let mut flags = before;
    flags.set(Flags::CLOSE_ON_EXEC, close_on_exec);
    if flags != before {
        flags.set_on(&fd)?;
    }
    Ok(fd)
}

/// Duplicates a descriptor at the lowest free number from `first` up (`fcntl(2)`, `F_DUPFD_CLOEXEC`).
///
/// The caller owns the duplicate. It shares the description: the offset, the status flags, the `flock` locks. Its flags are
/// its own: close-on-exec, unless that is not among `flags`; then there is a moment in which it is set.
///
/// # Errors
///
/// `EINVAL` where `first` is negative or not below the soft limit of descriptors (`RLIMIT_NOFILE`), and `EMFILE` where no
/// number from there on is free.
///
/// ```
/// use fdspawn::fd::{Flags, duplicate_from};
/// use std::os::fd::AsRawFd;
///
/// let file = std::fs::File::open("/dev/null")?;
/// let duplicate = duplicate_from(&file, 500, Flags::CLOSE_ON_EXEC)?;
/// assert!(duplicate.as_raw_fd() >= 500);
/// assert_eq!(duplicate_from(&file, -1, Flags::empty()).unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias = "dup")]
#[doc(alias = "F_DUPFD")]
#[doc(alias = "F_DUPFD_CLOEXEC")]
pub fn duplicate_from(fd: impl AsFd, first: RawFd, flags: Flags) -> io::Result<OwnedFd> {
    if first < 0 {
        return Err(Errno::INVAL.into());
    }
    let duplicate = rustix::io::fcntl_dupfd_cloexec(fd, first)?;
    if flags != Flags::CLOSE_ON_EXEC {
        flags.set_on(&duplicate)?;
    }
    Ok(duplicate)
}

/// Whether the descriptor `number` closes at exec. `None` where it is not open.
pub(crate) fn close_on_exec(number: RawFd) -> Option<bool> {
    if number < 0 {
        return None;
    }
    // SAFETY: the number may be closed or another's; only its flags are asked for.
    let fd = unsafe { BorrowedFd::borrow_raw(number) };
    rustix::io::fcntl_getfd(fd).ok().map(|flags| flags.contains(FdFlags::CLOEXEC))
}

/// Sets or clears close-on-exec of the descriptor `number`, which is not negative.
pub(crate) fn set_close_on_exec(number: RawFd, set: bool) -> Result<(), Errno> {
    // SAFETY: the number may be closed or another's; only its flag is set.
    let fd = unsafe { BorrowedFd::borrow_raw(number) };
    rustix::io::fcntl_setfd(fd, if set { FdFlags::CLOEXEC } else { FdFlags::empty() })
}
