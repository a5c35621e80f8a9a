//! From a plan in the caller's words to one in numbers: looks at what the caller gave, and opens what is missing.

use super::prepare::{Defaults, Demands, Problem};
use super::sources::{self, Landed};
use crate::command::FdMap;
use crate::explain::{Origin, Row};
use crate::fd::close_on_exec;
use crate::plan::{Mapping, Plan, Refusal, Want, Wish, check};
use crate::platform::Features;
use crate::process::{End, Handles};
use crate::stdio::{SlotKind, Source};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// What has been opened so far.
pub(super) struct Opening<'a> {
    /// What only the child needs.
    pub(super) opened: &'a mut Vec<OwnedFd>,
    /// The table, where it is to be told.
    rows: Option<&'a mut Vec<Row>>,
    pub(super) handles: Handles,
    /// One `/dev/null` serves all that want it.
    null: Option<RawFd>,
    landed: Landed,
    /// Whether 0, 1 or 2 is closed in the parent, where that was asked for.
    pub(super) standard_closed: bool,
}

impl<'a> Opening<'a> {
    pub(super) fn new(opened: &'a mut Vec<OwnedFd>, rows: Option<&'a mut Vec<Row>>) -> Self {
        let handles = Handles::default();
        Self { opened, rows, handles, null: None, landed: Landed::default(), standard_closed: false }
    }

    /// Adds a line of the table, where it is to be told.
    fn tell(&mut self, target: RawFd, source: Option<RawFd>, origin: Origin) {
        if let Some(rows) = &mut self.rows {
            rows.push(Row { target: Some(target), source, origin });
        }
    }

    fn own(&mut self, fd: OwnedFd) -> RawFd {
        let number = fd.as_raw_fd();
        self.opened.push(fd);
        number
    }

    /// Connects a target to what was opened for it, which closes at exec as all that the library opens does.
    fn connect(&mut self, target: RawFd, fd: OwnedFd) -> Mapping {
        Mapping { target, source: self.own(fd), close_on_exec: true }
    }

    fn null(&mut self, target: RawFd) -> Result<Mapping, Problem> {
        let source = match self.null {
            Some(number) => number,
            None => {
                let null = sources::null(target, &mut self.landed)?;
                let number = self.own(null);
                *self.null.insert(number)
            }
        };
        Ok(Mapping { target, source, close_on_exec: true })
    }

    /// Opens what a target is connected to.
    fn open(&mut self, target: RawFd, source: &Source<'_>, missing: Features) -> Result<(Mapping, Origin), Problem> {
        match source {
            Source::Null => Ok((self.null(target)?, Origin::Null)),
            Source::Data(bytes) => {
                let fd = sources::data(target, bytes, missing, &mut self.landed)?;
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

    fn slot(&mut self, target: RawFd, kind: SlotKind) -> Result<(Mapping, Origin, End), Problem> {
        let (child, parent) = sources::connect(target, kind, &mut self.landed)?;
        let origin = match kind {
            SlotKind::Reader => Origin::ReadByParent,
            SlotKind::Writer => Origin::WrittenByParent,
            SlotKind::Socket => Origin::Socket,
        };
        Ok((self.connect(target, child), origin, parent))
    }
}

/// Where the caller's plan keeps the source of a wish.
fn source_of<'a, 'fd>(wanted: &'a FdMap<'fd>, defaults: &'a Defaults, wish: &Wish) -> &'a Source<'fd> {
    match (wanted.standard.get(wish.place), wish.place.checked_sub(3)) {
        (Some(Some(stdio)), _) => &stdio.0,
        (Some(None), _) => &defaults.0[wish.place].0,
        (None, Some(index)) if index < wanted.connections.len() => &wanted.connections[index].1.0,
        (None, _) => &Source::Inherit, // a kept descriptor
    }
}

/// Adds all wishes of a plan, in no order.
fn push_wishes(wanted: &FdMap<'_>, defaults: &Defaults, wishes: &mut Vec<Wish>) {
    let mut add = |target: RawFd, source: &Source<'_>, place: usize| {
        let want = match source {
            Source::Inherit => Want::Inherit,
            Source::Closed => Want::Closed,
            Source::SameAs(target) => Want::SameAs(*target),
            Source::Spent => Want::Spent,
            Source::Piped if !(0..=2).contains(&target) => Want::PipeOfNoDirection,
            _ => Want::Source,
        };
        wishes.push(Wish { target, want, place });
    };
    for (place, (stdio, default)) in wanted.standard.iter().zip(&defaults.0).enumerate() {
        let target = place as RawFd;
        let mentioned = || {
            wanted.connections.iter().any(|(number, _)| *number == target)
                || wanted.keep.iter().any(|fd| fd.as_raw_fd() == target)
        };
        match stdio {
            Some(stdio) => add(target, &stdio.0, place),
            None if mentioned() => {}
            None => add(target, &default.0, place),
        }
    }
    for (index, (target, stdio)) in wanted.connections.iter().enumerate() {
        add(*target, &stdio.0, 3 + index);
    }
    let kept = wanted.keep.iter().enumerate();
    wishes.extend(kept.map(|(index, fd)| Wish {
        target: fd.as_raw_fd(),
        want: Want::Keep,
        place: 3 + wanted.connections.len() + index,
    }));
}

/// A target whose source is not known yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    /// Where its connection is.
    index: usize,
    wish: Wish,
    /// A standard stream that is closed in the parent.
    closed_stream: bool,
}

/// Stands for a source that is not known yet, and is no target's number.
const UNKNOWN: RawFd = -1;

/// Checks the wishes, opens what they need, and puts them into numbers: into a `plan` that is empty, as the other lists are.
pub(super) fn descriptor_plan(
    wanted: &FdMap<'_>,
    defaults: &Defaults,
    demands: Demands,
    wishes: &mut Vec<Wish>,
    pending: &mut Vec<Pending>,
    plan: &mut Plan,
    opening: &mut Opening<'_>,
) -> Result<(), Problem> {
    push_wishes(wanted, defaults, wishes);
    check(wishes)?;

    plan.rest = wanted.rest;
    plan.start = demands.start;
    // What the parent has is looked at before anything is opened, or else what is opened here could be taken for it.
    for &wish in wishes.iter() {
        let target = wish.target;
        let given = match wish.want {
            Want::Closed => {
                plan.closed.push(target);
                opening.tell(target, None, Origin::Closed);
                continue;
            }
            Want::Inherit | Want::Source => given(source_of(wanted, defaults, &wish), target),
            Want::Keep => Some((target, Origin::Kept)),
            _ => None,
        };
        let mut closed_stream = false;
        if let Some((source, origin)) = given {
            match close_on_exec(source) {
                Some(is_set) => {
                    // The flag of a kept descriptor is cleared whether set now or not: another thread may be about to set
                    // it. For a standard stream, of which every child has three, that is not worth a call each.
                    plan.mappings.push(Mapping { target, source, close_on_exec: is_set || target > 2 });
                    opening.tell(target, Some(source), origin);
                    continue;
                }
                None if origin == Origin::Inherited && (0..=2).contains(&source) => closed_stream = true,
                None => return Err(Refusal::SourceNotOpen { target, source }.into()),
            }
        }
        pending.push(Pending { index: plan.mappings.len(), wish, closed_stream });
        plan.mappings.push(Mapping::new(target, UNKNOWN));
    }
    refuse_beyond_limit(plan)?;
    open_pending(wanted, defaults, pending, plan, opening)?;
    if demands.pidfd {
        opening.standard_closed =
            if opening.landed.any { opening.landed.on_standard } else { is_standard_closed(&plan.mappings) };
    }
    Ok(())
}

/// Opens the sources that are not known yet.
fn open_pending(
    wanted: &FdMap<'_>,
    defaults: &Defaults,
    pending: &[Pending],
    plan: &mut Plan,
    opening: &mut Opening<'_>,
) -> Result<(), Problem> {
    let mut follows = false;
    for &Pending { index, wish, closed_stream } in pending {
        let target = wish.target;
        let (connection, origin) = match wish.want {
            _ if closed_stream => (opening.null(target)?, Origin::ClosedInParent),
            Want::SameAs(_) => {
                follows = true;
                continue;
            }
            _ => opening.open(target, source_of(wanted, defaults, &wish), wanted.missing)?,
        };
        plan.mappings[index] = connection;
        opening.tell(target, Some(connection.source), origin);
    }
    if follows {
        for &Pending { index, wish, .. } in pending {
            let Want::SameAs(other) = wish.want else { continue };
            if let Ok(found) = plan.mappings.binary_search_by_key(&other, |each| each.target) {
                plan.mappings[index] = Mapping { target: wish.target, ..plan.mappings[found] };
                opening.tell(wish.target, Some(plan.mappings[found].source), Origin::SameAs(other));
            }
        }
    }
    if let Some(rows) = &mut opening.rows {
        rows.sort_by_key(|row| row.target);
    }
    Ok(())
}

/// Refuses targets that no duplicate can have, before anything is opened for them.
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

/// Whether 0, 1 or 2 is closed in the parent. Sources are known to be open.
fn is_standard_closed(connections: &[Mapping]) -> bool {
    (0..=2).any(|number| !connections.iter().any(|each| each.source == number) && close_on_exec(number).is_none())
}

/// The number of a source, if it is one that the parent has already.
fn given(source: &Source<'_>, target: RawFd) -> Option<(RawFd, Origin)> {
    match source {
        Source::Inherit => Some((target, Origin::Inherited)),
        Source::InheritFrom(number) => Some((*number, Origin::Inherited)),
        Source::Moved(fd) => Some((fd.as_raw_fd(), Origin::Moved)),
        Source::Shared(fd) => Some((fd.as_raw_fd(), Origin::Shared)),
        Source::Lent(fd) => Some((fd.as_raw_fd(), Origin::Lent)),
        _ => None,
    }
}

pub(super) fn soft_limit() -> RawFd {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    limit.and_then(|limit| RawFd::try_from(limit).ok()).unwrap_or(RawFd::MAX)
}
