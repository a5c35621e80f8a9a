//! What an exec changes in the calling process before its steps, and restores if it fails.

use super::foreground::Foreground;
use super::new_fds::{ABOVE_STDIO, dup_outside_plan};
use super::prepare::Prepared;
use crate::command::{Command, Settings};
use crate::error::{Failure, Problem};
use crate::fd::standard::lock_stdio_numbers;
use crate::fd::{by_number, close_on_exec, set_close_on_exec};
use crate::launch::{SavedAction, handle_ignored_sigpipe};
use crate::plan::{Origin, Plan, Refusal, Rest, Signals, Step};
use crate::sys;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Resource, Signal};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// Opens a directory with `O_PATH`, if the system has that: such an open needs no right to read the directory.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
const PATH_ONLY: OFlags = OFlags::PATH;
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
const PATH_ONLY: OFlags = OFlags::RDONLY;

/// Which numbers above 2 may be targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Targets {
    /// Numbers of descriptors that the command owns, and free numbers.
    OwnAndFree,
    /// All. No other thread uses descriptors.
    Any,
}

/// What has been changed in this process.
#[derive(Default)]
pub(super) struct Changed {
    /// The numbers whose close-on-exec was set, to be cleared again. Filled only if no other thread uses descriptors.
    marked: Vec<RawFd>,
    /// The numbers of the map whose close-on-exec the steps clear.
    cleared: Vec<RawFd>,
    /// What each target was, and whether it had close-on-exec set; `None` if it was closed.
    replaced: Vec<(RawFd, Option<(OwnedFd, bool)>)>,
    /// Targets that were free. This process holds each by a descriptor of the library's own.
    claimed: Vec<OwnedFd>,
    directory: Option<OwnedFd>,
    /// The dispositions of signals, in the order of the changes.
    actions: Vec<SavedAction>,
    mask: Option<sys::SignalSet>,
    /// The soft and the hard limit of descriptors, if a step sets others.
    limit: Option<[Option<u64>; 2]>,
    umask: Option<u32>,
    foreground: Option<Foreground>,
}

impl Changed {
    /// Sets close-on-exec of the rest, and claims or saves what the steps will replace.
    pub(super) fn make(
        &mut self,
        command: &Command<'_>,
        prepared: &Prepared<'_>,
        targets: Targets,
    ) -> Result<(), Problem> {
        // The lock keeps this away from the moment in which another thread's new descriptor has the number of a closed
        // standard stream.
        let _guard = lock_stdio_numbers();
        let plan = &prepared.buffers.plan;
        for step in &prepared.buffers.steps {
            match *step {
                Step::ClearCloexec { fd } if is_close_on_exec(fd)? == Some(true) => self.cleared.push(fd),
                Step::Dup2 { source, target, close_on_exec: false } => {
                    self.take_target(source, target, plan, targets)?
                }
                Step::ChangeDirectory { .. } | Step::ChangeDirectoryTo { .. } => self.save_directory(plan)?,
                Step::DefaultSignals { signals } | Step::IgnoreSignals { signals } => {
                    let failed = |errno| Problem::system(Failure::Child(*step), errno);
                    // The disposition of SIGKILL and of SIGSTOP never changes, and the kernel refuses to set it.
                    for number in signals.numbers().filter(|number| ![libc::SIGKILL, libc::SIGSTOP].contains(number)) {
                        self.actions.push(SavedAction::of(number).map_err(failed)?);
                    }
                }
                Step::Limit { resource: Resource::Nofile, .. } => {
                    self.limit = Some([sys::soft_limit(sys::OPEN_FILES), sys::hard_limit()]);
                }
                Step::BlockSignals { .. } => {
                    let mask = sys::signal_mask().map_err(|errno| Problem::system(Failure::SignalMask, errno))?;
                    self.mask = Some(mask);
                }
                // The system tells the old umask only when it sets a new one.
                Step::Umask { mask } => {
                    let failed = |errno| Problem::system(Failure::Child(*step), errno);
                    self.umask = Some(sys::set_umask(mask).map_err(failed)?);
                }
                _ => {}
            }
        }
        self.foreground = Foreground::save(command, &prepared.internal);
        self.mark_rest(command, plan, targets)?;
        self.reset_sigpipe(command)
    }

    /// Makes sure that exec gives SIGPIPE its default disposition, unless the command says otherwise.
    fn reset_sigpipe(&mut self, command: &Command<'_>) -> Result<(), Problem> {
        let Settings { plain, signals_untouched, .. } = &*command.settings;
        if *signals_untouched || plain.ignored_signals.contains(Signal::PIPE) {
            return Ok(());
        }
        let signals = Signals::of(&[Signal::PIPE]);
        let failed = |errno| Problem::system(Failure::Child(Step::DefaultSignals { signals }), errno);
        self.actions.extend(handle_ignored_sigpipe().map_err(failed)?);
        Ok(())
    }

    fn save_directory(&mut self, plan: &Plan) -> Result<(), Problem> {
        let what = "the working directory";
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | PATH_ONLY;
        let here = rustix::fs::openat(CWD, c".", flags, Mode::empty()).map_err(cannot_open(what))?;
        let here = outside_plan(here, plan).map_err(|error| Problem::io(Failure::ParentOpen { what }, &error))?;
        // This call changes nothing. It finds out whether the disposition can be restored later.
        rustix::process::fchdir(&here).map_err(cannot_open(what))?;
        self.directory = Some(here);
        Ok(())
    }

    /// Makes sure that a step may replace a target, and that a failure can be undone.
    fn take_target(&mut self, source: RawFd, target: RawFd, plan: &Plan, targets: Targets) -> Result<(), Problem> {
        let is_own = |each: &crate::plan::Mapping| each.origin == Origin::Moved && each.source == target;
        if target >= ABOVE_STDIO && targets == Targets::OwnAndFree && !plan.mappings.iter().any(is_own) {
            // The kernel gives the lowest free number, so another number says that the target is in use.
            let claimed = sys::duplicate_owned(source, target).map_err(cannot_open("a target"))?;
            if claimed.as_raw_fd() != target {
                return Err(Refusal::TargetInUse { target }.into());
            }
            self.claimed.push(claimed);
            return Ok(());
        }
        let mut before = is_close_on_exec(target)?;
        if before.is_none() && targets == Targets::OwnAndFree {
            // The standard stream is closed. Claim its number: else another thread's next descriptor would get it, and the
            // step would replace that descriptor.
            let claimed = sys::duplicate_owned(source, target).map_err(cannot_open("a target"))?;
            if claimed.as_raw_fd() == target {
                self.claimed.push(claimed);
                return Ok(());
            }
            before = is_close_on_exec(target)?;
        }
        let saved = match before {
            Some(close_on_exec) => Some((save(target, plan)?, close_on_exec)),
            None => None,
        };
        self.replaced.push((target, saved));
        Ok(())
    }

    /// Sets close-on-exec of the open descriptors that the program must not have.
    fn mark_rest(&mut self, command: &Command<'_>, plan: &Plan, targets: Targets) -> Result<(), Problem> {
        let stays = |number: RawFd| plan.mappings.iter().any(|each| each.target == number);
        let candidates = match plan.rest {
            Rest::Close => by_number::open_numbers(command.fd_map.missing)
                .map_err(|errno| Problem::system(Failure::Child(Step::CloseFrom { first: 0 }), errno))?,
            Rest::Inherit => plan.mappings.iter().map(|each| each.source).chain(plan.closed.iter().copied()).collect(),
        };
        for number in candidates.into_iter().filter(|&number| !stays(number)) {
            match sys::set_close_on_exec(number) {
                Ok(true) if targets == Targets::Any => self.marked.push(number),
                // Another thread has closed the descriptor.
                Ok(_) | Err(Errno::BADF) => {}
                Err(errno) => return Err(cannot_open("a descriptor to mark it close-on-exec")(errno)),
            }
        }
        Ok(())
    }

    /// Restores everything. After an error, the function goes on with the other changes. It returns the first error,
    /// and the name of what it could not restore.
    pub(super) fn restore(mut self) -> Result<(), (String, Errno)> {
        let mut first = Ok(());
        let mut note = |what: &dyn Fn() -> String, result: Result<(), Errno>| {
            if let (Ok(()), Err(errno)) = (&first, result) {
                first = Err((what(), errno));
            }
        };
        if let Some(foreground) = &self.foreground {
            note(&|| "the foreground group of the terminal".to_owned(), again(|| foreground.restore()));
        }
        // A target may be above a lowered limit. Without a privilege, the hard limit stays as it is now.
        if let Some([soft, hard]) = self.limit {
            let _ = sys::set_limit(sys::OPEN_FILES, soft, hard).or_else(|_| {
                let now = sys::hard_limit();
                let bound = |limit: Option<u64>| limit.unwrap_or(u64::MAX).min(now.unwrap_or(u64::MAX));
                sys::set_limit(sys::OPEN_FILES, Some(bound(soft)), now)
            });
        }
        for (target, saved) in self.replaced.drain(..) {
            let what = || format!("descriptor {target}");
            match saved {
                Some((fd, close_on_exec)) => {
                    note(&what, again(|| sys::duplicate(fd.as_raw_fd(), target, close_on_exec)));
                }
                None => note(
                    &what,
                    sys::close(target).or_else(|errno| if errno == Errno::BADF { Ok(()) } else { Err(errno) }),
                ),
            }
        }
        for (numbers, set) in [(&self.cleared, true), (&self.marked, false)] {
            for &number in numbers {
                let what = || format!("close-on-exec of descriptor {number}");
                note(&what, again(|| set_close_on_exec(number, set)));
            }
        }
        if let Some(directory) = &self.directory {
            note(&|| "the working directory".to_owned(), again(|| rustix::process::fchdir(directory)));
        }
        for action in self.actions.iter().rev() {
            note(&|| format!("the disposition of {}", action.signal()), again(|| action.restore()));
        }
        if let Some(mask) = &self.mask {
            note(&|| "the signal mask".to_owned(), again(|| sys::set_signal_mask(mask).map(drop)));
        }
        if let Some(umask) = self.umask {
            note(&|| "the umask".to_owned(), again(|| sys::set_umask(umask).map(drop)));
        }
        first
    }
}

/// Makes a call up to three times. The same kind of call has worked before the steps, so a refusal should not last.
fn again(call: impl Fn() -> Result<(), Errno>) -> Result<(), Errno> {
    call().or_else(|_| call()).or_else(|_| call())
}

fn cannot_open(what: &'static str) -> impl Fn(Errno) -> Problem {
    move |errno| Problem::system(Failure::ParentOpen { what }, errno)
}

fn is_close_on_exec(fd: RawFd) -> Result<Option<bool>, Problem> {
    close_on_exec(fd).map_err(|errno| Problem::system(Failure::CheckFd { fd }, errno))
}

/// A duplicate of `number`, with a number that the plan does not decide about.
fn save(number: RawFd, plan: &Plan) -> Result<OwnedFd, Problem> {
    let what = "a copy of what a target replaces";
    let duplicate = sys::duplicate_owned(number, ABOVE_STDIO).map_err(cannot_open(what))?;
    outside_plan(duplicate, plan).map_err(|error| Problem::io(Failure::ParentOpen { what }, &error))
}

/// The same descriptor with a number that the plan does not decide about.
fn outside_plan(fd: OwnedFd, plan: &Plan) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() >= ABOVE_STDIO && !plan.decides(fd.as_raw_fd()) {
        return Ok(fd);
    }
    dup_outside_plan(fd, ABOVE_STDIO, |number| plan.decides(number))
}
