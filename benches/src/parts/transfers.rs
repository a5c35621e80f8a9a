//! The parts that move bytes between the parent and a child.

use super::Part;
use super::state::{Point, STREAM, State, at};
use super::timed::Timed;
use super::work::{CaseSet, Subject, Work};

const PIECES: &[Point] = &[
    at("4 KiB", State { piece: 4 << 10, ..STREAM }),
    at("8 KiB", State { piece: 8 << 10, ..STREAM }),
    at("64 KiB", State { piece: 64 << 10, ..STREAM }),
    at("1 MiB", State { piece: 1 << 20, ..STREAM }),
];

pub(super) const COLLECT: Part = Part {
    name: "collect",
    title: "Collecting 64 MiB from a child, by the size of its writes",
    axis: "bytes that the child writes at a time",
    timed: Timed::Transfer,
    seconds: 45,
    remark: Some(
        "A time is the time from the start of a spawn to the end of the wait for a child that writes 64 MiB. The \
         parent and the child may use two processors.",
    ),
    subject: Subject::Times { work: Work::Collect, points: PIECES, set: CaseSet::Peers },
};

pub(super) const KEEP: Part = Part {
    name: "keep",
    title: "Reading 64 MiB from a child and keeping the last MiB or nothing, by the size of its writes",
    axis: "bytes that the child writes at a time",
    timed: Timed::Transfer,
    seconds: 15,
    remark: Some("As in the part before, but the parent does not keep all bytes."),
    subject: Subject::Times { work: Work::Keep, points: PIECES, set: CaseSet::Peers },
};

pub(super) const FEED: Part = Part {
    name: "feed",
    title: "Feeding 64 MiB to a child that reads 128 KiB at a time",
    axis: "time per transfer",
    timed: Timed::Transfer,
    seconds: 20,
    remark: Some(
        "A time is the time from the start of a spawn to the end of the wait for a child that reads 64 MiB. The \
         parent and the child may use two processors.",
    ),
    subject: Subject::Times {
        work: Work::Feed,
        points: &[at("128 KiB", State { piece: 128 << 10, ..STREAM })],
        set: CaseSet::Peers,
    },
};
