//! Runs the function of a `fork_run`, in the forked child.

use super::image::Image;
use super::release::Release;
use super::report::SharedReport;
use crate::sys;
use rustix::io::Errno;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The status of a child after a failed step. The caller never sees it, since the launch reaps such a child.
pub(super) const FAILED: i32 = 127;

/// The status of a child whose function has panicked: the one that Rust gives a program whose `main` panics.
const PANICKED: i32 = 101;

/// Reports that the steps are done, runs the function, and ends the child. Returns only if there is no function.
pub(super) fn run(image: &Image<'_>, report: &SharedReport, release: Option<&Release>) -> Errno {
    let Some(mut function) = image.function else { return Errno::NOSYS };
    if let Some(release) = release {
        release.release();
    }
    // The child reports this only now: if it is killed in the calls above, it has not begun with the function.
    report.set_done();
    // SAFETY: the launcher keeps the function until the fork has returned in the parent, and this is the child's copy.
    let result = catch_unwind(AssertUnwindSafe(|| unsafe { function.as_mut()() }));
    let status = result.unwrap_or_else(|payload| {
        std::mem::forget(payload); // The value may own a descriptor. In the child another file may have that number.
        PANICKED
    });
    // The parent has flushed the buffer before the fork, so only the function has written to it.
    let _ = io::stdout().flush();
    sys::exit(status)
}
