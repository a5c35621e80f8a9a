//! The child's code between clone and exec.
//!
//! The law of this code:
//!
//! 1. The child may share all memory with the parent, whose calling thread waits until the child has executed or ended.
//! 2. Or it is a forked copy with one thread: a lock that another thread held at the fork stays locked for ever.
//! 3. So the child does not allocate or free memory, take a lock, log, panic, unwind, or run a destructor that does anything.
//! 4. It reads only what the parent has prepared as plain data, and makes only system calls that are async-signal-safe.
//! 5. It makes them directly, not through libc, so that it does not change the parent's `errno`.
//! 6. All launchers use this one interpreter of steps. If a step fails, the child reports the step and the error number, and
//!    ends.
//!
//! What every child runs is in this file, so that it is close together in memory: a forked child gets a page fault for the first code that
//! it runs of each 64 KiB. What is rare is in functions of other files, or cold.

use super::attributes::set_attribute;
use super::function;
use super::hooks;
use super::image::Image;
use super::own_environment::{is_changed, look};
use super::release::Release;
use super::report::{SharedReport, SharedText, StepFailure};
use crate::fd::by_number;
use crate::plan::Step;
use crate::sys;
use rustix::io::Errno;
use std::ffi::{c_char, c_int};
use std::os::fd::RawFd;

/// The arguments of [`child_main`].
pub(super) struct ChildArgs<'a, 'f> {
    pub(super) image: &'a Image<'f>,
    /// The signal mask of the program.
    pub(super) mask: sys::SignalSet,
    /// Where the child reports a failed step.
    pub(super) report: &'a SharedReport,
    /// Where hooks put the text of an error. `None` if the child has no hooks.
    pub(super) text: Option<&'a SharedText>,
    /// By this the parent of a forked child learns that the child has executed or ended.
    pub(super) release: Option<&'a Release>,
}

/// Forks a child that does its steps. Returns its pid.
///
/// # Safety
///
/// All signals are blocked, and the steps are sound to run in a forked child.
#[inline(never)]
pub(super) unsafe fn fork(args: &ChildArgs<'_, '_>) -> Result<i32, Errno> {
    // SAFETY: the child does nothing but run its steps. Without code of the caller, these only make system calls.
    let pid = unsafe { if args.image.has_callers_code() { sys::fork() } else { sys::fork_to_exec() } }?;
    if pid != 0 {
        return Ok(pid);
    }
    if let Some(release) = args.release {
        release.register();
    }
    child_main(args)
}

/// The first function of a cloned child. `args` is the address of [`ChildArgs`], which the parent keeps until the child has executed or
/// ended.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) extern "C" fn run_clone(args: *mut std::ffi::c_void) -> ! {
    // SAFETY: the launcher passes such an address.
    child_main(unsafe { &*args.cast::<ChildArgs<'_, '_>>() })
}

/// The main function of a child: does the steps. If one fails, it ends the child.
fn child_main(args: &ChildArgs<'_, '_>) -> ! {
    run_steps(args);
    sys::exit(function::FAILED)
}

/// Does the steps. The last one does not return. So this function returns only after a step has failed, and after it has sent
/// the error to the parent.
pub(super) fn run_steps(args: &ChildArgs<'_, '_>) {
    let mut envp = args.image.envp;
    for (index, step) in args.image.steps.iter().enumerate() {
        match do_step(args, step, index, &mut envp) {
            Ok(()) => {}
            Err(StepError::System(errno)) => return args.report.set(index, StepFailure::System(errno)),
            Err(StepError::Reported) => return,
        }
    }
}

/// How a step failed.
enum StepError {
    System(Errno),
    /// The step has sent the error to the parent itself.
    Reported,
}

impl From<Errno> for StepError {
    fn from(errno: Errno) -> Self {
        Self::System(errno)
    }
}

/// Does one step. `envp` is the environment of the program.
fn do_step(
    args: &ChildArgs<'_, '_>,
    step: &Step,
    index: usize,
    envp: &mut *const *const c_char,
) -> Result<(), StepError> {
    let image = args.image;
    let ways = || by_number::Ways { missing: image.missing, hard_limit: image.hard_limit };
    match *step {
        Step::UnshareFiles { first } => by_number::unshare(first, ways())?,
        Step::CloseFrom { first } => by_number::close(first, RawFd::MAX, ways())?,
        Step::Close { first, last } => by_number::close(first, last, ways())?,
        Step::SetCloexec { first, last } => by_number::act(by_number::Act::SetCloseOnExec, first, last, ways())?,
        Step::ClearCloexec { fd } => sys::clear_close_on_exec(fd)?,
        Step::Dup2 { source, target, close_on_exec } => sys::duplicate(source, target, close_on_exec)?,
        Step::DefaultHandlers => sys::default_handlers()?,
        Step::DefaultSignals { signals } => signals.numbers().try_for_each(default_signal)?,
        Step::SignalMask => sys::set_signal_mask(&args.mask).map(drop)?,
        Step::Hooks => return run_hooks(args, index, envp),
        Step::CheckProgram { fd } => check_program(image, fd)?,
        Step::Exec => {
            args.report.set_done();
            let (errno, path) = exec(image, *envp);
            if let Some(index) = path {
                args.report.set_path(index);
            }
            return Err(errno.into());
        }
        Step::ExecFd { fd } => {
            args.report.set_done();
            return Err(exec_fd(image, fd, *envp).into());
        }
        Step::Run => return Err(function::run(image, args.report, args.release).into()),
        _ => set_attribute(image, step)?,
    }
    Ok(())
}

/// Runs the hooks. If they change the environment, the program gets that one.
#[cold]
fn run_hooks(args: &ChildArgs<'_, '_>, index: usize, envp: &mut *const *const c_char) -> Result<(), StepError> {
    let image = args.image;
    // SAFETY: the parent has prepared the array.
    let look = || image.hooks_change_environment.then(|| unsafe { look(image.envp) });
    let before = look();
    let done = image.hooks.is_none_or(|hooks| hooks::run(hooks, args.report, args.text, index));
    if !done {
        return Err(StepError::Reported);
    }
    if before.zip(look()).is_some_and(|(before, after)| is_changed(before, after)) {
        *envp = sys::environment();
    }
    Ok(())
}

/// Gives a signal its default disposition. SIGKILL and SIGSTOP have no other, and the kernel refuses the call for them.
fn default_signal(signal: c_int) -> Result<(), Errno> {
    if [libc::SIGKILL, libc::SIGSTOP].contains(&signal) { Ok(()) } else { sys::default_signal(signal) }
}

/// Fails with EBADF if a descriptor is closed, or refers to another file than the program that the command has.
fn check_program(image: &Image<'_>, fd: RawFd) -> Result<(), Errno> {
    match sys::file_identity(fd)? {
        id if image.program_file == Some(id) => Ok(()),
        _ => Err(Errno::BADF),
    }
}

/// Executes the program that a descriptor refers to.
fn exec_fd(image: &Image<'_>, fd: RawFd, envp: *const *const c_char) -> Errno {
    // SAFETY: the parent has prepared the strings and the arrays, which end in a null pointer, or the array is libc's.
    unsafe { sys::exec_fd(fd, image.argv, envp) }
}

/// Executes the program. Returns the error if that fails, and the index of the path whose error it is.
///
/// In a search of PATH the child tries the next path if there is no such file (ENOENT and the like), or if the child may not use the
/// file or a directory of its path (EACCES, ELOOP, ENAMETOOLONG). Any other error ends the search, as with `execvp(3)`.
///
/// If all paths fail, the error is that of the first path with a file: this process cannot execute that file, or its
/// interpreter is missing, which is ENOENT, too. If no path has a file, the error is the first of EACCES, ELOOP and
/// ENAMETOOLONG, or else ENOENT.
fn exec(image: &Image<'_>, envp: *const *const c_char) -> (Errno, Option<usize>) {
    let mut kept = (Errno::NOENT, None);
    for index in 0..image.programs.len() {
        match exec_path(image, index, envp) {
            errno @ (Errno::NOENT | Errno::NOTDIR | Errno::STALE | Errno::NODEV | Errno::TIMEDOUT) => {
                if !image.searched {
                    kept.0 = errno;
                }
            }
            errno @ (Errno::ACCESS | Errno::LOOP | Errno::NAMETOOLONG) => {
                if kept.1.is_none() {
                    kept = (errno, Some(index));
                }
            }
            errno => return (errno, Some(index)),
        }
    }
    // SAFETY: the parent has prepared the strings.
    match image.programs.iter().position(|&path| unsafe { sys::is_file_at(path as *const c_char) }) {
        // The search has not kept this path's error, so ask for it again.
        Some(index) => (exec_path(image, index, envp), Some(index)),
        None => kept,
    }
}

fn exec_path(image: &Image<'_>, index: usize, envp: *const *const c_char) -> Errno {
    let Some(&path) = image.programs.get(index) else { return Errno::NOENT };
    // SAFETY: the parent has prepared the strings and the arrays, which end in a null pointer, or the array is libc's.
    unsafe { sys::exec(path as *const c_char, image.argv, envp) }
}
