//! `--foreground`: fdrun's process group gets the terminal back when the program has ended.

use std::ffi::c_int;
use std::fs::File;
use std::os::fd::AsRawFd;

/// The terminal, if fdrun's group is in its foreground. A drop makes the group the foreground group again.
pub struct Foreground {
    terminal: File,
    group: c_int,
}

impl Foreground {
    pub fn now() -> Option<Self> {
        let terminal = File::options().read(true).write(true).open("/dev/tty").ok()?;
        // SAFETY: only numbers are passed, and the descriptor is open.
        let (foreground, group) = unsafe { (libc::tcgetpgrp(terminal.as_raw_fd()), libc::getpgrp()) };
        (foreground == group).then_some(Self { terminal, group })
    }
}

impl Drop for Foreground {
    /// If this fails, the terminal has ended.
    fn drop(&mut self) {
        // The kernel does not send SIGTTOU, which would stop fdrun here, to a process that blocks or ignores it.
        crate::dispositions::ignore(libc::SIGTTOU);
        // SAFETY: only numbers are passed, and the descriptor is open.
        unsafe { libc::tcsetpgrp(self.terminal.as_raw_fd(), self.group) };
    }
}
