//! The parts of the benchmark: what each measures, and in which states of the parent.

/// One part. The report has a section, a table and a plot for each part.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// The name on the command line, and of the plot's file.
    pub name: &'static str,
    pub title: &'static str,
    /// The property in which the points differ. The plot's axis has this title.
    pub axis: &'static str,
    /// What one measured time is the time of.
    pub timed: Timed,
    /// How long a full run measures this part.
    pub seconds: u64,
    /// A note for the reader of the report.
    pub remark: Option<&'static str>,
    pub subject: Subject,
}

/// What one measured time is the time of. The report names it, and has a unit for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timed {
    /// A spawn, to the end of the wait.
    #[default]
    Spawn,
    /// A spawn whose child writes or reads [`SIZE`] bytes, to the end of the wait.
    Transfer,
    /// The end of all children, to the end of the last wait.
    Collection,
}

impl Timed {
    /// What the report calls one measured time.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Spawn => "spawn",
            Self::Transfer => "transfer",
            Self::Collection => "wait for all children",
        }
    }

    /// The heading of the number of measured times.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Spawn => "spawns",
            Self::Transfer => "transfers",
            Self::Collection => "waits",
        }
    }

    /// The unit of the time.
    pub fn unit(self) -> Unit {
        match self {
            Self::Spawn => Unit { name: "µs", nanoseconds: 1_000 },
            Self::Transfer | Self::Collection => Unit { name: "ms", nanoseconds: 1_000_000 },
        }
    }
}

/// A unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    pub name: &'static str,
    pub nanoseconds: u64,
}

/// How many bytes a transfer moves. Larger sizes have similar ratios (docs/benchmarks/notes.md), and fewer samples. It is
/// larger than 32 MiB, so that the C library gives the memory of each sample back to the kernel, and the next one gets
/// fresh pages.
pub const SIZE: usize = 64 << 20;

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
    /// Spawns a program that writes [`SIZE`] bytes, `State::piece` at a time, and collects them.
    Collect,
    /// As `Collect`, but keeps only the last bytes, or none.
    Keep,
    /// Spawns a program that reads its input, `State::piece` bytes at a time, and writes [`SIZE`] bytes to it.
    Feed,
    /// Spawns the tiny program with pipes at 1 and 2, reads both to the end, and waits for it, as `output()` does.
    Output,
    /// Ends `State::children` children at once, and waits for all of them.
    Set,
}

impl Work {
    /// Whether a call of a case uses up what its preparation has made, so that each measured call needs a preparation
    /// of its own.
    pub fn is_prepared_each_time(self) -> bool {
        self == Self::Set
    }

    /// Whether the report says how much memory a case needs.
    pub fn has_memory(self) -> bool {
        self == Self::Collect
    }
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
    /// How many bytes the child writes or reads at a time, if it does.
    pub piece: usize,
    /// Children that end at once, if the work has several.
    pub children: usize,
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
    piece: 0,
    children: 0,
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

/// The child and the parent run at the same time.
const STREAM: State = State { processors: 2, ..PLAIN };

const PIECES: &[Point] = &[
    at("4 KiB", State { piece: 4 << 10, ..STREAM }),
    at("8 KiB", State { piece: 8 << 10, ..STREAM }),
    at("64 KiB", State { piece: 64 << 10, ..STREAM }),
    at("1 MiB", State { piece: 1 << 20, ..STREAM }),
];

/// All parts, in the order in which the driver measures them.
pub const PARTS: &[Part] = &[
    Part {
        name: "status",
        title: "status() of a tiny static program, 35 inherited variables",
        axis: "time per spawn",
        timed: Timed::Spawn,
        seconds: 20,
        remark: None,
        subject: Subject::Times { work: Work::Status, points: &[at("status()", PLAIN)], set: CaseSet::Peers },
    },
    Part {
        name: "pipes",
        title: "Three pipes, two mapped descriptors, all other descriptors closed",
        axis: "time per spawn",
        timed: Timed::Spawn,
        seconds: 15,
        remark: None,
        subject: Subject::Times { work: Work::Pipes, points: &[at("spawn() and wait()", PLAIN)], set: CaseSet::Peers },
    },
    Part {
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
    },
    Part {
        name: "descriptors",
        title: "status() by the parent's open descriptors",
        axis: "open descriptors of the parent",
        timed: Timed::Spawn,
        seconds: 21,
        remark: Some(MANY_DESCRIPTORS),
        subject: Subject::Times { work: Work::Status, points: DESCRIPTORS, set: CaseSet::Isolated },
    },
    Part {
        name: "descriptors-pipes",
        title: "Three pipes and two mapped descriptors, by the parent's open descriptors",
        axis: "open descriptors of the parent",
        timed: Timed::Spawn,
        seconds: 21,
        remark: Some(MANY_DESCRIPTORS),
        subject: Subject::Times { work: Work::Pipes, points: DESCRIPTORS, set: CaseSet::Isolated },
    },
    Part {
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
    },
    Part {
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
    },
    Part {
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
    },
    Part {
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
    },
    Part {
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
    },
    Part {
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
        subject: Subject::Times { work: Work::Status, points: PROCESSORS, set: CaseSet::Isolated },
    },
    Part {
        name: "processors-pipes",
        title: "Three pipes and two mapped descriptors, by the number of processors that the parent may use",
        axis: "processors",
        timed: Timed::Spawn,
        seconds: 10,
        remark: None,
        subject: Subject::Times { work: Work::Pipes, points: PROCESSORS, set: CaseSet::Isolated },
    },
    Part {
        name: "pieces",
        title: "Where the time of a status() goes",
        axis: "time per spawn",
        timed: Timed::Spawn,
        seconds: 10,
        remark: None,
        subject: Subject::Times { work: Work::Status, points: &[at("status()", PLAIN)], set: CaseSet::Pieces },
    },
    Part {
        name: "wait",
        title: "Waits with a time limit, and process groups",
        axis: "time per spawn",
        timed: Timed::Spawn,
        seconds: 10,
        remark: None,
        subject: Subject::Times { work: Work::Status, points: &[at("spawn() and wait()", PLAIN)], set: CaseSet::Waits },
    },
    Part {
        name: "output",
        title: "output() of a tiny static program",
        axis: "time per spawn",
        timed: Timed::Spawn,
        seconds: 12,
        remark: None,
        subject: Subject::Times { work: Work::Output, points: &[at("output()", PLAIN)], set: CaseSet::Peers },
    },
    Part {
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
    },
    Part {
        name: "keep",
        title: "Reading 64 MiB from a child and keeping the last MiB or nothing, by the size of its writes",
        axis: "bytes that the child writes at a time",
        timed: Timed::Transfer,
        seconds: 15,
        remark: Some("As in the part before, but the parent does not keep all bytes."),
        subject: Subject::Times { work: Work::Keep, points: PIECES, set: CaseSet::Peers },
    },
    Part {
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
    },
    Part {
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
            points: &[
                at("5,000", State { children: 5_000, ..STREAM }),
                at("10,000", State { children: 10_000, ..STREAM }),
            ],
            set: CaseSet::Peers,
        },
    },
    Part {
        name: "busy",
        title: "Spawns that fail with ETXTBSY while 8 threads write programs and spawn them",
        axis: "failed spawns of 3,200",
        timed: Timed::Spawn,
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
    fn full_run_takes_at_most_six_minutes() {
        assert!(PARTS.iter().map(|part| part.seconds).sum::<u64>() <= 360);
    }
}
