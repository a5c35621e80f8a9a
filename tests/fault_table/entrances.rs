//! The entrances of the library, each with a plan that has every kind of step.

use super::program::{SLOT, Talk};
use super::subject::{KEPT, LEAKS, LEFT, MOVED, MOVED_TOO, RIGHT};
use fdspawn::{Features, Rest};
use std::os::fd::RawFd;

/// One entrance.
#[derive(Clone, Copy)]
pub struct Entrance {
    /// Its name in `FDSPAWN_FAULT_CELL`.
    pub name: &'static str,
    /// Its heading on the page.
    pub title: &'static str,
    pub what: What,
    pub way: Way,
    pub rest: Rest,
    /// The kernel features that the command does without.
    pub missing: Features,
    /// Whether the working directory is given as a descriptor.
    pub directory_fd: bool,
    /// Whether the child has all attributes that its launcher can set.
    pub attributes: bool,
    /// What the entrance has closed if it succeeds.
    pub closes: &'static [RawFd],
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The first launch of the process.
    FirstSpawn,
    Spawn,
    /// A spawn of a function of this process.
    Function,
    /// A spawn of a program that does not exist.
    SpawnMissing,
    /// The wait for a child that has a pidfd.
    Wait,
    Status,
    Output,
    Capture,
    /// The end of a child's process group.
    EndGroup,
    /// The end of a child and its descendants.
    EndDescendants,
    /// An exchange with a child.
    Exchange,
    /// An exchange with a child that is driven by its descriptor.
    DrivenExchange,
    /// A set of one captured child.
    Set,
    /// A pipeline of three stages, and the wait for it.
    Line,
    /// A graph with a tee and a spool, and the wait for it.
    Tee,
    Exec,
    /// An exec of a program that does not exist.
    ExecMissing,
    ForkRun,
    IsolatedNew,
    Close,
    CloseAll,
    SyncAndClose,
    CloseFrom,
}

/// How the children are launched.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Clone,
    Fork,
    /// By fork, with a hook that does nothing.
    Hook,
    Isolated,
}

const PLAIN: Entrance = Entrance {
    name: "",
    title: "",
    what: What::Spawn,
    way: Way::Clone,
    rest: Rest::Close,
    missing: Features::empty(),
    directory_fd: false,
    attributes: false,
    closes: &[MOVED],
};

/// All features that have a fallback which is no other launcher.
const FALLBACKS: Features = Features::CLONE3
    .union(Features::SHARED_TABLE)
    .union(Features::CLOSE_RANGE)
    .union(Features::PIDFD)
    .union(Features::MEMFD);

macro_rules! entrances {
    ($($id:ident: $title:literal, $what:ident, $way:ident $(, $field:ident: $value:expr)*;)*) => {
        /// All entrances, in the order of the page.
        pub const ENTRANCES: &[Entrance] = &[$(Entrance {
            name: stringify!($id),
            title: $title,
            what: What::$what,
            way: Way::$way,
            $($field: $value,)*
            ..PLAIN
        }),*];

        /// One test for each entrance.
        mod faults_of {
            $(
                #[test]
                fn $id() {
                    crate::cells::check(stringify!($id));
                }
            )*
        }
    };
}

entrances! {
    first_spawn_clone: "The first spawn of a process, by clone", FirstSpawn, Clone, directory_fd: true;
    spawn_clone: "Spawn by clone", Spawn, Clone;
    spawn_clone_inherit: "Spawn by clone, the rest is inherited", Spawn, Clone, rest: Rest::Inherit, directory_fd: true;
    spawn_clone_fallbacks: "Spawn by clone, all features with a fallback are missing", Spawn, Clone, missing: FALLBACKS;
    spawn_clone_attributes: "Spawn by clone with all attributes but other ids", Spawn, Clone, attributes: true;
    spawn_clone_no_program: "Spawn by clone of a program that does not exist", SpawnMissing, Clone;
    spawn_fork: "Spawn by fork", Spawn, Fork, directory_fd: true;
    spawn_fork_inherit: "Spawn by fork, the rest is inherited", Spawn, Fork, rest: Rest::Inherit;
    spawn_fork_fallbacks: "Spawn by fork, all features with a fallback are missing", Spawn, Fork, missing: FALLBACKS;
    spawn_fork_attributes: "Spawn by fork with all attributes", Spawn, Fork, attributes: true;
    spawn_fork_no_program: "Spawn by fork of a program that does not exist", SpawnMissing, Fork;
    spawn_hook: "Spawn by fork with a hook", Spawn, Hook, directory_fd: true;
    spawn_function: "Spawn of a function", Function, Fork;
    spawn_isolated: "Spawn through an `Isolated`", Spawn, Isolated, directory_fd: true;
    status_clone: "`status` by clone", Status, Clone, directory_fd: true;
    status_fork: "`status` by fork", Status, Fork;
    output_clone: "`output` by clone", Output, Clone;
    output_fork: "`output` by fork", Output, Fork, directory_fd: true;
    capture_clone: "`Command::capture` by clone", Capture, Clone, directory_fd: true;
    capture_fork: "`Command::capture` by fork", Capture, Fork;
    wait: "`Child::wait`", Wait, Clone;
    end: "`Child::end` with `Reach::Group`", EndGroup, Clone;
    end_descendants: "`Child::end` with `Reach::Descendants`", EndDescendants, Clone;
    exchange: "`Exchange::run`", Exchange, Clone, closes: &[MOVED, MOVED_TOO];
    exchange_driven: "`Exchange`, driven by its descriptor", DrivenExchange, Clone, closes: &[MOVED, MOVED_TOO];
    children_clone: "`Children::capture` by clone, and `Children::next`", Set, Clone;
    children_fork: "`Children::capture` by fork, and `Children::next`", Set, Fork;
    graph_clone: "`Graph::spawn` of three stages by clone, and `Running::wait`", Line, Clone, directory_fd: true;
    graph_fork: "`Graph::spawn` of three stages by fork, and `Running::wait`", Line, Fork;
    graph_tee: "`Graph::spawn` of a tee and a spool by clone, and `Running::wait`", Tee, Clone;
    graph_tee_fork: "`Graph::spawn` of a tee and a spool by fork, and `Running::wait`", Tee, Fork;
    exec: "`exec`", Exec, Fork, directory_fd: true;
    exec_no_program: "`exec` of a program that does not exist", ExecMissing, Fork;
    fork_run: "`fork_run`", ForkRun, Fork;
    isolated_new: "`Isolated::new`, and the drop", IsolatedNew, Isolated, closes: &[];
    close: "`fd::close`", Close, Fork;
    close_all: "`fd::close_all`", CloseAll, Fork, closes: &[MOVED, MOVED_TOO];
    sync_and_close: "`fd::sync_and_close`", SyncAndClose, Fork;
    close_from: "`fd::close_from`", CloseFrom, Fork, closes: &LEAKS;
}

impl Entrance {
    /// The entrance of a name.
    pub fn of(name: &str) -> Option<&'static Self> {
        ENTRANCES.iter().find(|entrance| entrance.name == name)
    }

    /// The numbers that the program is to have; `None` if there is no program.
    pub fn planned(&self) -> Option<Vec<RawFd>> {
        let mut numbers = vec![0, 1, 2, 5, 6, 7, 8, LEFT, RIGHT, KEPT];
        match self.what {
            What::Exec => {}
            What::SpawnMissing | What::ExecMissing | What::IsolatedNew => return None,
            What::Close | What::CloseAll | What::SyncAndClose | What::CloseFrom => return None,
            _ => numbers.push(SLOT),
        }
        if self.rest == Rest::Inherit {
            numbers.extend(LEAKS);
        }
        numbers.sort_unstable();
        Some(numbers)
    }

    /// Whether the library has a thread of its own.
    pub fn has_thread(&self) -> bool {
        self.way == Way::Isolated || self.what == What::Tee
    }

    /// Whether this process needs other ids than those of the child.
    pub fn has_other_ids(&self) -> bool {
        self.attributes && self.way == Way::Fork
    }

    /// What the program does.
    pub fn talk(&self) -> Talk {
        match self.what {
            What::FirstSpawn | What::Spawn | What::Function | What::Wait | What::ForkRun => Talk::Converse,
            What::Line | What::Tee => Talk::Converse,
            What::Capture | What::Exchange | What::DrivenExchange | What::Set => Talk::Converse,
            What::EndGroup | What::EndDescendants => Talk::Linger,
            What::Output => Talk::Print,
            _ => Talk::Report,
        }
    }
}
