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

use super::compile::Compiler;
use super::data::Plan;
use super::refusal::Refusal;
use super::step::{Step, StringId};
use std::os::fd::RawFd;

/// What the child does besides making its descriptor table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attributes {
    /// Whether the child gives each signal that the parent handles its default disposition.
    pub(crate) default_handlers: bool,
    /// Whether the child gives SIGPIPE its default disposition.
    pub(crate) default_sigpipe: bool,
    pub(crate) directory: WorkingDirectory,
    /// Whether the child takes the caller's signal mask.
    pub(crate) signal_mask: bool,
    pub(crate) last: LastStep,
}

/// The child's working directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum WorkingDirectory {
    /// The parent's.
    #[default]
    Inherit,
    Path(StringId),
    Fd(RawFd),
}

/// The child's last step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LastStep {
    #[default]
    Exec,
    /// Run a function of the parent's program.
    Run,
}

/// Appends all steps of a child, in their one order.
pub(crate) fn compile(
    plan: &Plan,
    attributes: &Attributes,
    compiler: &mut Compiler,
    steps: &mut Vec<Step>,
) -> Result<(), Refusal> {
    let &Attributes { default_handlers, default_sigpipe, directory, signal_mask, last } = attributes;
    // Descriptors come first, so that a lowered limit or a dropped privilege cannot make their steps fail.
    compiler.descriptors(plan, steps)?;
    steps.extend(default_handlers.then_some(Step::DefaultHandlers));
    steps.extend(default_sigpipe.then_some(Step::DefaultSigpipe));
    steps.extend(match directory {
        WorkingDirectory::Inherit => None,
        WorkingDirectory::Path(path) => Some(Step::ChangeDirectory { path }),
        WorkingDirectory::Fd(fd) => Some(Step::ChangeDirectoryTo { fd }),
    });
    // No handler of the parent is left by now, so a pending signal can do no harm.
    steps.extend(signal_mask.then_some(Step::SignalMask));
    // Hooks come late, so that no later step undoes what they change. What they open is closed after them.
    if plan.hooks {
        steps.push(Step::Hooks);
        compiler.closes_after_hooks(plan, steps);
    }
    steps.push(match last {
        LastStep::Exec => Step::Exec,
        LastStep::Run => Step::Run,
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::mapping::Mapping;
    use super::*;

    fn compiled(attributes: Attributes, hooks: bool) -> Vec<Step> {
        let mut steps = Vec::new();
        let plan = Plan { hooks, ..Plan::new([Mapping::new(0, 0), Mapping::new(2, 7)]) };
        compile(&plan, &attributes, &mut Compiler::default(), &mut steps).unwrap();
        steps
    }

    #[test]
    fn each_attribute_has_one_step_in_the_order() {
        let all = Attributes {
            default_handlers: true,
            default_sigpipe: true,
            directory: WorkingDirectory::Path(StringId(0)),
            signal_mask: true,
            last: LastStep::Exec,
        };
        let path = StringId(0);
        assert_eq!(
            compiled(all, true),
            [
                Step::Dup2 { source: 7, target: 2, close_on_exec: false },
                Step::DefaultHandlers,
                Step::DefaultSigpipe,
                Step::ChangeDirectory { path },
                Step::SignalMask,
                Step::Hooks,
                Step::CloseFrom { first: 8 },
                Step::Close { first: 1, last: 1 },
                Step::Close { first: 3, last: 7 },
                Step::Exec,
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
    }
}
