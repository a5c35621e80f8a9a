//! Looks at the cgroup of a command before the launch.

use super::new_fds::NewNumbers;
use crate::cgroup::{is_cgroup, read_file};
use crate::error::{Failure, Problem};
use crate::plan::Refusal;
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// The walk from a cgroup up to the root ends after this many levels, so that it ends even if `..` of a directory is the
/// directory itself.
const LEVELS: usize = 1024;

/// Refuses a descriptor that is no directory of a cgroup, and a cgroup that is frozen or freezing: a child that joins such a cgroup
/// stops, and the parent would wait for the child.
pub(super) fn check(directory: BorrowedFd<'_>) -> Result<Switches, Problem> {
    let fd = directory.as_raw_fd();
    match is_cgroup(directory) {
        Ok(true) => {}
        Ok(false) => return Err(Refusal::NotACgroup { fd }.into()),
        Err(errno) => return Err(Problem::system(Failure::CheckFd { fd }, errno)),
    }
    let events = match read(directory, "cgroup.events") {
        Err((_, Errno::NOTDIR)) => return Err(Refusal::NotACgroup { fd }.into()),
        result => result.map_err(|(file, errno)| Problem::system(failure(directory, file), errno))?,
    };
    let found = look(directory, is_cgroup).map_err(|(file, errno)| Problem::system(failure(directory, file), errno))?;
    // If a task cannot stop yet, `cgroup.events` says that the cgroup is not frozen. A new child stops all the same.
    let is_frozen = events.is_some_and(|events| is_frozen(&events)) || found.freezes;
    if is_frozen { Err(Refusal::FrozenCgroup { fd }.into()) } else { Ok(found) }
}

/// What the files of a cgroup and of those above it say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Switches {
    /// One of the cgroups is to be frozen (`cgroup.freeze`).
    freezes: bool,
    /// The kernel kills one of the cgroups as a whole if memory runs out (`memory.oom.group`). Then it also kills each process that
    /// shares its memory with a process of that cgroup.
    pub(super) oom_group: bool,
}

/// Looks at a cgroup and at those above it, as far as `is_cgroup` says that a directory is one. After an error, returns the file.
fn look(
    directory: BorrowedFd<'_>,
    is_cgroup: impl Fn(BorrowedFd<'_>) -> Result<bool, Errno>,
) -> Result<Switches, (&'static str, Errno)> {
    let mut found = Switches::default();
    let mut above: Option<OwnedFd> = None;
    for _ in 0..LEVELS {
        let here = above.as_ref().map_or(directory, AsFd::as_fd);
        // The root cgroup does not have the files, and a cgroup without the memory controller does not have
        // `memory.oom.group`.
        found.freezes |= is_one(read(here, "cgroup.freeze")?);
        found.oom_group |= is_one(read(here, "memory.oom.group")?);
        let next = match openat(here, c"..", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
            Ok(next) => next,
            // This process may not open the cgroup above. Or the cgroup has been removed: then the child's step fails.
            Err(Errno::ACCESS | Errno::PERM | Errno::NOENT) => break,
            Err(errno) => return Err(("..", errno)),
        };
        if is_cgroup(next.as_fd()) != Ok(true) {
            break;
        }
        above = Some(next);
    }
    Ok(found)
}

/// The text of a file, or `None` if there is no such file. After an error, also returns the file.
fn read(directory: BorrowedFd<'_>, file: &'static str) -> Result<Option<String>, (&'static str, Errno)> {
    read_file(directory, file).map_err(|errno| (file, errno))
}

/// Whether a file with one number has the number 1.
fn is_one(text: Option<String>) -> bool {
    text.is_some_and(|text| text.trim_end() == "1")
}

/// Opens the file to which the child writes to join the cgroup.
pub(super) fn open_procs(directory: BorrowedFd<'_>) -> Result<OwnedFd, Problem> {
    let failed = || failure(directory, "cgroup.procs");
    let procs = openat(directory, c"cgroup.procs", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| Problem::system(failed(), errno))?;
    NewNumbers::default().dup_above_stdio(procs).map_err(|error| Problem::io(failed(), &error))
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
    use std::fs::File;

    #[test]
    fn events_say_whether_a_cgroup_is_frozen() {
        assert!(is_frozen("populated 1\nfrozen 1\n"));
        assert!(!is_frozen("populated 1\nfrozen 0\n"));
        assert!(!is_frozen(""));
    }
    /// Directories in which files have these contents, and the answer for the innermost one. A directory is a cgroup if it has the file
    /// `cgroup.procs`, which all but the outermost get.
    fn found(levels: &[&[(&str, &str)]]) -> Result<Switches, (&'static str, Errno)> {
        let outermost = tempfile::tempdir().unwrap();
        let mut directory = outermost.path().to_owned();
        // If the walk went on to the outermost directory, it would find this.
        std::fs::write(directory.join("cgroup.freeze"), "1\n").unwrap();
        for files in levels {
            directory.push("inner");
            std::fs::create_dir(&directory).unwrap();
            for (file, text) in files.iter().chain([&("cgroup.procs", "")]) {
                std::fs::write(directory.join(file), text).unwrap();
            }
        }
        let is_cgroup = |directory: BorrowedFd<'_>| Ok(read(directory, "cgroup.procs") != Ok(None));
        look(File::open(&directory).unwrap().as_fd(), is_cgroup)
    }

    #[test]
    fn freeze_is_found_in_the_cgroup_and_in_each_one_above_it() {
        let freezes = Ok(Switches { freezes: true, ..Switches::default() });
        let [zero, one]: [&[_]; 2] = [&[("cgroup.freeze", "0\n")], &[("cgroup.freeze", "1\n")]];
        for levels in [&[one] as &[_], &[zero, one], &[one, zero, zero], &[zero, one, &[], zero]] {
            assert_eq!(found(levels), freezes, "{levels:?}");
        }
        for levels in [&[zero] as &[_], &[&[] as &[_], &[]], &[zero, zero, zero]] {
            assert_eq!(found(levels), Ok(Switches::default()), "{levels:?}");
        }
    }

    #[test]
    fn group_of_out_of_memory_kills_is_found_in_the_cgroup_and_in_each_one_above_it() {
        let oom_group = Ok(Switches { oom_group: true, ..Switches::default() });
        let [zero, one]: [&[_]; 2] = [&[("memory.oom.group", "0\n")], &[("memory.oom.group", "1\n")]];
        for levels in [&[one] as &[_], &[zero, one], &[one, zero], &[one, &[], zero]] {
            assert_eq!(found(levels), oom_group, "{levels:?}");
        }
        assert_eq!(found(&[zero, &[], zero]), Ok(Switches::default()));
        let both = [("memory.oom.group", "1\n"), ("cgroup.freeze", "1\n")];
        assert_eq!(found(&[&both]), Ok(Switches { freezes: true, oom_group: true }));
    }

    #[test]
    fn walk_ends_at_the_root_directory_if_that_is_a_cgroup() {
        let root = File::open("/").unwrap();
        assert_eq!(look(root.as_fd(), |_| Ok(true)), Ok(Switches::default()));
    }
}
