//! The list of cases: raw system calls, the library, and other crates, each with the fastest use of its public
//! interface.

use super::job::{Job, Spawn};
use super::{attributes, library, peers, pieces, posix_spawn, raw, shared_environment, waits};
use crate::parts::{CaseSet, Work};
use std::io;

/// The case that makes only the necessary system calls. The report divides the times of all cases by its time.
pub const RAW: &str = "raw limit";
/// Raw system calls that also make the pipes, map the descriptors and close the others, or set the attributes.
pub const SAME_WORK: &str = "raw, same work";
/// The library.
pub const LIBRARY: &str = "fdspawn";
/// The library with an `Environment` that the parent captures once.
pub const SHARED_ENVIRONMENT: &str = "fdspawn, shared environment";
/// The library with `Isolated`.
pub const ISOLATED: &str = "fdspawn, isolated";
/// The library with a wait that has a time limit.
pub const WAIT_TIMEOUT: &str = "fdspawn, wait_timeout()";
/// The library with a process group for the child.
pub const PROCESS_GROUP: &str = "fdspawn, process_group(0)";
/// The library with the fork launcher.
pub const FORK: &str = "fdspawn, fork";
pub const STD: &str = "std";
/// std with a hook.
pub const STD_PRE_EXEC: &str = "std, pre_exec";
pub const COMMAND_FDS: &str = "command-fds";
pub const SUBPROCESS: &str = "subprocess";
pub const DUCT: &str = "duct";
pub const POSIX_SPAWN: &str = "posix_spawn";

/// A way to spawn.
#[derive(Clone, Copy)]
pub struct Case {
    pub name: &'static str,
    /// Prepares everything that a program can prepare once. The worker does not measure this.
    pub make: fn(&Job) -> io::Result<Spawn>,
}

/// The cases of a set that can do this work. The first one is the raw limit.
pub fn cases(work: Work, set: CaseSet) -> Vec<Case> {
    let case = |name, make| Case { name, make };
    if set == CaseSet::Pieces {
        return vec![
            case(RAW, raw::limit),
            case("+ signal mask", pieces::signal_mask),
            case("+ signal actions", pieces::signal_actions),
            case("+ unshared table", pieces::unshared_table),
            case("+ fcntl of 0, 1, 2", pieces::std_fd_checks),
            case("+ all of these", pieces::all_calls),
            case(SHARED_ENVIRONMENT, shared_environment::shared),
            case("+ variables", pieces::variables),
            case("+ copied variables", pieces::copied_variables),
            case(LIBRARY, library::auto),
            case("+ pidfd", pieces::pidfd),
        ];
    }
    if set == CaseSet::Waits {
        return vec![
            case(RAW, raw::limit),
            case(LIBRARY, waits::wait),
            case(WAIT_TIMEOUT, waits::wait_timeout),
            case(PROCESS_GROUP, waits::process_group),
            case(STD, waits::std),
            case("subprocess, wait_timeout()", waits::subprocess),
        ];
    }
    let mut cases = vec![case(RAW, raw::limit)];
    match work {
        Work::Status => {}
        Work::Pipes | Work::Mapped => cases.push(case(SAME_WORK, raw::same_work)),
        Work::Attributes => cases.push(case(SAME_WORK, attributes::raw)),
    }
    cases.push(case(LIBRARY, library::auto));
    cases.push(case(SHARED_ENVIRONMENT, shared_environment::shared));
    if set == CaseSet::Isolated {
        cases.push(case(ISOLATED, library::isolated));
    }
    cases.push(case(FORK, library::fork));
    match work {
        Work::Status => {
            cases.push(case(STD, peers::std));
            cases.push(case(SUBPROCESS, peers::subprocess));
            cases.push(case(DUCT, peers::duct));
        }
        Work::Pipes | Work::Mapped => cases.push(case(COMMAND_FDS, peers::command_fds)),
        Work::Attributes => cases.push(case(STD_PRE_EXEC, attributes::std)),
    }
    let has_posix_spawn = match work {
        Work::Status => true,
        Work::Pipes | Work::Mapped => posix_spawn::closes_the_rest(),
        Work::Attributes => false,
    };
    if has_posix_spawn {
        cases.push(case(POSIX_SPAWN, posix_spawn::posix_spawn));
    }
    cases
}

/// The cases of the part "busy". command-fds maps one descriptor here, because without mapped descriptors it is std.
pub fn busy_cases() -> Vec<(Case, Work)> {
    let mut busy_cases: Vec<_> =
        cases(Work::Status, CaseSet::Isolated).into_iter().map(|case| (case, Work::Status)).collect();
    busy_cases.push((Case { name: COMMAND_FDS, make: peers::command_fds }, Work::Mapped));
    busy_cases
}

/// Which cases are left out or do less than the work demands, and why.
pub fn remarks(work: Work, set: CaseSet) -> Vec<String> {
    let raw = format!(
        "{RAW}: only clone3 with CLONE_VM and CLONE_VFORK, execve and waitid, for each work and each state. It maps \
         and closes no descriptors, and it always names the program by its path."
    );
    let mut remarks = vec![raw];
    if set == CaseSet::Pieces {
        remarks.push(
            "A case with \"+\" is the raw limit with one piece of the work that the library does in addition. Signal \
             mask: block all signals around clone3, and restore the mask in parent and child (three calls). Signal \
             actions: CLONE_CLEAR_SIGHAND, and the default action of SIGPIPE. Unshared table: CLONE_FILES, and \
             close_range with CLOSE_RANGE_UNSHARE in the child. fcntl: F_GETFD of 0, 1 and 2. Variables: read the \
             environment with std::env::vars_os; copied variables: also copy it into one block. Pidfd: make a pidfd \
             with CLONE_PIDFD and close it, which status() does not do."
                .to_owned(),
        );
        return remarks;
    }
    if set == CaseSet::Waits {
        remarks.push(
            "fdspawn and std: spawn() and wait(). With wait_timeout() the limit is a minute, which no wait reaches. \
             std has no wait with a limit. duct is left out: such a wait is an option of its build, which the other \
             parts measure without."
                .to_owned(),
        );
        return remarks;
    }
    match work {
        Work::Status => {
            remarks.push("command-fds is left out: without mapped descriptors it is the same as std.".to_owned());
        }
        Work::Attributes => {
            remarks.push(
                "The attributes: a session of its own (setsid), a umask, limits of open files and of core files, a nice \
                 value one higher than the parent's, and the default disposition of SIGINT."
                    .to_owned(),
            );
            remarks.push(
                "raw, same work: as the raw limit; the child also makes the seven system calls for these attributes: \
                 rt_sigaction, setsid, getpriority, setpriority, umask, and prlimit64 twice."
                    .to_owned(),
            );
            remarks.push(
                "std, pre_exec: std with a hook that makes the same calls. With a hook, std forks, so the kernel copies \
                 the page tables of the parent's memory."
                    .to_owned(),
            );
            remarks.push(
                "subprocess, duct, command-fds and posix_spawn are left out: they cannot set all of these attributes \
                 unless the caller writes a hook."
                    .to_owned(),
            );
        }
        Work::Pipes | Work::Mapped => {
            remarks.push(
                "raw, same work: as the raw limit; it also makes the pipes, duplicates the descriptors in the child, \
                 and closes all others with close_range."
                    .to_owned(),
            );
            remarks.push(
                "std, subprocess and duct are left out: they connect only 0, 1 and 2, unless the caller writes a hook \
                 that maps other descriptors, and they do not close the other descriptors."
                    .to_owned(),
            );
            remarks.push(
                "command-fds does less than the other cases: it does not close the other descriptors. In this \
                 benchmark they have close-on-exec set."
                    .to_owned(),
            );
            remarks.push(match posix_spawn::closes_the_rest() {
                true => {
                    "posix_spawn closes the other descriptors with addclosefrom_np. This is enough, because the plan \
                     uses all numbers below."
                        .to_owned()
                }
                false => "posix_spawn is left out: this C library has no addclosefrom_np.".to_owned(),
            });
        }
    }
    if work == Work::Mapped {
        remarks.push("At 0 mapped descriptors command-fds is the same as std.".to_owned());
    }
    remarks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_have_different_names_and_start_with_the_raw_limit() {
        let works = [Work::Status, Work::Pipes, Work::Mapped, Work::Attributes].map(|work| (work, CaseSet::Isolated));
        for (work, set) in works.into_iter().chain([CaseSet::Pieces, CaseSet::Waits].map(|set| (Work::Status, set))) {
            let names: Vec<&str> = cases(work, set).iter().map(|case| case.name).collect();
            assert_eq!(names[0], RAW);
            assert!(names.contains(&LIBRARY));
            for name in &names {
                assert_eq!(names.iter().filter(|other| *other == name).count(), 1, "{name}");
            }
        }
    }
}
