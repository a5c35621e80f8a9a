//! Removes the directory of a cgroup.

use super::directory::{Visit, walk};
use super::events::{EMPTY, says, wait_until};
use rustix::fs::{AtFlags, fstat, statat, unlinkat};
use rustix::io::Errno;
use std::ffi::CStr;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// How long [`remove`] waits for processes that are about to end.
const WAIT: Duration = Duration::from_secs(1);

/// The pause before another attempt, if a cgroup without processes is busy.
const PAUSE: Duration = Duration::from_millis(1);

/// A cgroup's directory, and the directory that it is in, with its name there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) directory: BorrowedFd<'a>,
    pub(super) parent: BorrowedFd<'a>,
    pub(super) name: &'a CStr,
}

/// Removes a cgroup and those in it. If it has processes, this waits for their end, for at most a second; then it is `EBUSY`.
pub(super) fn remove(place: Place<'_>) -> Result<(), Errno> {
    let deadline = Instant::now() + WAIT;
    loop {
        match try_remove(place) {
            Err(Errno::BUSY) => {}
            result => return result,
        }
        let is_empty = wait_until(place.directory, EMPTY, Some(deadline))?;
        if !is_empty || Instant::now() >= deadline {
            return Err(Errno::BUSY);
        }
        // The kernel counts a task that has just ended for a moment more.
        crate::sys::pause(PAUSE);
    }
}

/// Removes a cgroup and those in it, if they have no processes. If they have, it is `EBUSY`. A cgroup that is gone is no error.
pub(super) fn try_remove(place: Place<'_>) -> Result<(), Errno> {
    if !is_in_place(place)? {
        return Ok(());
    }
    match remove_directory(place.parent, place.name) {
        Err(Errno::BUSY) => {}
        result => return result,
    }
    // It is busy by its processes or by cgroups in it, which a process can have made.
    if !says(place.directory, EMPTY)? {
        return Err(Errno::BUSY);
    }
    walk(place.directory, |visit| match visit {
        Visit::After(parent, name) => remove_directory(parent, name),
        Visit::Before(_) => Ok(()),
    })?;
    remove_directory(place.parent, place.name)
}

/// Whether the directory still has its name. If not, another process has removed it, and has perhaps made another one of this name.
fn is_in_place(place: Place<'_>) -> Result<bool, Errno> {
    let at_name = match statat(place.parent, place.name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT | Errno::NODEV) => return Ok(false),
        found => found?,
    };
    let own = fstat(place.directory)?;
    Ok((at_name.st_dev, at_name.st_ino) == (own.st_dev, own.st_ino))
}

fn remove_directory(parent: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    match unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Err(Errno::NOENT | Errno::NODEV) => Ok(()),
        result => result,
    }
}
