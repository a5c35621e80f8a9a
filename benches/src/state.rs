//! Brings this process into the state of a point.
#![allow(unsafe_code, reason = "std cannot map memory without huge pages")]

use crate::parts::{Layout, State};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::ffi::c_void;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::{fs, io};

/// The lowest number of sparse descriptors.
const SPARSE_START: i32 = 1_000;

/// How many numbers a spawn may need in addition to those of the open descriptors: 100 targets, 100 sources, and pipes.
const HEADROOM: u64 = 300;

/// Memory that stays available to other processes, in MiB.
const MEMORY_LEFT: usize = 1 << 10;

/// The memory and the descriptors of a state. Dropping this value frees them.
pub struct HeldState {
    _memory: Option<Memory>,
    _descriptors: Vec<OwnedFd>,
}

/// Why this process cannot enter a state.
pub enum StateError {
    /// This machine has too few processors, too little memory, or too low a limit of descriptors.
    Unsupported(String),
    /// A system call failed.
    Failed(io::Error),
}

impl From<io::Error> for StateError {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

/// Allocates the memory and opens the descriptors. This also raises the soft limit of descriptors to the hard limit.
pub fn enter(state: &State) -> Result<HeldState, StateError> {
    limit_processors(state.processors)?;
    let limit = raise_limit()?;
    let last = state.descriptors as u64
        + match state.layout {
            _ if state.descriptors == 0 => HEADROOM,
            Layout::Sparse => SPARSE_START as u64,
            Layout::Dense => HEADROOM,
        };
    if last > limit {
        return Err(StateError::Unsupported(format!("the hard limit of descriptors is only {limit}")));
    }
    let available = available_memory()?;
    if state.memory > 0 && state.memory + MEMORY_LEFT > available {
        return Err(StateError::Unsupported(format!("only {available} MiB of memory are available")));
    }
    Ok(HeldState {
        _memory: (state.memory > 0).then(|| Memory::map_and_write(state.memory << 20)).transpose()?,
        _descriptors: open(state.descriptors, state.layout)?,
    })
}

/// Restricts this process to the last of the processors that it may use: the first ones often handle more interrupts.
fn limit_processors(processors: usize) -> Result<(), StateError> {
    let allowed = sched_getaffinity(None).map_err(io::Error::from)?;
    let mut last = CpuSet::new();
    (0..CpuSet::MAX_CPU).rev().filter(|&each| allowed.is_set(each)).take(processors).for_each(|each| last.set(each));
    if (last.count() as usize) < processors {
        return Err(StateError::Unsupported(format!("this process may use only {} processors", allowed.count())));
    }
    Ok(sched_setaffinity(None, &last).map_err(io::Error::from)?)
}

fn raise_limit() -> io::Result<u64> {
    let hard = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: hard, maximum: hard })?;
    Ok(hard.unwrap_or(u64::MAX))
}

/// The memory that a process can allocate without swapping, in MiB.
fn available_memory() -> io::Result<usize> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<usize>().ok());
    kibibytes.map(|kibibytes| kibibytes >> 10).ok_or_else(|| io::Error::other("/proc/meminfo has no MemAvailable"))
}

/// Opens `/dev/null` `count` times. Each descriptor refers to an open file description of its own. Close-on-exec is
/// set, as it is for nearly all descriptors of a Rust program.
fn open(count: usize, layout: Layout) -> io::Result<Vec<OwnedFd>> {
    let open = || File::open("/dev/null").map(OwnedFd::from);
    match layout {
        Layout::Dense => (0..count).map(|_| open()).collect(),
        Layout::Sparse => (0..count).map(|_| open().and_then(|fd| at_or_above(fd.as_fd(), SPARSE_START))).collect(),
    }
}

/// Duplicates the descriptor to the lowest free number that is not below `first`, with close-on-exec set.
pub fn at_or_above(fd: BorrowedFd<'_>, first: i32) -> io::Result<OwnedFd> {
    Ok(rustix::io::fcntl_dupfd_cloexec(fd, first)?)
}

/// Private anonymous memory without huge pages.
struct Memory {
    start: NonNull<c_void>,
    length: usize,
}

impl Memory {
    /// Maps memory and writes to each of its pages. It turns huge pages off: with huge pages fork(2) would copy one
    /// page table entry for each 2 MiB, but the kernel does not guarantee huge pages to any program.
    fn map_and_write(length: usize) -> io::Result<Self> {
        let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: the kernel chooses the address, so the new mapping replaces no other.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), length, protection, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let memory = Self { start: NonNull::new(start).expect("the kernel maps nothing at 0"), length };
        // SAFETY: `memory` owns the mapping.
        if unsafe { libc::madvise(start, length, libc::MADV_NOHUGEPAGE) } != 0 {
            let error = io::Error::last_os_error();
            // A kernel without transparent huge pages returns EINVAL.
            if error.raw_os_error() != Some(libc::EINVAL) {
                return Err(error);
            }
        }
        for offset in (0..length).step_by(rustix::param::page_size()) {
            // SAFETY: the offset is inside the mapping, and no reference to the mapping exists.
            unsafe { start.byte_add(offset).cast::<u8>().write_volatile(1) };
        }
        Ok(memory)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: this value owns the mapping, and no reference to the mapping exists.
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
    fn unsupported_state_is_refused_before_anything_is_allocated() {
        let processors = State { processors: 1 << 20, ..plain() };
        for state in [State { memory: 1 << 40, ..plain() }, State { descriptors: 1 << 40, ..plain() }, processors] {
            assert!(matches!(enter(&state), Err(StateError::Unsupported(_))), "{state:?}");
        }
    }

    #[test]
    fn process_may_use_only_the_processors_of_the_state() {
        let _held = enter(&plain()).unwrap_or_else(|_| panic!("the plain state is not supported"));
        assert_eq!(sched_getaffinity(None).unwrap().count(), 1);
    }

    #[test]
    fn memory_is_resident_until_it_is_dropped() {
        let resident = || -> u64 {
            let text = fs::read_to_string("/proc/self/statm").unwrap();
            text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * rustix::param::page_size() as u64
        };
        let before = resident();
        let held = enter(&State { memory: 256, ..plain() }).unwrap_or_else(|_| panic!("256 MiB are not supported"));
        let with = resident();
        assert!(with >= before + (250 << 20), "{before} to {with} bytes");
        drop(held);
        assert!(resident() < with - (250 << 20));
    }

    #[test]
    fn sparse_descriptors_have_numbers_from_1000_up() {
        use std::os::fd::AsRawFd;
        let sparse = open(5, Layout::Sparse).unwrap();
        assert!(sparse.iter().all(|fd| fd.as_raw_fd() >= SPARSE_START));
    }
}
