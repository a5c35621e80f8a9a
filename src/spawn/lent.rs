//! `Lent`: descriptors that steps of the child need and that the program does not get.

use super::new_fds::NewNumbers;
#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::command::ChildCgroup;
use crate::command::{Command, Directory, Settings};
use crate::error::{Failure, Problem};
#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::launch::Method;
use crate::launch::Mode;
use crate::plan::{Plan, Role, Step};
use crate::sys;
use rustix::fs::{CWD, Mode as FileMode, OFlags, openat};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// One value for each descriptor that the child may need: at first the descriptor, then what the stages of a launch make of it.
#[derive(Debug)]
pub(super) struct Lent<T> {
    pub(super) directory: Option<T>,
    pub(super) program: Option<T>,
    pub(super) terminal: Option<T>,
    pub(super) cgroup: Option<T>,
}

/// Who owns a descriptor.
#[derive(Debug)]
pub(super) enum LentFd<'a> {
    Callers(BorrowedFd<'a>),
    /// The library has opened it.
    Own(OwnedFd),
    #[cfg(any(target_os = "linux", target_os = "android"))]
    Cgroup(ChildCgroup<'a>),
}

impl AsFd for LentFd<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Callers(fd) => *fd,
            Self::Own(fd) => fd.as_fd(),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Cgroup(cgroup) => cgroup.as_fd(),
        }
    }
}

impl<T> Default for Lent<T> {
    fn default() -> Self {
        Self { directory: None, program: None, terminal: None, cgroup: None }
    }
}

impl<T> Lent<T> {
    /// Whether the child needs no descriptor.
    pub(super) fn is_empty(&self) -> bool {
        let Self { directory, program, terminal, cgroup } = self;
        directory.is_none() && program.is_none() && terminal.is_none() && cgroup.is_none()
    }

    /// Makes another value of each one.
    pub(super) fn try_map<U, E>(self, mut each: impl FnMut(Role, T) -> Result<U, E>) -> Result<Lent<U>, E> {
        let mut map = |role, value: Option<T>| value.map(|value| each(role, value)).transpose();
        Ok(Lent {
            directory: map(Role::WorkingDirectory, self.directory)?,
            program: map(Role::Program, self.program)?,
            terminal: map(Role::Terminal, self.terminal)?,
            cgroup: map(Role::Cgroup, self.cgroup)?,
        })
    }
}

impl Lent<OwnedFd> {
    /// The numbers.
    pub(super) fn numbers(&self) -> Lent<RawFd> {
        let number = |fd: &Option<OwnedFd>| fd.as_ref().map(AsRawFd::as_raw_fd);
        let Self { directory, program, terminal, cgroup } = self;
        Lent {
            directory: number(directory),
            program: number(program),
            terminal: number(terminal),
            cgroup: number(cgroup),
        }
    }
}

/// The methods that an isolated launch also needs.
#[cfg(any(target_os = "linux", target_os = "android"))]
impl<T> Lent<T> {
    /// Makes another value of each one.
    pub(super) fn map<U>(self, mut each: impl FnMut(T) -> U) -> Lent<U> {
        let Ok(mapped) = self.try_map(|_, value| Ok::<_, std::convert::Infallible>(each(value)));
        mapped
    }

    pub(super) fn as_ref(&self) -> Lent<&T> {
        let Self { directory, program, terminal, cgroup } = self;
        Lent {
            directory: directory.as_ref(),
            program: program.as_ref(),
            terminal: terminal.as_ref(),
            cgroup: cgroup.as_ref(),
        }
    }
}

/// The descriptors that the steps of this command's child need. The plan has its mappings already, so what this opens does not pass for
/// a descriptor of the caller.
pub(super) fn lent<'a>(command: &Command<'a>, mode: Mode, plan: &Plan) -> Result<Lent<LentFd<'a>>, Problem> {
    let directory = match &command.directory {
        Directory::Fd(fd) => Some(LentFd::Callers(*fd)),
        Directory::Inherit | Directory::Path(_) => None,
    };
    match command.settings.get() {
        Some(settings) => lent_to_attributes(command, settings, mode, plan, directory),
        None => Ok(Lent { directory, ..Lent::default() }),
    }
}

/// Adds the descriptors that the attributes of a command need.
#[inline(never)]
fn lent_to_attributes<'a>(
    command: &Command<'a>,
    settings: &Settings<'a>,
    mode: Mode,
    plan: &Plan,
    directory: Option<LentFd<'a>>,
) -> Result<Lent<LentFd<'a>>, Problem> {
    Ok(Lent {
        directory,
        program: program(command).filter(|fd| mapped(plan, fd.as_raw_fd()).is_none()).map(LentFd::Callers),
        terminal: terminal(settings)?,
        cgroup: cgroup(settings, mode)?,
    })
}

/// The target that has this source, so that the program has the descriptor, too.
pub(super) fn mapped(plan: &Plan, source: RawFd) -> Option<RawFd> {
    plan.mappings.iter().find(|each| each.source == source).map(|each| each.target)
}

/// The terminal of the command, or this process's if the child becomes the foreground of that.
fn terminal<'a>(settings: &Settings<'a>) -> Result<Option<LentFd<'a>>, Problem> {
    if let Some(fd) = settings.controlling_terminal {
        return Ok(Some(LentFd::Callers(fd)));
    }
    // A new session has no terminal, and `attributes::check` has refused a command that makes it the foreground of a
    // terminal.
    if !settings.foreground || settings.plain.setsid {
        return Ok(None);
    }
    let cannot_open = Failure::ParentOpen { what: "the controlling terminal, /dev/tty" };
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let terminal = match openat(CWD, c"/dev/tty", flags, FileMode::empty()) {
        Ok(fd) => fd,
        Err(errno) => return Err(Problem::system(cannot_open, errno)),
    };
    let terminal = NewNumbers::default().dup_above_stdio(terminal).map_err(|error| Problem::io(cannot_open, &error))?;
    Ok(Some(LentFd::Own(terminal)))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn program<'a>(command: &Command<'a>) -> Option<BorrowedFd<'a>> {
    if command.function.is_some() {
        return None;
    }
    command.settings.get()?.linux.program
}

/// Other systems execute no descriptor.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn program<'a>(_: &Command<'a>) -> Option<BorrowedFd<'a>> {
    None
}

/// The file of a program given as a descriptor, if there are hooks: the child compares it after them.
pub(super) fn program_file(command: &Command<'_>) -> Result<Option<sys::FileIdentity>, Problem> {
    let Some(program) = program(command).filter(|_| !command.hooks.is_empty()) else { return Ok(None) };
    let fd = program.as_raw_fd();
    sys::file_identity(fd).map(Some).map_err(|errno| Problem::system(Failure::CheckFd { fd }, errno))
}

/// The number of the cgroup's directory, if the kernel makes the child in it.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn cgroup_of(command: &Command<'_>, mode: Mode) -> Option<RawFd> {
    let directory = command.settings.linux.cgroup.as_ref().map(|cgroup| cgroup.as_fd().as_raw_fd());
    directory.filter(|_| matches!(mode.method, Method::Clone { into_cgroup: true, .. }))
}

/// Other systems have no cgroups.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn cgroup_of(_: &Command<'_>, _: Mode) -> Option<RawFd> {
    None
}

/// The failure of a step that has a descriptor of the library, with the number of the caller's descriptor in its place.
pub(super) fn with_callers_number(command: &Command<'_>, mut problem: Problem) -> Problem {
    if let Failure::Child(step) = &mut problem.failure {
        let terminal = command.settings.controlling_terminal;
        let callers = match step {
            Step::ControllingTerminal { fd } | Step::Foreground { fd } => terminal.map(|callers| (fd, callers)),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Step::JoinCgroup { fd } => command.settings.linux.cgroup.as_ref().map(|callers| (fd, callers.as_fd())),
            _ => None,
        };
        if let Some((fd, callers)) = callers {
            *fd = callers.as_raw_fd();
        }
    }
    problem
}

/// The directory of the cgroup, if the kernel makes the child in it, or else its `cgroup.procs`.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn cgroup<'a>(settings: &Settings<'a>, mode: Mode) -> Result<Option<LentFd<'a>>, Problem> {
    let Some(cgroup) = &settings.linux.cgroup else { return Ok(None) };
    // Before a spawn, `attributes::needs` has checked the cgroup.
    if mode == Mode::IN_PLACE {
        super::cgroup::check(cgroup.as_fd())?;
    }
    if matches!(mode.method, Method::Clone { into_cgroup: true, .. }) {
        return Ok(Some(LentFd::Cgroup(cgroup.clone())));
    }
    super::cgroup::open_procs(cgroup.as_fd()).map(|fd| Some(LentFd::Own(fd)))
}

/// Other systems have no cgroups.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn cgroup<'a>(_: &Settings<'a>, _: Mode) -> Result<Option<LentFd<'a>>, Problem> {
    Ok(None)
}
