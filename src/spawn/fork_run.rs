//! A function in a forked child, with a descriptor plan and no exec.

use super::buffers::with_buffers;
use super::prepare::{Prepared, missing_in_child, prepare_function};
use super::rows::trace;
use crate::child::{Child, ParentEnds, Process};
use crate::command::FdMap;
use crate::error::{Failure, Problem, Result, Subject};
use crate::launch::{Image, LaunchError, Method, Mode, launch, with_pidfd};
use crate::platform::{Features, Launcher};
use std::io::{self, Write};

/// Runs a function in a forked child that has the descriptors of a plan, and ends with what the function returns.
///
/// The child is a copy of this process, with the calling thread only. It renumbers and closes as the plan says, takes the
/// caller's signal mask, and calls the function. Then it ends by `_exit(2)`: no destructor of this process and no `atexit`
/// function runs in it. Signals keep the dispositions that they have here. A panic of the function ends the child with
/// status 101, after the panic hook has told of it.
///
/// When it returns, the child has begun to run the function, or an error says which step failed and nothing is left of
/// the child. Descriptors that were moved into the plan are then closed here, as by a spawn; slots of the plan are redeemed
/// at the [`Child`].
///
/// **Nothing is written twice.** What this process has left in the buffer of [`std::io::stdout`] is flushed before the fork,
/// so that the child does not write it again, and no other thread is within a `println!` at the fork. What the function
/// prints is flushed before the child ends. Buffers of C's stdio and of the caller's own are copied as they are: the child
/// writes their content only if the function flushes them.
///
/// The function finds its descriptors by their numbers in the plan. Values that it captures are copies: those that own
/// descriptors have the *parent's* numbers, which in the child are closed or something else. That is why it is called by
/// reference, and is never dropped in the child. In the parent it is dropped when `fork_run` returns.
///
/// # Errors
///
/// Those of [`Command::spawn`] that are about descriptors, and [`Failure::Flush`] where standard output cannot be flushed.
///
/// # Platform notes
///
/// [`Rest::Inherit`] means what fork gives: all of the parent's descriptors, close-on-exec or not, since there is no
/// exec; other than what this call itself opened. That includes what *other* threads have open for their own children at
/// this moment: such a child's output does not end, and a launch by fork does not return, before this child ends too. So it
/// is for processes in which no other thread launches children.
///
/// # Safety
///
/// - In a process with several threads the child has only this one, and locks that others held at the fork are held for
///   ever: the function may then call only what is async-signal-safe, and memory allocation is that only with some C
///   libraries (glibc's). In a process with one thread it may do anything.
/// - The function must not use a descriptor that the plan does not give the child, nor let a value close one: that would
///   be another's.
///
/// [`Command::spawn`]: crate::Command::spawn
/// [`Rest::Inherit`]: crate::Rest::Inherit
///
/// ```
/// use fdspawn::{FdMap, fork_run};
/// use std::io::{PipeWriter, Read, Write};
/// use std::os::fd::{FromRawFd, OwnedFd};
///
/// let mut map = FdMap::new();
/// let answers = map.reader(7); // the child writes at 7
/// let question = 6;
/// // SAFETY: the child uses only 7, which the plan gives it, and calls only write(2).
/// let mut child = unsafe {
///     fork_run(&mut map, || {
///         let mut answers = PipeWriter::from(OwnedFd::from_raw_fd(7));
///         answers.write_all(&[question * 7]).map_or(1, |()| 0)
///     })?
/// };
/// let mut answer = Vec::new();
/// child.take(answers).expect("taken once").read_to_end(&mut answer)?;
/// assert_eq!(answer, [42]);
/// assert!(child.wait()?.success());
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias = "fork")]
#[allow(unsafe_code, reason = "only the caller can keep the contract of code that runs after a fork")]
pub unsafe fn fork_run<F: FnMut() -> i32>(map: &mut FdMap<'_>, mut function: F) -> Result<Child> {
    let span = tracing::debug_span!("fork_run", pid = tracing::field::Empty);
    let _entered = span.enter();
    match start(map, &mut function) {
        Ok((process, ends)) => {
            map.close_moved();
            span.record("pid", process.id());
            Ok(Child::new(process, ends, Launcher::Fork))
        }
        Err(problem) => {
            let error = problem.of(Subject::Run);
            tracing::debug!(%error, "fork_run failed");
            Err(error)
        }
    }
}

fn start(map: &FdMap<'_>, function: &mut dyn FnMut() -> i32) -> std::result::Result<(Process, ParentEnds), Problem> {
    let pidfd = !map.missing.contains(Features::PIDFD);
    let mode = Mode { method: Method::Fork, handle: true, pidfd };
    let process = with_buffers(|buffers| {
        let mut prepared = prepare_function(map, mode, buffers)?;
        trace(&prepared.buffers.plan, &prepared.buffers.steps);

        // This thread holds the lock over the fork, so that no other thread writes at that moment. The child gives its copy of
        // the lock back before it calls the function.
        let mut output = io::stdout().lock();
        output.flush().map_err(|error| Problem::io(Failure::Flush, &error))?;
        let mut output = Some(output);
        let mut in_child = || {
            drop(output.take());
            function()
        };
        let errpipe = prepared.errpipe.take();
        let image = Image { function: Some(&raw mut in_child), ..image(map, &prepared) };
        let launched = launch(mode, &image, errpipe);
        drop(output);
        match launched {
            Ok(process) => Ok((process, prepared.ends)),
            Err(LaunchError::Failed(problem)) => Err(problem),
            Err(LaunchError::Missing(_)) => Err(Failure::Launch(Launcher::Fork).into()), // Fork needs no feature.
        }
    });
    process.map(|(process, ends)| (with_pidfd(process, pidfd), ends))
}

/// The image of a child that executes no program.
fn image<'a>(map: &FdMap<'_>, prepared: &'a Prepared<'_>) -> Image<'a> {
    let buffers = &*prepared.buffers;
    Image {
        steps: &buffers.steps,
        strings: &buffers.strings,
        programs: &[],
        searched: false,
        argv: std::ptr::null(),
        envp: std::ptr::null(),
        mask: None,
        hooks: None,
        function: None,
        missing: missing_in_child(map.missing),
    }
}
