//! A function in a forked child, with a descriptor plan and no exec.

use super::child::{Orders, Reporter};
use super::prepare::{self, Demands, Prepared, Problem};
use super::report::{Cause, PipeEnd, wire};
use super::signals::Blocked;
use super::{child, fork, is_told, open_pidfd, probe, trace};
use crate::command::FdMap;
use crate::error::{Error, Failure, Result, Subject};
use crate::plan::Step;
use crate::platform::{Features, Launcher};
use crate::process::{Child, Process};
use crate::sys;
use rustix::io::Errno;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The status of a child whose function has panicked: what Rust gives a program whose `main` panics.
const PANICKED: i32 = 101;

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
pub unsafe fn fork_run<F: FnMut() -> i32>(map: &mut FdMap<'_>, mut function: F) -> Result<Child> {
    let span = tracing::debug_span!("fork_run", pid = tracing::field::Empty);
    let _entered = span.enter();
    match launch(map, &mut function) {
        Ok(child) => {
            map.close_moved();
            span.record("pid", child.id());
            Ok(child)
        }
        Err(Problem { failure, errno }) => {
            let error = Error::new(Subject::Run, failure, errno);
            tracing::debug!(%error, "fork_run failed");
            Err(error)
        }
    }
}

fn launch(map: &FdMap<'_>, function: &mut dyn FnMut() -> i32) -> std::result::Result<Child, Problem> {
    let pidfd = !map.missing.contains(Features::PIDFD);
    let told = is_told();
    let prepared = prepare::prepare_run(map, Demands { pidfd, told, ..Demands::RUN })?;
    let Some(pipe) = &prepared.report else { return Err(Failure::Launch(Launcher::Fork).into()) };
    if told {
        trace(&prepared);
    }

    // Held over the fork, so that no other thread is within it then. The child's copy is given back before the function.
    let mut output = io::stdout().lock();
    output.flush().map_err(|error| Problem::io(Failure::Flush, &error))?;
    let mut output = Some(output);
    let mut in_child = || {
        drop(output.take());
        function()
    };
    let pid = {
        let blocked = Blocked::all();
        let orders = Orders {
            steps: &prepared.buffers.steps,
            mask: blocked.before(),
            missing: map.missing | probe::known_missing() & Features::CLOSE_RANGE,
            function: Some(&raw mut in_child),
            ..Orders::without_program(Reporter::Pipe(PipeEnd::new(pipe.writer.as_raw_fd())))
        };
        // SAFETY: all signals are blocked, and the orders are made for a forked child.
        unsafe { fork::fork(&orders) }
    };
    drop(output);
    let pid = pid.map_err(|errno| Problem::system(Failure::Launch(Launcher::Fork), errno))?;

    let Prepared { buffers, handles, report, .. } = prepared;
    let received = report.map(fork::receive_first).unwrap_or_default();
    if let Some(report) = received.report {
        sys::reap(pid);
        let step = buffers.steps.get(report.step).copied().unwrap_or(Step::Run);
        return Err(match report.cause {
            Cause::System(errno) => Problem::system(Failure::Child(step), errno),
            _ => Failure::Child(step).into(),
        });
    }
    if !received.done {
        // It has not begun, and never will: it is gone, or about to be.
        let status = Process::new(pid, None).wait().unwrap_or_default();
        return Err(Failure::Killed(status).into());
    }
    let pidfd = if pidfd { open_pidfd(pid) } else { None };
    Ok(Child::new(Process::new(pid, pidfd), handles, Launcher::Fork))
}

/// Tells the parent that the steps are done, and runs the function, in the child.
pub(super) fn run(orders: &Orders<'_>, step: usize) -> Errno {
    let Some(function) = orders.function else { return Errno::NOSYS };
    if let Reporter::Pipe(pipe) = orders.reporter {
        if !pipe.send(&wire::head(wire::Kind::Done, step, 0, 0)) {
            sys::exit(child::FAILED);
        }
        pipe.close();
    }
    // SAFETY: the launcher keeps the function until the fork has returned in the parent, and this is the child's copy.
    let result = catch_unwind(AssertUnwindSafe(|| unsafe { (*function)() }));
    let status = result.unwrap_or_else(|payload| {
        std::mem::forget(payload); // It may own a descriptor of the parent's.
        PANICKED
    });
    // It was empty at the fork: what is in it is the function's.
    let _ = io::stdout().flush();
    sys::exit(status)
}
