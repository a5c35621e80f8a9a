//! The parts about graphs of processes.

use super::Part;
use super::state::{PLAIN, Point, STREAM, State, at};
use super::timed::Timed;
use super::work::{CaseSet, Subject, Work};

/// How many bytes a line or a tee moves in one sample, unless the command line says another number.
pub const GRAPH_SIZE: usize = 256 << 20;

/// How many bytes a stage that moves bytes reads or writes at a time.
pub const GRAPH_PIECE: usize = 64 << 10;

pub(super) const LINE: Part = Part {
    name: "line",
    title: "Four stages that copy bytes from one to the next",
    axis: "time per line",
    timed: Timed::Stream,
    seconds: 45,
    remark: Some(
        "Each stage reads and writes 64 KiB at a time. The first one reads /dev/zero, and the last one writes to \
         /dev/null. Each stage counts the bytes, and fails if one is missing. All processes may use two processors.",
    ),
    subject: Subject::Times { work: Work::Line, points: &[at("line", STREAM)], set: CaseSet::Peers },
};

const STAGES_POINTS: &[Point] = &[
    at("2", State { children: 2, ..PLAIN }),
    at("10", State { children: 10, ..PLAIN }),
    at("100", State { children: 100, ..PLAIN }),
];

pub(super) const STAGES: Part = Part {
    name: "stages",
    title: "Starting and ending a line of stages of a tiny static program",
    axis: "stages",
    timed: Timed::Stages,
    seconds: 30,
    remark: Some("A time is the time from the start of the first stage to the end of the wait for the last one."),
    subject: Subject::Times { work: Work::Stages, points: STAGES_POINTS, set: CaseSet::Peers },
};

const TEE_POINTS: &[Point] = &[at("64 KiB pipes", STREAM), at("1 MiB pipes", State { capacity: 1 << 20, ..STREAM })];

pub(super) const TEE: Part = Part {
    name: "tee",
    title: "All bytes of a stage to two others",
    axis: "capacity of the pipes",
    timed: Timed::Stream,
    seconds: 27,
    remark: Some(
        "The first stage writes 64 KiB at a time, and the other two read 64 KiB at a time. Each reader counts the bytes, \
         and fails if one is missing. All processes may use two processors. The processor time is that of the parent, \
         with all of its threads.",
    ),
    subject: Subject::Times { work: Work::Tee, points: TEE_POINTS, set: CaseSet::Peers },
};
