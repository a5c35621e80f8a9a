//! The child's table in rows, for `explain` and for the trace.

use super::buffers::Buffers;
use crate::escape::{Escaped, Numbers};
use crate::launch::cpus_of;
use crate::plan::{Origin, Plan, Role, Step, StringId};
use std::fmt;
use std::os::fd::RawFd;

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TableRow {
    /// `None` for a descriptor of the library, which closes at exec.
    pub(super) target: Option<RawFd>,
    /// `None` for a target that is closed in the child.
    pub(super) source: Option<RawFd>,
    pub(super) meaning: RowMeaning,
}

/// What the descriptor of a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowMeaning {
    Target(Origin),
    Internal(Role),
    Scratch,
}

impl fmt::Display for RowMeaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Target(origin) => write!(f, "{origin}"),
            Self::Internal(role) => write!(f, "{role}"),
            Self::Scratch => f.write_str("the scratch number of a cycle, until exec"),
        }
    }
}

/// The rows of a plan: the targets in order, then the library's own descriptors.
pub(super) fn rows(plan: &Plan) -> Vec<TableRow> {
    let target =
        |target, source, origin| TableRow { target: Some(target), source, meaning: RowMeaning::Target(origin) };
    let internal = |fd, meaning| TableRow { target: None, source: Some(fd), meaning };
    let mut rows: Vec<TableRow> =
        plan.mappings.iter().map(|each| target(each.target, Some(each.source), each.origin)).collect();
    rows.extend(plan.closed.iter().map(|&number| target(number, None, Origin::Closed)));
    rows.sort_by_key(|row| row.target);
    rows.extend(plan.internal_fds.iter().map(|each| internal(each.fd, RowMeaning::Internal(each.role))));
    rows.extend(plan.scratch.map(|fd| internal(fd, RowMeaning::Scratch)));
    rows
}

/// The text of a step with its operands. Those that are strings or lists are in the buffers.
pub(super) fn step_text(step: Step, buffers: &Buffers) -> String {
    let path = |id: StringId| buffers.strings.get(id.index()).map(|path| Escaped::new(path).to_string());
    match step {
        Step::ChangeDirectory { path: id } => format!("{step} to `{}`", path(id).unwrap_or_default()),
        Step::ChangeRoot { path: id } => format!("{step} to `{}`", path(id).unwrap_or_default()),
        Step::SetGroups { groups } => format!("{step} to {}", Numbers(groups.list(&buffers.numbers))),
        Step::Affinity { cpus } => format!("{step} to {}", Numbers(&cpus_of(cpus.list(&buffers.numbers)))),
        step => step.to_string(),
    }
}

/// Sends the plan and the steps to the subscriber of `tracing`. A subscriber may run any code, so call this without a lock.
pub(super) fn trace(buffers: &Buffers) {
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return;
    }
    for TableRow { target, source, meaning } in rows(&buffers.plan) {
        tracing::debug!(?target, ?source, origin = %meaning, "descriptor");
    }
    for (index, &step) in buffers.steps.iter().enumerate() {
        tracing::debug!(index, step = %step_text(step, buffers), "step");
    }
}
