//! The compiler: from a plan to the steps that make the child's descriptor table.

use super::data::{InternalFd, Plan, Rest, Role, Start};
use super::mapping::Mapping;
use super::refusal::Refusal;
use super::renumber::{Duplicate, Move, Schedule};
use super::step::Step;
use std::os::fd::RawFd;

/// The compiler's memory. It can be used for one plan after the other.
#[derive(Default)]
pub(crate) struct Compiler {
    moves: Vec<Move>,
    schedule: Schedule,
    duplicates: Vec<Duplicate>,
    numbers: Vec<RawFd>,
    /// The highest number that the steps of the last plan need.
    highest: RawFd,
}

impl Compiler {
    /// About how many bytes of memory the compiler has.
    pub(crate) fn size(&self) -> usize {
        let duplicates = self.duplicates.capacity() * size_of::<Duplicate>();
        // The schedule has as many entries as there are moves.
        3 * self.moves.capacity() * size_of::<Move>() + duplicates + self.numbers.capacity() * size_of::<RawFd>()
    }
}

impl Plan {
    /// Compiles the steps that make the child's table. The same plan always gives the same steps.
    ///
    /// The count of `Dup2` steps is minimal: one for each target that differs from its source, and one more for each cycle,
    /// unless a target outside the cycle is a copy of one of its members. The scratch number of a cycle is the smallest number
    /// that is neither source nor target. If the rest is inherited, it is [`Plan::scratch`].
    ///
    /// # Errors
    ///
    /// - [`Refusal::NegativeTarget`], [`Refusal::TargetBeyondLimit`], [`Refusal::TargetTwice`]
    /// - [`Refusal::SourceNotOpen`] if a source is below zero
    /// - [`Refusal::NoScratch`] if no scratch number is left for a cycle
    pub fn compile(&self) -> Result<Vec<Step>, Refusal> {
        let mut steps = Vec::with_capacity(self.mappings.len() + 6);
        let mut compiler = Compiler::default();
        compiler.descriptors(self, &mut steps)?;
        if self.hooks {
            compiler.closes_after_hooks(self, &mut steps);
        }
        Ok(steps)
    }

    /// Whether the plan has a cycle that needs a scratch number.
    pub(crate) fn takes_scratch(&self) -> bool {
        // Compile with any scratch number, and see whether a step uses it.
        let steps = Self { rest: Rest::Inherit, scratch: Some(RawFd::MAX), ..self.clone() }.compile();
        steps.is_ok_and(|steps| steps.iter().any(|step| matches!(step, Step::Dup2 { close_on_exec: true, .. })))
    }

    /// Every number that the steps read or write, other than the scratch number.
    fn numbers(&self, mappings: &[Mapping]) -> impl Iterator<Item = RawFd> {
        let internal = self.internal_fds.iter().map(|each| each.fd);
        mappings.iter().flat_map(|each| [each.target, each.source]).chain(internal)
    }

    /// The smallest number that is neither source nor target, or the reserved one.
    fn scratch_number(&self, mappings: &[Mapping], used: &mut Vec<RawFd>) -> Result<RawFd, Refusal> {
        let refusal = Refusal::NoScratch { limit: self.limit };
        if let Some(number) = self.scratch {
            return Ok(number);
        }
        if self.needs_reserved_scratch() {
            return Err(refusal);
        }
        used.clear();
        used.extend(self.numbers(mappings));
        used.sort_unstable();
        let mut smallest = 0;
        for number in used {
            if *number == smallest {
                smallest += 1;
            }
        }
        if smallest < self.limit { Ok(smallest) } else { Err(refusal) }
    }

    /// The library's descriptors that the close steps leave open. With hooks, the closes come after the hooks, and then only the
    /// errpipe and the program are still needed. A hook may have opened another file at the number of any other one.
    fn internal_after_hooks(&self) -> impl Iterator<Item = RawFd> {
        let spared = |each: &&InternalFd| !self.hooks || matches!(each.role, Role::Errpipe | Role::Program);
        self.internal_fds.iter().filter(spared).map(|each| each.fd)
    }

    /// Adds closes of the numbers between those that stay open.
    fn push_gaps(&self, mappings: &[Mapping], highest: RawFd, stay: &mut Vec<RawFd>, steps: &mut Vec<Step>) {
        let mut close = |first: RawFd, last: RawFd| {
            if first <= last {
                steps.push(Step::Close { first, last });
            }
        };
        let mut next = 0;
        let mut internal = self.internal_after_hooks().peekable();
        if internal.peek().is_none() {
            for each in mappings {
                close(next, each.target - 1);
                next = each.target.saturating_add(1);
            }
        } else {
            stay.clear();
            stay.extend(mappings.iter().map(|each| each.target).chain(internal));
            stay.sort_unstable();
            for &mut number in stay {
                close(next, number - 1);
                next = number.saturating_add(1);
            }
        }
        close(next, highest);
    }

    /// Adds closes of the sources' old numbers that are not targets, and of [`Plan::closed`].
    fn push_old_sources(&self, mappings: &[Mapping], old: &mut Vec<RawFd>, steps: &mut Vec<Step>) {
        old.clear();
        let numbers = mappings.iter().map(|each| each.source).chain(self.closed.iter().copied());
        old.extend(numbers.filter(|&number| mappings.binary_search_by_key(&number, |each| each.target).is_err()));
        old.sort_unstable();
        old.dedup();
        steps.extend(old.iter().map(|&fd| Step::Close { first: fd, last: fd }));
    }
}

impl Compiler {
    /// Appends the steps that make the targets. Without hooks, the steps that close the rest follow.
    pub(super) fn descriptors(&mut self, plan: &Plan, steps: &mut Vec<Step>) -> Result<(), Refusal> {
        let Self { moves, schedule, duplicates, numbers, .. } = self;
        let sorted_here;
        let mappings = if plan.mappings.is_sorted_by_key(|each| each.target) {
            plan.mappings.as_slice()
        } else {
            let mut sorted = plan.mappings.clone();
            sorted.sort_by_key(|each| each.target);
            sorted_here = sorted;
            sorted_here.as_slice()
        };
        let mut highest = -1;
        moves.clear();
        duplicates.clear();
        let mut last = None;
        for &Mapping { target, source, .. } in mappings {
            check_numbers(target, source, last, plan.limit)?;
            last = Some(target);
            highest = highest.max(target).max(source);
            if target != source {
                moves.push(Move { target, source });
            }
        }
        if !moves.is_empty() {
            let scratch = || {
                let number = plan.scratch_number(mappings, numbers)?;
                highest = highest.max(number);
                Ok(number)
            };
            schedule.order(moves, scratch, |each| duplicates.push(each))?;
        }

        self.highest = plan.internal_fds.iter().fold(highest, |highest, each| highest.max(each.fd));
        // This step comes before the duplicates: a shared table has to be private before its first change, and the
        // closes of a copied table then find few numbers.
        if plan.rest == Rest::Close && plan.start != Start::InPlace && !plan.hooks {
            push_tail(plan.start, self.highest, steps);
        }
        push_table(mappings, duplicates, steps);
        if !plan.hooks {
            push_closes(plan, mappings, self.highest, numbers, steps);
        }
        Ok(())
    }

    /// Appends the steps that close the rest after the hooks. The targets have been made by [`Compiler::descriptors`].
    pub(super) fn closes_after_hooks(&mut self, plan: &Plan, steps: &mut Vec<Step>) {
        let mut mappings = plan.mappings.clone();
        mappings.sort_by_key(|each| each.target);
        match (plan.start, plan.rest) {
            (Start::InPlace, Rest::Close) => push_marks(&mappings, steps),
            (Start::InPlace, Rest::Inherit) => {}
            (start, rest) => {
                if rest == Rest::Close {
                    push_tail(start, self.highest, steps);
                }
                push_closes(plan, &mappings, self.highest, &mut self.numbers, steps);
            }
        }
    }
}

/// Appends the step that closes everything above the numbers of the plan.
fn push_tail(start: Start, highest: RawFd, steps: &mut Vec<Step>) {
    let first = highest.saturating_add(1);
    match start {
        Start::Shared => steps.push(Step::UnshareFiles { first }),
        // There is no number above the last one.
        _ if highest == RawFd::MAX => {}
        _ => steps.push(Step::CloseFrom { first }),
    }
}

/// Appends the steps that mark everything but the targets, in a table in which nothing is closed.
fn push_marks(mappings: &[Mapping], steps: &mut Vec<Step>) {
    let mut next = 0;
    for each in mappings {
        if next < each.target {
            steps.push(Step::SetCloexec { first: next, last: each.target - 1 });
        }
        next = each.target.saturating_add(1);
    }
    steps.push(Step::SetCloexec { first: next, last: RawFd::MAX });
}

/// Appends the closes between and below the targets, or those of old sources.
fn push_closes(plan: &Plan, mappings: &[Mapping], highest: RawFd, numbers: &mut Vec<RawFd>, steps: &mut Vec<Step>) {
    match (plan.start, plan.rest) {
        (Start::InPlace, _) => {}
        (_, Rest::Inherit) => plan.push_old_sources(mappings, numbers, steps),
        (_, Rest::Close) => plan.push_gaps(mappings, highest, numbers, steps),
    }
}

/// Appends the steps that make the targets.
fn push_table(mappings: &[Mapping], duplicates: &[Duplicate], steps: &mut Vec<Step>) {
    for each in mappings {
        if each.target == each.source && each.close_on_exec {
            steps.push(Step::ClearCloexec { fd: each.target });
        }
    }
    for &Duplicate { source, target, to_scratch } in duplicates {
        steps.push(Step::Dup2 { source, target, close_on_exec: to_scratch });
    }
}

/// Refuses numbers that no child could use. The targets are sorted; `last` is the one before this one.
fn check_numbers(target: RawFd, source: RawFd, last: Option<RawFd>, limit: RawFd) -> Result<(), Refusal> {
    if target < 0 {
        return Err(Refusal::NegativeTarget { target });
    }
    if source < 0 {
        return Err(Refusal::SourceNotOpen { target, source });
    }
    if target == RawFd::MAX || (target >= limit && target != source) {
        return Err(Refusal::TargetBeyondLimit { target, limit });
    }
    if last == Some(target) {
        return Err(Refusal::TargetTwice { target });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn duplicate(source: RawFd, target: RawFd) -> Step {
        Step::Dup2 { source, target, close_on_exec: false }
    }

    fn to_scratch(source: RawFd, target: RawFd) -> Step {
        Step::Dup2 { source, target, close_on_exec: true }
    }

    fn plan(pairs: &[(RawFd, RawFd)]) -> Plan {
        Plan::new(pairs.iter().map(|&(target, source)| Mapping::new(target, source)))
    }

    #[test]
    fn standard_three_need_one_step() {
        let plan = plan(&[(0, 0), (1, 1), (2, 2)]);
        assert_eq!(plan.compile().unwrap(), [Step::CloseFrom { first: 3 }]);
        let shared = Plan { start: Start::Shared, ..plan.clone() };
        assert_eq!(shared.compile().unwrap(), [Step::UnshareFiles { first: 3 }]);
        let inherit = Plan { rest: Rest::Inherit, ..plan };
        assert_eq!(inherit.compile().unwrap(), []);
    }

    #[test]
    fn plan_without_mappings_closes_all_numbers() {
        assert_eq!(plan(&[]).compile().unwrap(), [Step::CloseFrom { first: 0 }]);
    }

    #[test]
    fn close_on_exec_is_cleared_if_source_and_target_are_one_number() {
        let plan = Plan::new([Mapping::kept(0, false), Mapping::kept(5, true)]);
        assert_eq!(
            plan.compile().unwrap(),
            [Step::CloseFrom { first: 6 }, Step::ClearCloexec { fd: 5 }, Step::Close { first: 1, last: 4 }]
        );
    }

    #[test]
    fn scratch_is_the_smallest_number_that_is_neither_source_nor_target() {
        let steps = plan(&[(0, 1), (1, 0), (2, 3), (5, 5)]).compile().unwrap();
        assert_eq!(
            steps,
            [
                Step::CloseFrom { first: 6 },
                duplicate(3, 2),
                to_scratch(0, 4),
                duplicate(1, 0),
                duplicate(4, 1),
                Step::Close { first: 3, last: 4 },
            ]
        );
    }

    #[test]
    fn scratch_must_be_below_the_limit() {
        let full = Plan { limit: 3, ..plan(&[(0, 1), (1, 0), (2, 2)]) };
        assert_eq!(full.compile(), Err(Refusal::NoScratch { limit: 3 }));
        let roomy = Plan { limit: 4, ..full };
        assert!(roomy.compile().is_ok());
    }

    #[test]
    fn inherited_rest_takes_the_reserved_scratch_and_closes_old_sources() {
        let swap = Plan { rest: Rest::Inherit, ..plan(&[(1, 2), (2, 1), (7, 9), (8, 9)]) };
        assert!(swap.takes_scratch());
        assert_eq!(swap.compile(), Err(Refusal::NoScratch { limit: RawFd::MAX }));
        let reserved = Plan { scratch: Some(40), closed: vec![6], ..swap };
        assert_eq!(
            reserved.compile().unwrap(),
            [
                duplicate(9, 7),
                duplicate(9, 8),
                to_scratch(1, 40),
                duplicate(2, 1),
                duplicate(40, 2),
                Step::Close { first: 6, last: 6 },
                Step::Close { first: 9, last: 9 },
            ]
        );
    }

    #[test]
    fn internal_descriptors_are_neither_closed_nor_used_as_scratch() {
        let plan =
            Plan { internal_fds: vec![InternalFd { fd: 3, role: Role::Errpipe }], ..plan(&[(0, 1), (1, 0), (2, 2)]) };
        assert_eq!(
            plan.compile().unwrap(),
            [
                Step::CloseFrom { first: 5 },
                to_scratch(0, 4),
                duplicate(1, 0),
                duplicate(4, 1),
                Step::Close { first: 4, last: 4 },
            ]
        );
    }

    #[test]
    fn numbers_that_no_child_can_have_are_refused() {
        assert_eq!(plan(&[(-1, 3)]).compile(), Err(Refusal::NegativeTarget { target: -1 }));
        assert_eq!(plan(&[(3, 4), (3, 5)]).compile(), Err(Refusal::TargetTwice { target: 3 }));
        assert_eq!(plan(&[(3, -1)]).compile(), Err(Refusal::SourceNotOpen { target: 3, source: -1 }));
        // The last number cannot be open on any system, and there is no number above it from which to close.
        let last = RawFd::MAX;
        let beyond = Err(Refusal::TargetBeyondLimit { target: last, limit: last });
        assert_eq!(plan(&[(last, last)]).compile(), beyond);
        assert!(plan(&[(3, last)]).compile().is_ok());
        let limited = Plan { limit: 10, ..plan(&[(10, 3)]) };
        assert_eq!(limited.compile(), Err(Refusal::TargetBeyondLimit { target: 10, limit: 10 }));
        let kept = Plan { limit: 10, ..plan(&[(10, 10)]) };
        assert!(kept.compile().is_ok(), "a kept descriptor may be above a limit that was lowered later");
    }
}
