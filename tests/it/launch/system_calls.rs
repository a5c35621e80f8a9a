//! How many system calls a spawn makes, counted by strace.

use crate::support::tiny::tiny_program;
use crate::support::tools::has;
use crate::support::{helper, rounds};
use std::process::Command;

/// The system calls of one spawn of the tiny program, in parent and child together. `strace -c` does not count
/// exit_group, since that does not return.
fn calls_of_one(what: &str) -> f64 {
    calls_of("repeat", what)
}

/// The system calls of one spawn by a helper of this mode.
fn calls_of(mode: &str, what: &str) -> f64 {
    let program = tiny_program();
    let calls = |count: u32| {
        let repeat = helper(mode);
        let mut strace = Command::new("strace");
        strace.args(["-f", "-c", "-U", "calls,name"]).arg(repeat.get_program()).args(repeat.get_args());
        let output = strace.args([what, &count.to_string()]).arg(&program).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{text}");
        let total = text.lines().rev().find(|line| line.ends_with("total")).unwrap_or_else(|| panic!("{text}"));
        total.split_whitespace().next().unwrap().parse::<f64>().unwrap()
    };
    // The difference of the two counts leaves out the helper's own start.
    let many = rounds(40, 150) as u32;
    (calls(many) - calls(10)) / f64::from(many - 10)
}

#[test]
fn plain_status_takes_12_calls_in_parent_and_child_together() {
    if has("strace") {
        // Parent: three fcntl, two rt_sigprocmask, clone3, waitid. Child: close_range, rt_sigaction, rt_sigprocmask,
        // execve.
        assert_eq!(calls_of_one("status"), 11.0);
    }
}

/// The calls of one close. With debug assertions, std first asks the kernel whether the descriptor is open.
const CLOSE: f64 = if cfg!(debug_assertions) { 2.0 } else { 1.0 };

#[test]
fn plain_spawn_takes_two_calls_more() {
    if has("strace") {
        // One waitid more, since a signal may have killed the child before exec. And the parent closes the pidfd in the
        // end.
        assert_eq!(calls_of_one("spawn"), 11.0 + 1.0 + CLOSE);
    }
}

#[test]
fn timed_wait_takes_one_call_more_and_so_does_a_process_group() {
    if has("strace") {
        let plain = calls_of_one("spawn");
        assert_eq!(calls_of_one("timed"), plain + 1.0, "poll");
        assert_eq!(calls_of_one("group"), plain + 1.0, "setpgid");
    }
}

#[test]
fn spawn_without_a_pidfd_has_none_to_close() {
    if has("strace") {
        assert_eq!(calls_of_one("no-pidfd"), 11.0 + 1.0);
    }
}

#[test]
fn spawn_with_three_pipes_takes_no_call_that_is_not_needed() {
    if has("strace") {
        // Parent: prlimit64 for the highest target, three pipe2, and six ends to close. Child: three dup3, and a
        // close_range from 3 on. Since the pipes are the child's 0, 1 and 2, the parent needs no fcntl to ask about
        // them.
        assert_eq!(calls_of_one("pipes"), 9.0 + CLOSE + 4.0 + 6.0 * CLOSE + 4.0);
    }
}

#[test]
fn calls_through_stds_api_are_those_of_the_calls_below() {
    if has("strace") {
        for what in ["status", "spawn", "output"] {
            assert_eq!(calls_of("repeat-through-std", what), calls_of("repeat-inheriting", what), "{what}");
        }
    }
}
