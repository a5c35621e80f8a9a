//! Looks at the cgroup of a command before the launch.

use super::new_fds::NewNumbers;
use crate::error::{Failure, Problem};
use crate::plan::Refusal;
use rustix::fs::{Mode, OFlags, fstatfs, openat};
use rustix::io::Errno;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// The type of the file system of version 2 (`CGROUP2_SUPER_MAGIC`).
const CGROUP2: u32 = 0x6367_7270;

/// Refuses what is no directory of a cgroup, and a frozen cgroup: a child that joins it stops, and the parent would wait for it.
pub(super) fn check(directory: BorrowedFd<'_>) -> Result<(), Problem> {
    let fd = directory.as_raw_fd();
    let kind = fstatfs(directory).map_err(|errno| Problem::system(Failure::CheckFd { fd }, errno))?.f_type;
    #[allow(clippy::unnecessary_cast, reason = "the type differs between architectures")]
    if kind as u32 != CGROUP2 {
        return Err(Refusal::NotACgroup { fd }.into());
    }
    let events = match open(directory, c"cgroup.events", OFlags::RDONLY) {
        Ok(events) => events,
        Err(Errno::NOTDIR) => return Err(Refusal::NotACgroup { fd }.into()),
        // The root cgroup has no such file, and cannot be frozen.
        Err(Errno::NOENT) => return Ok(()),
        Err(errno) => return Err(Problem::system(failure(directory, "cgroup.events"), errno)),
    };
    let mut text = String::new();
    let read = File::from(events).read_to_string(&mut text);
    read.map_err(|error| Problem::io(failure(directory, "cgroup.events"), &error))?;
    if is_frozen(&text) { Err(Refusal::FrozenCgroup { fd }.into()) } else { Ok(()) }
}

/// Opens the file to which the child writes to join the cgroup.
pub(super) fn open_procs(directory: BorrowedFd<'_>) -> Result<OwnedFd, Problem> {
    let failed = || failure(directory, "cgroup.procs");
    let procs = open(directory, c"cgroup.procs", OFlags::WRONLY).map_err(|errno| Problem::system(failed(), errno))?;
    NewNumbers::default().dup_above_stdio(procs).map_err(|error| Problem::io(failed(), &error))
}

fn open(directory: BorrowedFd<'_>, name: &std::ffi::CStr, access: OFlags) -> Result<OwnedFd, Errno> {
    openat(directory, name, access | OFlags::CLOEXEC, Mode::empty())
}

fn failure(directory: BorrowedFd<'_>, file: &'static str) -> Failure {
    Failure::Cgroup { fd: directory.as_raw_fd(), file }
}

/// Whether `cgroup.events` says that the cgroup, or one above it, is frozen.
fn is_frozen(events: &str) -> bool {
    events.lines().any(|line| line == "frozen 1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_say_whether_a_cgroup_is_frozen() {
        assert!(is_frozen("populated 1\nfrozen 1\n"));
        assert!(!is_frozen("populated 1\nfrozen 0\n"));
        assert!(!is_frozen(""));
    }
}
