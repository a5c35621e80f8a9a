//! Children that run for as long as the test wants.

use fdspawn::{Child, Command};
use rustix::process::{Pid, test_kill_process};
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

/// A child that is killed and reaped when this is dropped. Otherwise a child of a failed test would keep the output of
/// the test open.
pub struct Running(Child);

impl Running {
    pub fn spawn(command: &mut Command<'_>) -> Self {
        Self(command.spawn().unwrap())
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Kills the child, and asserts that it was alive until now.
    pub fn end(mut self) {
        self.0.kill().unwrap();
        assert_eq!(self.0.wait().unwrap().signal(), Some(libc::SIGKILL));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether a process has ended, or ends within 10 s: one that was killed needs a moment, and its parent may be another process.
pub fn is_gone(pid: u32) -> bool {
    let pid = Pid::from_raw(pid.cast_signed()).unwrap();
    let start = Instant::now();
    while test_kill_process(pid).is_ok() && start.elapsed() < Duration::from_secs(10) {
        let state = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
        if state.contains(") Z ") {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    test_kill_process(pid).is_err()
}
