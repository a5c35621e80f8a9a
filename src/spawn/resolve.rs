//! From the caller's map to the mappings of the plan: refuses contradictions, and checks the sources that the parent has.

use super::defaults::Defaults;
use crate::command::{FdMap, NotInherited, Source};
use crate::error::{Failure, Problem};
use crate::fd::close_on_exec;
use crate::plan::{Mapping, NO_SOURCE, Origin, Plan, Refusal, check};
use crate::sys;
use std::os::fd::RawFd;

/// Fills an empty plan with the mappings of a map. Sources that the parent has to open later are [`NO_SOURCE`].
///
/// Call this before the parent opens anything. Else a new pipe could get the number 3, and the check would take the pipe for
/// the 3 that the caller wants to inherit.
pub(super) fn resolve(map: &FdMap<'_>, defaults: &Defaults, plan: &mut Plan) -> Result<(), Problem> {
    resolve_entries(map.entries(&defaults.0), map.not_inherited, plan)
}

/// [`resolve`] for targets and sources that are sorted by target.
#[inline]
pub(super) fn resolve_entries<'a, 'fd: 'a>(
    entries: impl Iterator<Item = (RawFd, &'a Source<'fd>)>,
    not_inherited: NotInherited,
    plan: &mut Plan,
) -> Result<(), Problem> {
    not_inherited.check()?;
    for (target, source) in entries {
        plan.mappings.push(source.mapping(target, not_inherited)?);
    }
    check(&mut plan.mappings)?;
    if plan.mappings.iter().any(|mapping| mapping.origin == Origin::Closed) {
        move_closed(plan);
    }
    plan.mappings.iter_mut().filter(|mapping| mapping.source != NO_SOURCE).try_for_each(check_source)?;
    refuse_beyond_limit(plan)?;
    Ok(())
}

/// Moves the targets that are closed in the child to the plan's list of these.
#[inline(never)]
fn move_closed(plan: &mut Plan) {
    let Plan { mappings, closed, .. } = plan;
    mappings.retain(|mapping| {
        let is_open = mapping.origin != Origin::Closed;
        if !is_open {
            closed.push(mapping.target);
        }
        is_open
    });
}

/// Checks that a source is open, and whether it has close-on-exec set.
fn check_source(mapping: &mut Mapping) -> Result<(), Problem> {
    let Mapping { target, source, origin, .. } = *mapping;
    if origin == Origin::Link {
        mapping.close_on_exec = true; // The graph has opened it so, and closes it after the launch.
        return Ok(());
    }
    match close_on_exec(source) {
        // The child clears the flag of a kept descriptor even if it is not set now: another thread may be about to set it. It
        // does not do so for 0, 1 and 2, since that would cost every child three calls.
        Ok(Some(is_set)) => mapping.close_on_exec = is_set || target > 2,
        Ok(None) if origin == Origin::Inherited && (0..=2).contains(&source) => {
            mapping.source = NO_SOURCE;
            mapping.origin = Origin::ClosedInParent;
        }
        Ok(None) => return Err(Refusal::SourceNotOpen { target, source }.into()),
        Err(errno) => return Err(Problem::system(Failure::CheckFd { fd: source }, errno)),
    }
    Ok(())
}

/// Refuses targets at which dup2(2) would fail, before the parent opens their sources.
fn refuse_beyond_limit(plan: &mut Plan) -> Result<(), Refusal> {
    let mut duplicates = plan.mappings.iter().filter(|each| each.source != each.target).peekable();
    if duplicates.peek().is_none() {
        return Ok(());
    }
    plan.limit = soft_limit();
    match duplicates.find(|each| each.target >= plan.limit) {
        Some(&Mapping { target, .. }) => Err(Refusal::TargetBeyondLimit { target, limit: plan.limit }),
        None => Ok(()),
    }
}

/// The soft limit of descriptors (`RLIMIT_NOFILE`).
pub(crate) fn soft_limit() -> RawFd {
    sys::soft_limit(sys::OPEN_FILES).and_then(|limit| RawFd::try_from(limit).ok()).unwrap_or(RawFd::MAX)
}

/// Whether 0, 1 or 2 is closed in the parent. A source is open, so it needs no check.
pub(super) fn is_std_fd_free(mappings: &[Mapping]) -> bool {
    (0..=2).any(|number| {
        !mappings.iter().any(|each| each.source == number) && !matches!(close_on_exec(number), Ok(Some(_)))
    })
}
