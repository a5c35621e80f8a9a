//! The launch function of `spawn`, `exec`, `fork_run` and isolated threads.

use super::child::{ChildArgs, fork, run_steps};
use super::errpipe::Errpipe;
use super::fork_page::with_page;
use super::image::Image;
use super::mode::{Method, Mode};
use super::outcome::{forked_child, in_place, report_of_clone};
use super::probe::is_refusal;
use super::release::wait_for_release;
use super::report::{SharedReport, SharedText};
use super::signals::BlockedSignals;
use super::unreleased::look_at;
use super::vfork::{CloneOptions, clone_child};
use crate::child::Spawned;
use crate::error::{Failure, Problem};
use crate::fd::standard::open_above_stdio;
use crate::platform::{Features, Launcher};
use crate::sys;
use rustix::io::Errno;
use std::os::fd::{AsRawFd, OwnedFd};

/// Why there is no child.
#[derive(Debug)]
pub(crate) enum LaunchError {
    /// The kernel refuses this feature, although the probe has not found it missing. Another method may work.
    Missing(Features),
    Failed(Problem),
}

impl From<Problem> for LaunchError {
    fn from(problem: Problem) -> Self {
        Self::Failed(problem)
    }
}

impl From<Failure> for LaunchError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure.into())
    }
}

/// Makes the child, and returns when the child has executed its program, or has started its function. If a step fails, it reaps
/// the child and returns the error.
///
/// With [`Method::InPlace`] the calling process executes the program, and the function returns only if that fails.
pub(crate) fn launch(mode: Mode, image: &Image<'_>, errpipe: Option<Errpipe>) -> Result<Spawned, LaunchError> {
    match mode.method {
        Method::InPlace => Err(launch_in_place(image)),
        Method::Clone { clone3, shared_table, into_cgroup } => {
            let cgroup = image.cgroup.filter(|_| into_cgroup);
            launch_clone(CloneOptions { clone3, shared_table, pidfd: mode.pidfd, cgroup }, mode, image)
        }
        Method::Fork => launch_fork(image, errpipe),
    }
}

#[cold]
#[inline(never)]
fn launch_in_place(image: &Image<'_>) -> LaunchError {
    let (report, text) = (SharedReport::new(), SharedText::new());
    run_steps(&ChildArgs { image, mask: sys::every_signal(), report: &report, text: Some(&text), release: None });
    in_place(&report, &text, image).into()
}

/// The kernel lets the calling thread go on when the child has executed or ended.
#[inline(never)]
fn launch_clone(options: CloneOptions, mode: Mode, image: &Image<'_>) -> Result<Spawned, LaunchError> {
    let report = SharedReport::new();
    let result = {
        let blocked = BlockedSignals::all().map_err(cannot_block)?;
        let mask = image.mask.unwrap_or(blocked.before());
        // SAFETY: all signals are blocked, and the steps are made for a child.
        unsafe { clone_child(options, &ChildArgs { image, mask, report: &report, text: None, release: None }) }
    };
    let (pid, pidfd) = match result {
        Ok(child) => child,
        Err(errno) if is_refusal(errno) => return Err(LaunchError::Missing(mode.method.feature())),
        Err(errno) => return Err(Problem::system(Failure::Launch(mode.method.launcher()), errno).into()),
    };
    let mut process = Spawned::cloned(pid, pidfd);
    report_of_clone(&mut process, &report, image)?;
    if mode.handle {
        process.verify_exec().map_err(Failure::Killed)?;
    }
    Ok(process)
}

/// Waits until the child has executed or ended.
#[inline(never)]
fn launch_fork(image: &Image<'_>, errpipe: Option<Errpipe>) -> Result<Spawned, LaunchError> {
    let fork_failed = |errno: Errno| Problem::system(Failure::Launch(Launcher::Fork), errno);
    let writer = errpipe.as_ref().map(|errpipe| errpipe.writer.as_raw_fd());
    // A child that runs a function keeps the page, and so does a process that a hook has forked: it may go on with the steps.
    let is_last_use = !image.has_callers_code();
    with_page(writer, is_last_use, |page| {
        let content = page.content();
        let result = {
            let blocked = BlockedSignals::all().map_err(cannot_block)?;
            let mask = image.mask.unwrap_or(blocked.before());
            let text = Some(&content.text);
            let args = ChildArgs { image, mask, report: &content.report, text, release: Some(&content.release) };
            // SAFETY: all signals are blocked, and the steps are made for a child.
            unsafe { fork(&args) }
        };
        let mut process = Spawned::new(result.map_err(fork_failed)?, None);
        wait_for_release(&content.release, errpipe, || look_at(&process));
        forked_child(&mut process, &content.report, &content.text, image)?;
        Ok(process)
    })
    .map_err(fork_failed)?
}

fn cannot_block(errno: Errno) -> Problem {
    Problem::system(Failure::SignalMask, errno)
}

/// Opens a pidfd for the process, if it has none and the caller wants one.
pub(crate) fn with_pidfd(process: Spawned, wanted: bool) -> Spawned {
    if !wanted || process.pidfd().is_some() {
        return process;
    }
    let pidfd = open_pidfd(&process);
    process.with_pidfd(pidfd)
}

/// Opens a pidfd for a child that exists already. `None` if the system has no pidfds or no number is free.
fn open_pidfd(process: &Spawned) -> Option<OwnedFd> {
    let pidfd = open_above_stdio(|| sys::open_pidfd(process.id().cast_signed())).ok()?;
    // If SIGCHLD is ignored, the kernel reaps children itself, and may have given the pid to another process.
    process.is_referred_to_by(&pidfd).then_some(pidfd)
}
