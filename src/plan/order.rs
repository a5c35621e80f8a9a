//! The order of the child's steps, which is the same for all launchers.
//!
//! # How to add an attribute
//!
//! An attribute is a property of a child other than its descriptors: a group, a user, a limit. To add one, add:
//!
//! 1. a method of [`Command`](crate::Command) in `command/builder.rs`, which sets a field of [`Attributes`];
//! 2. a variant of [`Step`] with its operands, and its line of `Display`, in `plan/step.rs`. A step is `Copy`: a path is a
//!    [`StringId`], an index into the strings of the launch's image;
//! 3. a line in [`compile`] below, at its place in the order;
//! 4. its system call in `sys`, and an arm of `do_step` in `launch/child.rs` that calls it;
//! 5. a row in the options of `examples/fdrun.rs`, a line in the plan of `tests/fault_table/entrances.rs`, and one in the list of the child's
//!    steps in `docs/design.md`.
//!
//! Errors of the step then name its operands, and `explain` shows it, without more code.

use super::attributes::{Attributes, LastStep, ProgramMask, WorkingDirectory};
use super::compile::Compiler;
use super::data::Plan;
use super::refusal::Refusal;
use super::signals::Signals;
use super::step::Step;
use rustix::process::Signal;

/// Appends all steps of a child, in their one order. The spawn has checked the attributes before it opened anything.
pub(crate) fn compile(
    plan: &Plan,
    attributes: &Attributes<'_>,
    compiler: &mut Compiler,
    steps: &mut Vec<Step>,
) -> Result<(), Refusal> {
    let a = attributes;
    // First, so that the cgroup's limits hold for all that the child does.
    steps.extend(a.cgroup.map(|fd| Step::JoinCgroup { fd }));
    // Descriptors come early, so that a lowered limit or a dropped privilege cannot make their steps fail.
    compiler.descriptors(plan, steps)?;
    steps.extend(a.default_handlers.then_some(Step::DefaultHandlers));
    let [default, ignored] = dispositions(a);
    steps.extend((!default.is_empty()).then_some(Step::DefaultSignals { signals: default }));
    steps.extend((!ignored.is_empty()).then_some(Step::IgnoreSignals { signals: ignored }));
    steps.extend(a.setsid.then_some(Step::NewSession));
    steps.extend(a.process_group.map(|group| Step::JoinGroup { group }));
    steps.extend(a.controlling_terminal.map(|fd| Step::ControllingTerminal { fd }));
    steps.extend(a.foreground.map(|fd| Step::Foreground { fd }));
    // The child needs its privileges, and the files of /proc, for these.
    steps.extend(a.oom_score_adj.map(|value| Step::OomScoreAdj { value }));
    // A change of the scheduler resets the nice value.
    steps.extend(a.scheduler.map(|scheduler| Step::Scheduler { scheduler }));
    steps.extend(a.nice.map(|increment| Step::Nice { increment }));
    steps.extend(a.affinity.map(|cpus| Step::Affinity { cpus }));
    steps.extend(a.umask.map(|mask| Step::Umask { mask }));
    steps.extend(a.limits.iter().map(|&(resource, limit)| {
        let (soft, hard) = (limit.current, limit.maximum);
        Step::Limit { resource, soft, hard }
    }));
    // Each of these takes away the right to the ones before it.
    steps.extend(a.groups.map(|groups| Step::SetGroups { groups }));
    steps.extend(a.gid.map(|gid| Step::SetGid { gid }));
    steps.extend(a.chroot.map(|path| Step::ChangeRoot { path }));
    steps.extend(a.uid.map(|uid| Step::SetUid { uid }));
    // With the rights of the new user, and inside the new root.
    steps.extend(match a.directory {
        WorkingDirectory::Inherit => None,
        WorkingDirectory::Path(path) => Some(Step::ChangeDirectory { path }),
        WorkingDirectory::Fd(fd) => Some(Step::ChangeDirectoryTo { fd }),
    });
    // A change of the user clears the signal. A parent that has died before the step is found by the check.
    if let Some((signal, parent)) = a.parent_death {
        steps.extend([Step::ParentDeathSignal { signal }, Step::CheckParent { parent }]);
    }
    steps.extend(a.no_new_privs.then_some(Step::NoNewPrivs));
    // No handler of the parent is left by now, so a pending signal can do no harm.
    steps.extend(match a.signal_mask {
        ProgramMask::Unchanged => None,
        ProgramMask::Callers => Some(Step::SignalMask),
        ProgramMask::Blocked(signals) => Some(Step::BlockSignals { signals }),
    });
    // Hooks come late, so that no later step undoes what they change. What they open is closed after them.
    if plan.hooks {
        steps.push(Step::Hooks);
        compiler.closes_after_hooks(plan, steps);
    }
    steps.push(match a.last {
        LastStep::Exec => Step::Exec,
        LastStep::ExecFd(fd) => Step::ExecFd { fd },
        LastStep::Run => Step::Run,
    });
    Ok(())
}

/// The signals that get their default dispositions, and those that are ignored.
fn dispositions(attributes: &Attributes<'_>) -> [Signals; 2] {
    let &Attributes { default_sigpipe, default_signals, ignored_signals, .. } = attributes;
    let resets_sigpipe = default_sigpipe && !ignored_signals.contains(Signal::PIPE);
    let sigpipe = if resets_sigpipe { Signals::of(&[Signal::PIPE]) } else { Signals::NONE };
    [default_signals | sigpipe, ignored_signals]
}

#[cfg(test)]
mod tests {
    use super::super::mapping::Mapping;
    use super::super::scheduler::Scheduler;
    use super::super::step::{NumbersId, StringId};
    use super::*;
    use rustix::process::{Resource, Rlimit};

    fn compiled(attributes: Attributes<'_>, hooks: bool) -> Vec<Step> {
        let mut steps = Vec::new();
        let plan = Plan { hooks, ..Plan::new([Mapping::new(0, 0), Mapping::new(2, 7)]) };
        compile(&plan, &attributes, &mut Compiler::default(), &mut steps).unwrap();
        steps
    }

    #[test]
    fn each_attribute_has_its_steps_at_its_place_in_the_order() {
        let sigpipe = Signals::of(&[Signal::PIPE]);
        let (terminate, hang_up) = (Signals::of(&[Signal::TERM]), Signals::of(&[Signal::HUP]));
        let numbers = NumbersId::from(0, &[5, 6]);
        let (resource, limit) = (Resource::Nofile, Rlimit { current: Some(64), maximum: None });
        let path = StringId(0);
        let all = Attributes {
            cgroup: Some(8),
            default_handlers: true,
            default_sigpipe: true,
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
            directory: WorkingDirectory::Path(path),
            parent_death: Some((Signal::KILL, 77)),
            no_new_privs: true,
            signal_mask: ProgramMask::Blocked(hang_up),
            last: LastStep::ExecFd(12),
        };
        assert_eq!(
            compiled(all, true),
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
        assert_eq!(compiled(Attributes::default(), false), [&table[..], &[Step::Exec]].concat());
        let function = Attributes { last: LastStep::Run, directory: WorkingDirectory::Fd(5), ..Attributes::default() };
        let rest = [Step::ChangeDirectoryTo { fd: 5 }, Step::Run];
        assert_eq!(compiled(function, false), [&table[..], &rest[..]].concat());
        let group = Attributes { process_group: Some(0), signal_mask: ProgramMask::Callers, ..Attributes::default() };
        let rest = [Step::JoinGroup { group: 0 }, Step::SignalMask, Step::Exec];
        assert_eq!(compiled(group, false), [&table[..], &rest[..]].concat());
    }

    #[test]
    fn sigpipe_is_reset_unless_the_command_ignores_it() {
        let sigpipe = Signals::of(&[Signal::PIPE]);
        let reset = Attributes { default_sigpipe: true, ..Attributes::default() };
        assert_eq!(dispositions(&reset), [sigpipe, Signals::NONE]);
        let ignored = Attributes { ignored_signals: sigpipe, ..reset };
        assert_eq!(dispositions(&ignored), [Signals::NONE, sigpipe]);
        assert_eq!(dispositions(&Attributes::default()), [Signals::NONE, Signals::NONE]);
    }
}
