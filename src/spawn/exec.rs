//! `Command::exec`: the plan in this process, and its undoing where the exec fails.

use super::prepare::{self, Defaults, Demands, Prepared, Problem};
use super::report::SharedReport;
use super::{child, hooks, orders, problem, sources};
use crate::command::{Command, Directory};
use crate::error::{Error, Failure, Subject};
use crate::fd::{by_number, close_on_exec, set_close_on_exec};
use crate::plan::{Rest, Step};
use crate::sys;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use std::convert::Infallible;
use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

impl Command<'_> {
    /// Replaces this process by the program, with the descriptors of the plan. It returns only if that fails.
    ///
    /// Destructors of this process do not run, and its buffers are not flushed. The process keeps its number, its record
    /// locks, its signal mask and what signals it ignores, other than SIGPIPE.
    ///
    /// No descriptor is closed before the exec has succeeded: the rest is marked close-on-exec. A failure puts flags,
    /// numbers, the working directory and the disposition of SIGPIPE back as they were; what hooks have done stays.
    /// While it runs, other threads of the process see the changes.
    ///
    /// ```no_run
    /// let error = fdspawn::Command::new("true").exec();
    /// eprintln!("{error}"); // not reached, if there is a `true`
    /// ```
    #[doc(alias = "execve")]
    pub fn exec(&mut self) -> Error {
        let Problem { failure, errno } = match self.replace() {
            Ok(never) => match never {},
            Err(problem) => problem,
        };
        Error::new(Subject::Exec(self.get_program().to_owned()), failure, errno)
    }

    fn replace(&mut self) -> Result<Infallible, Problem> {
        let prepared = prepare::prepare(self, Defaults::INHERIT, Demands::IN_PLACE)?;
        let undo = change(self, &prepared)?;
        let memory = SharedReport::new();
        let runner = hooks::Runner::new(&mut self.hooks);
        child::run_steps(&orders(self, &prepared, runner, &memory, sys::every_signal()));
        drop(undo);
        Err(match memory.get() {
            Some(report) => problem(report, &prepared.buffers.steps, self),
            None => Failure::Exec.into(),
        })
    }
}

/// Marks what has to be closed at exec, and saves what the steps are about to change.
fn change(command: &Command<'_>, prepared: &Prepared) -> Result<Undo, Problem> {
    let parent = |what: &'static str| move |errno: Errno| Problem::system(Failure::ParentOpen { what }, errno);
    let mut undo = Undo::default();
    for number in numbers_to_mark(prepared, command)? {
        if close_on_exec(number) == Some(false) {
            set_close_on_exec(number, true).map_err(parent("a descriptor to mark it close-on-exec"))?;
            undo.marked.push(number);
        }
    }
    for step in &prepared.buffers.steps {
        match *step {
            Step::ClearCloexec { fd } if close_on_exec(fd) == Some(true) => undo.cleared.push(fd),
            Step::Dup2 { target, close_on_exec: false, .. } => {
                let saved = match close_on_exec(target) {
                    Some(close_on_exec) => Some((save(target, prepared)?, close_on_exec)),
                    None => None,
                };
                undo.replaced.push((target, saved));
            }
            _ => {}
        }
    }
    if !matches!(command.directory, Directory::Inherit) {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | sources::PATH_ONLY;
        let here = rustix::fs::openat(CWD, c".", flags, Mode::empty()).map_err(parent("the working directory"))?;
        undo.directory = Some(
            away(here, prepared)
                .map_err(|error| Problem::io(Failure::ParentOpen { what: "the working directory" }, &error))?,
        );
    }
    undo.sigpipe = handle_ignored_sigpipe();
    Ok(undo)
}

/// The open descriptors that must not be open in the program.
fn numbers_to_mark(prepared: &Prepared, command: &Command<'_>) -> Result<Vec<RawFd>, Problem> {
    let plan = &prepared.buffers.plan;
    let stays = |number: RawFd| plan.mappings.iter().any(|each| each.target == number);
    let candidates = match plan.rest {
        Rest::Close => by_number::open_numbers(command.fd_map.missing)
            .map_err(|errno| Problem::system(Failure::Child(Step::CloseFrom { first: 0 }), errno))?,
        Rest::Inherit => plan.mappings.iter().map(|each| each.source).chain(plan.closed.iter().copied()).collect(),
    };
    Ok(candidates.into_iter().filter(|&number| !stays(number)).collect())
}

/// A duplicate of `number`, out of the way of the plan.
fn save(number: RawFd, prepared: &Prepared) -> Result<OwnedFd, Problem> {
    // SAFETY: the number has just been found open; if it is another's by now, that is what is saved.
    let fd = unsafe { BorrowedFd::borrow_raw(number) };
    sources::dup_outside_plan(fd, prepare::ABOVE_STANDARD, |number| prepared.buffers.plan.decides(number))
        .map_err(|error| Problem::io(Failure::ParentOpen { what: "a copy of what a target replaces" }, &error))
}

fn away(fd: OwnedFd, prepared: &Prepared) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() >= prepare::ABOVE_STANDARD && !prepared.buffers.plan.decides(fd.as_raw_fd()) {
        return Ok(fd);
    }
    sources::dup_outside_plan(fd, prepare::ABOVE_STANDARD, |number| prepared.buffers.plan.decides(number))
}

/// What has been changed in this process, and is put back when this is dropped.
#[derive(Default)]
struct Undo {
    /// Close-on-exec was not set.
    marked: Vec<RawFd>,
    /// Close-on-exec was set.
    cleared: Vec<RawFd>,
    /// What each target was, and whether close-on-exec was set; or nothing.
    replaced: Vec<(RawFd, Option<(OwnedFd, bool)>)>,
    directory: Option<OwnedFd>,
    sigpipe: Option<libc::sigaction>,
}

impl Drop for Undo {
    fn drop(&mut self) {
        // Nothing more can be done where one of these fails.
        for (target, saved) in self.replaced.drain(..) {
            match saved {
                Some((fd, close_on_exec)) => drop(sys::duplicate(fd.as_raw_fd(), target, close_on_exec)),
                None => drop(sys::close(target)),
            }
        }
        for &number in &self.cleared {
            let _ = set_close_on_exec(number, true);
        }
        for &number in &self.marked {
            let _ = set_close_on_exec(number, false);
        }
        if let Some(directory) = &self.directory {
            let _ = rustix::process::fchdir(directory);
        }
        if let Some(action) = &self.sigpipe {
            // SAFETY: it is what the signal had before.
            unsafe { libc::sigaction(libc::SIGPIPE, action, std::ptr::null_mut()) };
        }
    }
}

extern "C" fn nothing(_: c_int) {}

/// Replaces an ignored SIGPIPE by a handler that does nothing. To this process that is the same, but exec gives a
/// handled signal its default disposition. Returns what it was, if it is changed.
fn handle_ignored_sigpipe() -> Option<libc::sigaction> {
    // SAFETY: all zeros is a valid value; one action is written, and one is read whose handler does nothing.
    unsafe {
        let mut before: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(libc::SIGPIPE, std::ptr::null(), &raw mut before) != 0
            || before.sa_sigaction != libc::SIG_IGN
        {
            return None;
        }
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as *const () as usize;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(libc::SIGPIPE, &raw const action, std::ptr::null_mut());
        Some(before)
    }
}
