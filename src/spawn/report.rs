//! How the child tells the parent which step failed.

use crate::sys;
use rustix::io::Errno;
use std::os::fd::{BorrowedFd, RawFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Why a child did not become the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Report {
    /// The index of the step that failed.
    pub(super) step: usize,
    pub(super) cause: Cause,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    System(Errno),
    /// A hook's error with an error number.
    Hook {
        index: usize,
        errno: Errno,
    },
    /// A hook's error without one.
    HookMessage {
        index: usize,
        message: String,
    },
    HookPanicked {
        index: usize,
    },
}

/// The report of a child that shares the parent's memory, or of a thread of its process.
#[derive(Debug)]
pub(super) struct SharedReport {
    step: AtomicU32,
    errno: AtomicU32,
    /// A hook's failure. Hooks run in no other process than one with memory of its own.
    hook: OnceLock<Report>,
}

const NONE: u32 = u32::MAX;

impl SharedReport {
    pub(super) const fn new() -> Self {
        Self { step: AtomicU32::new(NONE), errno: AtomicU32::new(0), hook: OnceLock::new() }
    }

    /// In the child.
    pub(super) fn set(&self, step: usize, errno: Errno) {
        self.errno.store(errno.raw_os_error().unsigned_abs(), Ordering::Relaxed);
        self.step.store(step as u32, Ordering::Release);
    }

    /// In a thread of the parent's process, which may allocate.
    pub(super) fn set_hook(&self, report: Report) {
        let _ = self.hook.set(report);
    }

    /// In the parent, once the child no longer shares its memory.
    pub(super) fn get(&self) -> Option<Report> {
        match self.step.load(Ordering::Acquire) {
            NONE => self.hook.get().cloned(),
            step => Some(Report {
                step: step as usize,
                cause: Cause::System(Errno::from_raw_os_error(self.errno.load(Ordering::Relaxed) as i32)),
            }),
        }
    }
}

/// The write end of the pipe on which a forked child reports.
///
/// A hook may have replaced or closed the number; then what is there now is somebody else's, and is not written to.
#[derive(Clone, Copy, Debug)]
pub(super) struct PipeEnd {
    fd: RawFd,
    identity: Option<(u64, u64)>,
}

impl PipeEnd {
    pub(super) fn new(fd: RawFd) -> Self {
        Self { fd, identity: identity(fd) }
    }

    /// Writes a message, in the child. Returns whether it is written.
    pub(super) fn send(self, message: &[u8]) -> bool {
        self.identity.is_some()
            && identity(self.fd) == self.identity
            && sys::write(self.fd, message) == Ok(message.len())
    }

    /// Closes the number, in the child.
    pub(super) fn close(self) {
        let _ = sys::close(self.fd); // A pipe has nothing to lose.
    }
}

/// What a number refers to, if anything.
fn identity(fd: RawFd) -> Option<(u64, u64)> {
    // SAFETY: the number may be closed or another's; only its file's identity is asked for.
    let stat = rustix::fs::fstat(unsafe { BorrowedFd::borrow_raw(fd) }).ok()?;
    #[allow(clippy::unnecessary_cast, reason = "other systems have other types")]
    Some((stat.st_dev as u64, stat.st_ino as u64))
}

/// A message on the report pipe of a forked child: one write, small enough to be atomic.
pub(super) mod wire {
    use super::{Cause, Errno, Report};

    /// The longest text of a hook's error that is passed on.
    pub(in crate::spawn) const TEXT: usize = 1000;
    /// Kind, step, error number, hook, each of four bytes.
    const HEAD: usize = 16;
    /// Room for the longest message.
    pub(in crate::spawn) const MESSAGE: usize = HEAD + TEXT;

    /// What a message says.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    #[repr(u32)]
    pub(in crate::spawn) enum Kind {
        System = 1,
        Hook = 2,
        HookMessage = 3,
        HookPanicked = 4,
        /// No failure: only exec is left, or the function that is run instead.
        Done = 5,
    }

    /// The head of a message; a hook's text follows it. In the child.
    pub(in crate::spawn) fn head(kind: Kind, step: usize, errno: i32, hook: usize) -> [u8; HEAD] {
        let [a, b, c, d] = (kind as u32).to_ne_bytes();
        let [e, f, g, h] = (step as u32).to_ne_bytes();
        let [i, j, k, l] = errno.to_ne_bytes();
        let [m, n, o, p] = (hook as u32).to_ne_bytes();
        [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
    }

    /// What came through the pipe, in the parent.
    #[derive(Debug, Default, PartialEq, Eq)]
    pub(in crate::spawn) struct Received {
        pub(in crate::spawn) done: bool,
        pub(in crate::spawn) report: Option<Report>,
    }

    /// Reads all messages of a child.
    pub(in crate::spawn) fn decode(mut bytes: &[u8]) -> Received {
        let mut received = Received::default();
        while let Some((head, text)) = bytes.split_at_checked(HEAD) {
            let word = |index: usize| u32::from_ne_bytes(head[index * 4..][..4].try_into().unwrap_or_default());
            let (kind, step, errno, index) = (word(0), word(1) as usize, word(2) as i32, word(3) as usize);
            // The child never sends another number, but a hook could write to this pipe.
            let errno = if (1..4096).contains(&errno) { Errno::from_raw_os_error(errno) } else { Errno::INVAL };
            bytes = &[];
            let cause = if kind == Kind::Done as u32 {
                received.done = true;
                bytes = text;
                continue;
            } else if kind == Kind::Hook as u32 {
                Cause::Hook { index, errno }
            } else if kind == Kind::HookMessage as u32 {
                Cause::HookMessage { index, message: String::from_utf8_lossy(text).into_owned() }
            } else if kind == Kind::HookPanicked as u32 {
                Cause::HookPanicked { index }
            } else {
                Cause::System(errno)
            };
            received.report = Some(Report { step, cause });
        }
        received
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn messages_come_back_as_they_were_sent() {
            assert_eq!(decode(&[]), Received::default());
            let done = head(Kind::Done, 0, 0, 0);
            assert_eq!(decode(&done), Received { done: true, report: None });
            let failed = [&done[..], &head(Kind::System, 7, 2, 0)].concat();
            let report = Report { step: 7, cause: Cause::System(Errno::NOENT) };
            assert_eq!(decode(&failed), Received { done: true, report: Some(report) });
            let text = [&head(Kind::HookMessage, 5, 0, 1)[..], b"no luck"].concat();
            let report = Report { step: 5, cause: Cause::HookMessage { index: 1, message: "no luck".into() } };
            assert_eq!(decode(&text), Received { done: false, report: Some(report) });
        }
    }
}
