//! The processes of a cgroup and of those in it.

use super::directory::{Visit, read, walk};
use crate::sys;
use rustix::io::Errno;
use std::os::fd::BorrowedFd;

/// The processes that `cgroup.procs` lists. A process outside this process's PID namespace has the number 0 there, and no call can name it.
pub(super) fn pids(procs: &str) -> Vec<i32> {
    procs.lines().filter_map(|line| line.parse().ok()).filter(|&pid| pid > 0).collect()
}

/// The processes of one cgroup, without those of the cgroups in it. None if the cgroup has been removed, or if it is threaded: then
/// the nearest cgroup above it that is not threaded lists them.
pub(super) fn members(directory: BorrowedFd<'_>) -> Result<Vec<i32>, Errno> {
    match read(directory, "cgroup.procs") {
        Ok(procs) => Ok(procs.map_or(Vec::new(), |procs| pids(&procs))),
        Err(Errno::OPNOTSUPP) => Ok(Vec::new()),
        Err(errno) => Err(errno),
    }
}

/// Whether this process is among these.
pub(super) fn has_this_process(pids: &[i32]) -> bool {
    pids.contains(&sys::own_pid().cast_signed())
}

/// Whether this process is in a cgroup or in one in it.
pub(super) fn holds_this_process(top: BorrowedFd<'_>) -> Result<bool, Errno> {
    has_process(top, sys::own_pid())
}

/// Whether a process is in a cgroup or in one in it.
pub(super) fn has_process(top: BorrowedFd<'_>, pid: u32) -> Result<bool, Errno> {
    let mut found = false;
    walk(top, |visit| {
        if let Visit::Before(directory) = visit {
            found = found || members(directory)?.contains(&pid.cast_signed());
        }
        Ok(())
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_of_other_pid_namespaces_have_no_number() {
        assert_eq!(pids("1\n0\n42\n0\n"), [1, 42]);
        assert!(pids("").is_empty());
    }
}
