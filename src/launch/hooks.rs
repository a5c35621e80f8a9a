//! Runs `pre_exec` hooks, which are the caller's code, in the forked child.

use super::report::{ErrorText, SharedReport, SharedText, StepFailure};
use crate::command::Hook;
use rustix::io::Errno;
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The hooks of a command as plain data: an address and a count.
#[derive(Clone, Copy)]
pub(crate) struct HookList {
    first: *mut Hook,
    count: usize,
}

impl HookList {
    pub(crate) fn new(hooks: &mut [Hook]) -> Option<Self> {
        (!hooks.is_empty()).then_some(Self { first: hooks.as_mut_ptr(), count: hooks.len() })
    }
}

/// Runs all hooks, in the child, and reports an error or a panic of one. Returns whether the child may go on.
pub(super) fn run(hooks: HookList, report: &SharedReport, text: Option<&SharedText>, step: usize) -> bool {
    for index in 0..hooks.count {
        // SAFETY: the array lives until the launch is over, and until then only the child uses it.
        let hook = AssertUnwindSafe(|| unsafe { (*hooks.first.add(index))() });
        match catch_unwind(hook) {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => {
                match Errno::from_io_error(&error) {
                    Some(errno) => report.set(step, StepFailure::HookErrno(index, errno)),
                    None => {
                        if let Some(shared) = text {
                            let mut text = ErrorText::new();
                            let _ = write!(text, "{error}");
                            shared.set(&text);
                        }
                        report.set(step, StepFailure::HookText(index));
                    }
                }
                // The error may own memory, and freeing it could take a lock.
                std::mem::forget(error);
            }
            Err(payload) => {
                report.set(step, StepFailure::HookPanicked(index));
                std::mem::forget(payload);
            }
        }
        return false;
    }
    true
}
