//! The order of the child's steps, which is the same for all launchers.
//!
//! # How to add an attribute
//!
//! An attribute is a property of a child other than its descriptors: a group, a user, a limit. To add one, add:
//!
//! 1. a field of `Attributes` in `plan/attributes.rs` (not of `Basics`). If some values can be right for no child, refuse them in
//!    `check_attributes` there, with a [`Refusal`] of their own;
//! 2. a method of [`Command`](crate::Command) in `command/attributes.rs` or `linux_attributes.rs`, which sets the field (`settings.plain`);
//! 3. a variant of [`Step`] with its operands, and its line of `Display`, in `plan/step.rs`. A step is `Copy`. The step's stage is one
//!    more line in `error/stage.rs`, without which the library does not compile;
//! 4. a line in [`compile`] below, at its place in the order;
//! 5. the system call in `sys/linux/attributes.rs` and `sys/unix/attributes.rs`, and an arm of `set_attribute` in `launch/attributes.rs`;
//! 6. a row in `examples/fdrun/options.rs`, a line in the attributes of `tests/fault_table/entrances.rs`, a test in
//!    `tests/it/attributes`, and a line in the list of the child's steps in `docs/design.md`.
//!
//! Then the error of the step names its operands, and `explain` shows the step: both print the step's line of `Display`.
//!
//! There is more to do only if an operand is not a plain number:
//!
//! - A path or a list is a field of `Settings` in `command/settings.rs`. `spawn/strings.rs` puts it into the buffers, and the step has its
//!   [`StringId`](super::step::StringId) or [`NumbersId`](super::step::NumbersId). `spawn/rows.rs` and `launch/outcome.rs` print it.
//! - A descriptor is a field of `Lent` in `spawn/lent.rs` with a `Role`, so that no target gets its number.

use super::attributes::{Attributes, Basics, LastStep, ProgramMask, WorkingDirectory};
use super::compile::Compiler;
use super::data::{InternalFd, Plan, Role};
use super::refusal::Refusal;
use super::signals::Signals;
use super::step::Step;
use rustix::process::Signal;

/// Appends all steps of a child, in their one order. The spawn has checked the attributes before it opened anything.
pub(crate) fn compile(
    plan: &Plan,
    basics: &Basics,
    attributes: Option<&Attributes<'_>>,
    compiler: &mut Compiler,
    steps: &mut Vec<Step>,
) -> Result<(), Refusal> {
    // First, so that the cgroup's limits hold for all that the child does.
    add(steps, attributes.and_then(|a| a.cgroup).map(|fd| Step::JoinCgroup { fd }));
    // Descriptors come early, so that a lowered limit or a dropped privilege cannot make their steps fail.
    compiler.descriptors(plan, steps)?;
    add(steps, basics.default_handlers.then_some(Step::DefaultHandlers));
    let [default, ignored] = dispositions(basics, attributes);
    add(steps, (!default.is_empty()).then_some(Step::DefaultSignals { signals: default }));
    add(steps, (!ignored.is_empty()).then_some(Step::IgnoreSignals { signals: ignored }));
    if let Some(attributes) = attributes {
        before_directory(attributes, steps);
    }
    // With the rights of the new user, and inside the new root.
    match basics.directory {
        WorkingDirectory::Inherit => {}
        WorkingDirectory::Path(path) => steps.push(Step::ChangeDirectory { path }),
        WorkingDirectory::Fd(fd) => steps.push(Step::ChangeDirectoryTo { fd }),
    }
    if let Some(attributes) = attributes {
        after_directory(attributes, steps);
    }
    // No handler of the parent is left by now, so a pending signal can do no harm.
    match basics.signal_mask {
        ProgramMask::Unchanged => {}
        ProgramMask::Callers => steps.push(Step::SignalMask),
        ProgramMask::Blocked(signals) => steps.push(Step::BlockSignals { signals }),
    }
    // Hooks come late, so that no later step undoes what they change. The steps after them close what they have opened.
    if plan.hooks {
        steps.push(Step::Hooks);
        compiler.closes_after_hooks(plan, steps);
        if let LastStep::ExecFd(fd) = basics.last {
            steps.push(Step::CheckProgram { fd });
        }
    }
    // No exec closes the library's descriptors before the function. After the hooks they are closed already.
    if basics.last == LastStep::Run && !plan.hooks {
        let needed = |each: &&InternalFd| each.role != Role::Errpipe;
        steps.extend(
            plan.internal_fds.iter().filter(needed).map(|&InternalFd { fd, .. }| Step::Close { first: fd, last: fd }),
        );
    }
    steps.push(match basics.last {
        LastStep::Exec => Step::Exec,
        LastStep::ExecFd(fd) => Step::ExecFd { fd },
        LastStep::Run => Step::Run,
    });
    Ok(())
}

/// The attributes that the child sets before it changes to the working directory.
fn before_directory(a: &Attributes<'_>, steps: &mut Vec<Step>) {
    add(steps, a.setsid.then_some(Step::NewSession));
    add(steps, a.process_group.map(|group| Step::JoinGroup { group }));
    add(steps, a.controlling_terminal.map(|fd| Step::ControllingTerminal { fd }));
    add(steps, a.foreground.map(|fd| Step::Foreground { fd }));
    // The child needs its privileges, and the files of /proc, for these.
    add(steps, a.oom_score_adj.map(|value| Step::OomScoreAdj { value }));
    // A change of the scheduler resets the nice value.
    add(steps, a.scheduler.map(|scheduler| Step::Scheduler { scheduler }));
    add(steps, a.nice.map(|increment| Step::Nice { increment }));
    add(steps, a.affinity.map(|cpus| Step::Affinity { cpus }));
    add(steps, a.umask.map(|mask| Step::Umask { mask }));
    steps.extend(a.limits.iter().map(|&(resource, limit)| {
        let (soft, hard) = (limit.current, limit.maximum);
        Step::Limit { resource, soft, hard }
    }));
    // Each of these takes away the right to the ones before it.
    let dropped = || a.uid.map(|user| Step::DropGroups { user });
    add(steps, a.groups.map(|groups| Step::SetGroups { groups }).or_else(dropped));
    add(steps, a.gid.map(|gid| Step::SetGid { gid }));
    add(steps, a.chroot.map(|path| Step::ChangeRoot { path }));
    add(steps, a.uid.map(|uid| Step::SetUid { uid }));
}

/// The attributes that the child sets after that.
fn after_directory(a: &Attributes<'_>, steps: &mut Vec<Step>) {
    // A change of the user clears the signal. The check finds a parent that has died before the step.
    if let Some((signal, parent)) = a.parent_death {
        steps.extend([Step::ParentDeathSignal { signal }, Step::CheckParent { parent }]);
    }
    add(steps, a.no_new_privs.then_some(Step::NoNewPrivs));
}

/// Adds a step, if there is one. This takes fewer instructions than `Vec::extend` with an `Option`.
#[inline(always)]
fn add(steps: &mut Vec<Step>, step: Option<Step>) {
    if let Some(step) = step {
        steps.push(step);
    }
}

/// The signals that get their default dispositions, and those that are ignored.
fn dispositions(basics: &Basics, attributes: Option<&Attributes<'_>>) -> [Signals; 2] {
    let none = [Signals::NONE; 2];
    let [named, ignored] = attributes.map_or(none, |a| [a.default_signals, a.ignored_signals]);
    let resets_sigpipe = basics.default_sigpipe && !ignored.contains(Signal::PIPE);
    let sigpipe = if resets_sigpipe { Signals::of(&[Signal::PIPE]) } else { Signals::NONE };
    [named | sigpipe, ignored]
}

#[cfg(test)]
mod tests {
    use super::super::data::Rest;
    use super::super::mapping::Mapping;
    use super::super::scheduler::Scheduler;
    use super::super::step::{NumbersId, StringId};
    use super::*;
    use rustix::process::{Resource, Rlimit};

    fn compiled(basics: Basics, attributes: Option<Attributes<'_>>, hooks: bool) -> Vec<Step> {
        let mut steps = Vec::new();
        let plan = Plan { hooks, ..Plan::new([Mapping::new(0, 0), Mapping::new(2, 7)]) };
        compile(&plan, &basics, attributes.as_ref(), &mut Compiler::default(), &mut steps).unwrap();
        steps
    }

    #[test]
    fn each_attribute_has_its_steps_at_its_place_in_the_order() {
        let sigpipe = Signals::of(&[Signal::PIPE]);
        let (terminate, hang_up) = (Signals::of(&[Signal::TERM]), Signals::of(&[Signal::HUP]));
        let numbers = NumbersId::from(0, &[5, 6]);
        let (resource, limit) = (Resource::Nofile, Rlimit { current: Some(64), maximum: None });
        let path = StringId(0);
        let basics = Basics {
            default_handlers: true,
            default_sigpipe: true,
            directory: WorkingDirectory::Path(path),
            signal_mask: ProgramMask::Blocked(hang_up),
            last: LastStep::ExecFd(12),
        };
        let all = Attributes {
            cgroup: Some(8),
            default_signals: terminate,
            ignored_signals: hang_up,
            setsid: true,
            process_group: None,
            controlling_terminal: Some(9),
            foreground: Some(9),
            oom_score_adj: Some(5),
            scheduler: Some(Scheduler::Batch),
            nice: Some(3),
            affinity: Some(numbers),
            umask: Some(0o27),
            limits: &[(resource, limit), (Resource::Core, limit)],
            groups: Some(numbers),
            gid: Some(2),
            chroot: Some(path),
            uid: Some(1),
            parent_death: Some((Signal::KILL, 77)),
            no_new_privs: true,
        };
        assert_eq!(
            compiled(basics, Some(all), true),
            [
                Step::JoinCgroup { fd: 8 },
                Step::Dup2 { source: 7, target: 2, close_on_exec: false },
                Step::DefaultHandlers,
                Step::DefaultSignals { signals: terminate | sigpipe },
                Step::IgnoreSignals { signals: hang_up },
                Step::NewSession,
                Step::ControllingTerminal { fd: 9 },
                Step::Foreground { fd: 9 },
                Step::OomScoreAdj { value: 5 },
                Step::Scheduler { scheduler: Scheduler::Batch },
                Step::Nice { increment: 3 },
                Step::Affinity { cpus: numbers },
                Step::Umask { mask: 0o27 },
                Step::Limit { resource, soft: Some(64), hard: None },
                Step::Limit { resource: Resource::Core, soft: Some(64), hard: None },
                Step::SetGroups { groups: numbers },
                Step::SetGid { gid: 2 },
                Step::ChangeRoot { path },
                Step::SetUid { uid: 1 },
                Step::ChangeDirectory { path },
                Step::ParentDeathSignal { signal: Signal::KILL },
                Step::CheckParent { parent: 77 },
                Step::NoNewPrivs,
                Step::BlockSignals { signals: hang_up },
                Step::Hooks,
                Step::CloseFrom { first: 8 },
                Step::Close { first: 1, last: 1 },
                Step::Close { first: 3, last: 7 },
                Step::CheckProgram { fd: 12 },
                Step::ExecFd { fd: 12 },
            ]
        );
    }

    #[test]
    fn attributes_that_are_not_set_have_no_step() {
        let table = [
            Step::CloseFrom { first: 8 },
            Step::Dup2 { source: 7, target: 2, close_on_exec: false },
            Step::Close { first: 1, last: 1 },
            Step::Close { first: 3, last: 7 },
        ];
        for none in [None, Some(Attributes::NONE)] {
            assert_eq!(compiled(Basics::default(), none, false), [&table[..], &[Step::Exec]].concat());
            let function = Basics { last: LastStep::Run, directory: WorkingDirectory::Fd(5), ..Basics::default() };
            let rest = [Step::ChangeDirectoryTo { fd: 5 }, Step::Run];
            assert_eq!(compiled(function, none, false), [&table[..], &rest[..]].concat());
        }
        let by_descriptor = Basics { last: LastStep::ExecFd(5), ..Basics::default() };
        assert_eq!(compiled(by_descriptor, None, false), [&table[..], &[Step::ExecFd { fd: 5 }]].concat());
        let group = Attributes { process_group: Some(0), ..Attributes::NONE };
        let basics = Basics { signal_mask: ProgramMask::Callers, ..Basics::default() };
        let rest = [Step::JoinGroup { group: 0 }, Step::SignalMask, Step::Exec];
        assert_eq!(compiled(basics, Some(group), false), [&table[..], &rest[..]].concat());
    }

    #[test]
    fn function_has_no_descriptor_of_the_library_but_the_errpipe() {
        let roles = [(8, Role::WorkingDirectory), (9, Role::Errpipe), (10, Role::Cgroup)];
        let internal_fds: Vec<InternalFd> = roles.map(|(fd, role)| InternalFd { fd, role }).to_vec();
        let basics = Basics { last: LastStep::Run, directory: WorkingDirectory::Fd(8), ..Basics::default() };
        let close = |fd| Step::Close { first: fd, last: fd };
        for (rest, hooks) in [(Rest::Close, false), (Rest::Inherit, false), (Rest::Close, true)] {
            let plan = Plan { internal_fds: internal_fds.clone(), rest, hooks, ..Plan::new([Mapping::new(0, 0)]) };
            let mut steps = Vec::new();
            compile(&plan, &basics, None, &mut Compiler::default(), &mut steps).unwrap();
            let last =
                if hooks { vec![Step::Close { first: 1, last: 8 }, close(10)] } else { vec![close(8), close(10)] };
            assert!(steps.ends_with(&[last, vec![Step::Run]].concat()), "{steps:?}");
        }
    }

    #[test]
    fn user_without_groups_gets_no_supplementary_group() {
        let user = Attributes { uid: Some(5), gid: Some(6), ..Attributes::NONE };
        let groups = NumbersId::from(0, &[]);
        let ids = [Step::SetGid { gid: 6 }, Step::SetUid { uid: 5 }, Step::Exec];
        for (attributes, first) in [
            (user, Some(Step::DropGroups { user: 5 })),
            (Attributes { groups: Some(groups), ..user }, Some(Step::SetGroups { groups })),
        ] {
            let steps = compiled(Basics::default(), Some(attributes), false);
            let expected: Vec<Step> = first.into_iter().chain(ids).collect();
            assert_eq!(steps[steps.len() - expected.len()..], expected);
        }
        let group = compiled(Basics::default(), Some(Attributes { gid: Some(6), ..Attributes::NONE }), false);
        assert!(!group.iter().any(|step| matches!(step, Step::DropGroups { .. } | Step::SetGroups { .. })));
    }

    #[test]
    fn sigpipe_is_reset_unless_the_command_ignores_it() {
        let sigpipe = Signals::of(&[Signal::PIPE]);
        let reset = Basics { default_sigpipe: true, ..Basics::default() };
        assert_eq!(dispositions(&reset, None), [sigpipe, Signals::NONE]);
        assert_eq!(dispositions(&reset, Some(&Attributes::NONE)), [sigpipe, Signals::NONE]);
        let ignored = Attributes { ignored_signals: sigpipe, ..Attributes::NONE };
        assert_eq!(dispositions(&reset, Some(&ignored)), [Signals::NONE, sigpipe]);
        assert_eq!(dispositions(&Basics::default(), None), [Signals::NONE, Signals::NONE]);
    }
}
