//! Which stages of a graph have failed. Nothing here makes a system call.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// How a stage has ended, and what reads its output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StageEnd {
    pub(super) status: ExitStatus,
    /// Exit codes that are no failure, besides 0.
    pub(super) allowed: Vec<i32>,
    /// The stages that read what it writes.
    pub(super) readers: Vec<usize>,
    /// Whether this process reads what it writes.
    pub(super) has_outside_reader: bool,
}

/// Which stages have failed, by these rules:
///
/// 1. A stage that exits with 0, or with a code that is allowed for it, has not failed.
/// 2. A stage that SIGPIPE has killed has not failed if this process reads one of its links, or if a stage that reads one of them has not
///    failed: that reader had enough.
/// 3. Every other stage has failed.
pub(super) fn failed(ends: &[StageEnd]) -> Vec<bool> {
    let mut failed: Vec<bool> = ends.iter().map(|end| !is_good(end)).collect();
    // A reader that is forgiven lets its writers be forgiven, so look until nothing changes.
    loop {
        let forgiven = ends.iter().enumerate().position(|(stage, end)| {
            let reader_is_good = || end.readers.iter().any(|&reader| reader != stage && !failed[reader]);
            failed[stage] && is_sigpipe(end) && (end.has_outside_reader || reader_is_good())
        });
        match forgiven {
            Some(stage) => failed[stage] = false,
            None => return failed,
        }
    }
}

/// The stage to blame: the first one that has failed by itself, or else the first one that SIGPIPE has killed.
pub(super) fn to_blame(ends: &[StageEnd]) -> Option<usize> {
    let failed = failed(ends);
    let own = (0..ends.len()).find(|&stage| failed[stage] && !is_sigpipe(&ends[stage]));
    own.or_else(|| failed.iter().position(|failed| *failed))
}

fn is_good(end: &StageEnd) -> bool {
    end.status.code().is_some_and(|code| code == 0 || end.allowed.contains(&code))
}

fn is_sigpipe(end: &StageEnd) -> bool {
    end.status.signal() == Some(libc::SIGPIPE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIPE: i32 = libc::SIGPIPE;

    /// A line of stages with these statuses, as `wait(2)` has them.
    fn line(statuses: &[i32]) -> Vec<StageEnd> {
        let end = |(stage, &status): (usize, &i32)| StageEnd {
            status: ExitStatus::from_raw(status),
            allowed: Vec::new(),
            readers: if stage + 1 < statuses.len() { vec![stage + 1] } else { Vec::new() },
            has_outside_reader: false,
        };
        statuses.iter().enumerate().map(end).collect()
    }

    fn exit(code: i32) -> i32 {
        code << 8
    }

    #[test]
    fn rule_1_allowed_codes_are_no_failure() {
        let mut ends = line(&[exit(0), exit(1)]);
        assert_eq!(to_blame(&ends), Some(1));
        ends[1].allowed = vec![1];
        assert_eq!(to_blame(&ends), None);
        ends[1].status = ExitStatus::from_raw(exit(2));
        assert_eq!(to_blame(&ends), Some(1));
    }

    #[test]
    fn rule_2_sigpipe_is_forgiven_if_a_reader_is_fine() {
        assert_eq!(to_blame(&line(&[PIPE, exit(0)])), None);
        assert_eq!(to_blame(&line(&[PIPE, PIPE, PIPE, exit(0)])), None);
        assert_eq!(to_blame(&line(&[PIPE, PIPE, exit(3)])), Some(2), "the cause, and not who came first");
        assert_eq!(failed(&line(&[PIPE, PIPE, exit(3)])), [true; 3]);
        let mut ends = line(&[PIPE]);
        assert_eq!(to_blame(&ends), Some(0), "no process reads it");
        ends[0].has_outside_reader = true;
        assert_eq!(to_blame(&ends), None);
    }

    #[test]
    fn rule_2_a_stage_that_reads_itself_does_not_forgive_itself() {
        let mut ends = line(&[PIPE, PIPE]);
        ends[0].readers = vec![0, 1];
        ends[1].readers = vec![0];
        assert_eq!(failed(&ends), [true, true]);
    }

    #[test]
    fn rule_3_other_signals_and_codes_are_failures() {
        assert_eq!(to_blame(&line(&[libc::SIGKILL, exit(0)])), Some(0));
        assert_eq!(to_blame(&line(&[exit(1), libc::SIGSEGV])), Some(0));
        assert_eq!(to_blame(&line(&[exit(0), exit(0)])), None);
    }
}
