//! The parts about many children.

use super::Part;
use super::state::{STREAM, State, at};
use super::timed::Timed;
use super::work::{CaseSet, Subject, Work};

pub(super) const SET: Part = Part {
    name: "set",
    title: "Waiting for all of many children that end at once",
    axis: "children",
    timed: Timed::Collection,
    seconds: 45,
    remark: Some(
        "The children read one pipe. A time is the time from the close of the pipe's other end, which ends all \
         children, to the end of the wait for the last of them. It includes the children's own exits, and not \
         their starts.",
    ),
    subject: Subject::Times {
        work: Work::Set,
        points: &[at("5,000", State { children: 5_000, ..STREAM }), at("10,000", State { children: 10_000, ..STREAM })],
        set: CaseSet::Peers,
    },
};

pub(super) const MANY: Part = Part {
    name: "many",
    title: "Children that all live at the same time, each with a pipe",
    axis: "children",
    timed: Timed::Children,
    seconds: 20,
    remark: Some(
        "Each child has a pipe at 1, whose reading end the parent keeps. The children read one other pipe. A time is the \
         time from the start of the first child, through the close of that pipe's other end, which ends all children, to \
         the end of the wait for the last of them.",
    ),
    subject: Subject::Times {
        work: Work::Many,
        points: &[
            at("50", State { children: 50, ..STREAM }),
            at("1,000", State { children: 1_000, ..STREAM }),
            at("4,000", State { children: 4_000, ..STREAM }),
        ],
        set: CaseSet::Peers,
    },
};

pub(super) const BUSY: Part = Part {
    name: "busy",
    title: "Spawns that fail with ETXTBSY while 8 threads write programs and spawn them",
    axis: "failed spawns of 3,200",
    timed: Timed::Spawn,
    seconds: 0,
    remark: None,
    subject: Subject::Busy,
};
