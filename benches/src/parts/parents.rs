//! The parts about what the parent has: memory, descriptors, threads, processors.

use super::Part;
use super::state::{Layout, PLAIN, Point, State, at};
use super::timed::Timed;
use super::work::{CaseSet, Subject, Work};

const DESCRIPTOR_POINTS: &[Point] = &[
    at("0", PLAIN),
    at("1,000 sparse", State { descriptors: 1_000, ..PLAIN }),
    at("1,000 dense", State { descriptors: 1_000, layout: Layout::Dense, ..PLAIN }),
    at("19,000 sparse", State { descriptors: 19_000, ..PLAIN }),
    at("19,000 dense", State { descriptors: 19_000, layout: Layout::Dense, ..PLAIN }),
];

const MANY_DESCRIPTORS: &str = "Sparse descriptors have the numbers from 1,000 up. Dense descriptors have the numbers \
     from 3 up, so that the descriptors that a spawn opens get the highest numbers. Each descriptor refers to an open \
     file description of its own, and has close-on-exec set. The raw limit copies the whole descriptor table. fdspawn \
     does not, so it can be faster than the raw limit here. The parent has a second thread, which belongs to \
     `Isolated`.";

const PROCESSOR_POINTS: &[Point] = &[
    at("1", PLAIN),
    at("1, working between spawns", State { work_between: 100, ..PLAIN }),
    at("2", State { processors: 2, ..PLAIN }),
    at("2, working between spawns", State { processors: 2, work_between: 100, ..PLAIN }),
];

pub(super) const MEMORY: Part = Part {
    name: "memory",
    title: "status() by the memory that the parent has written to",
    axis: "memory that the parent has written to",
    timed: Timed::Spawn,
    seconds: 20,
    remark: Some(
        "The parent has written to each page of the memory. It turns huge pages off with madvise(2). With huge \
         pages fork(2) would copy only one page table entry for each 2 MiB, but the kernel does not guarantee \
         huge pages to any program.",
    ),
    subject: Subject::Times {
        work: Work::Status,
        points: &[
            at("0", PLAIN),
            at("64 MiB", State { memory: 64, ..PLAIN }),
            at("1 GiB", State { memory: 1 << 10, ..PLAIN }),
            at("8 GiB", State { memory: 8 << 10, ..PLAIN }),
        ],
        set: CaseSet::Peers,
    },
};

pub(super) const DESCRIPTORS: Part = Part {
    name: "descriptors",
    title: "status() by the parent's open descriptors",
    axis: "open descriptors of the parent",
    timed: Timed::Spawn,
    seconds: 21,
    remark: Some(MANY_DESCRIPTORS),
    subject: Subject::Times { work: Work::Status, points: DESCRIPTOR_POINTS, set: CaseSet::Isolated },
};

pub(super) const DESCRIPTORS_PIPES: Part = Part {
    name: "descriptors-pipes",
    title: "Three pipes and two mapped descriptors, by the parent's open descriptors",
    axis: "open descriptors of the parent",
    timed: Timed::Spawn,
    seconds: 21,
    remark: Some(MANY_DESCRIPTORS),
    subject: Subject::Times { work: Work::Pipes, points: DESCRIPTOR_POINTS, set: CaseSet::Isolated },
};

pub(super) const THREADS: Part = Part {
    name: "threads",
    title: "status() by the number of threads that spawn at the same time",
    axis: "threads",
    timed: Timed::Spawn,
    seconds: 12,
    remark: Some(
        "A time is the time of one spawn in one thread. Two threads run on two processors, so they make two \
         spawns in this time.",
    ),
    subject: Subject::Times {
        work: Work::Status,
        points: &[at("1", PLAIN), at("2", State { threads: 2, processors: 2, ..PLAIN })],
        set: CaseSet::Peers,
    },
};

pub(super) const PROCESSORS: Part = Part {
    name: "processors",
    title: "status() by the number of processors that the parent may use",
    axis: "processors",
    timed: Timed::Spawn,
    seconds: 15,
    remark: Some(
        "If the parent may use several processors, the kernel may move a child to an idle processor in execve(2). \
         In some series of spawns the kernel does this and in others it does not, for every case alike. It nearly \
         always does if the parent computes for 100 µs before each spawn (\"working between spawns\"; the time \
         does not include these 100 µs). Waking an idle processor of a virtual machine takes longer than a spawn. \
         For this reason the other parts use one processor.",
    ),
    subject: Subject::Times { work: Work::Status, points: PROCESSOR_POINTS, set: CaseSet::Isolated },
};

pub(super) const PROCESSORS_PIPES: Part = Part {
    name: "processors-pipes",
    title: "Three pipes and two mapped descriptors, by the number of processors that the parent may use",
    axis: "processors",
    timed: Timed::Spawn,
    seconds: 10,
    remark: None,
    subject: Subject::Times { work: Work::Pipes, points: PROCESSOR_POINTS, set: CaseSet::Isolated },
};
