//! The list of cases: raw system calls, the library, and other crates, each with the fastest use of its public
//! interface.

use super::job::{Job, Spawn};
use super::{
    attributes, collect, drop_in, feed, graphs, keep, library, many, peers, pieces, posix_spawn, raw, set,
    shared_environment, waits,
};
use crate::parts::{CaseSet, Work};
use std::io;

/// The case that makes only the necessary system calls. The report divides the times of all cases by its time.
pub const RAW: &str = "raw limit";
/// Raw system calls that also make the pipes, map the descriptors and close the others, set the attributes, or read the
/// output.
pub const SAME_WORK: &str = "raw, same work";
/// Raw system calls that also make a pidfd for each child.
pub const WITH_PIDFDS: &str = "raw, same work, pidfds";
/// Raw system calls that also make two pipes, and read one after the other.
pub const TWO_PIPES: &str = "raw, two pipes";
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
/// The library, by `Command::capture`.
pub const CAPTURE: &str = "fdspawn, capture()";
/// The library, into a vector whose memory has been used before.
pub const DRAIN_INTO: &str = "fdspawn, drain_into()";
/// The library with `Keep::Last`.
pub const KEEP_LAST: &str = "fdspawn, Keep::Last";
/// The library with `Exchange::discard`.
pub const DISCARD: &str = "fdspawn, discard()";
pub const STD: &str = "std";
/// std with a hook.
pub const STD_PRE_EXEC: &str = "std, pre_exec";
pub const COMMAND_FDS: &str = "command-fds";
pub const SUBPROCESS: &str = "subprocess";
pub const DUCT: &str = "duct";
pub const TOKIO: &str = "tokio";
pub const PROCESSKIT: &str = "processkit";
pub const POSIX_SPAWN: &str = "posix_spawn";
/// The library with larger pipes between stages.
pub const LARGE_PIPES: &str = "fdspawn, 1 MiB pipes";
/// A copy through the memory of the parent.
pub const COPY: &str = "copy";
pub const BASH: &str = "bash";
pub const DASH: &str = "dash";
/// The library with `Rest::Inherit` and without a pidfd.
pub const INHERITING: &str = "fdspawn, Rest::Inherit";
/// The library under std's names.
pub const DROP_IN: &str = "fdspawn::process";
/// The library's set of children, which reads their pipes.
pub const CHILDREN: &str = "fdspawn, Children";
/// A thread for each child.
pub const THREADS: &str = "a thread for each child";

/// A way to spawn.
#[derive(Clone, Copy)]
pub struct Case {
    pub name: &'static str,
    /// Prepares everything that a program can prepare once. The worker does not measure this.
    pub make: fn(&Job) -> io::Result<Spawn>,
}

impl Case {
    /// Whether the case may start a thread for this work, in the process that measures it. For the rest of its life, such a process is no
    /// longer one with a single thread: the library copies the environment there.
    pub fn starts_threads(&self, work: Work) -> bool {
        matches!(self.name, TOKIO | PROCESSKIT | THREADS)
            || self.name == DUCT && matches!(work, Work::Output | Work::Collect | Work::Feed)
    }
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
    if set == CaseSet::DropIn {
        return vec![
            case(RAW, raw::limit),
            case(INHERITING, drop_in::own),
            case(DROP_IN, drop_in::drop_in),
            case(STD, drop_in::std),
        ];
    }
    match work {
        Work::Status | Work::Spawn | Work::Pipes | Work::Mapped | Work::Attributes => spawns(work, set),
        Work::Output => vec![
            case(RAW, raw::limit),
            case(TWO_PIPES, raw::two_pipes),
            case(SAME_WORK, raw::output),
            case(LIBRARY, collect::output),
            case(SHARED_ENVIRONMENT, shared_environment::output),
            case(CAPTURE, collect::capture),
            case(STD, collect::std),
            case(SUBPROCESS, collect::subprocess),
            case(DUCT, collect::duct),
            case(TOKIO, collect::tokio),
            case(PROCESSKIT, collect::processkit),
        ],
        Work::Collect => vec![
            case(RAW, collect::raw),
            case(LIBRARY, collect::output),
            case(CAPTURE, collect::capture),
            case(DRAIN_INTO, collect::drain_into),
            case(STD, collect::std),
            case(SUBPROCESS, collect::subprocess),
            case(DUCT, collect::duct),
            case(TOKIO, collect::tokio),
            case(PROCESSKIT, collect::processkit),
        ],
        Work::Keep => vec![
            case(RAW, collect::raw),
            case(KEEP_LAST, keep::last),
            case(DISCARD, keep::discard),
            case(STD, keep::std),
        ],
        Work::Feed => vec![
            case(RAW, feed::raw),
            case(LIBRARY, feed::exchange),
            case(STD, feed::std),
            case(SUBPROCESS, feed::subprocess),
            case(DUCT, feed::duct),
            case(TOKIO, feed::tokio),
            case(PROCESSKIT, feed::processkit),
        ],
        Work::Line => graphs::line(),
        Work::Stages => graphs::stages(),
        Work::Tee => graphs::tee(),
        Work::Many => {
            vec![case(RAW, many::raw), case(LIBRARY, many::spawn), case(CHILDREN, many::set), case(STD, many::std)]
        }
        Work::Set => {
            vec![
                case(RAW, set::raw),
                case(LIBRARY, set::set),
                case(STD, set::std),
                case(TOKIO, set::tokio),
                case(THREADS, set::threads),
            ]
        }
    }
}

/// The cases of the parts whose time is that of a spawn and a wait.
fn spawns(work: Work, set: CaseSet) -> Vec<Case> {
    let case = |name, make| Case { name, make };
    let mut cases = vec![case(RAW, raw::limit)];
    match work {
        Work::Pipes | Work::Mapped => cases.push(case(SAME_WORK, raw::same_work)),
        Work::Attributes => cases.push(case(SAME_WORK, attributes::raw)),
        _ => {}
    }
    cases.push(case(LIBRARY, library::auto));
    cases.push(case(SHARED_ENVIRONMENT, shared_environment::shared));
    if set == CaseSet::Isolated {
        cases.push(case(ISOLATED, library::isolated));
    }
    cases.push(case(FORK, library::fork));
    match work {
        Work::Pipes | Work::Mapped => cases.push(case(COMMAND_FDS, peers::command_fds)),
        Work::Attributes => cases.push(case(STD_PRE_EXEC, attributes::std)),
        _ => {
            cases.push(case(STD, peers::std));
            cases.push(case(SUBPROCESS, peers::subprocess));
            cases.push(case(DUCT, peers::duct));
        }
    }
    let has_posix_spawn = match work {
        Work::Pipes | Work::Mapped => posix_spawn::closes_the_rest(),
        Work::Attributes => false,
        _ => true,
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
    if let Some(remarks) = stream_remarks(work) {
        return remarks.iter().map(|&remark| remark.to_owned()).collect();
    }
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
    if set == CaseSet::DropIn {
        remarks.push(
            "fdspawn, Rest::Inherit: the library's own API, with what std does: the child inherits the rest, and its \
             handle has no pidfd. fdspawn::process: the same under std's names."
                .to_owned(),
        );
        return remarks;
    }
    match work {
        Work::Output => {
            remarks.push(
                "raw, two pipes: as the raw limit; it also makes two pipes, duplicates them in the child, and reads \
                 one after the other to the end. A child that writes much to the second one would wait for ever."
                    .to_owned(),
            );
            remarks.push(
                "raw, same work: as the raw limit; it also opens /dev/null and makes two pipes, duplicates them in the \
                 child, closes all other descriptors with close_range, and reads both pipes as each is ready."
                    .to_owned(),
            );
            remarks.push(
                "fdspawn, std and tokio: output(). fdspawn, shared environment: output() with a shared `Environment`. \
                 subprocess: capture() with two pipes. duct: stdout_capture() and stderr_capture(), which start a \
                 thread for each pipe. processkit: output_bytes(), which also makes a cgroup or a process group. tokio \
                 and processkit run in the thread that waits for them, and the time does not include the start of \
                 their runtime."
                    .to_owned(),
            );
        }
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
        Work::Spawn
        | Work::Collect
        | Work::Keep
        | Work::Feed
        | Work::Set
        | Work::Many
        | Work::Line
        | Work::Stages
        | Work::Tee => {}
    }
    if work == Work::Mapped {
        remarks.push("At 0 mapped descriptors command-fds is the same as std.".to_owned());
    }
    remarks
}

/// The remarks of the parts that move bytes or collect children.
fn stream_remarks(work: Work) -> Option<&'static [&'static str]> {
    match work {
        Work::Collect => Some(&[
            "raw limit: std starts the child, and read(2) reads 64 KiB at a time into one buffer. It keeps nothing.",
            "fdspawn, std and tokio: output(). fdspawn, drain_into(): Exchange::drain_into() with a vector that has the \
             size and whose memory has been used before. subprocess: capture(). duct: stdout_capture() and \
             stderr_capture(). processkit: output_bytes(). All but the raw limit and drain_into() also read a second \
             pipe, for standard error. tokio and processkit run in the thread that waits for them.",
            "Before it measures the times, each worker runs each case once, and reads from /proc how far its resident \
             memory grows. Memory that the case has used before does not count.",
        ]),
        Work::Keep => Some(&[
            "raw limit: std starts the child, and read(2) reads 64 KiB at a time into one buffer. It keeps nothing.",
            "fdspawn, Keep::Last: Exchange::drain() with Keep::Last(1 MiB). fdspawn, discard(): Exchange::discard(). \
             std: io::copy() to io::sink(), since std has no call that keeps the last bytes.",
        ]),
        Work::Feed => Some(&[
            "raw limit: std starts the child, and write(2) writes 64 KiB at a time.",
            "fdspawn: Exchange::feed(). std and tokio: write_all(). subprocess: InputData::from_bytes(). duct: \
             stdin_bytes(). processkit: Stdin::from_bytes(). All cases write the same memory, but duct and processkit \
             own a copy. duct makes its copy before the time begins, and processkit makes one for each spawn.",
        ]),
        Work::Line => Some(graphs::LINE),
        Work::Stages => Some(graphs::STAGES),
        Work::Tee => Some(graphs::TEE),
        Work::Many => Some(&[
            "raw limit: for each child pipe2, clone3 with CLONE_VM, CLONE_VFORK and CLONE_PIDFD, dup2, close_range, execve and \
             waitid. The kernel copies the whole table of descriptors for each child.",
            "fdspawn: spawn() for each child, and wait(). fdspawn, Children: Children::capture(), which gives each child a \
             second pipe, at 2, and reads both. std: spawn() and wait(), without a pidfd.",
        ]),
        Work::Set => Some(&[
            "raw limit: waitpid(-1) in a loop. It takes the end of any child of the process.",
            "fdspawn: Children, which watches the children before the time begins. std: wait() of one child after the other, in the order of their starts. tokio: wait() in a task for each \
             child. A thread for each child: waitpid(2) in each; the threads have started before the time begins.",
        ]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parts::{PARTS, Subject};

    #[test]
    fn cases_have_different_names_and_start_with_the_raw_limit() {
        for part in PARTS {
            let Subject::Times { work, set, .. } = part.subject else { continue };
            let names: Vec<&str> = cases(work, set).iter().map(|case| case.name).collect();
            assert_eq!(names[0], RAW);
            assert!(names.iter().any(|name| name.starts_with(LIBRARY)), "{names:?}");
            for name in &names {
                assert_eq!(names.iter().filter(|other| *other == name).count(), 1, "{name}");
            }
        }
    }
}
