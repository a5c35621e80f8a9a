//! The parts about single spawns.

use super::Part;
use super::state::{PLAIN, Search, State, at};
use super::timed::Timed;
use super::work::{CaseSet, Subject, Work};

pub(super) const STATUS: Part = Part {
    name: "status",
    title: "status() of a tiny static program, 35 inherited variables",
    axis: "time per spawn",
    timed: Timed::Spawn,
    seconds: 20,
    remark: None,
    subject: Subject::Times { work: Work::Status, points: &[at("status()", PLAIN)], set: CaseSet::Peers },
};

pub(super) const PIPES: Part = Part {
    name: "pipes",
    title: "Three pipes, two mapped descriptors, all other descriptors closed",
    axis: "time per spawn",
    timed: Timed::Spawn,
    seconds: 15,
    remark: None,
    subject: Subject::Times { work: Work::Pipes, points: &[at("spawn() and wait()", PLAIN)], set: CaseSet::Peers },
};

pub(super) const MAPPED: Part = Part {
    name: "mapped",
    title: "Mapped descriptors, all other descriptors closed",
    axis: "mapped descriptors",
    timed: Timed::Spawn,
    seconds: 12,
    remark: Some("The targets are the numbers from 3 up. The sources have higher numbers than all targets."),
    subject: Subject::Times {
        work: Work::Mapped,
        points: &[
            at("0", State { mapped: 0, ..PLAIN }),
            at("3", State { mapped: 3, ..PLAIN }),
            at("10", State { mapped: 10, ..PLAIN }),
            at("100", State { mapped: 100, ..PLAIN }),
        ],
        set: CaseSet::Peers,
    },
};

pub(super) const ENVIRONMENT: Part = Part {
    name: "environment",
    title: "status() by the size of the inherited environment",
    axis: "environment variables",
    timed: Timed::Spawn,
    seconds: 12,
    remark: None,
    subject: Subject::Times {
        work: Work::Status,
        points: &[at("30", State { variables: 30, ..PLAIN }), at("1,000", State { variables: 1_000, ..PLAIN })],
        set: CaseSet::Peers,
    },
};

pub(super) const ATTRIBUTES: Part = Part {
    name: "attributes",
    title: "status() with attributes: a session, a umask, two limits, a nice value, a signal disposition",
    axis: "memory that the parent has written to",
    timed: Timed::Spawn,
    seconds: 12,
    remark: None,
    subject: Subject::Times {
        work: Work::Attributes,
        points: &[at("0", PLAIN), at("1 GiB", State { memory: 1 << 10, ..PLAIN })],
        set: CaseSet::Peers,
    },
};

pub(super) const PATH: Part = Part {
    name: "path",
    title: "status() of a program named by its path, and of a program found in PATH",
    axis: "how the command names the program",
    timed: Timed::Spawn,
    seconds: 10,
    remark: None,
    subject: Subject::Times {
        work: Work::Status,
        points: &[
            at("by its path", PLAIN),
            at("in the last of ten PATH entries", State { search: Search::LastOfTen, ..PLAIN }),
        ],
        set: CaseSet::Peers,
    },
};

pub(super) const PIECES: Part = Part {
    name: "pieces",
    title: "Where the time of a status() goes",
    axis: "time per spawn",
    timed: Timed::Spawn,
    seconds: 10,
    remark: None,
    subject: Subject::Times { work: Work::Status, points: &[at("status()", PLAIN)], set: CaseSet::Pieces },
};

pub(super) const WAIT: Part = Part {
    name: "wait",
    title: "Waits with a time limit, and process groups",
    axis: "time per spawn",
    timed: Timed::Spawn,
    seconds: 10,
    remark: None,
    subject: Subject::Times { work: Work::Status, points: &[at("spawn() and wait()", PLAIN)], set: CaseSet::Waits },
};

pub(super) const OUTPUT: Part = Part {
    name: "output",
    title: "output() of a tiny static program",
    axis: "time per spawn",
    timed: Timed::Spawn,
    seconds: 12,
    remark: None,
    subject: Subject::Times { work: Work::Output, points: &[at("output()", PLAIN)], set: CaseSet::Peers },
};
