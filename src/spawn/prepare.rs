//! What the parent does before the launch: builds the strings, opens the sources, compiles the steps.

use super::attributes::{check, compile_wanted};
use super::buffers::Buffers;
use super::defaults::Defaults;
use super::internal::Internal;
use super::lent::{Lent, lent, program_file};
use super::new_fds::{ABOVE_STDIO, dup_outside_plan};
use super::open::Opener;
use super::resolve::{is_std_fd_free, resolve};
use super::strings::{self, ChildEnvironment, PreparedStrings};
use crate::child::ParentEnds;
use crate::command::{Command, FdMap};
use crate::error::{Failure, Problem};
use crate::fd::standard::lock_stdio_numbers;
use crate::launch::{Errpipe, HookList, Image, Mode, known_missing};
use crate::plan::{Basics, LastStep, Mapping, Plan, ProgramMask, Start, Step, compile};
use crate::platform::Features;
use crate::sys;
use rustix::process::Resource;
use std::ffi::c_char;
use std::os::fd::{AsRawFd, OwnedFd};

/// Everything that the launch needs. It owns the parent's ends and the library's own descriptors. The buffers own the sources that
/// the parent has opened.
pub(super) struct Prepared<'b> {
    pub(super) buffers: &'b mut Buffers,
    pub(super) ends: ParentEnds,
    pub(super) errpipe: Option<Errpipe>,
    /// Whether 0, 1 or 2 is closed in the parent, so that a new descriptor would get its number. It is false if the child gets no
    /// pidfd: only the number of a pidfd depends on it.
    pub(super) std_fd_was_free: bool,
    pub(super) strings: PreparedStrings,
    pub(super) internal: Internal,
    /// The file of a program given as a descriptor, if there are hooks.
    pub(super) program_file: Option<sys::FileIdentity>,
}

/// Prepares a spawn of `command`. The result has addresses of the command's strings, which must not change until the launch is
/// over.
pub(super) fn prepare<'b>(
    command: &Command<'_>,
    defaults: &Defaults,
    mode: Mode,
    buffers: &'b mut Buffers,
) -> Result<Prepared<'b>, Problem> {
    check(command, mode)?;
    let strings = strings::build(command, buffers)?;
    let _guard = lock_stdio_numbers();
    let Sources { ends, std_fd_was_free } = open_sources(&command.fd_map, defaults, mode, buffers)?;
    buffers.plan.hooks = !command.hooks.is_empty();
    let program_file = program_file(command)?;
    let mut internal = open_internal(command, mode, &strings, &ends, buffers)?;
    let errpipe = internal.errpipe.take();
    Ok(Prepared { buffers, ends, errpipe, std_fd_was_free, strings, internal, program_file })
}

/// Prepares a child that runs a function.
pub(super) fn prepare_function<'b>(
    map: &FdMap<'_>,
    mode: Mode,
    buffers: &'b mut Buffers,
) -> Result<Prepared<'b>, Problem> {
    let _guard = lock_stdio_numbers();
    let Sources { ends, std_fd_was_free } = open_sources(map, &Defaults::INHERIT, mode, buffers)?;
    let mut internal = Internal::open(&mut buffers.plan, mode, Lent::<OwnedFd>::default())?;
    let Buffers { plan, compiler, steps, .. } = &mut *buffers;
    close_own(plan, &internal, &ends);
    let basics = Basics { signal_mask: ProgramMask::Callers, last: LastStep::Run, ..Basics::default() };
    compile(plan, &basics, None, compiler, steps)?;
    let (errpipe, strings) = (internal.errpipe.take(), PreparedStrings::default());
    Ok(Prepared { buffers, ends, errpipe, std_fd_was_free, strings, internal, program_file: None })
}

impl Prepared<'_> {
    /// Call this after the last code that is not the library's own, such as a subscriber of `tracing`, and then make the image.
    pub(super) fn settle_environment(&mut self, command: &Command<'_>) -> Result<(), Problem> {
        self.strings.environment.settle(command, &mut self.buffers.environment)
    }
}

/// Adds closes of what the library has opened in the parent, for a child that runs a function: no exec closes it. With `Rest::Close` the steps
/// close it in any case.
fn close_own(plan: &mut Plan, internal: &Internal, ends: &ParentEnds) {
    plan.closed.extend(plan.scratch);
    plan.closed.extend(internal.errpipe.as_ref().map(|pipe| pipe.reader.as_raw_fd()));
    plan.closed.extend(ends.numbers());
}

/// What the parent has opened for the targets. The buffers have the child's side.
pub(super) struct Sources {
    pub(super) ends: ParentEnds,
    /// See [`Prepared::std_fd_was_free`].
    pub(super) std_fd_was_free: bool,
}

/// Checks the sources that the parent has, and opens the others. The caller holds the lock of 0 to 2.
pub(super) fn open_sources(
    map: &FdMap<'_>,
    defaults: &Defaults,
    mode: Mode,
    buffers: &mut Buffers,
) -> Result<Sources, Problem> {
    let Buffers { plan, opened, .. } = &mut *buffers;
    plan.rest = map.rest;
    plan.start = mode.start();
    resolve(map, defaults, plan)?;
    let mut opener = Opener::new(opened, map);
    opener.open_all(map, defaults, &mut plan.mappings)?;
    let std_fd_was_free = mode.pidfd && opener.std_fd_was_free().unwrap_or_else(|| is_std_fd_free(&plan.mappings));
    let ends = opener.ends;
    if mode == Mode::IN_PLACE {
        move_off_targets(&mut plan.mappings, opened)?;
    }
    Ok(Sources { ends, std_fd_was_free })
}

/// If a descriptor that the library has opened has the number of another target, moves it to a number that is no target. An
/// exec claims the targets that are free, so no descriptor of the library may have such a number.
fn move_off_targets(mappings: &mut [Mapping], opened: &mut [OwnedFd]) -> Result<(), Problem> {
    for fd in opened {
        let number = fd.as_raw_fd();
        if mappings.iter().any(|each| each.target == number && each.source != number) {
            let what = "a source";
            let is_target = |number| mappings.iter().any(|each| each.target == number);
            let moved = dup_outside_plan(&*fd, ABOVE_STDIO, is_target)
                .map_err(|error| Problem::io(Failure::ParentOpen { what }, &error))?;
            for each in mappings.iter_mut().filter(|each| each.source == number) {
                each.source = moved.as_raw_fd();
            }
            *fd = moved;
        }
    }
    Ok(())
}

/// Opens what the library needs in the child, and compiles the steps.
fn open_internal(
    command: &Command<'_>,
    mode: Mode,
    strings: &PreparedStrings,
    ends: &ParentEnds,
    buffers: &mut Buffers,
) -> Result<Internal, Problem> {
    let Buffers { plan, compiler, steps, .. } = buffers;
    let lent = lent(command, mode, plan)?;
    let internal = Internal::open(plan, mode, lent)?;
    if command.function.is_some() {
        close_own(plan, &internal, ends);
    }
    compile_wanted(command, mode, plan, strings, &internal.lent.numbers(), |basics, attributes| {
        compile(plan, basics, attributes, compiler, steps)
    })?;
    Ok(internal)
}

/// The image of a command's child. It has addresses of the buffers and of the command's strings.
#[inline]
pub(super) fn image<'a>(
    command: &'a Command<'_>,
    prepared: &'a Prepared<'_>,
    hooks: Option<HookList>,
    mask: Option<sys::SignalSet>,
) -> Image<'a> {
    let buffers = &*prepared.buffers;
    Image {
        steps: &buffers.steps,
        strings: &buffers.strings,
        numbers: &buffers.numbers,
        programs: buffers.programs.as_slice(),
        searched: prepared.strings.searched,
        argv: buffers.argv.as_ptr(),
        envp: match &prepared.strings.environment {
            ChildEnvironment::Built => buffers.environment.pointers().as_ptr(),
            ChildEnvironment::Shared(environment) => environment.block().pointers().as_ptr(),
            ChildEnvironment::InPlace => own_environment(),
        },
        hooks_change_environment: hooks.is_some() && command.environment.is_inherited(),
        mask,
        hooks,
        hooks_may_end: command.hooks_may_end,
        program_file: prepared.program_file,
        function: None,
        missing: missing_in_child(command.fd_map.missing),
        cgroup: prepared.internal.into_cgroup,
        // Without attributes no step changes the limit.
        hard_limit: command.settings.get().and_then(|_| hard_limit_before(&buffers.steps)),
        in_place: buffers.plan.start == Start::InPlace,
    }
}

/// This process's environment, which has no address if clearenv(3) has emptied it.
fn own_environment() -> *const *const c_char {
    static NONE: [usize; 1] = [0];
    let environment = sys::environment();
    if environment.is_null() { NONE.as_ptr().cast() } else { environment }
}

/// The hard limit of descriptors before the steps, if a step changes it and a later step closes descriptors: open numbers may
/// be above the new limit.
fn hard_limit_before(steps: &[Step]) -> Option<u64> {
    let changes = |step: &Step| matches!(step, Step::Limit { resource: Resource::Nofile, .. });
    let closes = |step: &Step| matches!(step, Step::Close { .. } | Step::CloseFrom { .. } | Step::SetCloexec { .. });
    let after = steps.iter().skip_while(|step| !changes(step));
    after.into_iter().any(closes).then(|| sys::hard_limit().unwrap_or(u64::MAX))
}

/// The features that the child must not use: those that a test takes away, and `close_range` if the kernel does not have it.
pub(super) fn missing_in_child(taken_away: Features) -> Features {
    taken_away | known_missing() & Features::CLOSE_RANGE
}
