//! Whether a launch has succeeded. A child counts as executed only if that is certain.

use super::image::Image;
use super::report::{ChildError, Received, Report, SharedReport, SharedText};
use crate::child::{Reaped, Spawned};
use crate::error::{Failure, Problem};
use crate::plan::Step;
use crate::sys::pause;
use rustix::io::Errno;
use rustix::process::Signal;
use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

/// Why an exec in the calling process has returned.
pub(super) fn in_place(report: &SharedReport, text: &SharedText, image: &Image<'_>) -> Problem {
    report.receive().report.map_or(Failure::Exec.into(), |report| problem(report, Some(text), image))
}

/// Reads the report of a child that shared the parent's memory. After an error, the function reaps the child.
pub(super) fn report_of_clone(process: &mut Spawned, report: &SharedReport, image: &Image<'_>) -> Result<(), Problem> {
    match report.receive().report {
        None => Ok(()),
        Some(report) => {
            let _ = process.reap(); // The report counts, and not the status.
            Err(problem(report, None, image))
        }
    }
}

/// Finds out whether a forked child has executed, has ended or runs its function. After an error, the function reaps the
/// child.
pub(super) fn forked_child(
    process: &mut Spawned,
    report: &SharedReport,
    text: &SharedText,
    image: &Image<'_>,
) -> Result<(), Problem> {
    let received = report.receive();
    if let Some(report) = received.report {
        let _ = process.reap(); // The report counts, and not the status.
        return Err(problem(report, Some(text), image));
    }
    if image.function.is_some() {
        return runs_function(process, report).map_err(|status| Failure::Killed(status).into());
    }
    // For a child in a session of its own, `setpgid(2)` does not tell whether it has executed.
    let answers = !image.steps.contains(&Step::NewSession);
    match has_executed(process, received.done, answers) {
        Ok(()) => Ok(()),
        // The kernel (if the process ignores SIGCHLD) or another part of the process has reaped the child, so the system
        // can tell no more.
        Err(None) if received.done => Ok(()),
        // The status, if there is one, is kept for the caller's wait. `done` may be that of a process that a hook has forked.
        Err(_) if image.hooks.is_some() && image.hooks_may_end => Ok(()),
        Err(status) => Err(killed(status.unwrap_or_default(), &received, image).into()),
    }
}

/// The failure of a child that has ended without a report.
fn killed(status: ExitStatus, received: &Received, image: &Image<'_>) -> Failure {
    if image.hooks.is_some() && !received.done { Failure::HookEnded(status) } else { Failure::Killed(status) }
}

/// Waits until a child that has released the parent begins with its function. If the child ends before that, reaps it and returns
/// its status.
fn runs_function(process: &mut Spawned, report: &SharedReport) -> Result<(), ExitStatus> {
    let mut time = Duration::from_micros(20);
    while !report.receive().done {
        let has_ended = process.has_ended().unwrap_or_else(|| !matches!(process.try_wait(), Ok(None)));
        // The child may have begun and ended since the last look.
        if has_ended && !report.receive().done {
            let status = process.reap().ok().or_else(|| process.try_wait().ok().flatten().map(|reaped| reaped.status));
            return Err(status.unwrap_or_default());
        }
        // A signal may stop the child here, too. After the child has begun with the function, the library does not
        // continue it.
        if process.is_stopped() == Some(true) && !report.receive().done {
            let _ = process.signal(Signal::CONT); // If this fails, the child stays stopped until another process continues it.
        }
        pause(time);
        time = (time * 2).min(Duration::from_millis(5));
    }
    Ok(())
}

/// Finds out whether a child that gives up its memory executes a program or ends. If the child ends, reaps it and returns its
/// status, or `None` if it has been reaped already.
///
/// The kernel releases the parent a moment before the child has executed, and a moment before a child that ends can be reaped. `answers`
/// says whether `setpgid(2)` can tell whether the child has executed: it can if the child is in the parent's session.
fn has_executed(process: &mut Spawned, done: bool, answers: bool) -> Result<(), Option<ExitStatus>> {
    /// The end of a process takes less than this time, so a child that still lives after it has executed.
    const LONGEST_END: Duration = Duration::from_secs(2);
    /// The rest of an exec takes less than this time, in which the parent only calls `setpgid(2)` and yields. On one processor the
    /// yield lets the child go on.
    const SHORT: Duration = Duration::from_millis(1);
    let start = Instant::now();
    for round in 1.. {
        if !answers {
            break;
        }
        std::thread::yield_now();
        if process.is_known_to_have_executed() {
            return Ok(());
        }
        if round % 16 == 0
            && (process.has_ended() == Some(true) || process.is_in_other_session() || start.elapsed() > SHORT)
        {
            break;
        }
    }
    let mut time = Duration::from_micros(20);
    loop {
        // First ask whether the child has ended: after its end it cannot execute any more.
        let has_ended = process.has_ended();
        let has_executed = process.has_executed();
        match (has_executed, has_ended) {
            (Some(true), _) => return Ok(()),
            // The system tells only that the child has ended. A child that could not execute its program has reported why, so a child
            // that has exited without a report has executed it. (`try_wait` keeps the status for the caller.)
            (None, Some(true)) => match process.try_wait() {
                Ok(Some(reaped)) if reaped.status.signal().is_none() && done => return Ok(()),
                reaped => return Err(reaped.ok().flatten().map(|reaped| reaped.status)),
            },
            (_, Some(true)) => return Err(process.reap().ok()),
            (Some(false), Some(false)) => {}
            // The system does not tell whether a child has executed.
            (None, Some(false)) if start.elapsed() > LONGEST_END => return Ok(()),
            (None, Some(false)) => {}
            // The system does not tell whether a child has ended, without reaping it.
            (_, None) => match process.try_wait() {
                Ok(None) if start.elapsed() > LONGEST_END => return Ok(()),
                Ok(None) => {}
                // Only a program exits without a report: a child that could not execute its program has reported why.
                Ok(Some(Reaped { status, .. })) if status.signal().is_none() && done && has_executed.is_none() => {
                    return Ok(());
                }
                Ok(reaped) => return Err(reaped.map(|reaped| reaped.status)),
                Err(_) => return Err(None),
            },
        }
        pause(time);
        time = (time * 2).min(Duration::from_millis(5));
    }
}

/// The failure that a child has reported. `text` is where hooks put the text of an error.
#[cold]
fn problem(report: Report, text: Option<&SharedText>, image: &Image<'_>) -> Problem {
    let step = image.steps.get(report.step).copied().unwrap_or(Step::Exec);
    match report.error {
        ChildError::System(errno) => {
            let failure = match step {
                Step::ChangeDirectory { path } => {
                    Failure::WorkingDirectory(image.strings.get(path.index()).map(OsStr::to_owned).map(PathBuf::from))
                }
                Step::ChangeDirectoryTo { .. } => Failure::WorkingDirectory(None),
                Step::ChangeRoot { path } => {
                    Failure::ChangeRoot(image.strings.get(path.index()).map(PathBuf::from).unwrap_or_default())
                }
                Step::SetGroups { groups } => Failure::Groups(image.list(groups).to_vec()),
                Step::Affinity { cpus } => Failure::Affinity(cpus_of(image.list(cpus))),
                Step::CheckProgram { .. } if errno == Errno::BADF => Failure::ProgramReplaced,
                Step::Exec | Step::ExecFd { .. } => Failure::Exec,
                step => Failure::Child(step),
            };
            let mut problem = Problem::system(failure, errno);
            problem.path = report.path.and_then(|index| image.program(index));
            problem
        }
        ChildError::HookErrno { index, errno } => Problem::system(Failure::Hook { index, message: None }, errno),
        ChildError::HookText { index } => Failure::Hook { index, message: text.map(SharedText::get) }.into(),
        ChildError::HookPanicked { index } => Failure::HookPanicked { index }.into(),
    }
}

/// The CPUs of the kernel's mask: bits in words of the machine, which are halves here.
pub(crate) fn cpus_of(mask: &[u32]) -> Vec<usize> {
    let words = mask.chunks(size_of::<usize>() / size_of::<u32>()).map(|halves| {
        let mut bytes = [0; size_of::<usize>()];
        bytes.chunks_exact_mut(4).zip(halves).for_each(|(place, half)| place.copy_from_slice(&half.to_ne_bytes()));
        usize::from_ne_bytes(bytes)
    });
    let bits = usize::BITS as usize;
    words
        .enumerate()
        .flat_map(|(index, word)| (0..bits).filter(move |bit| word >> bit & 1 == 1).map(move |bit| index * bits + bit))
        .collect()
}
