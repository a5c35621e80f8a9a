//! How the parent of a forked child learns that the child has executed or ended, on systems other than Linux: by the end-of-file of a
//! pipe that closes at exec (the errpipe). No report goes through it.

use super::errpipe::Errpipe;
use super::shared_page::SharedPage;
use super::unreleased::Unreleased;
use crate::sys;
use crate::sys::pause;
use rustix::io::Errno;
use std::os::fd::RawFd;
use std::time::Duration;

/// The child's end.
pub(super) struct Release {
    writer: Option<RawFd>,
}

/// The page of one fork.
pub(super) type ForkPage = SharedPage<Release>;

impl Release {
    pub(super) fn new(writer: Option<RawFd>) -> Self {
        Self { writer }
    }

    /// The parent calls this before the fork. A pipe has nothing to reset.
    pub(super) fn reset(&self) {}

    /// The child calls this before its steps.
    pub(super) fn register(&self) {}

    /// The child that runs a function calls this after its steps.
    pub(super) fn release(&self) {
        if let Some(writer) = self.writer {
            let _ = sys::write(writer, b"."); // If the write fails, the close of the pipe tells the parent.
            let _ = sys::close(writer);
        }
    }
}

/// The parent calls this. It waits until the child has executed or ended, has called [`Release::release`], or a hook has
/// closed the child's end.
pub(super) fn wait_for_release(_: &Release, errpipe: Option<Errpipe>, mut look: impl FnMut() -> Unreleased) {
    let Some(Errpipe { reader, writer }) = errpipe else { return };
    drop(writer);
    loop {
        match rustix::io::read(&reader, &mut [0; 1]) {
            Err(Errno::INTR) => {}
            Ok(_) => return,
            // The system refuses the read: look at the child again and again.
            Err(_) if look() == Unreleased::Over => return,
            Err(_) => pause(Duration::from_millis(1)),
        }
    }
}
