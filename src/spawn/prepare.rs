//! The parent's side before the launch: opens what the plan needs and builds what the child reads. The last place that
//! may allocate, lock or log.

use super::{programs, sources};
use crate::command::{Command, Directory, Strings, value_of};
use crate::descriptor::close_on_exec;
use crate::error::{Failure, Text};
use crate::explain::{Origin, Row};
use crate::plan::{Connection, DescriptorPlan, Refusal, Rest, Start, Step, Want, Wish, check};
use crate::process::{End, Handles};
use crate::rungs::Rungs;
use crate::stdio::{SlotKind, Source, Stdio};
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
pub(super) struct Defaults([Stdio<'static>; 3]);

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

/// The strings of the child, and the arrays of pointers to them.
pub(super) struct ChildText {
    pub(super) programs: Vec<*const c_char>,
    pub(super) searched: bool,
    pub(super) argv: Vec<*const c_char>,
    pub(super) envp: Vec<*const c_char>,
    /// What the pointers point to, other than the command's own strings.
    _owners: [Strings; 2],
}

/// Prepares a spawn of `command`. The result points into the command's strings, which must not change before the
/// launch is over.
pub(super) fn prepare(command: &Command<'_>, defaults: &Defaults, demands: Demands) -> Result<Prepared, Problem> {
    let text = child_text(command)?;
    let _guard = sources::opening();
    let mut opening = Opening::default();
    let mut plan = descriptor_plan(command, defaults, demands, &mut opening)?;

    let mut directory = None;
    if let Directory::Descriptor(fd) = &command.directory {
        let duplicate = sources::apart(fd, ABOVE_STANDARD, |number| plan.decides(number))
            .map_err(|error| Problem::io(Failure::WorkingDirectory(None), &error))?;
        opening.transient(&mut plan, &duplicate, Origin::WorkingDirectory);
        directory = Some(duplicate.as_raw_fd());
        opening.opened.push(duplicate);
    }
    let report = if demands.report_pipe {
        let what = "a pipe for the report of errors";
        let parent = |error: io::Error| Problem::io(Failure::Parent { what }, &error);
        let (reader, writer) = sources::pipe().map_err(parent)?;
        let writer = if !command.hooks.is_empty() {
            sources::apart(&writer, ABOVE_HOOKS, |number| plan.decides(number))
                .or_else(|_| sources::apart(&writer, ABOVE_STANDARD, |number| plan.decides(number)))
                .map_err(parent)?
        } else if plan.decides(writer.as_raw_fd()) {
            sources::apart(writer, ABOVE_STANDARD, |number| plan.decides(number)).map_err(parent)?
        } else {
            writer
        };
        opening.transient(&mut plan, &writer, Origin::Report);
        Some(ReportPipe { reader, writer })
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

    let mut steps = Vec::with_capacity(plan.connections.len() + 12);
    if demands.in_place {
        DescriptorPlan { rest: Rest::Inherit, ..plan.clone() }.compile_into(&mut steps)?;
        steps.retain(|step| !matches!(step, Step::Close { .. }));
    } else {
        plan.compile_into(&mut steps)?;
        if demands.reset_handlers {
            steps.push(Step::DefaultHandlers);
        }
        steps.push(Step::DefaultSigpipe);
    }
    match directory {
        Some(fd) => steps.push(Step::ChangeDirectoryTo { fd }),
        None if matches!(command.directory, Directory::Path(_)) => steps.push(Step::ChangeDirectory),
        None => {}
    }
    if !demands.in_place {
        steps.push(Step::SignalMask);
    }
    if !command.hooks.is_empty() {
        steps.push(Step::Hooks);
    }
    steps.push(Step::Exec);

    let Opening { opened, handles, rows, standard_closed, .. } = opening;
    Ok(Prepared { steps, text, handles, report, plan, standard_closed, rows, _opened: opened })
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
    let (programs, searched) = programs::candidates(command.get_program(), value_of(&environment, "PATH"));
    let arg0 = command.arg0.as_ref().unwrap_or(&command.program);
    let array = |strings: &mut dyn Iterator<Item = *const c_char>, count: usize| {
        let mut array = Vec::with_capacity(count + 1);
        array.extend(strings);
        array.push(std::ptr::null());
        array
    };
    let argv = array(&mut arg0.pointers().chain(command.args.pointers()), command.args.len() + 1);
    let envp = array(&mut environment.pointers(), environment.len());
    let paths = programs.pointers().collect();
    Ok(ChildText { programs: paths, searched, argv, envp, _owners: [environment, programs] })
}

/// What has been opened so far.
#[derive(Default)]
struct Opening {
    opened: Vec<OwnedFd>,
    handles: Handles,
    rows: Vec<Row>,
    /// One `/dev/null` serves all that want it.
    null: Option<RawFd>,
    standard_closed: bool,
}

impl Opening {
    fn own(&mut self, fd: OwnedFd) -> RawFd {
        let number = fd.as_raw_fd();
        self.opened.push(fd);
        number
    }

    /// Connects a target to what was opened for it, which closes at exec as all that the library opens does.
    fn connect(&mut self, target: RawFd, fd: OwnedFd) -> Connection {
        Connection { target, source: self.own(fd), close_on_exec: true }
    }

    fn null(&mut self, target: RawFd) -> Result<Connection, Problem> {
        let source = match self.null {
            Some(number) => number,
            None => {
                let number = self.own(sources::null(target)?);
                *self.null.insert(number)
            }
        };
        Ok(Connection { target, source, close_on_exec: true })
    }

    /// Opens what a target is connected to.
    fn open(&mut self, target: RawFd, source: &Source<'_>, without: Rungs) -> Result<(Connection, Origin), Problem> {
        match source {
            Source::Null => Ok((self.null(target)?, Origin::Null)),
            Source::Data(bytes) => {
                let fd = sources::data(target, bytes, without)?;
                Ok((self.connect(target, fd), Origin::Data { bytes: bytes.len() }))
            }
            Source::Piped => {
                let kind = if target == 0 { SlotKind::Writer } else { SlotKind::Reader };
                let (connection, origin, end) = self.slot(target, kind)?;
                self.handles.set_standard(target, end);
                Ok((connection, origin))
            }
            Source::Slot { kind, id } => {
                let (connection, origin, end) = self.slot(target, *kind)?;
                self.handles.slots.push((*id, end));
                Ok((connection, origin))
            }
            _ => unreachable!("{source:?} is not opened"),
        }
    }

    fn slot(&mut self, target: RawFd, kind: SlotKind) -> Result<(Connection, Origin, End), Problem> {
        let (child, parent) = sources::connect(target, kind)?;
        let origin = match kind {
            SlotKind::Reader => Origin::ReadByParent,
            SlotKind::Writer => Origin::WrittenByParent,
            SlotKind::Socket => Origin::Socket,
        };
        Ok((self.connect(target, child), origin, parent))
    }

    /// Something that the child needs until exec.
    fn transient(&mut self, plan: &mut DescriptorPlan, fd: &OwnedFd, origin: Origin) {
        plan.transient.push(fd.as_raw_fd());
        self.rows.push(Row { target: None, source: Some(fd.as_raw_fd()), origin });
    }
}

/// Where the command keeps the source of a wish.
fn source_of<'a, 'fd>(command: &'a Command<'fd>, defaults: &'a Defaults, wish: &Wish) -> &'a Source<'fd> {
    match (command.standard.get(wish.place), wish.place.checked_sub(3)) {
        (Some(Some(stdio)), _) => &stdio.0,
        (Some(None), _) => &defaults.0[wish.place].0,
        (None, Some(index)) if index < command.connections.len() => &command.connections[index].1.0,
        (None, _) => &Source::Inherit, // a kept descriptor
    }
}

/// All wishes of a command, in no order.
fn wishes(command: &Command<'_>, defaults: &Defaults) -> Vec<Wish> {
    let mut wishes = Vec::with_capacity(3 + command.connections.len() + command.keep.len());
    let mut add = |target: RawFd, source: &Source<'_>, place: usize| {
        let want = match source {
            Source::Inherit => Want::Inherit,
            Source::Closed => Want::Hole,
            Source::SameAs(target) => Want::SameAs(*target),
            Source::GivenAway => Want::GivenAway,
            Source::Piped if !(0..=2).contains(&target) => Want::PipeOfNoDirection,
            _ => Want::Source,
        };
        wishes.push(Wish { target, want, place });
    };
    for (place, (stdio, default)) in command.standard.iter().zip(&defaults.0).enumerate() {
        let target = place as RawFd;
        let mentioned = || {
            command.connections.iter().any(|(number, _)| *number == target)
                || command.keep.iter().any(|fd| fd.as_raw_fd() == target)
        };
        match stdio {
            Some(stdio) => add(target, &stdio.0, place),
            None if mentioned() => {}
            None => add(target, &default.0, place),
        }
    }
    for (index, (target, stdio)) in command.connections.iter().enumerate() {
        add(*target, &stdio.0, 3 + index);
    }
    let kept = command.keep.iter().enumerate();
    wishes.extend(kept.map(|(index, fd)| Wish {
        target: fd.as_raw_fd(),
        want: Want::Keep,
        place: 3 + command.connections.len() + index,
    }));
    wishes
}

/// Checks the wishes, opens what they need, and puts them into numbers.
fn descriptor_plan(
    command: &Command<'_>,
    defaults: &Defaults,
    demands: Demands,
    opening: &mut Opening,
) -> Result<DescriptorPlan, Problem> {
    let mut wishes = wishes(command, defaults);
    check(&mut wishes)?;

    let mut plan = DescriptorPlan::new([]);
    plan.rest = command.rest;
    plan.start = demands.start;
    // What the parent has is looked at before anything is opened, or else what is opened here could be taken for it.
    let given: Vec<Option<Given>> = wishes
        .iter()
        .map(|wish| match wish.want {
            Want::Keep => given(wish.target, wish.target, Origin::Kept).map(Some),
            _ => given_source(source_of(command, defaults, wish), wish.target),
        })
        .collect::<Result<_, _>>()?;
    opening.standard_closed = demands.pidfd && is_standard_closed(&wishes, &given);
    for (wish, given) in wishes.iter().zip(given) {
        let target = wish.target;
        let (connection, origin) = match (wish.want, given) {
            (_, Some(Given::Open(connection, origin))) => (connection, origin),
            (_, Some(Given::ClosedStream)) => (opening.null(target)?, Origin::ClosedInParent),
            (Want::Hole, None) => {
                plan.holes.push(target);
                opening.rows.push(Row { target: Some(target), source: None, origin: Origin::Hole });
                continue;
            }
            // The source is filled in below.
            (Want::SameAs(other), None) => (Connection::new(target, RawFd::MAX), Origin::SameAs(other)),
            (_, None) => opening.open(target, source_of(command, defaults, wish), command.without)?,
        };
        plan.connections.push(connection);
        opening.rows.push(Row { target: Some(target), source: Some(connection.source), origin });
    }
    for wish in &wishes {
        if let Want::SameAs(other) = wish.want {
            let find = |number| plan.connections.binary_search_by_key(&number, |each| each.target);
            if let (Ok(index), Ok(found)) = (find(wish.target), find(other)) {
                plan.connections[index] = Connection { target: wish.target, ..plan.connections[found] };
                let row = opening.rows.iter_mut().find(|row| row.target == Some(wish.target));
                row.into_iter().for_each(|row| row.source = Some(plan.connections[found].source));
            }
        }
    }
    if plan.connections.iter().any(|each| each.target != each.source) {
        plan.limit = soft_limit();
    }
    Ok(plan)
}

/// Whether 0, 1 or 2 is closed in the parent. What is known from the sources is not asked again.
fn is_standard_closed(wishes: &[Wish], given: &[Option<Given>]) -> bool {
    let known_open = |number: RawFd| {
        wishes.iter().zip(given).any(|(wish, given)| {
            wish.target == number && matches!(given, Some(Given::Open(connection, _)) if connection.source == number)
        })
    };
    (0..=2).any(|number| !known_open(number) && close_on_exec(number).is_none())
}

/// A source that the parent has already.
enum Given {
    Open(Connection, Origin),
    /// A standard stream that is closed in the parent.
    ClosedStream,
}

fn given(target: RawFd, source: RawFd, origin: Origin) -> Result<Given, Refusal> {
    match close_on_exec(source) {
        // The flag of a kept descriptor is cleared whether set now or not: another thread may be about to set it. For a
        // standard stream, of which every child has three, that is not worth a call each.
        Some(is_set) => {
            let close_on_exec = is_set || target > 2;
            Ok(Given::Open(Connection { target, source, close_on_exec }, origin))
        }
        None => Err(Refusal::SourceNotOpen { target, source }),
    }
}

/// The source of a target, if it is one that the parent has already.
fn given_source(source: &Source<'_>, target: RawFd) -> Result<Option<Given>, Refusal> {
    let inherited = |source: RawFd| match given(target, source, Origin::Inherited) {
        Err(Refusal::SourceNotOpen { .. }) if (0..=2).contains(&source) => Ok(Given::ClosedStream),
        result => result,
    };
    Ok(Some(match source {
        Source::Inherit => inherited(target)?,
        Source::InheritFrom(number) => inherited(*number)?,
        Source::Moved(fd) => given(target, fd.as_raw_fd(), Origin::Moved)?,
        Source::Shared(fd) => given(target, fd.as_raw_fd(), Origin::Shared)?,
        Source::Lent(fd) => given(target, fd.as_raw_fd(), Origin::Lent)?,
        _ => return Ok(None),
    }))
}

fn soft_limit() -> RawFd {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    limit.and_then(|limit| RawFd::try_from(limit).ok()).unwrap_or(RawFd::MAX)
}
