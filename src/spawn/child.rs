//! What the child runs between clone and exec.
//!
//! The law here: the child may share all memory with the parent, or be the only thread of a process whose locks are
//! held by threads that are gone. So no allocation, no lock, no logging, no panic, no unwinding, no destructor with an
//! effect; only plain data prepared by the parent, and system calls. There is one interpreter of steps, for all
//! launchers, and one way out: `report`, then exit.

use super::report::{PipeEnd, SharedReport, wire};
use super::{hooks, run};
use crate::fd::by_number;
use crate::plan::Step;
use crate::platform::Features;
use crate::sys;
use rustix::io::Errno;
use std::ffi::c_char;
use std::os::fd::RawFd;

/// Everything that the child needs: numbers, and pointers into memory that the parent keeps until the child has
/// execed or ended.
pub(super) struct Orders<'a> {
    pub(super) steps: &'a [Step],
    /// The addresses of the paths to try, in their order.
    pub(super) programs: &'a [usize],
    /// Whether the paths come from a search of PATH.
    pub(super) searched: bool,
    /// Ended by a null pointer.
    pub(super) argv: *const *const c_char,
    /// Ended by a null pointer.
    pub(super) envp: *const *const c_char,
    pub(super) directory: *const c_char,
    pub(super) mask: sys::SignalSet,
    pub(super) hooks: Option<hooks::Runner>,
    /// What to run instead of a program.
    pub(super) function: Option<*mut (dyn FnMut() -> i32 + 'a)>,
    pub(super) missing: Features,
    pub(super) reporter: Reporter<'a>,
}

impl<'a> Orders<'a> {
    /// Orders to do nothing, which have no program.
    pub(super) fn without_program(reporter: Reporter<'a>) -> Self {
        Self {
            steps: &[],
            programs: &[],
            searched: false,
            argv: std::ptr::null(),
            envp: std::ptr::null(),
            directory: std::ptr::null(),
            mask: sys::every_signal(),
            hooks: None,
            function: None,
            missing: Features::empty(),
            reporter,
        }
    }
}

/// The way to the parent.
#[derive(Clone, Copy)]
pub(super) enum Reporter<'a> {
    /// Memory that child and parent share.
    Memory(&'a SharedReport),
    /// The write end of a pipe.
    Pipe(PipeEnd),
}

/// The status of a child that could not become the program. The parent has reaped it before anybody sees it.
pub(super) const FAILED: i32 = 127;

/// A child that runs the steps, or ends.
pub(super) fn obey(orders: &Orders<'_>) -> ! {
    run_steps(orders);
    sys::exit(FAILED)
}

/// Runs the steps. The last does not come back, so it returns only if one has failed, and has told the parent of it.
pub(super) fn run_steps(orders: &Orders<'_>) {
    for (index, step) in orders.steps.iter().enumerate() {
        if let Err(failed) = take(orders, *step, index) {
            report(orders, index, failed);
            break;
        }
    }
}

/// How a step failed.
enum Failed {
    System(Errno),
    /// The hooks have told the parent themselves.
    Reported,
}

impl From<Errno> for Failed {
    fn from(errno: Errno) -> Self {
        Self::System(errno)
    }
}

fn take(orders: &Orders<'_>, step: Step, index: usize) -> Result<(), Failed> {
    match step {
        Step::UnshareFiles { first } => by_number::unshare(first, orders.missing)?,
        Step::CloseFrom { first } => by_number::close(first, RawFd::MAX, orders.missing)?,
        Step::Close { first, last } => by_number::close(first, last, orders.missing)?,
        Step::ClearCloexec { fd } => sys::clear_close_on_exec(fd)?,
        Step::Dup2 { source, target, close_on_exec } => sys::duplicate(source, target, close_on_exec)?,
        Step::DefaultHandlers => sys::default_handlers()?,
        Step::DefaultSigpipe => sys::default_signal(libc::SIGPIPE)?,
        // SAFETY: orders with this step have a path.
        Step::ChangeDirectory => unsafe { sys::change_directory(orders.directory) }?,
        Step::ChangeDirectoryTo { fd } => sys::change_directory_to(fd)?,
        Step::SignalMask => sys::set_signal_mask(&orders.mask).map(drop)?,
        Step::Hooks => {
            let done = orders.hooks.is_none_or(|runner| hooks::run(runner, orders.reporter, index));
            if !done {
                return Err(Failed::Reported);
            }
        }
        Step::Exec => return Err(exec(orders).into()),
        Step::Run => return Err(run::run(orders, index).into()),
    }
    Ok(())
}

/// Tells the parent.
fn report(orders: &Orders<'_>, step: usize, failed: Failed) {
    let Failed::System(errno) = failed else { return };
    match orders.reporter {
        Reporter::Memory(report) => report.set(step, errno),
        Reporter::Pipe(pipe) => {
            pipe.send(&wire::head(wire::Kind::System, step, errno.raw_os_error(), 0));
        }
    }
}

/// Becomes the program; returns why not.
///
/// In a search of PATH the next path is tried where this one is not there, as `execvp(3)` does. A file that may not be
/// executed is remembered, in case nothing better comes. Any other error ends the search.
fn exec(orders: &Orders<'_>) -> Errno {
    let mut kept = Errno::NOENT;
    for &path in orders.programs {
        // SAFETY: the parent has prepared the strings and the arrays, which end in a null pointer.
        let errno = unsafe { sys::exec(path as *const c_char, orders.argv, orders.envp) };
        match errno {
            _ if !orders.searched => return errno,
            Errno::ACCESS => kept = errno,
            Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG | Errno::STALE | Errno::NODEV | Errno::TIMEDOUT => {}
            _ => return errno,
        }
    }
    kept
}
