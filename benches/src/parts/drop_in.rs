//! The parts about the library under std's names.

use super::Part;
use super::state::{Layout, PLAIN, Point, State, at};
use super::timed::Timed;
use super::work::{CaseSet, Subject, Work};

const DESCRIPTORS: &[Point] = &[
    at("0", PLAIN),
    at("100", State { descriptors: 100, layout: Layout::Dense, ..PLAIN }),
    at("10,000", State { descriptors: 10_000, layout: Layout::Dense, ..PLAIN }),
];

const REMARK: &str = "fdspawn::process has std's names. As std, it does not close the rest, so the kernel copies the \
     table of the parent's descriptors for each spawn.";

pub(super) const DROP_IN_STATUS: Part = Part {
    name: "drop-in-status",
    title: "status() under std's names, by the parent's open descriptors",
    axis: "open descriptors of the parent",
    timed: Timed::Spawn,
    seconds: 7,
    remark: Some(REMARK),
    subject: Subject::Times { work: Work::Status, points: DESCRIPTORS, set: CaseSet::DropIn },
};

pub(super) const DROP_IN_OUTPUT: Part = Part {
    name: "drop-in-output",
    title: "output() under std's names, by the parent's open descriptors",
    axis: "open descriptors of the parent",
    timed: Timed::Spawn,
    seconds: 7,
    remark: Some(REMARK),
    subject: Subject::Times { work: Work::Output, points: DESCRIPTORS, set: CaseSet::DropIn },
};

pub(super) const DROP_IN_SPAWN: Part = Part {
    name: "drop-in-spawn",
    title: "spawn() and wait() under std's names, by the parent's open descriptors",
    axis: "open descriptors of the parent",
    timed: Timed::Spawn,
    seconds: 7,
    remark: Some(REMARK),
    subject: Subject::Times { work: Work::Spawn, points: DESCRIPTORS, set: CaseSet::DropIn },
};
