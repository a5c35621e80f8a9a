//! The probe: finds out which features the kernel has. It runs once in a process.
//!
//! The error numbers of a spawn are not enough, for three reasons. In some emulators `clone` with shared memory succeeds, but
//! does not share the memory. A seccomp filter may refuse one call and allow another. And kernels from 5.9 to 6.10 without the
//! fix for CVE-2024-45025 leave stale bits in the table that `close_range` makes with `CLOSE_RANGE_UNSHARE`: a process that opens
//! more than 64 descriptors in that table gets wrong numbers.
//!
//! On Android a seccomp filter kills an app that makes a call which is newer than the filter. So the probe makes no such call on
//! Android, and reports those features missing.
//!
//! The probe's first child only writes to memory. If the parent finds what the child wrote, the two share memory, and there
//! are two more children. The second child fills the numbers 64 to 127 of its own table, and starts the last child with the
//! same table. The last child leaves that table with `close_range`, and asks for the lowest free number from 64 on. The probe
//! does not make these clones in an emulator: valgrind makes a fork of a clone that shares only memory, and ends a process
//! that makes a clone with a shared table.

use super::signals::BlockedSignals;
use super::stack::{STACK_SIZE, Stack};
use super::vfork::{CloneOptions, clone};
use crate::child::Spawned;
use crate::platform::Features;
use crate::sys;
use rustix::io::Errno;
use std::ffi::c_void;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// The missing features; `UNKNOWN` before the probe.
static MISSING: AtomicU32 = AtomicU32::new(UNKNOWN);
const UNKNOWN: u32 = u32::MAX;

/// The features that the probe reports missing without a call.
const UNTRIED: Features = if cfg!(target_os = "android") {
    Features::CLONE3.union(Features::CLOSE_RANGE).union(Features::SHARED_TABLE)
} else {
    Features::empty()
};

/// The missing features. The first call runs the probe. It fails if the system is short of memory, processes or descriptors.
pub(crate) fn missing() -> Result<Features, Errno> {
    let known = MISSING.load(Ordering::Relaxed);
    if known != UNKNOWN {
        return Ok(Features::from_bits_retain(known));
    }
    if pid_namespace_is_pending() {
        return Ok(Features::CLONE | UNTRIED);
    }
    let Probed { missing, is_final } = probe()?;
    if is_final {
        MISSING.store(missing.bits(), Ordering::Relaxed);
        missing.difference(UNTRIED).iter().for_each(warn);
    }
    Ok(missing)
}

/// Whether this thread's next child is the first process of a new PID namespace (`unshare(CLONE_NEWPID)`). A namespace ends
/// with its first process, so the probe's child must not be that process.
fn pid_namespace_is_pending() -> bool {
    let own = std::fs::read_link("/proc/thread-self/ns/pid");
    let childrens = std::fs::read_link("/proc/thread-self/ns/pid_for_children");
    match (own, childrens) {
        (Ok(own), Ok(childrens)) => own != childrens,
        // The link exists but cannot be read before the namespace has its first process.
        (Ok(_), Err(_)) => std::path::Path::new("/proc/thread-self/ns/pid_for_children").is_symlink(),
        // Without /proc the probe cannot know this. It runs, since such a namespace is rare.
        (Err(_), _) => false,
    }
}

/// The features that are known to be missing, without a probe.
pub(crate) fn known_missing() -> Features {
    match MISSING.load(Ordering::Relaxed) {
        UNKNOWN => UNTRIED,
        bits => Features::from_bits_retain(bits),
    }
}

/// Remembers that the kernel has refused a feature after the probe.
pub(crate) fn remember_missing(feature: Features) {
    // Whether the kernel can make a child in a cgroup depends on the cgroup.
    let feature = feature.difference(Features::INTO_CGROUP);
    // If the probe has not run yet, it will find the feature missing itself.
    let remember = |known: u32| (known != UNKNOWN).then_some(known | feature.bits());
    let before = MISSING.fetch_update(Ordering::Relaxed, Ordering::Relaxed, remember);
    if before.is_ok_and(|before| !Features::from_bits_retain(before).contains(feature)) {
        warn(feature);
    }
}

fn warn(feature: Features) {
    let instead = match feature {
        Features::CLONE3 => "clone3 is refused here: children are launched by clone",
        Features::CLONE => "clone is refused here or does not share memory: children are launched by fork",
        Features::SHARED_TABLE => {
            "close_range does not make a right private table here: children start with a copy of the whole table"
        }
        Features::CLOSE_RANGE => "close_range is refused here: descriptors are closed one by one",
        _ => return,
    };
    tracing::warn!("{instead}");
}

/// Whether an error of clone says that the kernel refuses the call, and not that the system is short of memory, processes or
/// descriptors.
pub(super) fn is_refusal(errno: Errno) -> bool {
    !matches!(errno, Errno::AGAIN | Errno::NOMEM | Errno::MFILE | Errno::NFILE | Errno::NOSPC)
}

/// What the probe's children write, in memory that they may share with the parent.
struct Findings {
    clone3: bool,
    stack_of_last: Stack,
    shares_memory: AtomicBool,
    has_close_range: AtomicBool,
    has_right_table: AtomicBool,
    /// Whether the last child has run, so that `has_right_table` is known.
    has_tried_table: AtomicBool,
}

/// The result of a probe.
struct Probed {
    missing: Features,
    /// Whether another probe would find the same.
    is_final: bool,
}

fn probe() -> Result<Probed, Errno> {
    let stack = Stack::map(STACK_SIZE)?;
    let mut findings = Findings {
        clone3: !UNTRIED.contains(Features::CLONE3),
        stack_of_last: Stack::map(STACK_SIZE)?,
        shares_memory: AtomicBool::new(false),
        has_close_range: AtomicBool::new(false),
        has_right_table: AtomicBool::new(false),
        has_tried_table: AtomicBool::new(false),
    };
    let mut missing = UNTRIED;
    loop {
        let result = {
            let _blocked = BlockedSignals::all()?;
            run_probe_child(&findings, false, &stack, write_memory)
        };
        match result {
            Ok(()) => break,
            Err(errno) if !is_refusal(errno) => return Err(errno),
            Err(_) if findings.clone3 => {
                missing |= Features::CLONE3;
                findings.clone3 = false;
            }
            Err(_) => break,
        }
    }
    let shares_memory = findings.shares_memory.load(Ordering::Relaxed);
    missing.set(Features::CLONE, !shares_memory);
    let mut is_final = true;
    if shares_memory {
        let result = {
            let _blocked = BlockedSignals::all()?;
            run_probe_child(&findings, false, &stack, fill_table)
        };
        match result {
            Err(errno) if !is_refusal(errno) => return Err(errno),
            _ => {}
        }
        let has_close_range = findings.has_close_range.into_inner();
        missing.set(Features::CLOSE_RANGE, !has_close_range);
        missing.set(Features::SHARED_TABLE, !findings.has_right_table.into_inner());
        is_final = result.is_ok() && (!has_close_range || findings.has_tried_table.into_inner());
    }
    Ok(Probed { missing, is_final })
}

/// Runs one of the children, and waits for its end.
fn run_probe_child(
    findings: &Findings,
    shared_table: bool,
    stack: &Stack,
    child: extern "C" fn(*mut c_void) -> !,
) -> Result<(), Errno> {
    let options = CloneOptions { clone3: findings.clone3, shared_table, pidfd: false, cgroup: None };
    // SAFETY: all signals are blocked, in the probe and so in its child. The children only make system calls and write
    // to atomics; each has a stack of its own.
    let (pid, _) = unsafe { clone(options, stack, child, std::ptr::from_ref(findings).cast_mut().cast()) }?;
    let _ = Spawned::cloned(pid, None).reap();
    Ok(())
}

/// The kernel's bitmap of open numbers has words of 64 bits. These are the first numbers of its second and third word.
const WORD: RawFd = 64;
const NEXT_WORD: RawFd = 128;

/// The first child: writes to memory. If the child does not share memory, the parent does not find the value.
extern "C" fn write_memory(findings: *mut c_void) -> ! {
    // SAFETY: the probe passes its findings and waits for this child.
    let findings = unsafe { &*findings.cast::<Findings>() };
    findings.shares_memory.store(true, Ordering::Relaxed);
    sys::exit(0)
}

/// The second child: opens all numbers of a word, and starts the last child with its table.
extern "C" fn fill_table(findings: *mut c_void) -> ! {
    // SAFETY: the probe passes its findings and waits for this child.
    let findings = unsafe { &*findings.cast::<Findings>() };
    if UNTRIED.contains(Features::CLOSE_RANGE) {
        sys::exit(0);
    }
    let has_close_range = sys::close_range(RawFd::MAX - 1, RawFd::MAX - 1, 0).is_ok();
    findings.has_close_range.store(has_close_range, Ordering::Relaxed);
    // The limit and the table are this child's own. Close 0, so that eventfd(2) finds a free number even at the limit.
    sys::raise_limit();
    let _ = sys::close(0);
    let filled = sys::event() == Ok(0) && (WORD..NEXT_WORD).all(|number| sys::duplicate(0, number, false).is_ok());
    if filled {
        let _ = run_probe_child(findings, true, &findings.stack_of_last, leave_table);
    }
    sys::exit(0)
}

/// The last child: leaves the second child's table for one that has only 0. In a right table the word is empty then.
extern "C" fn leave_table(findings: *mut c_void) -> ! {
    // SAFETY: the second child passes the findings on and waits for this child.
    let findings = unsafe { &*findings.cast::<Findings>() };
    findings.has_tried_table.store(true, Ordering::Relaxed);
    let right =
        sys::close_range(1, RawFd::MAX, sys::CLOSE_RANGE_UNSHARE).is_ok() && sys::duplicate_above(0, WORD) == Ok(WORD);
    findings.has_right_table.store(right, Ordering::Relaxed);
    sys::exit(0)
}
