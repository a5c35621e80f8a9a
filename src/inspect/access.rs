//! The access mode and the flags of a descriptor.

/// The access mode of a descriptor: which operations it was opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Access {
    /// Reading only.
    #[doc(alias = "O_RDONLY")]
    Read,
    /// Writing only.
    #[doc(alias = "O_WRONLY")]
    Write,
    /// Reading and writing.
    #[doc(alias = "O_RDWR")]
    ReadWrite,
    /// Neither: the descriptor only denotes a file or a directory.
    #[doc(alias = "O_PATH")]
    Path,
    /// Neither: Linux opens a device with the access mode 3 for `ioctl(2)` only.
    Neither,
}

/// The flags of a descriptor, and the status flags and access mode of its description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EntryFlags {
    /// What `F_GETFL` returns: without close-on-exec.
    pub(super) status: i32,
    pub(super) close_on_exec: bool,
}

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
/// The flag `O_PATH`, if the system has it.
const PATH: Option<i32> = Some(libc::O_PATH);
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
/// The flag `O_PATH`, if the system has it.
const PATH: Option<i32> = None;

impl EntryFlags {
    /// From the `flags` of fdinfo, which include close-on-exec.
    pub(super) fn from_fdinfo(flags: i32) -> Self {
        Self { status: flags & !libc::O_CLOEXEC, close_on_exec: flags & libc::O_CLOEXEC != 0 }
    }

    pub(super) fn access(self) -> Access {
        if PATH.is_some_and(|path| self.status & path != 0) {
            return Access::Path;
        }
        match self.status & libc::O_ACCMODE {
            libc::O_RDONLY => Access::Read,
            libc::O_WRONLY => Access::Write,
            libc::O_RDWR => Access::ReadWrite,
            _ => Access::Neither,
        }
    }

    pub(super) fn append(self) -> bool {
        self.status & libc::O_APPEND != 0
    }

    pub(super) fn nonblocking(self) -> bool {
        self.status & libc::O_NONBLOCK != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_tell_access_and_status() {
        let flags = |status| EntryFlags { status, close_on_exec: false };
        assert_eq!(flags(libc::O_RDONLY).access(), Access::Read);
        assert_eq!(flags(libc::O_WRONLY | libc::O_APPEND).access(), Access::Write);
        assert_eq!(flags(libc::O_RDWR | libc::O_NONBLOCK).access(), Access::ReadWrite);
        assert_eq!(flags(3).access(), Access::Neither);
        assert!(flags(libc::O_WRONLY | libc::O_APPEND).append() && !flags(libc::O_WRONLY).append());
        assert!(flags(libc::O_NONBLOCK).nonblocking() && !flags(libc::O_APPEND).nonblocking());
        #[cfg(any(target_os = "linux", target_os = "android"))]
        assert_eq!(flags(libc::O_PATH | libc::O_DIRECTORY).access(), Access::Path);
    }

    #[test]
    fn close_on_exec_is_no_status_flag() {
        let flags = EntryFlags::from_fdinfo(libc::O_RDWR | libc::O_CLOEXEC | libc::O_APPEND);
        assert_eq!(flags, EntryFlags { status: libc::O_RDWR | libc::O_APPEND, close_on_exec: true });
    }
}
