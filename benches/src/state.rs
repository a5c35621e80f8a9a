//! Brings this process into the state that a point asks for.
#![allow(unsafe_code, reason = "memory of which every page is touched, and is small, has to be mapped by hand")]

use crate::parts::{Layout, State};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::ffi::c_void;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::{fs, io};

/// Where the descriptors of a sparse table begin.
const SPARSE_START: i32 = 1_000;

/// The last number that a spawn of 100 mapped descriptors and its pipes may need beyond those that are open.
const HEADROOM: u64 = 300;

/// Memory that the machine keeps for all else, in MiB.
const MEMORY_LEFT: usize = 1 << 10;

/// The state, for as long as this is alive.
pub struct Held {
    _memory: Option<Memory>,
    _descriptors: Vec<OwnedFd>,
}

/// Why a state cannot be had.
pub enum Missing {
    /// This machine does not have enough of something.
    Room(String),
    /// A call failed.
    Failed(io::Error),
}

impl From<io::Error> for Missing {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

/// Takes the memory and the descriptors. The soft limit of descriptors is raised to the hard one.
pub fn hold(state: &State) -> Result<Held, Missing> {
    stay_on(state.processors)?;
    let limit = raise_limit()?;
    let last = state.descriptors as u64
        + match state.layout {
            _ if state.descriptors == 0 => HEADROOM,
            Layout::Sparse => SPARSE_START as u64,
            Layout::Dense => HEADROOM,
        };
    if last > limit {
        return Err(Missing::Room(format!("the hard limit of descriptors is {limit}")));
    }
    let available = available_memory()?;
    if state.memory > 0 && state.memory + MEMORY_LEFT > available {
        return Err(Missing::Room(format!("{available} MiB of memory are available")));
    }
    Ok(Held {
        _memory: (state.memory > 0).then(|| Memory::touched(state.memory << 20)).transpose()?,
        _descriptors: open(state.descriptors, state.layout)?,
    })
}

/// Keeps this process on some of the processors that it may use, the last of them: the first have more interrupts.
fn stay_on(processors: usize) -> Result<(), Missing> {
    let allowed = sched_getaffinity(None).map_err(io::Error::from)?;
    let mut last = CpuSet::new();
    (0..CpuSet::MAX_CPU).rev().filter(|&each| allowed.is_set(each)).take(processors).for_each(|each| last.set(each));
    if (last.count() as usize) < processors {
        return Err(Missing::Room(format!("{} processors may be used", allowed.count())));
    }
    Ok(sched_setaffinity(None, &last).map_err(io::Error::from)?)
}

fn raise_limit() -> io::Result<u64> {
    let hard = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: hard, maximum: hard })?;
    Ok(hard.unwrap_or(u64::MAX))
}

/// The memory that can be had without swapping, in MiB.
fn available_memory() -> io::Result<usize> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<usize>().ok());
    kibibytes.map(|kibibytes| kibibytes >> 10).ok_or_else(|| io::Error::other("/proc/meminfo has no MemAvailable"))
}

/// Opens `/dev/null` so many times, each a description of its own. As nearly all descriptors of Rust programs they
/// close at exec.
fn open(count: usize, layout: Layout) -> io::Result<Vec<OwnedFd>> {
    let open = || File::open("/dev/null").map(OwnedFd::from);
    match layout {
        Layout::Dense => (0..count).map(|_| open()).collect(),
        Layout::Sparse => (0..count).map(|_| open().and_then(|fd| at_or_above(fd.as_fd(), SPARSE_START))).collect(),
    }
}

/// A duplicate that closes at exec, on the first free number from `first` on.
pub fn at_or_above(fd: BorrowedFd<'_>, first: i32) -> io::Result<OwnedFd> {
    Ok(rustix::io::fcntl_dupfd_cloexec(fd, first)?)
}

/// Private anonymous memory in pages of the smallest size.
struct Memory {
    start: NonNull<c_void>,
    length: usize,
}

impl Memory {
    /// Maps memory and writes to each of its pages. Huge pages are off: with them fork would have a five-hundredth of
    /// the entries to copy, but no program can count on getting them.
    fn touched(length: usize) -> io::Result<Self> {
        let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping at an address that the kernel chooses.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), length, protection, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let memory = Self { start: NonNull::new(start).expect("the kernel maps nothing at 0"), length };
        // SAFETY: the mapping is this value's own.
        if unsafe { libc::madvise(start, length, libc::MADV_NOHUGEPAGE) } != 0 {
            let error = io::Error::last_os_error();
            // A kernel without huge pages does not know the advice.
            if error.raw_os_error() != Some(libc::EINVAL) {
                return Err(error);
            }
        }
        for offset in (0..length).step_by(rustix::param::page_size()) {
            // SAFETY: the offset is inside of the mapping, to which nothing refers.
            unsafe { start.byte_add(offset).cast::<u8>().write_volatile(1) };
        }
        Ok(memory)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own, and nothing refers to it.
        unsafe { libc::munmap(self.start.as_ptr(), self.length) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parts::{PARTS, Subject};

    fn plain() -> State {
        let Subject::Times { points, .. } = PARTS[0].subject else { panic!("{:?}", PARTS[0]) };
        points[0].state
    }

    #[test]
    fn state_for_which_there_is_no_room_is_not_even_tried() {
        let processors = State { processors: 1 << 20, ..plain() };
        for state in [State { memory: 1 << 40, ..plain() }, State { descriptors: 1 << 40, ..plain() }, processors] {
            assert!(matches!(hold(&state), Err(Missing::Room(_))), "{state:?}");
        }
    }

    #[test]
    fn process_keeps_to_its_processors() {
        let _held = hold(&plain()).unwrap_or_else(|_| panic!("no room for nothing"));
        assert_eq!(sched_getaffinity(None).unwrap().count(), 1);
    }

    #[test]
    fn memory_is_resident_until_it_is_dropped() {
        let resident = || -> u64 {
            let text = fs::read_to_string("/proc/self/statm").unwrap();
            text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * rustix::param::page_size() as u64
        };
        let before = resident();
        let held = hold(&State { memory: 256, ..plain() }).unwrap_or_else(|_| panic!("no room for 256 MiB"));
        let with = resident();
        assert!(with >= before + (250 << 20), "{before} to {with} bytes");
        drop(held);
        assert!(resident() < with - (250 << 20));
    }

    #[test]
    fn sparse_descriptors_leave_the_low_numbers_free() {
        use std::os::fd::AsRawFd;
        let sparse = open(5, Layout::Sparse).unwrap();
        assert!(sparse.iter().all(|fd| fd.as_raw_fd() >= SPARSE_START));
    }
}
