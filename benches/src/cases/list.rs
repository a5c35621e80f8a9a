//! Who spawns: the raw limit, the library, and its peers, each by the fastest use of its public interface.

use super::job::{Job, Run};
use super::{library, peers, pieces, posix_spawn, raw, shared_environment};
use crate::parts::{Cast, Work};
use std::io;

/// The raw limit's name, which ratios are to.
pub const RAW: &str = "raw limit";
pub const SAME_WORK: &str = "raw, same work";
/// The library's name.
pub const LIBRARY: &str = "fdspawn";
/// The library's name with an environment that is captured once.
pub const SHARED_ENVIRONMENT: &str = "fdspawn, shared environment";
/// The library's name where it prepares a place for spawns without a crowded table.
pub const ISOLATED: &str = "fdspawn, isolated";
pub const FORK: &str = "fdspawn, fork";
pub const STD: &str = "std";
pub const COMMAND_FDS: &str = "command-fds";
pub const SUBPROCESS: &str = "subprocess";
pub const DUCT: &str = "duct";
pub const POSIX_SPAWN: &str = "posix_spawn";

/// A way of spawning.
#[derive(Clone, Copy)]
pub struct Case {
    pub name: &'static str,
    /// Prepares what can be prepared once. That is not measured.
    pub make: fn(&Job) -> io::Result<Run>,
}

/// The cases of a cast that can do a piece of work, the raw limit first.
pub fn cases(work: Work, cast: Cast) -> Vec<Case> {
    let case = |name, make| Case { name, make };
    if cast == Cast::Pieces {
        return vec![
            case(RAW, raw::limit),
            case("+ signal mask", pieces::signal_mask),
            case("+ dispositions", pieces::dispositions),
            case("+ private table", pieces::private_table),
            case("+ looks at 0, 1, 2", pieces::looks),
            case("+ all of these", pieces::all_calls),
            case(SHARED_ENVIRONMENT, shared_environment::shared),
            case("+ variables", pieces::variables),
            case("+ copied variables", pieces::copied_variables),
            case(LIBRARY, library::auto),
            case("+ pidfd", pieces::pidfd),
        ];
    }
    let mut cases = vec![case(RAW, raw::limit)];
    if work != Work::Status {
        cases.push(case(SAME_WORK, raw::same_work));
    }
    cases.push(case(LIBRARY, library::auto));
    cases.push(case(SHARED_ENVIRONMENT, shared_environment::shared));
    if cast == Cast::Isolated {
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
    }
    if work == Work::Status || posix_spawn::closes_the_rest() {
        cases.push(case(POSIX_SPAWN, posix_spawn::posix_spawn));
    }
    cases
}

/// The cases that race for busy programs. command-fds maps one descriptor there, since it is std without any.
pub fn racers() -> Vec<(Case, Work)> {
    let mut racers: Vec<_> = cases(Work::Status, Cast::Isolated).into_iter().map(|case| (case, Work::Status)).collect();
    racers.push((Case { name: COMMAND_FDS, make: peers::command_fds }, Work::Mapped));
    racers
}

/// Who is left out of a piece of work, or does less than it, and why.
pub fn remarks(work: Work, cast: Cast) -> Vec<String> {
    let raw = format!(
        "{RAW}: clone3 with CLONE_VM and CLONE_VFORK, execve, waitid, and nothing else, whatever the work and the state; \
         the program is always given by its path."
    );
    let mut remarks = vec![raw];
    if cast == Cast::Pieces {
        remarks.push(
            "\"+\" is the raw limit with one piece of what the library does more: signals blocked around the launch \
             (three calls); handlers reset at the clone, and SIGPIPE; the parent's table, left by close_range; three fcntl; \
             the variables of the process, read by std::env::vars_os, and copied into one block; a pidfd, made and closed, \
             which status() does without."
                .to_owned(),
        );
        return remarks;
    }
    match work {
        Work::Status => {
            remarks.push("command-fds is left out: without mapped descriptors it is std.".to_owned());
        }
        Work::Pipes | Work::Mapped => {
            remarks.push(
                "raw, same work: the same with pipes made, duplicates made in the child, and close_range.".to_owned(),
            );
            remarks.push(
                "std, subprocess and duct are left out: they connect 0, 1 and 2 only, unless the caller writes a hook \
                 that does it, and they do not close the rest."
                    .to_owned(),
            );
            remarks.push(
                "command-fds does less than the others: it does not close the rest, which closes at exec here."
                    .to_owned(),
            );
            remarks.push(match posix_spawn::closes_the_rest() {
                true => {
                    "posix_spawn closes the rest by addclosefrom_np, which works since no gap is left below.".to_owned()
                }
                false => "posix_spawn is left out: this libc has no addclosefrom_np.".to_owned(),
            });
        }
    }
    if work == Work::Mapped {
        remarks.push("At 0 mapped descriptors command-fds is std.".to_owned());
    }
    remarks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_have_different_names_and_start_with_the_raw_limit() {
        let works = [Work::Status, Work::Pipes, Work::Mapped].map(|work| (work, Cast::Isolated));
        for (work, cast) in works.into_iter().chain([(Work::Status, Cast::Pieces)]) {
            let names: Vec<&str> = cases(work, cast).iter().map(|case| case.name).collect();
            assert_eq!(names[0], RAW);
            assert!(names.contains(&LIBRARY));
            for name in &names {
                assert_eq!(names.iter().filter(|other| *other == name).count(), 1, "{name}");
            }
        }
    }
}
