//! The launch function of `spawn`, `exec`, `fork_run` and isolated threads.

use super::child::{ChildArgs, run_steps};
use super::errpipe::{Channel, ChildError, Errpipe, Received, Report, SharedReport};
use super::fork::fork;
use super::hooks;
use super::image::Image;
use super::mode::{Method, Mode};
use super::probe::is_refusal;
use super::signals::BlockedSignals;
use super::vfork::{CloneOptions, clone_child};
use crate::child::Process;
use crate::error::{Failure, Problem};
use crate::fd::standard::{dup_above_stdio, lock_stdio_numbers};
use crate::plan::Step;
use crate::platform::Features;
use crate::sys;
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

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
pub(crate) fn launch(mode: Mode, image: &Image<'_>, errpipe: Option<Errpipe>) -> Result<Process, LaunchError> {
    let memory = SharedReport::new();
    let channel = errpipe.as_ref().map_or(Channel::Memory(&memory), |errpipe| Channel::Pipe(errpipe.child_end()));
    let args = |mask| ChildArgs { image, mask, channel };
    let result = match mode.method {
        Method::InPlace => {
            run_steps(&args(sys::every_signal()));
            let problem = memory.receive().report.map(|report| problem(report, image));
            return Err(problem.unwrap_or(Failure::Exec.into()).into());
        }
        Method::Clone { clone3, shared_table } => {
            let blocked = BlockedSignals::all();
            let options = CloneOptions { clone3, shared_table, pidfd: mode.pidfd };
            // SAFETY: all signals are blocked, and the steps are made for a child.
            unsafe { clone_child(options, &args(image.mask.unwrap_or(blocked.before()))) }
        }
        Method::Fork => {
            let blocked = BlockedSignals::all();
            // SAFETY: all signals are blocked, and the steps are made for a child.
            unsafe { fork(&args(image.mask.unwrap_or(blocked.before()))) }.map(|pid| (pid, None))
        }
    };
    let (pid, pidfd) = match result {
        Ok(child) => child,
        Err(errno) if mode.method != Method::Fork && is_refusal(errno) => {
            return Err(LaunchError::Missing(mode.method.feature()));
        }
        Err(errno) => return Err(Problem::system(Failure::Launch(mode.method.launcher()), errno).into()),
    };
    let has_function = image.function.is_some();
    let Received { done, report } = match errpipe {
        None => Received { done: true, ..memory.receive() },
        Some(errpipe) if has_function => errpipe.receive_first(),
        Some(errpipe) => errpipe.receive_all(),
    };
    if let Some(report) = report {
        sys::reap(pid);
        return Err(problem(report, image).into());
    }
    if !done && has_function {
        // The errpipe is at end-of-file, so the child will not call the function: it has ended, or is about to end.
        return Err(Failure::Killed(Process::new(pid, None).wait().unwrap_or_default()).into());
    }
    if !done && image.hooks.is_some() {
        if let Some(status) = hooks::ended(pid) {
            return Err(Failure::HookEnded(status).into());
        }
    }
    if mode.handle && matches!(mode.method, Method::Clone { .. }) {
        if let Some(status) = Process::ended_before_exec(pid) {
            return Err(Failure::Killed(status).into());
        }
    }
    Ok(Process::new(pid, pidfd))
}

/// Opens a pidfd for the process, if it has none and the caller wants one.
pub(crate) fn with_pidfd(process: Process, wanted: bool) -> Process {
    if !wanted || process.pidfd().is_some() {
        return process;
    }
    let pidfd = open_pidfd(&process);
    Process::new(process.id().cast_signed(), pidfd)
}

/// Opens a pidfd for a child that exists already. `None` if the system has no pidfds or no number is free.
fn open_pidfd(process: &Process) -> Option<OwnedFd> {
    let _guard = lock_stdio_numbers();
    let pidfd = dup_above_stdio(sys::open_pidfd(process.id().cast_signed()).ok()?).ok()?;
    // If SIGCHLD is ignored, the kernel reaps children itself, and may have given the pid to another process.
    Process::is_child(&pidfd).then_some(pidfd)
}

/// The failure that a child has reported.
fn problem(report: Report, image: &Image<'_>) -> Problem {
    let step = image.steps.get(report.step).copied().unwrap_or(Step::Exec);
    match report.error {
        ChildError::System(errno) => {
            let failure = match step {
                Step::ChangeDirectory { path } => {
                    Failure::WorkingDirectory(image.strings.get(path.index()).map(OsStr::to_owned).map(PathBuf::from))
                }
                Step::ChangeDirectoryTo { .. } => Failure::WorkingDirectory(None),
                Step::Exec => Failure::Exec,
                step => Failure::Child(step),
            };
            Problem::system(failure, errno)
        }
        ChildError::HookErrno { index, errno } => Problem::system(Failure::Hook { index, message: None }, errno),
        ChildError::HookText { index, text } => Failure::Hook { index, message: Some(text) }.into(),
        ChildError::HookPanicked { index } => Failure::HookPanicked { index }.into(),
    }
}
