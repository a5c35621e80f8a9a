//! The parts of the benchmark: what each measures, and in which states of the parent.

/// One part. The report has a section, a table and a plot for each part.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// The name on the command line, and of the plot's file.
    pub name: &'static str,
    pub title: &'static str,
    /// The property in which the points differ. The plot's axis has this title.
    pub axis: &'static str,
    /// How long a full run measures this part.
    pub seconds: u64,
    /// A note for the reader of the report.
    pub remark: Option<&'static str>,
    pub subject: Subject,
}

#[derive(Clone, Copy, Debug)]
pub enum Subject {
    /// The times of one kind of work in several states of the parent. The report compares each state with the first.
    Times { work: Work, points: &'static [Point], set: CaseSet },
    /// How many spawns fail with `ETXTBSY` while several threads each write a program and spawn it.
    Busy,
}

/// What one measured spawn does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Spawns the tiny program and waits for it, as `status()` does.
    Status,
    /// As `Status`, with pipes at 0, 1 and 2, mapped descriptors at 3 and 4, and all other descriptors closed.
    Pipes,
    /// As `Status`, with `State::mapped` descriptors mapped to 3 and up, and all other descriptors closed.
    Mapped,
    /// As `Status`, with a session of its own, a umask, two limits, a nice value, and the default disposition of a
    /// signal.
    Attributes,
}

/// Which cases do the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaseSet {
    /// Raw system calls, the library, and other crates.
    Peers,
    /// The same cases and `Isolated`. Its thread makes the worker multithreaded, which makes the other cases slower:
    /// the C library then locks its heap, and the kernel counts references when a system call uses a descriptor.
    Isolated,
    /// Raw system calls, each with one piece of the library's additional work, and the library.
    Pieces,
    /// The library and other crates, each with a wait that has a time limit.
    Waits,
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
    /// Memory that the parent has written to, in MiB.
    pub memory: usize,
    /// Open descriptors, in addition to the standard streams.
    pub descriptors: usize,
    pub layout: Layout,
    /// Descriptors that the spawn maps, if the work maps any.
    pub mapped: usize,
    /// Environment variables.
    pub variables: usize,
    pub search: Search,
    /// Threads that spawn at the same time.
    pub threads: usize,
    /// Processors that the process may use.
    pub processors: usize,
    /// For how many microseconds the parent computes before each spawn.
    pub work_between: u64,
}

/// Which numbers the open descriptors have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// 1,000 and up. The descriptors that a spawn opens get lower numbers.
    Sparse,
    /// 3 and up. The descriptors that a spawn opens get higher numbers.
    Dense,
}

/// How the command names the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// By its path.
    Path,
    /// By its name. Of the ten directories in PATH, only the last has the program.
    LastOfTen,
}

/// The state without memory or descriptors. Each point differs from it in one property or two.
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

const MANY_DESCRIPTORS: &str = "Sparse descriptors have the numbers from 1,000 up. Dense descriptors have the numbers \
     from 3 up, so that the descriptors that a spawn opens get the highest numbers. Each descriptor refers to an open \
     file description of its own, and has close-on-exec set. The raw limit copies the whole descriptor table. fdspawn \
     does not, so it can be faster than the raw limit here. The parent has a second thread, which belongs to \
     `Isolated`.";

const PROCESSORS: &[Point] = &[
    at("1", PLAIN),
    at("1, working between spawns", State { work_between: 100, ..PLAIN }),
    at("2", State { processors: 2, ..PLAIN }),
    at("2, working between spawns", State { processors: 2, work_between: 100, ..PLAIN }),
];

/// All parts, in the order in which the driver measures them.
pub const PARTS: &[Part] = &[
    Part {
        name: "status",
        title: "status() of a tiny static program, 35 inherited variables",
        axis: "time per spawn",
        seconds: 20,
        remark: None,
        subject: Subject::Times { work: Work::Status, points: &[at("status()", PLAIN)], set: CaseSet::Peers },
    },
    Part {
        name: "pipes",
        title: "Three pipes, two mapped descriptors, all other descriptors closed",
        axis: "time per spawn",
        seconds: 15,
        remark: None,
        subject: Subject::Times { work: Work::Pipes, points: &[at("spawn() and wait()", PLAIN)], set: CaseSet::Peers },
    },
    Part {
        name: "memory",
        title: "status() by the memory that the parent has written to",
        axis: "memory that the parent has written to",
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
    },
    Part {
        name: "descriptors",
        title: "status() by the parent's open descriptors",
        axis: "open descriptors of the parent",
        seconds: 21,
        remark: Some(MANY_DESCRIPTORS),
        subject: Subject::Times { work: Work::Status, points: DESCRIPTORS, set: CaseSet::Isolated },
    },
    Part {
        name: "descriptors-pipes",
        title: "Three pipes and two mapped descriptors, by the parent's open descriptors",
        axis: "open descriptors of the parent",
        seconds: 21,
        remark: Some(MANY_DESCRIPTORS),
        subject: Subject::Times { work: Work::Pipes, points: DESCRIPTORS, set: CaseSet::Isolated },
    },
    Part {
        name: "mapped",
        title: "Mapped descriptors, all other descriptors closed",
        axis: "mapped descriptors",
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
            set: CaseSet::Peers,
        },
    },
    Part {
        name: "attributes",
        title: "status() with attributes: a session, a umask, two limits, a nice value, a signal disposition",
        axis: "memory that the parent has written to",
        seconds: 12,
        remark: None,
        subject: Subject::Times {
            work: Work::Attributes,
            points: &[at("0", PLAIN), at("1 GiB", State { memory: 1 << 10, ..PLAIN })],
            set: CaseSet::Peers,
        },
    },
    Part {
        name: "path",
        title: "status() of a program named by its path, and of a program found in PATH",
        axis: "how the command names the program",
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
    },
    Part {
        name: "threads",
        title: "status() by the number of threads that spawn at the same time",
        axis: "threads",
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
    },
    Part {
        name: "processors",
        title: "status() by the number of processors that the parent may use",
        axis: "processors",
        seconds: 15,
        remark: Some(
            "If the parent may use several processors, the kernel may move a child to an idle processor in execve(2). \
             In some series of spawns the kernel does this and in others it does not, for every case alike. It nearly \
             always does if the parent computes for 100 µs before each spawn (\"working between spawns\"; the time \
             does not include these 100 µs). Waking an idle processor of a virtual machine takes longer than a spawn. \
             For this reason the other parts use one processor.",
        ),
        subject: Subject::Times { work: Work::Status, points: PROCESSORS, set: CaseSet::Isolated },
    },
    Part {
        name: "processors-pipes",
        title: "Three pipes and two mapped descriptors, by the number of processors that the parent may use",
        axis: "processors",
        seconds: 10,
        remark: None,
        subject: Subject::Times { work: Work::Pipes, points: PROCESSORS, set: CaseSet::Isolated },
    },
    Part {
        name: "pieces",
        title: "Where the time of a status() goes",
        axis: "time per spawn",
        seconds: 10,
        remark: None,
        subject: Subject::Times { work: Work::Status, points: &[at("status()", PLAIN)], set: CaseSet::Pieces },
    },
    Part {
        name: "wait",
        title: "Waits with a time limit, and process groups",
        axis: "time per spawn",
        seconds: 10,
        remark: None,
        subject: Subject::Times { work: Work::Status, points: &[at("spawn() and wait()", PLAIN)], set: CaseSet::Waits },
    },
    Part {
        name: "busy",
        title: "Spawns that fail with ETXTBSY while 8 threads write programs and spawn them",
        axis: "failed spawns of 3,200",
        seconds: 0,
        remark: None,
        subject: Subject::Busy,
    },
];

/// The part with this name, if there is one.
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
    fn full_run_takes_at_most_200_of_the_300_seconds_for_build_and_run() {
        assert!(PARTS.iter().map(|part| part.seconds).sum::<u64>() <= 200);
    }
}
