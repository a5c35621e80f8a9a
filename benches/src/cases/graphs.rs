//! The cases of the parts about graphs of processes.

use super::list::{
    BASH, COPY, Case, DASH, DUCT, LARGE_PIPES, LIBRARY, RAW, SAME_WORK, SHARED_ENVIRONMENT, STD, SUBPROCESS,
    WITH_PIDFDS,
};
use super::{line, tee};

/// The cases of the part "line".
pub fn line() -> Vec<Case> {
    let case = |name, make| Case { name, make };
    vec![
        case(RAW, line::raw),
        case(LIBRARY, line::graph),
        case(LARGE_PIPES, line::large_pipes),
        case(STD, line::std),
        case(SUBPROCESS, line::subprocess),
        case(DUCT, line::duct),
        case(BASH, line::bash),
        case(DASH, line::dash),
    ]
}

/// The cases of the part "stages".
pub fn stages() -> Vec<Case> {
    let case = |name, make| Case { name, make };
    vec![
        case(RAW, line::raw),
        case(SAME_WORK, line::same_work),
        case(WITH_PIDFDS, line::with_pidfds),
        case(LIBRARY, line::graph),
        case(SHARED_ENVIRONMENT, line::shared_environment),
        case(STD, line::std),
        case(SUBPROCESS, line::subprocess),
        case(DUCT, line::duct),
        case(BASH, line::bash),
        case(DASH, line::dash),
    ]
}

/// The cases of the part "tee".
pub fn tee() -> Vec<Case> {
    let case = |name, make| Case { name, make };
    vec![case(RAW, tee::raw), case(LIBRARY, tee::graph), case(COPY, tee::copy)]
}

/// What the cases are.
pub const PEERS: &str = "fdspawn: a Graph, which is made once and started for each run. std: the output of each child is the \
     input of the next one. subprocess: Pipeline. duct: pipe(). bash and dash: a shell for each run, whose start is part \
     of the time. bash has pipefail, and dash tells only the status of the last stage.";

pub const LINE: &[&str] = &[
    "raw limit: for each stage pipe2, clone3 with CLONE_VM and CLONE_VFORK, dup2 and execve, and at last waitid for each.",
    "fdspawn, 1 MiB pipes: Graph::pipe_capacity(1 MiB). The other cases have pipes of the default size.",
    PEERS,
];

pub const STAGES: &[&str] = &[
    "raw limit: for each stage pipe2, clone3 with CLONE_VM and CLONE_VFORK, dup2 and execve, and at last waitid for each.",
    "raw, same work: each child also closes all other descriptors with close_range. raw, same work, pidfds: clone3 also makes a pidfd for each \
     child (CLONE_PIDFD), which is closed after the waits. The library has one for each stage.",
    PEERS,
];

pub const TEE: &[&str] = &[
    "All cases start the same stages with a Graph. fdspawn: Graph::tee().",
    "raw limit: a thread of the parent with tee(2) to one reader and splice(2) to the other. It ends if one reader ends.",
    "copy: a thread of the parent that reads 64 KiB at a time and writes them to both readers with write_all().",
];

#[cfg(test)]
mod tests {
    use super::super::list::cases;
    use crate::files::Files;
    use crate::parts::{PARTS, Subject, Work};
    use std::io;

    #[test]
    fn every_case_moves_all_bytes_and_fails_if_a_program_does() {
        let files = Files::create(1 << 20).unwrap();
        for part in PARTS {
            let Subject::Times { work: work @ (Work::Line | Work::Stages | Work::Tee), points, set } = part.subject
            else {
                continue;
            };
            for point in points {
                let job = files.job(work, &point.state);
                let mut broken = job.clone();
                broken.path = files.root().join("missing");
                for case in cases(work, set) {
                    let run = |job| (case.make)(job).and_then(|mut run| run().and_then(|()| run()));
                    match run(&job) {
                        Err(error) if error.kind() == io::ErrorKind::Unsupported => continue,
                        result => result.unwrap_or_else(|error| panic!("{} of {}: {error}", case.name, part.name)),
                    }
                    assert!(run(&broken).is_err(), "{} of {}", case.name, part.name);
                }
            }
        }
        files.remove().unwrap();
    }
}
