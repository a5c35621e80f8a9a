//! Reports from the child to the parent: which step failed, and how.
//!
//! A report is in memory that parent and child share: all of it, if the child is a clone; one page, if it is a fork. So it needs no
//! descriptor that a target or a hook could replace, and no system call that could fail.

use rustix::io::Errno;
use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU32, Ordering};

/// The greatest length of a hook's error text in a report.
const MAX_TEXT: usize = 1000;

/// How a step failed, in the child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StepFailure {
    /// A system call failed with this error number.
    System(Errno),
    /// The hook of this index returned an error that has an error number.
    HookErrno(usize, Errno),
    /// The hook of this index returned an error that has only a text.
    HookText(usize),
    /// The hook of this index panicked.
    HookPanicked(usize),
}

/// The text of a hook's error, in the child. It is on the stack, since the child must not allocate.
pub(super) struct ErrorText {
    bytes: [u8; MAX_TEXT],
    length: usize,
}

impl ErrorText {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; MAX_TEXT], length: 0 }
    }
}

impl std::fmt::Write for ErrorText {
    /// Appends as many of the bytes as fit.
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for (place, byte) in self.bytes.iter_mut().skip(self.length).zip(text.as_bytes()) {
            *place = *byte;
            self.length += 1;
        }
        Ok(())
    }
}

/// What the parent finds in the shared memory.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Received {
    /// Whether the steps before the last one are done. The last one is exec, or the function of a `fork_run`.
    pub(super) done: bool,
    pub(super) report: Option<Report>,
}

/// The step that failed, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Report {
    /// The index of the step that failed.
    pub(super) step: usize,
    /// If the step is exec: the index of the program's path whose error this is. `None` if there is no file at any
    /// path.
    pub(super) path: Option<usize>,
    pub(super) error: ChildError,
}

/// How a step failed, in the parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ChildError {
    System(Errno),
    HookErrno {
        index: usize,
        errno: Errno,
    },
    /// The text is in the [`SharedText`].
    HookText {
        index: usize,
    },
    HookPanicked {
        index: usize,
    },
}

/// Memory that the child writes and the parent reads after the child has executed or ended.
#[derive(Debug)]
pub(super) struct SharedReport {
    done: AtomicU32,
    /// What failed: 0 for nothing. The child stores it last.
    kind: AtomicU32,
    step: AtomicU32,
    /// One more than the index of a path; 0 for none.
    path: AtomicU32,
    hook: AtomicU32,
    errno: AtomicU32,
}

impl SharedReport {
    pub(super) const fn new() -> Self {
        Self {
            done: AtomicU32::new(0),
            kind: AtomicU32::new(0),
            step: AtomicU32::new(0),
            path: AtomicU32::new(0),
            hook: AtomicU32::new(0),
            errno: AtomicU32::new(0),
        }
    }

    /// The parent calls this before the fork. It empties the report.
    pub(super) fn reset(&self) {
        self.done.store(0, Ordering::Relaxed);
        self.kind.store(0, Ordering::Relaxed);
        self.path.store(0, Ordering::Relaxed);
    }

    /// The child calls this when the steps before the last one are done.
    pub(super) fn set_done(&self) {
        self.done.store(1, Ordering::Release);
    }

    /// The child calls this before it sets the failure of exec, with the index of the path whose error that is.
    pub(super) fn set_path(&self, index: usize) {
        self.path.store(index as u32 + 1, Ordering::Relaxed);
    }

    /// The child calls this when a step has failed.
    pub(super) fn set(&self, step: usize, failure: StepFailure) {
        let (kind, hook, errno) = match failure {
            StepFailure::System(errno) => (1, 0, errno.raw_os_error()),
            StepFailure::HookErrno(hook, errno) => (2, hook, errno.raw_os_error()),
            StepFailure::HookText(hook) => (3, hook, 0),
            StepFailure::HookPanicked(hook) => (4, hook, 0),
        };
        self.step.store(step as u32, Ordering::Relaxed);
        self.hook.store(hook as u32, Ordering::Relaxed);
        self.errno.store(errno.unsigned_abs(), Ordering::Relaxed);
        self.kind.store(kind, Ordering::Release);
    }

    /// The parent calls this when the child has executed or ended.
    pub(super) fn receive(&self) -> Received {
        let kind = self.kind.load(Ordering::Acquire);
        let index = self.hook.load(Ordering::Relaxed) as usize;
        let errno = self.errno.load(Ordering::Relaxed) as i32;
        // The child stores no other number, but a hook may write anywhere in its copy of the memory.
        let errno = if (1..4096).contains(&errno) { Errno::from_raw_os_error(errno) } else { Errno::INVAL };
        let error = match kind {
            0 => None,
            2 => Some(ChildError::HookErrno { index, errno }),
            3 => Some(ChildError::HookText { index }),
            4 => Some(ChildError::HookPanicked { index }),
            _ => Some(ChildError::System(errno)),
        };
        let step = self.step.load(Ordering::Relaxed) as usize;
        let path = (self.path.load(Ordering::Relaxed) as usize).checked_sub(1);
        let report = error.map(|error| Report { step, path, error });
        Received { done: self.done.load(Ordering::Acquire) != 0, report }
    }
}

/// The text of a hook's error, in memory that the child writes and the parent reads. It is no part of the report, since a clone has no
/// hooks: the parent's stack would be deeper by that much at each spawn.
#[derive(Debug)]
pub(super) struct SharedText {
    length: AtomicU32,
    bytes: UnsafeCell<MaybeUninit<[u8; MAX_TEXT]>>,
}

// SAFETY: only the child writes the text, before it reports that there is one; the parent reads the text after it has found that report.
unsafe impl Sync for SharedText {}

impl SharedText {
    pub(super) const fn new() -> Self {
        Self { length: AtomicU32::new(0), bytes: UnsafeCell::new(MaybeUninit::uninit()) }
    }

    /// The child calls this once, before it reports that a hook has returned an error that has only this text.
    pub(super) fn set(&self, text: &ErrorText) {
        // SAFETY: nothing reads the bytes before the report.
        unsafe { (*self.bytes.get()).write(text.bytes) };
        self.length.store(text.length as u32, Ordering::Release);
    }

    /// The parent calls this if the report says that there is a text.
    pub(super) fn get(&self) -> String {
        let length = (self.length.load(Ordering::Acquire) as usize).min(MAX_TEXT);
        if length == 0 {
            return String::new();
        }
        // SAFETY: the child stores a length after it has written all bytes.
        let bytes = unsafe { (*self.bytes.get()).assume_init_ref() };
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    #[test]
    fn failures_come_back_as_the_child_has_set_them() {
        let received = |set: &dyn Fn(&SharedReport)| {
            let report = SharedReport::new();
            set(&report);
            report.receive()
        };
        assert_eq!(received(&|_| {}), Received::default());
        assert_eq!(received(&SharedReport::set_done), Received { done: true, report: None });
        let failures = [
            (StepFailure::System(Errno::NOENT), ChildError::System(Errno::NOENT)),
            (StepFailure::HookErrno(2, Errno::PERM), ChildError::HookErrno { index: 2, errno: Errno::PERM }),
            (StepFailure::HookText(1), ChildError::HookText { index: 1 }),
            (StepFailure::HookPanicked(3), ChildError::HookPanicked { index: 3 }),
        ];
        for (failure, error) in failures {
            let report = Some(Report { step: 7, path: None, error });
            assert_eq!(received(&|report| report.set(7, failure)), Received { done: false, report });
        }
    }

    #[test]
    fn a_text_that_is_too_long_is_cut() {
        for (text, expected) in [("no luck".to_owned(), 7), ("x".repeat(MAX_TEXT + 9), MAX_TEXT)] {
            let mut error = ErrorText::new();
            write!(error, "{text}").unwrap();
            let shared = SharedText::new();
            assert_eq!(shared.get(), "");
            shared.set(&error);
            assert_eq!(shared.get(), text[..expected]);
        }
    }

    #[test]
    fn path_comes_back_with_the_failure() {
        let report = SharedReport::new();
        report.set_path(3);
        report.set(8, StepFailure::System(Errno::ACCESS));
        let expected = Report { step: 8, path: Some(3), error: ChildError::System(Errno::ACCESS) };
        assert_eq!(report.receive().report, Some(expected));
        report.reset();
        assert_eq!(report.receive(), Received::default());
        report.set(8, StepFailure::System(Errno::NOENT));
        assert_eq!(report.receive().report.and_then(|report| report.path), None);
    }
}
