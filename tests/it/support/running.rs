//! Children that run for as long as the test wants.

use fdspawn::{Child, Command};
use std::os::unix::process::ExitStatusExt;

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
