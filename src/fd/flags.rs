//! The flags of descriptors, and duplicates.
#![allow(unsafe_code, reason = "the spawn reads and sets the flags of numbers that it does not own")]

use bitflags::bitflags;
use rustix::io::{Errno, FdFlags};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};

bitflags! {
    /// The flags of a descriptor.
    ///
    /// Each descriptor has its own flags. Duplicates share the description, with its offset and its status flags, but
    /// not these flags.
    ///
    /// ```
    /// use fdspawn::fd::Flags;
    ///
    /// let file = std::fs::File::open("/dev/null")?;
    /// assert!(Flags::of(&file)?.contains(Flags::CLOSE_ON_EXEC)); // std opens all files with the flag
    /// Flags::empty().set_on(&file)?;
    /// assert_eq!(Flags::of(&file)?, Flags::empty());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    #[doc(alias = "FD_CLOEXEC")]
    pub struct Flags: u32 {
        /// Exec closes the descriptor (`FD_CLOEXEC`).
        const CLOSE_ON_EXEC = FdFlags::CLOEXEC.bits();
        // A system may have other flags. The library preserves them when it reads flags and sets them again.
        const _ = !0;
    }
}

impl Flags {
    /// Reads the flags of a descriptor (`fcntl(2)`, `F_GETFD`).
    ///
    /// # Errors
    ///
    /// `EBADF`: the descriptor is not open. Some code has closed a number that it does not own.
    #[doc(alias = "F_GETFD")]
    pub fn of(fd: impl AsFd) -> io::Result<Self> {
        Ok(Self::from_bits_retain(rustix::io::fcntl_getfd(fd)?.bits()))
    }

    /// Gives a descriptor these flags and no others (`fcntl(2)`, `F_SETFD`).
    ///
    /// Between an open and this call, another thread may spawn a child by other means than this library, and that child
    /// inherits the descriptor. To prevent that, set the flag when you open the descriptor. A spawn of this library
    /// does not depend on the flag.
    ///
    /// # Errors
    ///
    /// `EBADF`: the descriptor is not open. Some code has closed a number that it does not own.
    #[doc(alias = "F_SETFD")]
    pub fn set_on(self, fd: impl AsFd) -> io::Result<()> {
        Ok(rustix::io::fcntl_setfd(fd, FdFlags::from_bits_retain(self.bits()))?)
    }
}

/// Sets or clears close-on-exec of a descriptor, and returns it. Its other flags do not change.
///
/// `fd` is any value that owns or borrows a descriptor: `with_close_on_exec(File::open(path)?, false)?`. If the call
/// fails and `fd` owns the descriptor, it is dropped, which closes it.
///
/// # Errors
///
/// `EBADF`: the descriptor is not open. Some code has closed a number that it does not own.
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

/// Duplicates a descriptor to the lowest free number that is not below `first` (`fcntl(2)`, `F_DUPFD_CLOEXEC`).
///
/// The caller owns the duplicate. It shares the description with `fd`: the offset, the status flags, the `flock` locks.
/// The duplicate has the flags `flags`. The kernel makes it with close-on-exec; if `flags` does not have that flag, the
/// function clears it afterwards.
///
/// # Errors
///
/// - `EINVAL`: `first` is negative, or not below the soft limit of descriptors (`RLIMIT_NOFILE`).
/// - `EMFILE`: no number from `first` on is free below that limit.
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

/// Runs `ask` on a number that may be closed, or may be reused at the same time. `ask` makes only calls that change nothing.
pub(crate) fn with_number<T>(number: RawFd, ask: impl FnOnce(BorrowedFd<'_>) -> T) -> T {
    // SAFETY: the caller makes only calls that change nothing, so it does not matter what the number refers to.
    ask(unsafe { BorrowedFd::borrow_raw(number) })
}

/// Whether the descriptor `number` has close-on-exec set. `None` if it is not open.
pub(crate) fn close_on_exec(number: RawFd) -> Result<Option<bool>, Errno> {
    if number < 0 {
        return Ok(None);
    }
    match with_number(number, |fd| rustix::io::fcntl_getfd(fd)) {
        Ok(flags) => Ok(Some(flags.contains(FdFlags::CLOEXEC))),
        Err(Errno::BADF) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Sets or clears close-on-exec of the descriptor `number`, which is not negative.
pub(crate) fn set_close_on_exec(number: RawFd, set: bool) -> Result<(), Errno> {
    // SAFETY: the number may be closed or reused; the call only sets a flag.
    let fd = unsafe { BorrowedFd::borrow_raw(number) };
    rustix::io::fcntl_setfd(fd, if set { FdFlags::CLOEXEC } else { FdFlags::empty() })
}
