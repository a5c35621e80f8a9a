//! Makes the attributes of the plan from a command's settings. `compile` makes the child's steps from them.

#[cfg(any(target_os = "linux", target_os = "android"))]
use super::ids::cannot_tell_ids;
use super::ids::changes_ids;
use super::lent::{Lent, mapped, program};
use super::strings::PreparedStrings;
#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::command::ChildCgroup;
use crate::command::{Command, Settings};
use crate::error::Problem;
#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::fd::standard::lock_stdio_numbers;
use crate::launch::{Mode, Needs};
#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::plan::Start;
use crate::plan::{
    Attributes, Basics, LastStep, OnDrop, Plan, ProgramMask, Reach, Refusal, WorkingDirectory, check_attributes,
};
#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::sys;
#[cfg(any(target_os = "linux", target_os = "android"))]
use rustix::process::Signal;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::os::fd::AsFd;
use std::os::fd::{AsRawFd, RawFd};

/// What a command needs of its launcher.
pub(super) fn needs(command: &Command<'_>) -> Result<Needs, Problem> {
    let (hooks, function) = (!command.hooks.is_empty(), command.function.is_some());
    let plain = Needs { hooks, function, rest: command.fd_map.rest, ..Needs::default() };
    match command.settings.get() {
        Some(settings) => needs_of_attributes(command, settings, plain),
        None => Ok(plain),
    }
}

/// Adds what the attributes of a command need of its launcher.
#[inline(never)]
fn needs_of_attributes(command: &Command<'_>, settings: &Settings<'_>, plain: Needs) -> Result<Needs, Problem> {
    Ok(Needs {
        other_ids: changes_ids(command)?,
        oom_group: is_in_oom_group(settings)?,
        cgroup: has_cgroup(settings),
        ..plain
    })
}

/// [`needs`], without a look at files: a cgroup is taken for one that the kernel does not kill as a whole.
pub(super) fn needs_without_files(command: &Command<'_>) -> Result<Needs, Problem> {
    let (hooks, function) = (!command.hooks.is_empty(), command.function.is_some());
    let plain = Needs { hooks, function, rest: command.fd_map.rest, ..Needs::default() };
    match command.settings.get() {
        Some(settings) => Ok(Needs { other_ids: changes_ids(command)?, cgroup: has_cgroup(settings), ..plain }),
        None => Ok(plain),
    }
}

/// Refuses attributes that no child could have. The spawn calls this before it opens a descriptor.
pub(super) fn check(command: &Command<'_>, mode: Mode) -> Result<(), Problem> {
    match command.settings.get() {
        Some(settings) => check_settings(settings, mode),
        None => Ok(()),
    }
}

#[inline(never)]
fn check_settings(settings: &Settings<'_>, mode: Mode) -> Result<(), Problem> {
    let attributes = Attributes {
        controlling_terminal: settings.controlling_terminal.map(|fd| fd.as_raw_fd()),
        // The terminal is not open yet. The check only needs to know that there will be one, so any number will do.
        foreground: settings.foreground.then_some(-1),
        limits: &settings.limits,
        ..settings.plain
    };
    check_on_drop(settings, &settings.on_drop)?;
    Ok(check_attributes(&attributes, mode.start())?)
}

/// Calls `compile` with everything that a command's child does, other than the steps for its descriptors. The attributes are `None` if
/// the command sets none. `plan` has the numbers of the caller's table.
///
/// The function returns no attributes, since a result with room for them would be copied in each spawn, even if there are none.
pub(super) fn compile_wanted(
    command: &Command<'_>,
    mode: Mode,
    plan: &Plan,
    strings: &PreparedStrings,
    lent: &Lent<RawFd>,
    compile: impl FnOnce(&Basics, Option<&Attributes<'_>>) -> Result<(), Refusal>,
) -> Result<(), Problem> {
    let basics = basics(command, mode, plan, strings, lent);
    match command.settings.get() {
        Some(settings) => Ok(compile(&basics, Some(&attributes(settings, mode, strings, lent)?))?),
        None => Ok(compile(&basics, None)?),
    }
}

/// Refuses a drop that would have no way to the processes that it should end.
pub(super) fn check_on_drop(settings: &Settings<'_>, on_drop: &OnDrop) -> Result<(), Refusal> {
    let OnDrop::End(how) = on_drop else { return Ok(()) };
    match how.reach {
        Reach::Group if !leads_group(settings) && settings.group.is_none() => Err(Refusal::DropReachesNoGroup),
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Reach::Session if !settings.plain.setsid => Err(Refusal::DropReachesNoSession),
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Reach::Cgroup if settings.linux.cgroup.as_ref().and_then(ChildCgroup::own).is_none() => {
            Err(Refusal::DropReachesNoCgroup)
        }
        _ => Ok(()),
    }
}

/// Whether the child becomes the leader of a process group.
pub(super) fn leads_group(settings: &Settings<'_>) -> bool {
    settings.plain.setsid || settings.plain.process_group == Some(0)
}

/// What a command's child does in any case.
fn basics(command: &Command<'_>, mode: Mode, plan: &Plan, strings: &PreparedStrings, lent: &Lent<RawFd>) -> Basics {
    let is_child = mode != Mode::IN_PLACE;
    let is_function = command.function.is_some();
    let settings = command.settings.get();
    let mask = settings.and_then(|settings| settings.signal_mask);
    Basics {
        // A function has the signals of this process, as its code has.
        default_handlers: mode.resets_handlers() && !is_function,
        default_sigpipe: is_child && !is_function && !settings.is_some_and(|settings| settings.signals_untouched),
        directory: match (lent.directory, strings.directory) {
            (Some(fd), _) => WorkingDirectory::Fd(fd),
            (None, Some(path)) => WorkingDirectory::Path(path),
            (None, None) => WorkingDirectory::Inherit,
        },
        signal_mask: match mask {
            Some(blocked) => ProgramMask::Blocked(blocked),
            None if is_child => ProgramMask::Callers,
            None => ProgramMask::Unchanged,
        },
        last: match (lent.program, program(command)) {
            _ if is_function => LastStep::Run,
            (Some(fd), _) => LastStep::ExecFd(fd),
            (None, Some(fd)) => LastStep::ExecFd(mapped(plan, fd.as_raw_fd()).unwrap_or(-1)),
            (None, None) => LastStep::Exec,
        },
    }
}

/// The attributes that a command sets.
#[inline(never)]
fn attributes<'a>(
    settings: &'a Settings<'_>,
    mode: Mode,
    strings: &PreparedStrings,
    lent: &Lent<RawFd>,
) -> Result<Attributes<'a>, Problem> {
    let terminal = lent.terminal;
    Ok(Attributes {
        cgroup: lent.cgroup,
        controlling_terminal: terminal.filter(|_| settings.controlling_terminal.is_some()),
        // If there is no terminal, `check` has refused the command, so no step has the number -1.
        foreground: settings.foreground.then(|| terminal.unwrap_or(-1)),
        affinity: strings.affinity,
        limits: &settings.limits,
        groups: strings.groups,
        chroot: strings.root,
        parent_death: parent_death(settings, mode)?,
        ..settings.plain
    })
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn has_cgroup(settings: &Settings<'_>) -> bool {
    settings.linux.cgroup.is_some()
}

/// Whether the kernel may kill the command's cgroup as a whole. Refuses a descriptor that is no cgroup, and a frozen
/// cgroup.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_in_oom_group(settings: &Settings<'_>) -> Result<bool, Problem> {
    let Some(cgroup) = &settings.linux.cgroup else { return Ok(false) };
    // If a standard stream is closed, the files get its number for a moment.
    let _guard = lock_stdio_numbers();
    super::cgroup::check(cgroup.as_fd()).map(|found| found.oom_group)
}

/// The parent-death signal, and the process at whose end the kernel sends it: this process, or its parent if this process
/// executes the program itself.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn parent_death(settings: &Settings<'_>, mode: Mode) -> Result<Option<(Signal, u32)>, Problem> {
    let Some(signal) = settings.linux.parent_death_signal else { return Ok(None) };
    let parent = match mode.start() {
        Start::InPlace => sys::parent().map_err(cannot_tell_ids)?,
        Start::Copied | Start::Shared => sys::own_pid(),
    };
    Ok(Some((signal, parent)))
}

/// Other systems have no cgroups.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn is_in_oom_group(_: &Settings<'_>) -> Result<bool, Problem> {
    Ok(false)
}

/// Other systems have no cgroups.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn has_cgroup(_: &Settings<'_>) -> bool {
    false
}

/// Other systems have no such signal.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn parent_death(_: &Settings<'_>, _: Mode) -> Result<Option<(rustix::process::Signal, u32)>, Problem> {
    Ok(None)
}
