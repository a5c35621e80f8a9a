//! `Command::exec`: does the steps in this process, and undoes them if the exec fails.

use super::buffers::{Buffers, with_buffers};
use super::defaults::Defaults;
use super::new_fds::{ABOVE_STDIO, dup_outside_plan};
use super::prepare::{Prepared, image, prepare};
use crate::command::{Command, Directory};
use crate::error::{Error, Failure, Problem, Subject};
use crate::fd::{by_number, close_on_exec, set_close_on_exec};
use crate::launch::{HookList, LaunchError, Mode, Sigpipe, handle_ignored_sigpipe, launch};
use crate::plan::{Plan, Rest, Step};
use crate::sys;
use rustix::fs::{CWD, Mode as FileMode, OFlags};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// `O_PATH`, if the system has it: it opens a directory that the process may not read.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
const PATH_ONLY: OFlags = OFlags::PATH;
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
const PATH_ONLY: OFlags = OFlags::RDONLY;

impl Command<'_> {
    /// Executes the program in this process (`execve(2)`), with the descriptors of the map. It returns only if that fails.
    ///
    /// No destructor of this process runs, and no buffer is flushed. The process keeps its process id, its record locks and its
    /// signal mask. Ignored signals stay ignored, other than SIGPIPE.
    ///
    /// Before the exec the library closes no descriptor: it sets close-on-exec of the rest. If the exec fails, it restores flags,
    /// numbers, the working directory and the disposition of SIGPIPE. It cannot undo what hooks have done. Until it returns,
    /// other threads of the process see the changes.
    ///
    /// # Errors
    ///
    /// Those of [`Command::spawn`]. [`Failure::Launch`] does not occur.
    ///
    /// ```no_run
    /// let error = fdspawn::Command::new("true").exec();
    /// eprintln!("{error}"); // The process executes this line only if the exec has failed.
    /// ```
    #[doc(alias = "execve")]
    pub fn exec(&mut self) -> Error {
        let problem = with_buffers(|buffers| match self.replace(buffers) {
            LaunchError::Failed(problem) => problem,
            LaunchError::Missing(_) => Failure::Exec.into(), // Does not occur: a launch in place needs no feature.
        });
        problem.of(Subject::Exec(self.get_program().to_owned()))
    }

    fn replace(&mut self, buffers: &mut Buffers) -> LaunchError {
        let prepared = match prepare(self, &Defaults::INHERIT, Mode::IN_PLACE, buffers) {
            Ok(prepared) => prepared,
            Err(problem) => return problem.into(),
        };
        let undo = match mark_and_save(self, &prepared) {
            Ok(undo) => undo,
            Err(problem) => return problem.into(),
        };
        let hooks = HookList::new(&mut self.hooks);
        let result = launch(Mode::IN_PLACE, &image(self, &prepared, hooks, None), None);
        drop(undo);
        result.err().unwrap_or(Failure::Exec.into())
    }
}

/// Sets close-on-exec of the descriptors that the program must not have, and saves what the steps will change.
fn mark_and_save(command: &Command<'_>, prepared: &Prepared<'_>) -> Result<Undo, Problem> {
    let parent = |what: &'static str| move |errno: Errno| Problem::system(Failure::ParentOpen { what }, errno);
    let plan = &prepared.buffers.plan;
    let mut undo = Undo::default();
    for number in numbers_to_mark(plan, command)? {
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
                    Some(close_on_exec) => Some((save(target, plan)?, close_on_exec)),
                    None => None,
                };
                undo.replaced.push((target, saved));
            }
            _ => {}
        }
    }
    if !matches!(command.directory, Directory::Inherit) {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | PATH_ONLY;
        let here = rustix::fs::openat(CWD, c".", flags, FileMode::empty()).map_err(parent("the working directory"))?;
        undo.directory = Some(
            outside_plan(here, plan)
                .map_err(|error| Problem::io(Failure::ParentOpen { what: "the working directory" }, &error))?,
        );
    }
    undo.sigpipe = handle_ignored_sigpipe();
    Ok(undo)
}

/// The descriptors that must not be open in the program.
fn numbers_to_mark(plan: &Plan, command: &Command<'_>) -> Result<Vec<RawFd>, Problem> {
    let stays = |number: RawFd| plan.mappings.iter().any(|each| each.target == number);
    let candidates = match plan.rest {
        Rest::Close => by_number::open_numbers(command.fd_map.missing)
            .map_err(|errno| Problem::system(Failure::Child(Step::CloseFrom { first: 0 }), errno))?,
        Rest::Inherit => plan.mappings.iter().map(|each| each.source).chain(plan.closed.iter().copied()).collect(),
    };
    Ok(candidates.into_iter().filter(|&number| !stays(number)).collect())
}

/// Duplicates `number`. The duplicate has a number that the plan does not decide about.
fn save(number: RawFd, plan: &Plan) -> Result<OwnedFd, Problem> {
    let what = "a copy of what a target replaces";
    let duplicate = sys::duplicate_owned(number, ABOVE_STDIO)
        .map_err(|errno| Problem::system(Failure::ParentOpen { what }, errno))?;
    outside_plan(duplicate, plan).map_err(|error| Problem::io(Failure::ParentOpen { what }, &error))
}

/// Moves a descriptor to a number that the plan does not decide about.
fn outside_plan(fd: OwnedFd, plan: &Plan) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() >= ABOVE_STDIO && !plan.decides(fd.as_raw_fd()) {
        return Ok(fd);
    }
    dup_outside_plan(fd, ABOVE_STDIO, |number| plan.decides(number))
}

/// The old state of what the library changes in this process. A drop restores it.
#[derive(Default)]
struct Undo {
    /// Numbers of which the library has set close-on-exec.
    marked: Vec<RawFd>,
    /// Numbers of which a step clears close-on-exec.
    cleared: Vec<RawFd>,
    /// Each replaced target, a duplicate of what it was, and whether it had close-on-exec set; `None` if it was closed.
    replaced: Vec<(RawFd, Option<(OwnedFd, bool)>)>,
    directory: Option<OwnedFd>,
    sigpipe: Option<Sigpipe>,
}

impl Drop for Undo {
    fn drop(&mut self) {
        // If one of these calls fails, restore the others.
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
    }
}
