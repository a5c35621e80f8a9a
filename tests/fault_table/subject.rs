//! The process in which an entrance of the library meets its faults.
//!
//! The subject tells the supervisor by marker calls where the entrance begins and ends. The supervisor faults only calls between
//! the two, and looks at the process from outside while it waits in a marker.

use super::attributes::Special;
use super::entrances::Entrance;
use super::filter::{self, MARKER, Watched};
use super::program;
use super::runs;
use std::ffi::c_int;
use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The first argument of a subject.
pub const MARK: &str = "fdspawn-fault-subject";

/// The file of the subject's result.
pub const RESULT: &str = "result";

/// How far a subject is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The entrance begins.
    Begin = 1,
    /// The entrance has returned.
    End,
    /// All that the entrance returned has been used and dropped.
    Settled,
    /// A forked child has begun the function of the caller.
    Function,
    /// The entrance has just returned: no call from now on is the library's.
    Returned,
    /// A child leads a process group of its own. The next argument is its number.
    Group,
}

impl Mark {
    /// The mark that the argument of a marker call stands for.
    pub fn of(argument: u64) -> Option<Self> {
        [Self::Begin, Self::End, Self::Settled, Self::Function, Self::Returned, Self::Group]
            .into_iter()
            .find(|mark| mark.argument() == argument)
    }

    /// A number that no process has.
    fn argument(self) -> u64 {
        u64::MAX - 1000 - self as u64
    }
}

/// Tells the supervisor how far this process is, whether it is dumpable, and what children it has.
pub fn mark(mark: Mark) {
    // SAFETY: the calls only ask.
    unsafe {
        let dumpable = libc::prctl(libc::PR_GET_DUMPABLE, 0, 0, 0, 0);
        libc::syscall(MARKER, mark.argument(), dumpable, children(mark == Mark::Settled));
    }
}

/// Tells the supervisor how far this process is, and makes no other call.
pub fn mark_only(mark: Mark) {
    // SAFETY: the supervisor answers the call.
    unsafe { libc::syscall(MARKER, mark.argument()) };
}

/// Tells the supervisor that a child leads a process group.
pub fn mark_group(leader: u32) {
    // SAFETY: the supervisor answers the call.
    unsafe { libc::syscall(MARKER, Mark::Group.argument(), u64::from(leader)) };
}

/// Which children there are. A child that is about to end may take a moment.
fn children(wait: bool) -> u64 {
    let start = Instant::now();
    loop {
        // SAFETY: all zeros is a valid value, and one structure is written.
        let (result, pid) = unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL;
            (libc::waitid(libc::P_ALL, 0, &raw mut info, flags), info.si_pid())
        };
        match (result, pid) {
            (0, 0) if wait && start.elapsed() < Duration::from_millis(500) => {
                std::thread::sleep(Duration::from_millis(1));
            }
            (0, 0) => return RUNNING_CHILD,
            (0, _) => return ENDED_CHILD,
            _ => return 0,
        }
    }
}

/// The marker's third argument, if a child has ended and was not reaped.
pub const ENDED_CHILD: u64 = 1;
/// The marker's third argument, if a child runs.
pub const RUNNING_CHILD: u64 = 2;

/// Runs the entrance between two markers. An error is the text of a panic.
pub fn between_marks<T>(entrance: impl FnOnce() -> T) -> Result<T, String> {
    mark(Mark::Begin);
    let result = catch_unwind(AssertUnwindSafe(entrance));
    mark_only(Mark::Returned);
    mark(Mark::End);
    result.map_err(|payload| {
        let text = payload.downcast_ref::<String>().cloned();
        let text = text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        format!("panic: {}", text.unwrap_or_default())
    })
}

/// The descriptors that a subject has, and the paths that it uses.
pub struct Surroundings {
    pub directory: PathBuf,
    pub directory_fd: OwnedFd,
    pub mapped: OwnedFd,
    pub left: OwnedFd,
    pub right: OwnedFd,
    pub kept: OwnedFd,
    /// `None` for an entrance without attributes.
    pub special: Option<Special>,
}

/// The numbers of the subject's own descriptors.
pub const LEFT: RawFd = 10;
pub const RIGHT: RawFd = 11;
pub const KEPT: RawFd = 12;
const MAPPED: RawFd = 20;
/// The entrance closes what has this number. It may be a child's pipe by then.
pub const MOVED: RawFd = 21;
/// So it does with this one, if it closes several.
pub const MOVED_TOO: RawFd = 22;
const DIRECTORY: RawFd = 23;
/// The caller's descriptors that do not close at exec.
pub const LEAKS: [RawFd; 2] = [40, 300];

/// The descriptor that the entrance is to own.
pub fn moved(number: RawFd) -> OwnedFd {
    // SAFETY: the subject has opened the number, and hands it out once.
    unsafe { OwnedFd::from_raw_fd(number) }
}

/// Runs a subject to its end.
pub fn run(entrance: &Entrance, watched: Watched, directory: &Path) -> ! {
    let surroundings = Box::leak(Box::new(surround(entrance, directory)));
    if entrance.attributes && surroundings.special.is_none() {
        exit(LACKING);
    }
    if let Err(error) = filter::install(watched, 0) {
        eprintln!("{error}");
        exit(LACKING);
    }
    // The socket to the supervisor is at 0.
    put(&File::create_new(directory.join("stdin")).unwrap(), 0, false);
    let text = runs::run(entrance, surroundings);
    std::fs::write(directory.join(RESULT), text).unwrap();
    exit(0)
}

/// The status of a subject for which the kernel has no filter, or which lacks what its attributes need.
pub const LACKING: i32 = 96;

fn exit(status: i32) -> ! {
    // SAFETY: the process ends.
    unsafe { libc::_exit(status) }
}

/// Opens what the subject has, and sets its signals.
fn surround(entrance: &Entrance, directory: &Path) -> Surroundings {
    large_heap();
    // SAFETY: nothing is open above 2 that this process needs.
    unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) };
    // libc handles signals of its own from a process's first thread on.
    std::thread::spawn(|| {}).join().unwrap();
    let file = |name: &str| File::create(directory.join(name)).unwrap();
    put(&file("moved"), MOVED, true);
    put(&file("moved too"), MOVED_TOO, true);
    for number in LEAKS {
        put(&memory("leak"), number, false);
    }
    extern "C" fn handler(_: c_int) {}
    // SAFETY: the handler does nothing; the mask is this process's own.
    unsafe {
        libc::signal(libc::SIGUSR1, handler as *const () as libc::sighandler_t);
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigaddset(&raw mut set, libc::SIGUSR2);
        libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
    }
    Surroundings {
        directory: directory.to_owned(),
        directory_fd: owned(&File::open(directory).unwrap(), DIRECTORY, true),
        mapped: owned(&memory("mapped"), MAPPED, true),
        left: owned(&memory("left"), LEFT, false),
        right: owned(&memory("right"), RIGHT, true),
        kept: owned(&memory("kept"), KEPT, true),
        special: if entrance.attributes { special(entrance) } else { None },
    }
}

/// Opens what attributes need, at numbers that no fault of a close in the plan hits.
fn special(entrance: &Entrance) -> Option<Special> {
    let Special { terminal, master, cgroup } = Special::open(entrance.has_other_ids())?;
    let [terminal, master, cgroup] = [(terminal, 24), (master.into(), 25), (cgroup.into(), 26)]
        .map(|(fd, number): (OwnedFd, RawFd)| owned(&File::from(fd), number, true));
    Some(Special { terminal, master: master.into(), cgroup: cgroup.into() })
}

/// Makes the heap so large that the entrance's allocations make no system call: Rust ends a program whose allocator fails, and no
/// library can prevent that.
fn large_heap() {
    const SIZE: c_int = 8 << 20;
    // SAFETY: the calls only change how the allocator works.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_MMAP_THRESHOLD, SIZE);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 2 * SIZE);
        libc::mallopt(libc::M_TOP_PAD, SIZE);
        libc::free(std::hint::black_box(libc::malloc(1 << 20)));
    }
}

/// Puts a duplicate at the given number; returns its owner.
pub fn owned(file: &File, number: RawFd, close_on_exec: bool) -> OwnedFd {
    put(file, number, close_on_exec);
    moved(number)
}

/// Puts a duplicate at the given number. It has no owner.
fn put(file: &File, number: RawFd, close_on_exec: bool) {
    let flags = if close_on_exec { libc::O_CLOEXEC } else { 0 };
    // SAFETY: the process has not used the number yet, or does not need what is there.
    unsafe { assert_eq!(libc::dup3(file.as_raw_fd(), number, flags), number) };
}

fn memory(name: &str) -> File {
    let name = std::ffi::CString::new(name).unwrap();
    // SAFETY: the name ends in a NUL; the descriptor is new.
    unsafe { File::from_raw_fd(libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC)) }
}

/// The arguments of the program, after its path.
pub fn program_arguments(talk: program::Talk, directory: &Path) -> [String; 3] {
    [program::MARK.to_owned(), talk.name(), directory.to_str().unwrap().to_owned()]
}
