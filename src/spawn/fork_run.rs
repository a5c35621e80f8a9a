//! `fork_run`: a forked child that runs a function in place of exec.

use super::buffers::with_buffers;
use super::function::launch_function;
use super::prepare::{Prepared, missing_in_child, prepare_function};
use super::rows::trace;
use crate::child::{Child, ParentEnds, Spawned};
use crate::command::FdMap;
use crate::error::{Failure, Problem, Result, Subject};
use crate::launch::{Image, LaunchError, Method, Mode, with_pidfd};
use crate::plan::OnDrop;
use crate::platform::{Features, Launcher};

/// Forks a child that runs a function with the descriptors of a map, and exits with the status that the function returns.
///
/// The child is a copy of this process with the calling thread only (`fork(2)`). It makes the descriptor table of the map, sets
/// the caller's signal mask, and calls the function. Then it calls `_exit(2)`, so no destructor and no `atexit` function runs.
/// Signals keep the dispositions of this process. If the function panics, the panic hook runs in the child, and the child exits
/// with status 101.
///
/// The call returns when the child is about to call the function. If a step fails, the call reaps the child and returns the
/// error. After a success the parent closes the descriptors that were moved into the map, as a spawn does. [`Child::take`] gives
/// the parent's ends for the slots of the map.
///
/// **Nothing is written twice.** The parent flushes [`std::io::stdout`] before the fork, so that the child does not write the
/// content of its buffer again, and holds its lock over the fork, so that no other thread is in a `println!`. The child flushes
/// it before it exits. The child also has copies of all other buffers, those of C's stdio included. It writes their content only
/// if the function flushes them.
///
/// The function finds its descriptors by their targets in the map. The values that it captures are copies. If one of them owns a
/// descriptor, it has the *parent's* number, which in the child is closed or another descriptor. So the child calls the function
/// by reference, and never drops it. The parent drops it when `fork_run` returns.
///
/// # Errors
///
/// Those of [`Command::spawn`] for descriptors, and [`Failure::Flush`].
///
/// # Platform notes
///
/// With [`Rest::Inherit`] the child has all of the parent's descriptors, even those that have close-on-exec set, since there is
/// no exec. Only those that this call has opened for itself are closed. So the child also has the pipes of children that *other*
/// threads launch at this moment. Until this child ends, such a pipe does not reach end-of-file, and a launch by fork does not
/// return. Use it only if no other thread launches children.
///
/// # Safety
///
/// - If the process has several threads, the child has only one, and a lock that another thread held at the fork stays locked for
///   ever. So the function may make only async-signal-safe calls. Memory allocation is safe with some C libraries (glibc). If the
///   process has one thread, the function may make any call.
/// - The function must not use a descriptor that the map does not give the child, and must not drop a value that owns one: in the
///   child that number may be another descriptor.
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
/// // SAFETY: the child uses only 7, which the map gives it, and calls only write(2).
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
            Ok(Child::new(process, ends, Launcher::Fork, OnDrop::Detach))
        }
        Err(problem) => {
            let error = problem.of(Subject::Run);
            tracing::debug!(%error, "fork_run failed");
            Err(error)
        }
    }
}

fn start(map: &FdMap<'_>, function: &mut dyn FnMut() -> i32) -> std::result::Result<(Spawned, ParentEnds), Problem> {
    let pidfd = !map.missing.contains(Features::PIDFD);
    let mode = Mode { method: Method::Fork, handle: true, pidfd };
    let process = with_buffers(|buffers| {
        let mut prepared = prepare_function(map, mode, buffers)?;
        trace(prepared.buffers);
        let errpipe = prepared.errpipe.take();
        let launched = launch_function(mode, image(map, &prepared), function, errpipe);
        match launched {
            Ok(process) => Ok((process, prepared.ends)),
            Err(LaunchError::Failed(problem)) => Err(problem),
            // Does not occur: fork needs no feature.
            Err(LaunchError::Missing(_)) => Err(Failure::Launch(Launcher::Fork).into()),
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
        numbers: &[],
        programs: &[],
        searched: false,
        argv: std::ptr::null(),
        envp: std::ptr::null(),
        hooks_change_environment: false,
        mask: None,
        hooks: None,
        hooks_may_end: false,
        program_file: None,
        function: None,
        missing: missing_in_child(map.missing),
        cgroup: None,
        hard_limit: None,
        in_place: false,
    }
}
