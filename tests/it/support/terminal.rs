//! Terminals.

use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// A new terminal.
pub struct Terminal {
    /// The master's side, which keeps the terminal.
    pub master: File,
    /// The side that programs use.
    pub slave: OwnedFd,
}

impl Terminal {
    pub fn new() -> Self {
        // SAFETY: the calls make and use descriptors of this function, and write a name into the buffer.
        unsafe {
            let master = libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC);
            assert!(master >= 0, "{}", std::io::Error::last_os_error());
            let master = File::from_raw_fd(master);
            let number = master.as_raw_fd();
            let mut name = [0; 128];
            assert_eq!(libc::grantpt(number), 0);
            assert_eq!(libc::unlockpt(number), 0);
            assert_eq!(libc::ptsname_r(number, name.as_mut_ptr(), name.len()), 0);
            let slave = libc::open(name.as_ptr(), libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC);
            assert!(slave >= 0, "{}", std::io::Error::last_os_error());
            Self { master, slave: OwnedFd::from_raw_fd(slave) }
        }
    }

    /// The device number, as field 7 of `/proc/PID/stat` has it.
    pub fn device(&self) -> i64 {
        // SAFETY: all zeros is a valid stat, and one is written.
        let device = unsafe {
            let mut stat: libc::stat = std::mem::zeroed();
            assert_eq!(libc::fstat(self.slave.as_raw_fd(), &raw mut stat), 0);
            stat.st_rdev
        };
        let (major, minor) = (i64::from(libc::major(device)), i64::from(libc::minor(device)));
        minor & 0xff | major << 8 | (minor & !0xff) << 12
    }

    /// The foreground process group.
    pub fn foreground(&self) -> i32 {
        // SAFETY: only a number is passed.
        unsafe { libc::tcgetpgrp(self.slave.as_raw_fd()) }
    }

    /// Makes this process, which is a test's own, the leader of a session that has this terminal. The terminal stays until the process
    /// ends: its end would send the process SIGHUP.
    pub fn take(self) -> &'static Self {
        // SAFETY: only numbers are passed.
        unsafe {
            assert!(libc::setsid() > 0, "{}", std::io::Error::last_os_error());
            assert_eq!(libc::ioctl(self.slave.as_raw_fd(), libc::TIOCSCTTY, 0), 0);
        }
        assert_eq!(self.foreground(), std::process::id().cast_signed());
        Box::leak(Box::new(self))
    }
}
