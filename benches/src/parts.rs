//! The parts of the benchmark: what is measured, and in which states of the parent.

/// One part, with a table and a plot of its own.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// The name on the command line and of the plot's file.
    pub name: &'static str,
    pub title: &'static str,
    /// What the points differ in, with the unit.
    pub axis: &'static str,
    /// How long a full run measures.
    pub seconds: u64,
    /// What a reader of the numbers has to know.
    pub remark: Option<&'static str>,
    pub subject: Subject,
}

#[derive(Clone, Copy, Debug)]
pub enum Subject {
    /// Times of a piece of work in several states of the parent; the first is the one that others are compared with.
    Times { work: Work, points: &'static [Point], cast: Cast },
    /// How often the program is refused as busy, in races of threads that write a program and spawn it.
    Busy,
}

/// What is done over and over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Spawns the tiny program and waits for it, as `status()` does.
    Status,
    /// The same with pipes at 0, 1 and 2, two mapped descriptors at 3 and 4, and the rest closed.
    Pipes,
    /// As `Status`, with as many descriptors mapped to 3 and up as the state says, and the rest closed.
    Mapped,
}

/// Who does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cast {
    /// The raw limit, the library and its peers.
    Peers,
    /// The same and `Isolated`. Its thread makes the worker a process of several threads, in which the others have more to
    /// do: the C library then locks its heap, and the kernel counts who uses a descriptor.
    Isolated,
    /// The raw limit with pieces of what the library does more, and the library.
    Pieces,
}

/// A state of the parent, with its label in tables and plots.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    pub label: &'static str,
    pub state: State,
}

/// A state of the parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Touched memory, in MiB.
    pub memory: usize,
    /// Open descriptors, beside the standard streams.
    pub descriptors: usize,
    pub layout: Layout,
    /// Mapped descriptors.
    pub mapped: usize,
    /// Environment variables.
    pub variables: usize,
    pub search: Search,
    /// Threads that spawn at once.
    pub threads: usize,
    /// Processors that the process may use.
    pub processors: usize,
    /// How many microseconds it works between two spawns.
    pub work_between: u64,
}

/// Where the open descriptors are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// From 1,000 on, so that those which a spawn opens are below them.
    Sparse,
    /// From 3 on, so that those which a spawn opens come last.
    Dense,
}

/// How the program is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// By its path.
    Path,
    /// By its name, which is found in the last of ten directories in PATH.
    LastOfTen,
}

/// The state that the points differ from.
const PLAIN: State = State {
    memory: 0,
    descriptors: 0,
    layout: Layout::Sparse,
    mapped: 2,
    variables: 35,
    search: Search::Path,
    threads: 1,
    processors: 1,
    work_between: 0,
};

const fn at(label: &'static str, state: State) -> Point {
    Point { label, state }
}

const DESCRIPTORS: &[Point] = &[
    at("0", PLAIN),
    at("1,000 sparse", State { descriptors: 1_000, ..PLAIN }),
    at("1,000 dense", State { descriptors: 1_000, layout: Layout::Dense, ..PLAIN }),
    at("19,000 sparse", State { descriptors: 19_000, ..PLAIN }),
    at("19,000 dense", State { descriptors: 19_000, layout: Layout::Dense, ..PLAIN }),
];

const CROWDED: &str = "Sparse descriptors begin at number 1,000, dense ones at 3, so that those which a spawn opens come last. Each \
     is a description of its own, and closes at exec. The raw limit copies the whole table, which fdspawn does \
     not: no limit for it here. The parent has a second thread, that of `Isolated`.";

const PROCESSORS: &[Point] = &[
    at("1", PLAIN),
    at("1, working between spawns", State { work_between: 100, ..PLAIN }),
    at("2", State { processors: 2, ..PLAIN }),
    at("2, working between spawns", State { processors: 2, work_between: 100, ..PLAIN }),
];

/// All parts, in the order in which they run.
pub const PARTS: &[Part] = &[
    Part {
        name: "status",
        title: "status() of a tiny static program, 35 inherited variables",
        axis: "time per spawn",
        seconds: 20,
        remark: None,
        subject: Subject::Times { work: Work::Status, points: &[at("status()", PLAIN)], cast: Cast::Peers },
    },
    Part {
        name: "pipes",
        title: "Three pipes, two mapped descriptors, the rest closed",
        axis: "time per spawn",
        seconds: 20,
        remark: None,
        subject: Subject::Times { work: Work::Pipes, points: &[at("spawn() and wait()", PLAIN)], cast: Cast::Peers },
    },
    Part {
        name: "memory",
        title: "status() by the parent's touched memory",
        axis: "touched memory of the parent",
        seconds: 25,
        remark: Some(
            "The memory is written to in pages of the smallest size. Huge pages are off for it (madvise): with \
             them fork would copy a five-hundredth of the entries, but no program can count on getting them.",
        ),
        subject: Subject::Times {
            work: Work::Status,
            points: &[
                at("0", PLAIN),
                at("64 MiB", State { memory: 64, ..PLAIN }),
                at("1 GiB", State { memory: 1 << 10, ..PLAIN }),
                at("8 GiB", State { memory: 8 << 10, ..PLAIN }),
            ],
            cast: Cast::Peers,
        },
    },
    Part {
        name: "descriptors",
        title: "status() by the parent's open descriptors",
        axis: "open descriptors of the parent",
        seconds: 25,
        remark: Some(CROWDED),
        subject: Subject::Times { work: Work::Status, points: DESCRIPTORS, cast: Cast::Isolated },
    },
    Part {
        name: "descriptors-pipes",
        title: "Three pipes and two mapped descriptors by the parent's open descriptors",
        axis: "open descriptors of the parent",
        seconds: 25,
        remark: Some(CROWDED),
        subject: Subject::Times { work: Work::Pipes, points: DESCRIPTORS, cast: Cast::Isolated },
    },
    Part {
        name: "mapped",
        title: "Mapped descriptors, the rest closed",
        axis: "mapped descriptors",
        seconds: 12,
        remark: Some("Targets are 3 and up, sources above them."),
        subject: Subject::Times {
            work: Work::Mapped,
            points: &[
                at("0", State { mapped: 0, ..PLAIN }),
                at("3", State { mapped: 3, ..PLAIN }),
                at("10", State { mapped: 10, ..PLAIN }),
                at("100", State { mapped: 100, ..PLAIN }),
            ],
            cast: Cast::Peers,
        },
    },
    Part {
        name: "environment",
        title: "status() by the size of the inherited environment",
        axis: "environment variables",
        seconds: 12,
        remark: None,
        subject: Subject::Times {
            work: Work::Status,
            points: &[at("30", State { variables: 30, ..PLAIN }), at("1,000", State { variables: 1_000, ..PLAIN })],
            cast: Cast::Peers,
        },
    },
    Part {
        name: "path",
        title: "status() of a program by its path, and found in PATH",
        axis: "how the program is named",
        seconds: 10,
        remark: None,
        subject: Subject::Times {
            work: Work::Status,
            points: &[
                at("by its path", PLAIN),
                at("in the last of ten PATH entries", State { search: Search::LastOfTen, ..PLAIN }),
            ],
            cast: Cast::Peers,
        },
    },
    Part {
        name: "threads",
        title: "status() by threads that spawn at once",
        axis: "threads",
        seconds: 12,
        remark: Some(
            "A time is that of one spawn of one thread: two threads, which have two processors, make two spawns in it.",
        ),
        subject: Subject::Times {
            work: Work::Status,
            points: &[at("1", PLAIN), at("2", State { threads: 2, processors: 2, ..PLAIN })],
            cast: Cast::Peers,
        },
    },
    Part {
        name: "processors",
        title: "status() by the processors that the parent may use",
        axis: "processors",
        seconds: 15,
        remark: Some(
            "With several processors the kernel may move a child to an idle one when it executes its program. It does \
             so in some runs of spawns and not in others, whoever spawns, and nearly always where the parent works for \
             100 µs before each spawn, which is not counted. To wake an idle processor of a virtual machine takes longer \
             than a spawn. That is why the other parts are measured on one.",
        ),
        subject: Subject::Times { work: Work::Status, points: PROCESSORS, cast: Cast::Isolated },
    },
    Part {
        name: "processors-pipes",
        title: "Three pipes and two mapped descriptors by the processors that the parent may use",
        axis: "processors",
        seconds: 10,
        remark: None,
        subject: Subject::Times { work: Work::Pipes, points: PROCESSORS, cast: Cast::Isolated },
    },
    Part {
        name: "pieces",
        title: "Where the time of a status() goes",
        axis: "time per spawn",
        seconds: 10,
        remark: None,
        subject: Subject::Times { work: Work::Status, points: &[at("status()", PLAIN)], cast: Cast::Pieces },
    },
    Part {
        name: "busy",
        title: "Programs refused as busy (ETXTBSY) when written and spawned by 8 threads at once",
        axis: "refused programs of 3,200",
        seconds: 0,
        remark: None,
        subject: Subject::Busy,
    },
];

/// The part of a name.
pub fn find(name: &str) -> Option<&'static Part> {
    PARTS.iter().find(|part| part.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_parts_and_labels_of_points_are_unique() {
        let unique =
            |names: Vec<&str>| names.iter().all(|name| names.iter().filter(|other| *other == name).count() == 1);
        assert!(unique(PARTS.iter().map(|part| part.name).collect()));
        for part in PARTS {
            if let Subject::Times { points, .. } = part.subject {
                assert!(unique(points.iter().map(|point| point.label).collect()), "{}", part.name);
            }
        }
    }

    #[test]
    fn a_full_run_leaves_most_of_five_minutes_after_the_build() {
        assert!(PARTS.iter().map(|part| part.seconds).sum::<u64>() <= 200);
    }
}
