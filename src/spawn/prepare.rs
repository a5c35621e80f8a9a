//! The parent's side before the launch: opens what the plan needs and builds what the child reads. The last place that
//! may allocate, lock or log.

use super::descriptors::{Opening, descriptor_plan};
use super::{programs, sources};
use crate::command::{Addresses, Command, Directory, Plan, Prepared as Environment, Strings};
use crate::error::{Failure, Text};
use crate::explain::{Origin, Row};
use crate::plan::{DescriptorPlan, Refusal, Rest, Start, Step};
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
}

impl Demands {
    /// For `fork_run`.
    pub(super) const RUN: Self =
        Self { start: Start::Copied, report_pipe: true, reset_handlers: false, pidfd: true, in_place: false };

    /// For `Command::exec`.
    pub(super) const IN_PLACE: Self =
        Self { start: Start::Copied, report_pipe: false, reset_handlers: false, pidfd: false, in_place: true };
}

/// Everything that the launch needs. What it opened is closed when it is dropped.
pub(super) struct Prepared {
    pub(super) steps: Vec<Step>,
    pub(super) text: ChildText,
    pub(super) handles: Handles,
    pub(super) report: Option<ReportPipe>,
    pub(super) plan: DescriptorPlan,
    /// Whether 0, 1 or 2 is closed in the parent, so that a new descriptor would land there. Known where a pidfd is
    /// wanted.
    pub(super) standard_closed: bool,
    pub(super) rows: Vec<Row>,
    /// The child's ends, and what else only the child needs.
    _opened: Vec<OwnedFd>,
}

/// The pipe on which a forked child reports.
pub(super) struct ReportPipe {
    pub(super) reader: OwnedFd,
    pub(super) writer: OwnedFd,
}

impl ReportPipe {
    /// A pipe whose write end no target hits, and no hook either, where there is room.
    fn open(plan: &DescriptorPlan, hooks: bool) -> io::Result<Self> {
        let decided = |number| plan.decides(number);
        let (reader, writer) = sources::pipe()?;
        let writer = if hooks {
            sources::apart(&writer, ABOVE_HOOKS, decided)
                .or_else(|_| sources::apart(&writer, ABOVE_STANDARD, decided))?
        } else if decided(writer.as_raw_fd()) {
            sources::apart(writer, ABOVE_STANDARD, decided)?
        } else {
            writer
        };
        Ok(Self { reader, writer })
    }
}

/// The strings of the child, and the arrays of their addresses.
#[derive(Default)]
pub(super) struct ChildText {
    pub(super) programs: Vec<*const c_char>,
    pub(super) searched: bool,
    pub(super) argv: Addresses,
    /// `None` where no program is to be executed.
    environment: Option<Environment>,
    /// What the programs point to, other than the command's own strings.
    _paths: Strings,
}

impl ChildText {
    pub(super) fn envp(&self) -> *const *const c_char {
        self.environment.as_ref().map_or(std::ptr::null(), |environment| environment.addresses().as_ptr())
    }
}

/// Prepares a spawn of `command`. The result points into the command's strings, which must not change before the
/// launch is over.
pub(super) fn prepare(command: &Command<'_>, defaults: &Defaults, demands: Demands) -> Result<Prepared, Problem> {
    let text = child_text(command)?;
    let end = Finish::Exec { directory: &command.directory, hooks: !command.hooks.is_empty() };
    let mut prepared = arrange(&command.plan, defaults, demands, end)?;
    prepared.text = text;
    Ok(prepared)
}

/// What the child does once its descriptors are in place.
#[derive(Clone, Copy)]
pub(super) enum Finish<'a, 'fd> {
    /// Becomes a program, in a directory, after its hooks.
    Exec { directory: &'a Directory<'fd>, hooks: bool },
    /// Runs a function of this process.
    Run,
}

/// Prepares a child's descriptors and steps, without what a program needs.
pub(super) fn arrange(
    wanted: &Plan<'_>,
    defaults: &Defaults,
    demands: Demands,
    finish: Finish<'_, '_>,
) -> Result<Prepared, Problem> {
    let (directory, hooks) = match finish {
        Finish::Exec { directory, hooks } => (directory, hooks),
        Finish::Run => (&Directory::Inherit, false),
    };
    let _guard = sources::opening();
    let mut opening = Opening::default();
    let mut plan = descriptor_plan(wanted, defaults, demands, &mut opening)?;

    let mut directory_number = None;
    if let Directory::Descriptor(fd) = directory {
        let duplicate = sources::apart(fd, ABOVE_STANDARD, |number| plan.decides(number))
            .map_err(|error| Problem::io(Failure::WorkingDirectory(None), &error))?;
        opening.transient(&mut plan, &duplicate, Origin::WorkingDirectory);
        directory_number = Some(duplicate.as_raw_fd());
        opening.opened.push(duplicate);
    }
    let report = if demands.report_pipe {
        let pipe = ReportPipe::open(&plan, hooks)
            .map_err(|error| Problem::io(Failure::Parent { what: "a pipe for the report of errors" }, &error))?;
        opening.transient(&mut plan, &pipe.writer, Origin::Report);
        Some(pipe)
    } else {
        None
    };
    if (demands.in_place || plan.rest == Rest::Inherit) && plan.takes_scratch() {
        let what = "a scratch number for a cycle";
        let scratch = sources::null(0)
            .and_then(|fd| {
                sources::apart(fd, ABOVE_STANDARD, |number| plan.decides(number))
                    .map_err(|error| Problem::io(Failure::Parent { what }, &error))
            })
            .map_err(|problem| Problem { failure: Failure::Parent { what }, ..problem })?;
        plan.scratch = Some(scratch.as_raw_fd());
        opening.rows.push(Row { target: None, source: Some(scratch.as_raw_fd()), origin: Origin::Scratch });
        opening.opened.push(scratch);
    }
    if matches!(finish, Finish::Run) {
        // No exec closes these; where the rest is closed they go with it.
        plan.holes.extend(plan.scratch);
        plan.holes.extend(report.as_ref().map(|pipe| pipe.reader.as_raw_fd()));
        plan.holes.extend(opening.handles.numbers());
    }

    let mut steps = Vec::with_capacity(plan.connections.len() + 12);
    if demands.in_place {
        DescriptorPlan { rest: Rest::Inherit, ..plan.clone() }.compile_into(&mut steps)?;
        steps.retain(|step| !matches!(step, Step::Close { .. }));
    } else {
        plan.compile_into(&mut steps)?;
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

    let Opening { opened, handles, rows, standard_closed, .. } = opening;
    Ok(Prepared { steps, text: ChildText::default(), handles, report, plan, standard_closed, rows, _opened: opened })
}

/// The path of the working directory, for errors.
pub(super) fn directory_path(command: &Command<'_>) -> Option<PathBuf> {
    command.get_current_dir().map(PathBuf::from)
}

fn child_text(command: &Command<'_>) -> Result<ChildText, Problem> {
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
    let environment = command.environment.build()?;
    let (paths, searched) = programs::candidates(command.get_program(), || environment.get("PATH".as_ref()));
    let arg0 = command.arg0.as_ref().unwrap_or(&command.program);
    let argv = Addresses::of(arg0.pointers().chain(command.args.pointers()), command.args.len() + 1);
    let programs = paths.pointers().collect();
    Ok(ChildText { programs, searched, argv, environment: Some(environment), _paths: paths })
}
