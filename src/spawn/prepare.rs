//! The parent's side before the launch: opens what the plan needs and builds what the child reads. The last place that
//! may allocate, lock or log.

use super::buffers::{Buffers, Lent};
use super::descriptors::{Opening, descriptor_plan};
use super::sources::Landed;
use super::{programs, sources};
use crate::command::{Command, Directory, Environment, FdMap, Strings};
use crate::error::{Failure, Text};
use crate::explain::{Origin, Row};
use crate::plan::{Plan, Refusal, Rest, Start, Step};
use crate::process::Handles;
use crate::stdio::Stdio;
use rustix::io::Errno;
use std::ffi::c_char;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::PathBuf;

/// A failure without its program.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) failure: Failure,
    pub(super) errno: Option<Errno>,
}

impl Problem {
    pub(super) fn system(failure: Failure, errno: Errno) -> Self {
        Self { failure, errno: Some(errno) }
    }

    pub(super) fn io(failure: Failure, error: &io::Error) -> Self {
        Self { failure, errno: Errno::from_io_error(error) }
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self { failure, errno: None }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Failure::Refused(refusal).into()
    }
}

/// The first number that is no standard stream's.
pub(super) const ABOVE_STANDARD: RawFd = 3;

/// Where the library's own descriptor is out of the way of hooks, which renumber as they like.
const ABOVE_HOOKS: RawFd = 512;

/// What a descriptor of 0, 1 and 2 is where the command does not say.
#[derive(Debug)]
pub(super) struct Defaults(pub(super) [Stdio<'static>; 3]);

impl Defaults {
    pub(super) const INHERIT: &Self = &Self([Stdio::inherit(), Stdio::inherit(), Stdio::inherit()]);
    pub(super) const OUTPUT: &Self = &Self([Stdio::null(), Stdio::piped(), Stdio::piped()]);
}

/// What the way of launching asks of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Demands {
    pub(super) start: Start,
    /// Whether the child needs the write end of a pipe for its report.
    pub(super) report_pipe: bool,
    /// Whether the child has to reset handled signals itself.
    pub(super) reset_handlers: bool,
    /// Whether a pidfd is wanted.
    pub(super) pidfd: bool,
    /// Whether the steps run in this process: then they close nothing and leave signals alone.
    pub(super) in_place: bool,
    /// Whether somebody is to be told of the table.
    pub(super) told: bool,
}

impl Demands {
    /// For `fork_run`.
    pub(super) const RUN: Self = Self {
        start: Start::Copied,
        report_pipe: true,
        reset_handlers: false,
        pidfd: true,
        in_place: false,
        told: false,
    };

    /// For `Command::exec`.
    pub(super) const IN_PLACE: Self = Self {
        start: Start::Copied,
        report_pipe: false,
        reset_handlers: false,
        pidfd: false,
        in_place: true,
        told: false,
    };
}

/// Everything that the launch needs. What it opened for the child is closed when it is dropped.
pub(super) struct Prepared {
    /// Steps, strings and numbers.
    pub(super) buffers: Lent,
    pub(super) handles: Handles,
    pub(super) report: Option<ReportPipe>,
    /// Whether 0, 1 or 2 is closed in the parent, so that a new descriptor would land there. Known where a pidfd is
    /// wanted.
    pub(super) standard_closed: bool,
    /// Whether the paths of the program come from a search.
    searched: bool,
    /// The environment, where it is not this launch's own.
    shared_environment: Option<Environment>,
    /// The working directory and the scratch number, where they take one.
    internal_fds: [Option<OwnedFd>; 2],
}

impl Prepared {
    /// The array of the environment.
    pub(super) fn envp(&self) -> *const *const c_char {
        let own = &self.buffers.environment;
        self.shared_environment.as_ref().map_or(own, Environment::block).addresses().as_ptr()
    }

    /// Whether the paths of the program come from a search.
    pub(super) fn searched(&self) -> bool {
        self.searched
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    /// Closes what [`arrange`] has opened, in the thread that has arranged.
    pub(super) fn close_internal_fds(&mut self) {
        self.report = None;
        self.internal_fds = [None, None];
    }
}

/// The pipe on which a forked child reports.
pub(super) struct ReportPipe {
    pub(super) reader: OwnedFd,
    pub(super) writer: OwnedFd,
}

impl ReportPipe {
    /// A pipe whose write end no target hits, and no hook either, where there is room.
    fn open(plan: &Plan, hooks: bool) -> io::Result<Self> {
        let decided = |number| plan.decides(number);
        let (reader, writer) = sources::pipe(&mut Landed::default())?;
        let writer = if hooks {
            sources::dup_outside_plan(&writer, ABOVE_HOOKS, decided)
                .or_else(|_| sources::dup_outside_plan(&writer, ABOVE_STANDARD, decided))?
        } else if decided(writer.as_raw_fd()) {
            sources::dup_outside_plan(writer, ABOVE_STANDARD, decided)?
        } else {
            writer
        };
        Ok(Self { reader, writer })
    }
}

/// Prepares a spawn of `command`. The result points into the command's strings, which must not change before the
/// launch is over.
pub(super) fn prepare(command: &Command<'_>, defaults: &Defaults, demands: Demands) -> Result<Prepared, Problem> {
    let mut buffers = Lent::take();
    let text = child_text(command, &mut buffers)?;
    let _guard = sources::lock_stdio_numbers();
    let mut prepared = gather(buffers, &command.fd_map, defaults, demands)?;
    prepared.take_text(text);
    arrange(&mut prepared, demands, Finish::Exec { directory: &command.directory, hooks: !command.hooks.is_empty() })?;
    Ok(prepared)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
/// Prepares as much of a spawn as needs the parent's table: what is left is [`arrange`]. The caller holds the lock of
/// [`sources::lock_stdio_numbers`].
pub(super) fn prepare_sources(
    command: &Command<'_>,
    defaults: &Defaults,
    demands: Demands,
) -> Result<Prepared, Problem> {
    let mut buffers = Lent::take();
    let text = child_text(command, &mut buffers)?;
    let mut prepared = gather(buffers, &command.fd_map, defaults, demands)?;
    prepared.take_text(text);
    Ok(prepared)
}

/// Prepares the run of a function in a child.
pub(super) fn prepare_run(plan: &FdMap<'_>, demands: Demands) -> Result<Prepared, Problem> {
    let _guard = sources::lock_stdio_numbers();
    let mut prepared = gather(Lent::take(), plan, Defaults::INHERIT, demands)?;
    arrange(&mut prepared, demands, Finish::Run)?;
    Ok(prepared)
}

/// Looks at what the caller gave, and opens what is missing.
fn gather(mut buffers: Lent, wanted: &FdMap<'_>, defaults: &Defaults, demands: Demands) -> Result<Prepared, Problem> {
    let Buffers { wishes, pending, plan, rows, opened, .. } = &mut *buffers;
    let mut opening = Opening::new(opened, demands.told.then_some(rows));
    descriptor_plan(wanted, defaults, demands, wishes, pending, plan, &mut opening)?;
    let Opening { handles, standard_closed, .. } = opening;
    Ok(Prepared {
        buffers,
        handles,
        report: None,
        standard_closed,
        searched: false,
        shared_environment: None,
        internal_fds: [None, None],
    })
}

/// What the child does once its descriptors are in place.
#[derive(Clone, Copy)]
pub(super) enum Finish<'a, 'fd> {
    /// Becomes a program, in a directory, after its hooks.
    Exec { directory: &'a Directory<'fd>, hooks: bool },
    /// Runs a function of this process.
    Run,
}

/// Opens what only the child needs until exec, and compiles the steps, for the table of the calling thread: what it opens
/// is closed by [`Prepared::close_internal_fds`] in that thread, or when all is dropped there.
pub(super) fn arrange(prepared: &mut Prepared, demands: Demands, finish: Finish<'_, '_>) -> Result<(), Problem> {
    let (directory, hooks) = match finish {
        Finish::Exec { directory, hooks } => (directory, hooks),
        Finish::Run => (&Directory::Inherit, false),
    };
    let Prepared { buffers, handles, report, internal_fds: [directory_fd, scratch_fd], .. } = prepared;
    let Buffers { plan, compiler, steps, rows, .. } = &mut **buffers;
    let mut internal_fds = |plan: &mut Plan, fd: &OwnedFd, origin: Origin| {
        plan.internal_fds.push(fd.as_raw_fd());
        if demands.told {
            rows.push(Row { target: None, source: Some(fd.as_raw_fd()), origin });
        }
    };

    let mut directory_number = None;
    if let Directory::Descriptor(fd) = directory {
        let duplicate = sources::dup_outside_plan(fd, ABOVE_STANDARD, |number| plan.decides(number))
            .map_err(|error| Problem::io(Failure::WorkingDirectory(None), &error))?;
        internal_fds(plan, &duplicate, Origin::WorkingDirectory);
        directory_number = Some(duplicate.as_raw_fd());
        *directory_fd = Some(duplicate);
    }
    if demands.report_pipe {
        let pipe = ReportPipe::open(plan, hooks)
            .map_err(|error| Problem::io(Failure::ParentOpen { what: "a pipe for the report of errors" }, &error))?;
        internal_fds(plan, &pipe.writer, Origin::Report);
        *report = Some(pipe);
    }
    if (demands.in_place || plan.rest == Rest::Inherit) && plan.takes_scratch() {
        let what = "a scratch number for a cycle";
        let scratch = sources::null(0, &mut Landed::default())
            .and_then(|fd| {
                sources::dup_outside_plan(fd, ABOVE_STANDARD, |number| plan.decides(number))
                    .map_err(|error| Problem::io(Failure::ParentOpen { what }, &error))
            })
            .map_err(|problem| Problem { failure: Failure::ParentOpen { what }, ..problem })?;
        plan.scratch = Some(scratch.as_raw_fd());
        if demands.told {
            rows.push(Row { target: None, source: Some(scratch.as_raw_fd()), origin: Origin::Scratch });
        }
        *scratch_fd = Some(scratch);
    }
    if matches!(finish, Finish::Run) {
        // No exec closes these; where the rest is closed they go with it.
        plan.closed.extend(plan.scratch);
        plan.closed.extend(report.as_ref().map(|pipe| pipe.reader.as_raw_fd()));
        plan.closed.extend(handles.numbers());
    }

    if demands.in_place {
        Plan { rest: Rest::Inherit, ..plan.clone() }.compile_into(compiler, steps)?;
        steps.retain(|step| !matches!(step, Step::Close { .. }));
    } else {
        plan.compile_into(compiler, steps)?;
        if demands.reset_handlers {
            steps.push(Step::DefaultHandlers);
        }
        if !matches!(finish, Finish::Run) {
            steps.push(Step::DefaultSigpipe);
        }
    }
    match directory_number {
        Some(fd) => steps.push(Step::ChangeDirectoryTo { fd }),
        None if matches!(directory, Directory::Path(_)) => steps.push(Step::ChangeDirectory),
        None => {}
    }
    if !demands.in_place {
        steps.push(Step::SignalMask);
    }
    if hooks {
        steps.push(Step::Hooks);
    }
    steps.push(if matches!(finish, Finish::Run) { Step::Run } else { Step::Exec });

    Ok(())
}

/// The path of the working directory, for errors.
pub(super) fn directory_path(command: &Command<'_>) -> Option<PathBuf> {
    command.get_current_dir().map(PathBuf::from)
}

impl Prepared {
    fn take_text(&mut self, text: ChildText) {
        self.searched = text.searched;
        self.shared_environment = text.shared_environment;
    }
}

/// What is to be known of the child's strings, which are in the buffers.
struct ChildText {
    searched: bool,
    shared_environment: Option<Environment>,
}

/// Puts the child's strings into the buffers.
fn child_text(command: &Command<'_>, buffers: &mut Buffers) -> Result<ChildText, Problem> {
    let nul = |strings: &Strings, text: fn(usize) -> Text| match strings.nul_inside() {
        Some(index) => Err(Problem::from(Failure::NulByte(text(index)))),
        None => Ok(()),
    };
    nul(&command.program, |_| Text::Program)?;
    nul(&command.args, |index| Text::Argument(index + 1))?;
    if let Some(arg0) = &command.arg0 {
        nul(arg0, Text::Argument)?;
    }
    if let Directory::Path(path) = &command.directory {
        nul(path, |_| Text::WorkingDirectory)?;
    }
    let Buffers { argv, programs, paths, environment, .. } = buffers;
    let shared_environment = command.environment.build(environment)?;
    let block = shared_environment.as_ref().map_or(&*environment, Environment::block);
    let program = command.get_program();
    let searched = programs::is_searched(program);
    if searched {
        programs::candidates(program, block.get("PATH".as_ref()), paths);
        programs.set([paths]);
    } else {
        programs.set([&command.program]);
    }
    let arg0 = command.arg0.as_ref().unwrap_or(&command.program);
    argv.set([arg0, &command.args]);
    Ok(ChildText { searched, shared_environment })
}
