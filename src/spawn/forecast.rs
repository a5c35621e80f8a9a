//! The plan of a launch before it, with the numbers that new descriptors would get. Nothing here opens a descriptor.

use super::attributes::{check, compile_wanted, needs_without_files};
use super::buffers::{Buffers, with_buffers};
use super::defaults::Defaults;
use super::explanation::{Explained, Explanation};
use super::free_numbers::FreeNumbers;
use super::internal::{ABOVE_HOOKS, first_number};
use super::lent::{self, Lent, mapped};
use super::new_fds::ABOVE_STDIO;
use super::numbering::Numbering;
use super::resolve::resolve_entries;
use super::rows::rows;
use super::strings::{self, PreparedStrings};
use crate::command::{Command, Directory, Opened, SlotKind, Source};
use crate::error::{Problem, Subject};
use crate::escape::Escaped;
use crate::launch::{Method, Mode, known_missing};
use crate::plan::{InternalFd, Mapping, NO_SOURCE, Origin, Plan, Role, Step, compile, copy_same_as};
use crate::platform::Features;
use std::os::fd::{AsRawFd, RawFd};

/// The numbers that the parent has opened for one launch.
#[derive(Debug, Default)]
struct OpenedNumbers {
    /// Those that it closes when the child has started.
    childs: Vec<RawFd>,
    /// Those that the caller gets for standard streams, in their order.
    piped: Vec<RawFd>,
    /// Those that the caller gets for slots.
    slots: Vec<RawFd>,
    null: Option<RawFd>,
}

impl Command<'_> {
    /// Explains the launch of a stage, whose links have these targets and numbers, and takes the numbers that the launch would leave
    /// open in the parent.
    ///
    /// It looks at no file: not at the cgroup, whose `memory.oom.group` makes the launcher fork. If an isolated thread is to launch the child,
    /// the numbers are those of this process's table, and not those of the thread's.
    pub(crate) fn forecast(
        &self,
        links: &[(RawFd, RawFd)],
        free: &mut FreeNumbers,
        numbering: Numbering,
    ) -> Explanation {
        let outcome = self.try_forecast(links, free, numbering);
        let outcome = outcome.map_err(|problem| problem.of(Subject::Spawn(self.get_program().to_owned())));
        Explanation { program: Escaped::new(self.get_program()).to_string(), outcome }
    }

    fn try_forecast(
        &self,
        links: &[(RawFd, RawFd)],
        free: &mut FreeNumbers,
        numbering: Numbering,
    ) -> Result<Explained, Problem> {
        let missing = self.fd_map.missing | known_missing();
        let method = Method::choose(self.launcher, needs_without_files(self)?, missing)?;
        let mode = Mode { method, handle: true, pidfd: self.pidfd && !missing.contains(Features::PIDFD) };
        with_buffers(|buffers| {
            check(self, mode)?;
            let strings = strings::build(self, buffers)?;
            let plan = &mut buffers.plan;
            (plan.rest, plan.start, plan.hooks) = (self.fd_map.rest, mode.start(), !self.hooks.is_empty());
            let mut opened = OpenedNumbers::default();
            self.forecast_sources(links, plan, free, &mut opened)?;
            let lent = self.forecast_internal(mode, plan, free, &mut opened);
            self.compile(mode, &strings, &lent, buffers)?;
            let leads = self.settings.group.is_some_and(|group| free.note_member(group));
            let mut explained = self.explained(method, mode, rows(&buffers.plan), buffers, None);
            self.correct_group(leads, &mut explained);
            let pidfd = self.forecast_end(mode, leads, free, &opened);
            for number in opened.own().chain(pidfd) {
                numbering.forecast_raise(number, free);
            }
            Ok(explained)
        })
    }

    /// Compiles the steps, as a launch does.
    fn compile(
        &self,
        mode: Mode,
        strings: &PreparedStrings,
        lent: &Lent<RawFd>,
        buffers: &mut Buffers,
    ) -> Result<(), Problem> {
        let Buffers { plan, compiler, steps, .. } = buffers;
        compile_wanted(self, mode, plan, strings, lent, |basics, attributes| {
            compile(plan, basics, attributes, compiler, steps)
        })
    }

    /// Corrects the step that joins a [`Group`](crate::Group): only the launch tells its number to a command, and before the leader's launch there
    /// is none.
    fn correct_group(&self, leads: bool, explained: &mut Explained) {
        let Some(group) = self.settings.group else { return };
        for (step, text) in explained.steps.iter_mut().zip(&mut explained.texts) {
            if let Step::JoinGroup { group: number } = step {
                *number = group.id().map_or(0, u32::cast_signed);
                *text = match group.id() {
                    None if !leads => "join the process group of the stage that is launched first".to_owned(),
                    _ => step.to_string(),
                };
            }
        }
    }

    /// Fills the plan with the mappings of the command and of the links. See `Opener`, which opens what this only counts.
    fn forecast_sources(
        &self,
        links: &[(RawFd, RawFd)],
        plan: &mut Plan,
        free: &mut FreeNumbers,
        opened: &mut OpenedNumbers,
    ) -> Result<(), Problem> {
        let link = |target: RawFd| links.iter().find(|(linked, _)| *linked == target).map(|&(_, number)| number);
        let own = self.fd_map.entries(&Defaults::INHERIT.0).filter(|&(target, _)| link(target).is_none());
        // A link is not open yet, as a source that the library opens for the spawn.
        let mut entries: Vec<(RawFd, &Source<'_>)> = own.collect();
        entries.extend(links.iter().map(|&(target, _)| (target, &Source::NULL)));
        entries.sort_by_key(|(target, _)| *target);
        resolve_entries(entries.iter().copied(), self.fd_map.not_inherited, plan)?;
        let sources = entries.iter().filter(|(_, source)| !matches!(source, Source::Closed));
        for (mapping, &(target, source)) in plan.mappings.iter_mut().zip(sources) {
            if let Some(number) = link(target) {
                *mapping = Mapping { target, source: number, close_on_exec: true, origin: Origin::Link };
            } else if mapping.source == NO_SOURCE {
                mapping.source = match source {
                    Source::Opened(kind) => opened.open(target, kind, free),
                    Source::Given(_) => opened.null(free),
                    Source::SameAs(_) | Source::Closed | Source::Spent => continue,
                };
                mapping.close_on_exec = true;
            }
        }
        copy_same_as(&mut plan.mappings);
        Ok(())
    }

    /// Adds the descriptors that the library needs itself. See `Internal`, which opens them.
    fn forecast_internal(
        &self,
        mode: Mode,
        plan: &mut Plan,
        free: &mut FreeNumbers,
        opened: &mut OpenedNumbers,
    ) -> Lent<RawFd> {
        let settings = &*self.settings;
        let has_directory = matches!(self.directory, Directory::Fd(_));
        let has_program = lent::program(self).is_some_and(|fd| mapped(plan, fd.as_raw_fd()).is_none());
        let opens_terminal = settings.controlling_terminal.is_none() && settings.foreground && !settings.plain.setsid;
        let has_terminal = settings.controlling_terminal.is_some() || opens_terminal;
        let into_cgroup = matches!(mode.method, Method::Clone { into_cgroup: true, .. });
        let joins_cgroup = super::attributes::has_cgroup(settings) && !into_cgroup;
        // The terminal and `cgroup.procs` are opened, and then duplicated as the others are.
        let terminal = opens_terminal.then(|| free.take_above_stdio());
        let cgroup = joins_cgroup.then(|| free.take_above_stdio());
        let mut add = |wanted: bool, role: Role, original: Option<RawFd>| {
            let first = first_number(plan, role);
            let number = wanted.then(|| free.take_if(first, |number| !plan.decides(number)))?;
            original.into_iter().for_each(|original| free.close(original));
            plan.internal_fds.push(InternalFd { fd: number, role });
            opened.childs.push(number);
            Some(number)
        };
        let lent = Lent {
            directory: add(has_directory, Role::WorkingDirectory, None),
            program: add(has_program, Role::Program, None),
            terminal: add(has_terminal, Role::Terminal, terminal),
            cgroup: add(joins_cgroup, Role::Cgroup, cgroup),
        };
        let mut errpipe_reader = None;
        if mode.has_errpipe() {
            let (reader, writer) = free.take_pair();
            let first = if plan.hooks { ABOVE_HOOKS } else { ABOVE_STDIO };
            let moves = plan.hooks || plan.decides(writer);
            let moved = if moves { free.take_if(first, |number| !plan.decides(number)) } else { writer };
            if moves {
                free.close(writer);
            }
            plan.internal_fds.push(InternalFd { fd: moved, role: Role::Errpipe });
            opened.childs.extend([reader, moved]);
            errpipe_reader = Some(reader);
        }
        if plan.needs_reserved_scratch() && plan.takes_scratch() {
            let null = free.take_above_stdio();
            let scratch = free.take_if(ABOVE_STDIO, |number| !plan.decides(number));
            free.close(null);
            opened.childs.push(scratch);
            plan.scratch = Some(scratch);
        }
        if self.function.is_some() {
            plan.closed.extend(plan.scratch.into_iter().chain(errpipe_reader).chain(opened.own()));
        }
        lent
    }

    /// What is open after the launch: the parent's ends, and the pidfd, whose number this returns.
    fn forecast_end(&self, mode: Mode, leads: bool, free: &mut FreeNumbers, opened: &OpenedNumbers) -> Option<RawFd> {
        let std_is_free = (0..=2).any(|number| !matches!(crate::fd::close_on_exec(number), Ok(Some(_))));
        let by_clone = mode.pidfd && matches!(mode.method, Method::Clone { .. }) && !std_is_free;
        let mut pidfd = by_clone.then(|| free.take(0)); // The child's descriptors are still open.
        opened.childs.iter().for_each(|&number| free.close(number));
        if mode.pidfd && !by_clone {
            pidfd = Some(free.take_above_stdio());
        }
        // The group keeps a duplicate of its leader's pidfd.
        if mode.pidfd && leads {
            let duplicate = free.take(ABOVE_STDIO);
            Numbering::Lowest.forecast_raise(duplicate, free);
        }
        self.fd_map.moved_numbers().for_each(|number| free.close(number));
        pidfd
    }
}

impl OpenedNumbers {
    /// Those that the caller gets, in the order of `ParentEnds`.
    fn own(&self) -> impl Iterator<Item = RawFd> {
        self.piped.iter().chain(&self.slots).copied()
    }

    fn open(&mut self, target: RawFd, kind: &Opened, free: &mut FreeNumbers) -> RawFd {
        let childs = match kind {
            Opened::Null => return self.null(free),
            Opened::Data(_) => free.take_above_stdio(),
            Opened::Piped => {
                let (reader, writer) = free.take_pair();
                let (childs, own) = if target == 0 { (reader, writer) } else { (writer, reader) };
                self.piped.push(own);
                childs
            }
            Opened::Slot { kind, .. } => {
                let (first, second) = free.take_pair();
                let (childs, own) = match kind {
                    SlotKind::Reader | SlotKind::Socket => (second, first),
                    SlotKind::Writer => (first, second),
                };
                self.slots.push(own);
                childs
            }
        };
        self.childs.push(childs);
        childs
    }

    fn null(&mut self, free: &mut FreeNumbers) -> RawFd {
        let null = *self.null.get_or_insert_with(|| free.take_above_stdio());
        if !self.childs.contains(&null) {
            self.childs.push(null);
        }
        null
    }
}
